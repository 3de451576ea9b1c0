#include "adapters/sync/backoff.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace cellroute::sync {
namespace {

TEST_CASE("backoff: the bound doubles up to the longest, and starts anew") {
  random_numbers rng(1);
  backoff wait({250ms, 2s});
  for (const duration bound : {250ms, 500ms, 1'000ms, 2'000ms, 2'000ms}) {
    CHECK(wait.bound() == bound);
    const duration next = wait.next(rng);
    CHECK(next >= 0ms);
    CHECK(next <= bound);
  }
  wait.reset();
  CHECK(wait.bound() == 250ms);
}

TEST_CASE("backoff: those that failed together come back over all of the time") {
  random_numbers rng(1);
  int early = 0;
  duration latest{};
  for (int i = 0; i < 10'000; ++i) {
    backoff wait({1s, 1s});
    const duration next = wait.next(rng);
    early += next < 500ms ? 1 : 0;
    latest = std::max(latest, next);
  }
  CHECK(early > 4'800);
  CHECK(early < 5'200);
  CHECK(latest > 990ms);
}

}  // namespace
}  // namespace cellroute::sync
