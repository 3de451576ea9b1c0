#include "adapters/wire/key_cache.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/wire/table_file.hpp"

namespace cellroute::wire {
namespace {

constexpr std::string_view prefix = "keys-1-";  // the number: of the rules by which files become rows
constexpr std::string_view ending = ".ctab";
constexpr std::size_t tables_kept = 2;  // in use, and before

std::string name_of(std::uint64_t content) { return fmt::format("{}{:016x}{}", prefix, content, ending); }

std::string path_of(const std::string& folder, std::uint64_t content) {
  return (std::filesystem::path(folder) / name_of(content)).string();
}

/// Root is about to become the owner, or is refused where it takes the folder for itself: `process::state_lock`.
bool is_trusted(uid_t owner) { return owner == ::geteuid() || ::geteuid() == 0; }

/// Whether nobody else can have written there.
bool is_private(const std::string& folder) {
  struct stat facts{};
  return ::stat(folder.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) && is_trusted(facts.st_uid) &&
         (facts.st_mode & 077) == 0;
}

}  // namespace

expected<key_table, cache_miss> find_kept_table(const std::string& folder, std::uint64_t content,
                                                std::pmr::memory_resource* resource) {
  const std::string path = path_of(folder, content);
  auto file = open_table_file(path, resource);
  if (!file && file.error() == file_error::missing) return unexpected(cache_miss{});
  if (!file) return unexpected(cache_miss{true, path + ": cannot be read"});
  if (!is_private(folder))
    return unexpected(cache_miss{true, folder + ": belongs to another user, or is open to others"});
  if (!file->table) return unexpected(cache_miss{true, fmt::format("{}: {}", path, to_string(file->table.error()))});
  return *std::move(file->table);
}

expected<void, std::string> keep_table(const std::string& folder, std::uint64_t content, const key_table& table) {
  return write_table_file(path_of(folder, content), table);
}

void remove_other_tables(const std::string& folder, std::span<const std::uint64_t> contents) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<std::pair<fs::file_time_type, fs::path>> others;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    const bool is_kept = std::ranges::any_of(contents, [&name](std::uint64_t c) { return name == name_of(c); });
    if (!name.starts_with("keys-") || is_kept) continue;
    if (name.ends_with(ending)) {
      others.emplace_back(entry.last_write_time(failed), entry.path());
    } else {
      fs::remove(entry.path(), failed);
    }
  }
  std::ranges::sort(others, std::greater());
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (contents.size() + i >= tables_kept) fs::remove(others[i].second, failed);
  }
}

}  // namespace cellroute::wire
