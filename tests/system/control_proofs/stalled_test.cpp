// Routers that stand still cost the others nothing (control-plane.md section 12, T4).
#include <doctest/doctest.h>

#include <csignal>
#include <deque>
#include <string>
#include <vector>

#include "tests/system/control_proofs/light_fleet.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/proof_size.hpp"

namespace cellroute::system_test {
namespace {

TEST_CASE("stalled proof: a large push takes the others no longer because some routers are stopped") {
  const std::size_t keys = sized(100'000U, 1'000'000U);
  const std::size_t count = sized(4U, 20U);
  const std::size_t stopped = sized(1U, 3U);
  const std::size_t light = sized(18U, 180U);
  const int rounds = sized(1, 3);
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, 1, 2)).status() / 100 == 2);
  std::deque<router_process> routers;
  for (std::size_t i = 0; i < count; ++i) routers.emplace_back(silent_told_by(control.port()));
  light_fleet lights(control.port(), light, "light");
  const auto all_run = [&](std::size_t from, std::uint64_t version, steady::duration limit) {
    for (std::size_t i = from; i < count; ++i) {
      if (!eventually([&] { return runs(control, routers[i], version); }, limit)) return false;
    }
    return lights.all_run(version, limit);
  };
  REQUIRE(all_run(0, 1, 300s));

  std::vector<double> free;
  std::vector<double> beside;
  std::size_t pushes = 0;
  const auto push = [&](std::vector<double>& into) {
    const message answer = tell(control, "PUT", "/v1/config", fleet_of(keys, 2 * ++pushes, 1, 2));
    REQUIRE(answer.status() == 200);
    const stopwatch time;
    REQUIRE(all_run(stopped, version_of(answer), 300s));  // those that are never stopped
    into.push_back(time.ms());
    return version_of(answer);
  };
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t version = push(free);
    REQUIRE(all_run(0, version, 300s));
    for (std::size_t i = 0; i < stopped; ++i) routers[i].process().signal(SIGSTOP);
    const std::uint64_t next = push(beside);
    for (std::size_t i = 0; i < stopped; ++i) routers[i].process().signal(SIGCONT);
    REQUIRE(all_run(0, next, 300s));  // who was stopped comes back to it
  }
  MESSAGE("" << keys << " keys, half of which move, to " << count - stopped << " routers and " << light
             << " light ones: " << median(free) << " ms from the answer; beside " << stopped
             << " more that are stopped " << median(beside) << " ms (medians of " << rounds << ")");
  CHECK(lights.lost() == 0);
  if (is_full_size()) CHECK(median(beside) <= 1.5 * median(free));
}

}  // namespace
}  // namespace cellroute::system_test
