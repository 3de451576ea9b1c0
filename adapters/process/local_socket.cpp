#include "adapters/process/local_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cellroute::process {
namespace {

constexpr int backlog = 64;
constexpr mode_t user_only = 0600;
constexpr const char* in_use = "another process uses it; stop that one, or give each its own";

std::string refusal(const std::string& path, const std::string& what) { return "socket " + path + ": " + what; }

std::string failure(const std::string& path, const char* what) {
  const int error = errno;
  return refusal(path, std::string(what) + ": " + std::strerror(error));
}

int make_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

/// The caller has seen that the path fits.
sockaddr_un address_of(const std::string& path) {
  sockaddr_un made{};
  made.sun_family = AF_UNIX;
  std::ranges::copy(path, made.sun_path);
  return made;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // allow: reinterpret_cast: socket API
}

}  // namespace

expected<local_socket, std::string> local_socket::open(const std::string& path) {
  constexpr std::size_t path_max = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > path_max || path.find('\0') != std::string::npos) {
    return unexpected(refusal(path, "a path has 1 to " + std::to_string(path_max) + " bytes here; name another"));
  }
  const std::string lock_file = path + ".lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, user_only);
  if (lock < 0) return unexpected(failure(path, "its lock beside it cannot be opened"));
  local_socket made(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return unexpected(errno == EWOULDBLOCK ? refusal(path, in_use) : failure(path, "cannot be locked"));
  }
  if (auto r = made.remove_stale(); !r) return unexpected(std::move(r).error());
  if (auto r = made.listen(); !r) return unexpected(std::move(r).error());
  return made;
}

expected<void, std::string> local_socket::remove_stale() const {
  struct stat facts{};
  if (::lstat(path_.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {};
    return unexpected(failure(path_, "cannot be looked at"));
  }
  if (!S_ISSOCK(facts.st_mode)) return unexpected(refusal(path_, "something else is there; name another"));
  if (facts.st_uid != ::geteuid()) return unexpected(refusal(path_, "belongs to another user; name another"));
  // A program that knows nothing of the lock may listen there.
  const int probe = make_socket();
  if (probe < 0) return unexpected(failure(path_, "cannot be looked at"));
  const sockaddr_un address = address_of(path_);
  const int outcome = ::connect(probe, generic(address), sizeof address);
  const bool is_stale = outcome != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (!is_stale) return unexpected(refusal(path_, in_use));
  if (::unlink(path_.c_str()) != 0) return unexpected(failure(path_, "was left by a process, and cannot be removed"));
  return {};
}

expected<void, std::string> local_socket::listen() {
  descriptor_ = make_socket();
  // The file has the mode of the descriptor from its first moment, whatever the umask lets through.
  if (descriptor_ < 0 || ::fchmod(descriptor_, user_only) != 0) return unexpected(failure(path_, "cannot be made"));
  const sockaddr_un address = address_of(path_);
  if (::bind(descriptor_, generic(address), sizeof address) != 0) return unexpected(failure(path_, "cannot be made"));
  struct stat facts{};
  if (::lstat(path_.c_str(), &facts) != 0) return unexpected(failure(path_, "cannot be looked at"));
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
  // The mode is the whole protection: a system that makes another of it gets no listener.
  if ((facts.st_mode & 0777 & ~user_only) != 0) return unexpected(refusal(path_, "is open to others; name another"));
  if (::listen(descriptor_, backlog) != 0) return unexpected(failure(path_, "cannot be listened on"));
  return {};
}

local_socket::local_socket(local_socket&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)) {}

local_socket::~local_socket() {
  struct stat facts{};
  const bool is_there = inode_ != 0 && ::lstat(path_.c_str(), &facts) == 0;
  if (is_there && facts.st_dev == device_ && facts.st_ino == inode_) ::unlink(path_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
  if (lock_ >= 0) ::close(lock_);
}

int local_socket::release_descriptor() { return std::exchange(descriptor_, -1); }

}  // namespace cellroute::process
