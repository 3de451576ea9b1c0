#include "adapters/tool/ctl_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace cellroute::tool {
namespace {

namespace fs = std::filesystem;

bool write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(to, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

/// All of it, brought to the disk where that is a file. 0, or what the system says.
int write_into(const std::string& path, int flags, std::string_view bytes, bool is_synced) {
  const int to = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600);
  if (to < 0) return errno;
  int error = write_all(to, bytes) ? 0 : errno;
  if (error == 0 && is_synced && ::fsync(to) != 0) error = errno;
  if (::close(to) != 0 && error == 0) error = errno;
  return error;
}

int replace(const std::string& path, std::string_view bytes) {
  std::error_code none;
  const fs::path end = fs::canonical(path, none);  // of a link: what it leads to
  const std::string file = none ? path : end.string();
  const std::string unfinished = fmt::format("{}.{}.tmp", file, ::getpid());
  int error = write_into(unfinished, O_CREAT | O_EXCL | O_NOFOLLOW, bytes, true);
  if (error == EEXIST) return error;
  if (error == 0 && std::rename(unfinished.c_str(), file.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(unfinished.c_str());
  return error;
}

}  // namespace

output_kind kind_of_output(const std::string& path) {
  std::error_code unknown;
  const fs::file_status found = fs::status(path, unknown);
  return !fs::exists(found) || fs::is_regular_file(found) ? output_kind::file : output_kind::no_file;
}

expected<void, std::string> write_output(const std::string& path, std::string_view bytes) {
  const bool is_file = kind_of_output(path) == output_kind::file;
  const int error = is_file ? replace(path, bytes) : write_into(path, 0, bytes, false);
  if (error == 0) return {};
  return unexpected(fmt::format("{}: cannot be written: {}", path, std::generic_category().message(error)));
}

}  // namespace cellroute::tool
