#include "adapters/process/disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

namespace cellroute::process {
namespace {

unexpected<std::error_code> failed() { return unexpected(std::error_code(errno, std::system_category())); }

disk_result<void> done(int result) {
  if (result != 0) return failed();
  return {};
}

/// Again, as long as a signal comes between.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int flags_of(disk::access how) {
  constexpr int always = O_CLOEXEC | O_NOFOLLOW;
  switch (how) {
    case disk::access::read:
      return always | O_RDONLY;
    case disk::access::append:
      return always | O_WRONLY | O_CREAT | O_APPEND;
    case disk::access::create:
      return always | O_WRONLY | O_CREAT | O_TRUNC;
  }
  return always;
}

}  // namespace

disk_result<disk_folder> disk_folder::open_folder(const std::string& path, std::optional<identity> later) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed();
  return disk_folder(descriptor, std::move(later));
}

disk_folder::disk_folder(disk_folder&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), later_(std::move(other.later_)) {}

disk_folder::~disk_folder() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

disk_result<int> disk_folder::open(const std::string& name, access how) {
  const int file = uninterrupted([&] { return ::openat(descriptor_, name.c_str(), flags_of(how), 0600); });
  if (file < 0) return failed();
  if (later_ && how != access::read && ::fchown(file, later_->uid, later_->gid) != 0) {
    const auto error = failed();
    ::close(file);
    return error;
  }
  return file;
}

void disk_folder::close(int file) { ::close(file); }

disk_result<std::size_t> disk_folder::read(int file, std::span<std::byte> to) {
  const ssize_t got = uninterrupted([&] { return ::read(file, to.data(), to.size()); });
  if (got < 0) return failed();
  return static_cast<std::size_t>(got);
}

disk_result<std::size_t> disk_folder::write(int file, std::span<const std::byte> bytes) {
  const ssize_t sent = uninterrupted([&] { return ::write(file, bytes.data(), bytes.size()); });
  if (sent < 0) return failed();
  return static_cast<std::size_t>(sent);
}

// A call that a signal ended may be made again; one that failed may not: the next one would succeed without the bytes.
disk_result<void> disk_folder::sync(int file) {
  return done(uninterrupted([&] { return ::fsync(file); }));
}

disk_result<void> disk_folder::sync_folder() { return sync(descriptor_); }

disk_result<void> disk_folder::rename(const std::string& from, const std::string& to) {
  return done(::renameat(descriptor_, from.c_str(), descriptor_, to.c_str()));
}

disk_result<void> disk_folder::remove(const std::string& name) {
  return done(::unlinkat(descriptor_, name.c_str(), 0));
}

disk_result<std::vector<std::string>> disk_folder::list() {
  const int copy = ::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return failed();
  DIR* const folder = ::fdopendir(copy);
  if (folder == nullptr) {
    auto error = failed();
    ::close(copy);
    return error;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(folder);
  if (error != 0) return unexpected(std::error_code(error, std::system_category()));
  return names;
}

}  // namespace cellroute::process
