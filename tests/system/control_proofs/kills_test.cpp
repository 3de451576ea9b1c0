// The control plane is killed again and again, or is gone for long, and no request notices (control-plane.md section
// 12, T2 and T3).
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/control_proofs/steady_load.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t keys = 1'000;

/// What a load asks for: each key, and the cell that it should come to.
std::string all_keys() {
  std::string asked;
  for (std::size_t i = 0; i < keys; ++i) asked += key_name(i) + "\t" + std::string(cell_in(i, 0)) + "\n";
  return asked;
}

/// Cells, a control plane that publishes them, and what a router of it is started with: it keeps what it was told.
struct small_world {
  bench_cells cells{{"tier1", "tier3"}};
  control_process control{written_by_api()};
  scratch_folder state;
  router_config config = silent_told_by(control.port());

  small_world() {
    REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, cells.port(0), cells.port(1))).status() / 100 == 2);
    config.arguments = {"--state-dir", (state.path() / "state").string()};
  }
};

TEST_CASE("kills proof: under load the control plane is killed and started again, and no request fails") {
  const int rounds = sized(2, 10);
  const int kills_a_round = 2;
  const auto pause = sized<steady::duration>(2500ms, 3s);
  small_world world;
  control_process& control = world.control;
  router_process router(world.config);
  REQUIRE(eventually([&] { return router.admin("/ready").status() == 200; }));
  steady_load load(router.port(), all_keys(), 2'000);
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

TEST_CASE("gone proof: without a control plane routers serve, and those that start anew serve the same") {
  small_world world;
  control_process& control = world.control;
  router_process router(silent_told_by(control.port()));
  std::optional<router_process> restarted(std::in_place, world.config);
  const auto is_ready = [](const router_process& r) {
    return eventually([&r] { return r.admin("/ready").status() == 200; });
  };
  REQUIRE(is_ready(router));
  REQUIRE(is_ready(*restarted));
  steady_load load(router.port(), all_keys(), 200);
  control.kill();
  const stopwatch gone;
  int starts = 0;
  const double gone_ms = sized(5'000.0, 590'000.0);  // the load lasts ten minutes
  while (gone.ms() < gone_ms) {
    restarted.reset();
    restarted.emplace(world.config);
    ++starts;
    REQUIRE(is_ready(*restarted));
    for (std::size_t i = 0; i < 20; ++i) {
      const message answer = ask(restarted->port(), request("GET /", "X-Routing-Key: " + key_name(i) + "\r\n"));
      REQUIRE(answer.status() == 200);
      REQUIRE(answer.head.value("X-Cell") == cell_in(i, 0));
    }
    std::this_thread::sleep_for(sized<steady::duration>(500ms, 10s));
  }
  CHECK(load.stop());
  MESSAGE("without a control plane for " << gone.ms() / 1000 << " s: " << load.told() << "; " << starts
                                         << " starts of another router, each with the same");
  CHECK(router.metric("gateway_config_confirmed_age_seconds") >= gone_ms / 1000 - 5);
  control.start();
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }, 60s));
  CHECK(eventually([&] { return router.metric("gateway_config_confirmed_age_seconds") < 5; }));
}

}  // namespace
}  // namespace cellroute::system_test
