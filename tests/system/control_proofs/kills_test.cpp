// The control plane is killed again and again, and no request notices (control-plane.md section 12, T2).
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/control_proofs/steady_load.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t keys = 1'000;

TEST_CASE("kills proof: under load the control plane is killed and started again, and no request fails") {
  const int rounds = sized(2, 10);
  const int kills_a_round = 2;
  const auto pause = sized<steady::duration>(2500ms, 3s);
  bench_cells cells({"tier1", "tier3"});
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, cells.port(0), cells.port(1))).status() / 100 == 2);
  const scratch_folder state;
  router_config config = told_by(control.port());
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  router_process router(config);
  REQUIRE(eventually([&] { return router.admin("/ready").status() == 200; }));
  std::string asked;
  for (std::size_t i = 0; i < keys; ++i) asked += key_name(i) + "\t" + std::string(cell_in(i, 0)) + "\n";
  steady_load load(router.port(), asked, 2'000);
  std::this_thread::sleep_for(1s);

  using times = std::pair<steady::time_point, steady::time_point>;
  std::vector<times> quiet;
  std::vector<times> killing;
  int met = 0;  // kills of a control plane that the router was connected to
  for (int round = 0; round < rounds; ++round) {
    const steady::time_point began = steady::now();
    std::this_thread::sleep_for(sized<steady::duration>(1s, pause * kills_a_round));
    quiet.emplace_back(began, steady::now());
    const steady::time_point first = steady::now();
    for (int i = 0; i < kills_a_round; ++i) {
      met += router.metric("gateway_control_plane_connected") == 1 ? 1 : 0;
      control.kill();
      control.start();
      std::this_thread::sleep_until(first + pause * (i + 1));
    }
    killing.emplace_back(first, steady::now());
  }
  const bool is_clean = load.stop();
  std::vector<double> in_quiet;
  std::vector<double> in_kills;
  for (const auto& [from, to] : quiet) in_quiet.push_back(load.p99_ms(from, to));
  for (const auto& [from, to] : killing) in_kills.push_back(load.p99_ms(from, to));
  MESSAGE("" << rounds * kills_a_round << " kills, " << met << " of them of an open session, in "
             << to_ms(pause * kills_a_round * rounds) / 1000 << " s at 2,000 requests a second: p99 "
             << median(in_kills) << " ms, in quiet times between " << median(in_quiet) << " ms (medians of " << rounds
             << "); " << load.told());
  CHECK(is_clean);
  CHECK(load.answered() > 2'000);
  if (is_full_size()) CHECK(is_within(median(in_kills), median(in_quiet), 1.1));
  // It finds back, and takes what comes.
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }, 60s));
  const message moved = tell(control, "PUT", "/v1/keys/" + key_name(1), R"({"placement":"tier1"})");
  REQUIRE(moved.status() == 200);
  CHECK(eventually([&] { return runs(control, router, version_of(moved)); }));
}

}  // namespace
}  // namespace cellroute::system_test
