#include "adapters/process/state_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace cellroute::process {
namespace {

state_error failed(const std::string& folder, const char* what) {
  return {"state_dir " + folder + ": " + what + ": " + std::strerror(errno), true};
}

}  // namespace

expected<state_lock, state_error> state_lock::take(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return unexpected(failed(folder, "cannot be made"));
  struct stat facts{};
  if (::stat(folder.c_str(), &facts) != 0) return unexpected(failed(folder, "cannot be looked at"));
  if (!S_ISDIR(facts.st_mode))
    return unexpected(state_error{"state_dir " + folder + ": is no folder; name one", false});
  if (facts.st_uid != ::geteuid()) {
    return unexpected(
        state_error{"state_dir " + folder + ": belongs to another user; chown it, or name another", false});
  }
  if ((facts.st_mode & 077) != 0) {
    return unexpected(state_error{"state_dir " + folder + ": is open to others; chmod 700 it, or name another", false});
  }
  const std::string file = folder + "/lock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return unexpected(failed(folder, "cannot be locked"));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const bool is_taken = errno == EWOULDBLOCK;
    state_error error = failed(folder, "cannot be locked");
    ::close(descriptor);
    if (is_taken) {
      error = {"state_dir " + folder + ": another process uses it; stop that one, or give each its own", false};
    }
    return unexpected(std::move(error));
  }
  return state_lock(descriptor);
}

state_lock::state_lock(state_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

state_lock::~state_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace cellroute::process
