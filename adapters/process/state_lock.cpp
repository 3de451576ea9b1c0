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

/// A file that is made here belongs to that user from then on; one that is there already stays whose it is.
int open_lock(const std::string& file, const std::optional<identity>& later) {
  constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  const int made = ::open(file.c_str(), flags | O_CREAT | O_EXCL, 0600);
  if (made < 0) return errno == EEXIST ? ::open(file.c_str(), flags) : made;
  if (later && ::fchown(made, later->uid, later->gid) != 0) {
    ::close(made);
    return -1;
  }
  return made;
}

}  // namespace

expected<state_lock, state_error> state_lock::take(const std::string& folder, const std::optional<identity>& later) {
  const bool is_made = ::mkdir(folder.c_str(), 0700) == 0;
  if (!is_made && errno != EEXIST) return unexpected(failed(folder, "cannot be made"));
  if (is_made && later && ::lchown(folder.c_str(), later->uid, later->gid) != 0) {
    return unexpected(failed(folder, "cannot be given to the user of process.privileges"));
  }
  struct stat facts{};
  if (::stat(folder.c_str(), &facts) != 0) return unexpected(failed(folder, "cannot be looked at"));
  if (!S_ISDIR(facts.st_mode))
    return unexpected(state_error{"state_dir " + folder + ": is no folder; name one", false});
  if (facts.st_uid != (later ? later->uid : ::geteuid())) {
    return unexpected(state_error{"state_dir " + folder + ": does not belong to " +
                                      (later ? later->user + ", whom process.privileges names" : "this user") +
                                      "; chown it, or name another",
                                  false});
  }
  if ((facts.st_mode & 077) != 0) {
    return unexpected(state_error{"state_dir " + folder + ": is open to others; chmod 700 it, or name another", false});
  }
  const std::string file = folder + "/lock";
  const int descriptor = open_lock(file, later);
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

expected<state_lock, state_error> state_lock::share() const {
  const int descriptor = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) {
    return unexpected(
        state_error{std::string("the lock of state_dir cannot be shared: ") + std::strerror(errno), true});
  }
  return state_lock(descriptor);
}

state_lock::state_lock(state_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

state_lock::~state_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace cellroute::process
