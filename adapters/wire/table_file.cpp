#include "adapters/wire/table_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace cellroute::wire {
namespace {

/// A descriptor that is closed at the end.
class open_file {
 public:
  open_file(const std::string& path, int flags, mode_t mode = 0)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  /// Reads until there are `size` bytes or no more; returns how many there are, -1 on failure.
  [[nodiscard]] ssize_t read(std::byte* to, std::size_t size) const {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = ::read(descriptor_, to + done, size - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -1;
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return static_cast<ssize_t>(done);
  }

  [[nodiscard]] bool write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::write(descriptor_, bytes.data(), bytes.size());
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }

 private:
  int descriptor_;
};

unexpected<std::string> failed(std::string_view what, const std::string& path) {
  return unexpected(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

bool is_table_file(const std::string& path) {
  const open_file file(path, O_RDONLY);
  std::array<std::byte, key_format::magic.size()> front{};
  if (!file.is_open() || file.read(front.data(), front.size()) != static_cast<ssize_t>(front.size())) return false;
  return std::memcmp(front.data(), key_format::magic.data(), front.size()) == 0;
}

expected<arena, file_error> read_bytes(const std::string& path, std::pmr::memory_resource* resource) {
  const open_file file(path, O_RDONLY);
  if (!file.is_open())
    return unexpected(errno == ENOENT || errno == ENOTDIR ? file_error::missing : file_error::unreadable);
  struct stat facts{};
  if (::fstat(file.descriptor(), &facts) != 0 || !S_ISREG(facts.st_mode)) return unexpected(file_error::unreadable);
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > key_file_bytes_max) return unexpected(file_error::too_large);
  arena memory(size, resource);
  const ssize_t got = file.read(memory.data(), size);
  if (got < 0) return unexpected(file_error::unreadable);
  memory.shorten(static_cast<std::size_t>(got));  // who shortens it meanwhile makes a table that is refused
  return memory;
}

std::string what_is_wrong(open_error error) {
  return fmt::format("is no compiled table that can be used here ({}); compile it again", to_string(error));
}

expected<void, std::string> write_table_file(const std::string& path, const key_table& table) {
  const std::string written = fmt::format("{}.{}.tmp", path, ::getpid());
  const auto give_up = [&written](std::string_view what) {
    auto error = failed(what, written);
    ::unlink(written.c_str());
    return error;
  };
  {
    const open_file file(written, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    if (!file.is_open()) return failed("cannot be written", written);
    const key_table::stored_bytes bytes = table.bytes();
    if (!file.write(bytes.head) || !file.write(bytes.rest)) return give_up("cannot be written");
    if (::fsync(file.descriptor()) != 0) return give_up("cannot be brought to the disk");
  }
  if (::rename(written.c_str(), path.c_str()) != 0) return give_up("cannot get its name");
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const open_file entry(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  if (entry.is_open()) (void)::fsync(entry.descriptor());  // where it is refused, the name comes to the disk later
  return {};
}

}  // namespace cellroute::wire
