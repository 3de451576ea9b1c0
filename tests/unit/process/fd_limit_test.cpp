#include "adapters/process/fd_limit.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

namespace cellroute::process {
namespace {

/// Puts the limit of this process back.
class limit_guard {
 public:
  limit_guard() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  limit_guard(const limit_guard&) = delete;
  limit_guard& operator=(const limit_guard&) = delete;
  ~limit_guard() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  [[nodiscard]] rlim_t hard() const { return before_.rlim_max; }

 private:
  rlimit before_{};
};

TEST_CASE("descriptor limit: the soft limit becomes the hard one, once") {
  const limit_guard guard;
  REQUIRE(guard.hard() > 64);
  const rlimit low{64, guard.hard()};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);

  const auto raised = raise_fd_limit();
  REQUIRE(raised);
  CHECK((*raised == fd_limit{64, guard.hard()}));
  rlimit now{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
  CHECK(now.rlim_cur == guard.hard());
  CHECK(now.rlim_max == guard.hard());

  const auto again = raise_fd_limit();
  REQUIRE(again);
  CHECK((*again == fd_limit{guard.hard(), guard.hard()}));
}

}  // namespace
}  // namespace cellroute::process
