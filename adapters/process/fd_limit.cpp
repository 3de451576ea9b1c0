#include "adapters/process/fd_limit.hpp"

#include <sys/resource.h>

#include <cerrno>

namespace cellroute::process {

expected<fd_limit, int> raise_fd_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return unexpected(errno);
  const std::uint64_t before = limit.rlim_cur;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return unexpected(errno);
  }
  return fd_limit{before, limit.rlim_cur};
}

}  // namespace cellroute::process
