#include "adapters/process/fd_limit.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <string_view>

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

TEST_CASE("descriptor limit: a quarter of what is left is not for clients") {
  struct share_case {
    std::string_view says;
    std::uint64_t descriptors_max;
    std::uint64_t open;
    std::uint64_t expected;
  };
  const share_case cases[] = {
      {"of a small process", 64, 24, 30},
      {"what cannot be divided goes to cells", 64, 25, 29},
      {"of the usual hard limit", 524'288, 88, 393'150},
      {"one for a cell, one for its client", 22, 20, 1},
      {"a client must be taken, even if nothing is left", 20, 20, 1},
      {"or less than that", 20, 30, 1},
  };
  for (const share_case& row : cases) {
    CAPTURE(row.says);
    CHECK(descriptors_for_clients(row.descriptors_max, row.open) == row.expected);
  }
}

}  // namespace
}  // namespace cellroute::process
