#include "adapters/process/file_activity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

namespace cellroute::process {
namespace {

#ifdef F_SETLEASE
/// The system says so only of files whose owner asks, or to whom may ask about all.
bool has_writer(int descriptor) {
  // Should a writer come while the lease is held, the signal that says so is one that nobody hears.
  (void)::fcntl(descriptor, F_SETSIG, SIGURG);
  if (::fcntl(descriptor, F_SETLEASE, F_RDLCK) != 0) return errno == EAGAIN;
  (void)::fcntl(descriptor, F_SETLEASE, F_UNLCK);
  return false;
}
#else
bool has_writer(int) { return false; }
#endif

duration to_duration(const timespec& t) {
  return std::chrono::duration_cast<duration>(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace

bool is_being_written(const std::string& path, duration quiet, wall_time now) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return false;
  struct stat facts{};
  bool is_written = false;
  if (::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode)) {
    const duration age = now.time_since_epoch() - to_duration(facts.st_mtim);
    is_written = (age >= duration::zero() && age < quiet) || has_writer(descriptor);
  }
  ::close(descriptor);
  return is_written;
}

}  // namespace cellroute::process
