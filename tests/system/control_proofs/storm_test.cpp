// Thousands of routers that come at once, and a thousand that hardly read (control-plane.md section 12, T22 and T6).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/system/control_proofs/light_fleet.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/proof_size.hpp"

namespace cellroute::system_test {
namespace {

TEST_CASE("storm proof: routers that are all cut at once come back, and the API answers meanwhile") {
  const std::size_t count = sized(500U, 5'000U);
  if (!has_descriptors(count + 200)) return skip("it needs more descriptors");
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(1'000, 0, 1, 2)).status() / 100 == 2);
  light_fleet lights(control.port(), count, "light");
  REQUIRE(all_on_target(control, count));

  const double sessions = control.metric("cellroute_control_sessions_total");
  lights.cut_all();
  const stopwatch since;
  std::vector<double> asked;
  double back_ms = 0;
  while (back_ms == 0 && since.ms() < 60'000) {
    for (int i = 0; i < 20; ++i) {
      const stopwatch time;
      REQUIRE(control.page("/v1/info").status() == 200);
      asked.push_back(time.ms());
      std::this_thread::sleep_for(5ms);
    }
    const bool all_came = control.metric("cellroute_control_sessions_total") >= sessions + static_cast<double>(count);
    if (all_came && all_on_target(control, count, 0s)) back_ms = since.ms();
  }
  MESSAGE(count << " routers cut at once: all back after " << back_ms << " ms; /v1/info meanwhile " << median(asked)
                << " ms (median), " << quantile(asked, 0.99) << " ms (p99 of " << asked.size() << ")");
  CHECK(back_ms > 0);
  CHECK(lights.lost() >= count);
  if (is_full_size()) {
    CHECK(back_ms < 30'000);
    CHECK(quantile(asked, 0.99) < 200);
  }
}

TEST_CASE("storm proof: routers that hardly read cost no memory for what waits for them") {
  const std::size_t keys = sized(100'000U, 1'000'000U);
  const std::size_t count = sized(100U, 1'000U);
  if (!has_descriptors(count + 200)) return skip("it needs more descriptors");
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, 1, 2)).status() / 100 == 2);
  {
    light_fleet first(control.port(), 1, "first");  // what is to be sent is made for it
    REQUIRE(first.all_run(1, 120s));
  }
  const std::size_t before = control.resident_bytes();
  light_fleet slow(control.port(), count, "slow", 2048);
  std::size_t most = before;
  for (int i = 0; i < sized(20, 200); ++i) {
    std::this_thread::sleep_for(100ms);
    most = std::max(most, control.resident_bytes());
  }
  CHECK(slow.run_of(1).first == 0);  // they are all in the middle of it
  CHECK(control.metric("cellroute_control_sessions") == static_cast<double>(count));
  const std::size_t each = (most - before) / count;
  MESSAGE(count << " routers that take 40 KB a second of " << keys << " keys: " << each << " bytes of memory each, "
                << most / 1024 / 1024 << " MiB in all");
  CHECK(each < 64 * 1024);  // a window of chunks is twice that, for each
  slow.read_freely();
  CHECK(slow.all_run(1, 300s));
}

}  // namespace
}  // namespace cellroute::system_test
