// The control plane is killed again and again, stands still, or is gone for long, and no request notices
// (control-plane.md section 12, T2 and T3, and F3).
#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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

/// Spans of time of two kinds, in turns, and the latencies of what was asked in them.
class turns_under_load {
 public:
  explicit turns_under_load(std::uint16_t port) : load_(port, all_keys(), 2'000) { std::this_thread::sleep_for(1s); }

  void wait_quietly(steady::duration time) {
    const steady::time_point began = steady::now();
    std::this_thread::sleep_for(time);
    quiet_.emplace_back(began, steady::now());
  }
  template <class Trouble>
  void make(Trouble trouble) {
    const steady::time_point began = steady::now();
    trouble();
    troubled_.emplace_back(began, steady::now());
  }
  /// The end of it: nothing failed, and who asks in times of trouble is answered as soon as in quiet ones.
  void judge(std::string_view what) {
    const bool is_clean = load_.stop();
    const double troubled_ms = p99_ms(troubled_);
    const double quiet_ms = p99_ms(quiet_);
    MESSAGE("" << what << " at 2,000 requests a second: p99 " << troubled_ms << " ms, in quiet times between "
               << quiet_ms << " ms (medians of " << quiet_.size() << "); " << load_.told());
    CHECK(is_clean);
    CHECK(load_.answered() > 2'000);
    if (is_full_size()) CHECK(is_within(troubled_ms, quiet_ms, 1.1));
  }

 private:
  using spans = std::vector<std::pair<steady::time_point, steady::time_point>>;
  [[nodiscard]] double p99_ms(const spans& of) const {
    std::vector<double> all;
    for (const auto& [from, to] : of) all.push_back(load_.p99_ms(from, to));
    return median(all);
  }

  steady_load load_;
  spans quiet_;
  spans troubled_;
};

/// It finds back, and takes what comes.
void finds_back(const control_process& control, const router_process& router) {
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }, 60s));
  const message moved = tell(control, "PUT", "/v1/keys/" + key_name(1), R"({"placement":"tier1"})");
  REQUIRE(moved.status() == 200);
  CHECK(eventually([&] { return runs(control, router, version_of(moved)); }));
}

TEST_CASE("kills proof: under load the control plane is killed and started again, and no request fails") {
  const int rounds = sized(2, 10);
  const int kills_a_round = 2;
  const auto pause = sized<steady::duration>(2500ms, 3s);
  small_world world;
  control_process& control = world.control;
  router_process router(world.config);
  REQUIRE(eventually([&] { return router.admin("/ready").status() == 200; }));
  turns_under_load turns(router.port());
  int met = 0;  // kills of a control plane that the router was connected to
  for (int round = 0; round < rounds; ++round) {
    turns.wait_quietly(sized<steady::duration>(1s, pause * kills_a_round));
    turns.make([&] {
      const steady::time_point first = steady::now();
      for (int i = 0; i < kills_a_round; ++i) {
        met += router.metric("gateway_control_plane_connected") == 1 ? 1 : 0;
        control.kill();
        control.start();
        std::this_thread::sleep_until(first + pause * (i + 1));
      }
    });
  }
  turns.judge(std::to_string(rounds * kills_a_round) + " kills, " + std::to_string(met) +
              " of them of an open session,");
  finds_back(control, router);
}

TEST_CASE("kills proof: under load the control plane is stopped without a word, and no request fails") {
  small_world world;
  control_process& control = world.control;
  router_process router(world.config);
  REQUIRE(eventually([&] { return router.admin("/ready").status() == 200; }));
  const auto stop = sized<steady::duration>(1s, 8s);  // six until it is noticed
  const int rounds = sized(2, 5);
  turns_under_load turns(router.port());
  for (int round = 0; round < rounds; ++round) {
    turns.wait_quietly(stop);
    turns.make([&] {
      control.process().signal(SIGSTOP);
      std::this_thread::sleep_for(stop);
    });
    control.process().signal(SIGCONT);
    REQUIRE(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }, 60s));
  }
  turns.judge("a control plane that stands still");
  finds_back(control, router);
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
