// A million keys in one router: all of them at once, some of them, and a start without anybody (issue 6, section 5).
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/control_proofs/steady_load.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t moved_rows = 100;

/// So many rows of a table, each to the other cell.
std::string some_rows(std::size_t keys, std::size_t table) {
  std::string json = "{";
  for (std::size_t i = 0; i < moved_rows; ++i) {
    const std::size_t number = i * (keys / moved_rows) + 1;
    json +=
        (i == 0 ? "\"" : ", \"") + key_name(number) + "\": \"" + std::string(other_cell(cell_in(number, table))) + "\"";
  }
  return json + "}";
}

struct change_times {
  std::vector<double> answered_ms{};
  std::vector<double> applied_ms{};  ///< after the answer
  std::vector<double> sent_bytes{};
  // Processor time until it is applied: less moved by what else the machine does than the time that passes.
  std::vector<double> control_ms{};
  std::vector<double> router_ms{};
  std::vector<std::pair<steady::time_point, steady::time_point>> under_load{};

  [[nodiscard]] std::string text() const {
    return std::to_string(quantile(answered_ms, 1)) + " ms to the answer, " + std::to_string(quantile(applied_ms, 1)) +
           " ms from there until it is applied (longest of " + std::to_string(applied_ms.size()) + "; medians " +
           std::to_string(median(answered_ms)) + ", " + std::to_string(median(applied_ms)) + "), " +
           std::to_string(static_cast<std::size_t>(median(sent_bytes))) + " bytes sent, processor time " +
           std::to_string(median(control_ms)) + " ms of the control plane, " + std::to_string(median(router_ms)) +
           " ms of the router (medians)";
  }
};

TEST_CASE("million proof: a whole push, a small one, and a start without a control plane") {
  const std::size_t keys = sized(100'000U, 1'000'000U);
  const std::size_t rounds = sized(1U, 5U);
  bench_cells cells({"tier1", "tier3"});
  const auto table = [&](std::size_t number) { return fleet_of(keys, number, cells.port(0), cells.port(1)); };
  control_process control(written_by_api());
  const scratch_folder state;
  router_config config = silent_told_by(control.port());
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  std::optional<router_process> router(std::in_place, config);
  REQUIRE(eventually([&] { return router->metric("gateway_control_plane_connected") == 1; }));

  // Says it, and waits until the router runs it, which its own page tells.
  const auto change = [&](change_times& into, std::string_view method, std::string_view path, std::string_view body) {
    const double control_s = control.metric("process_cpu_seconds_total");
    const double router_s = router->metric("process_cpu_seconds_total");
    const double sent = control.metric("cellroute_control_sent_bytes_total");
    const double applied = router->metric("gateway_config_apply_total", {"result=\"applied\"", "source=\"push\""});
    const steady::time_point began = steady::now();
    const message answer = tell(control, method, path, body);
    REQUIRE(answer.status() / 100 == 2);
    const stopwatch since;
    into.answered_ms.push_back(to_ms(steady::now() - began));
    REQUIRE(eventually(
        [&] {
          return router->metric("gateway_config_apply_total", {"result=\"applied\"", "source=\"push\""}) > applied;
        },
        60s));
    into.applied_ms.push_back(since.ms());
    into.control_ms.push_back(1000 * (control.metric("process_cpu_seconds_total") - control_s));
    into.router_ms.push_back(1000 * (router->metric("process_cpu_seconds_total") - router_s));
    REQUIRE(eventually([&] { return runs(control, *router, version_of(answer)); }));
    into.sent_bytes.push_back(control.metric("cellroute_control_sent_bytes_total") - sent);
    std::this_thread::sleep_until(began + 1s);  // one second of requests at least
    into.under_load.emplace_back(began, steady::now());
  };
  change_times first;
  change(first, "PUT", "/v1/config", table(0));
  MESSAGE(keys << " keys to a router that has none: " << first.text());

  // What the load asks for moves with nothing.
  std::string asked = "somebody\ttier3\nelse\ttier3\n";
  steady_load load(router->port(), asked, 1'000);
  std::this_thread::sleep_for(1s);
  change_times whole;
  change_times small;
  std::vector<std::pair<steady::time_point, steady::time_point>> quiet;
  for (std::size_t round = 1; round <= rounds; ++round) {
    const std::string next = table(round);  // which no router has had
    const steady::time_point began = steady::now();
    std::this_thread::sleep_for(sized<steady::duration>(1s, 3s));
    quiet.emplace_back(began, steady::now());
    change(whole, "PUT", "/v1/config", next);
    std::this_thread::sleep_for(sized<steady::duration>(100ms, 2s));
    change(small, "PATCH", "/v1/keys", some_rows(keys, round));
    std::this_thread::sleep_for(sized<steady::duration>(100ms, 1s));
  }
  CHECK(load.stop());
  const auto p99 = [&](const auto& windows) {
    std::vector<double> each;
    for (const auto& [from, to] : windows) each.push_back(load.p99_ms(from, to));
    return median(each);
  };
  const double quiet_ms = p99(quiet);
  MESSAGE("half of them move: " << whole.text());
  MESSAGE(moved_rows << " of them move: " << small.text());
  MESSAGE("p99 of 1,000 requests a second: quiet "
          << quiet_ms << " ms, while half of them move " << p99(whole.under_load) << " ms, while 100 move "
          << p99(small.under_load) << " ms (medians of " << rounds << "); " << load.told());
  CHECK(quantile(small.sent_bytes, 0.5) < 2048);
  if (is_full_size()) {
    CHECK(std::max(quantile(first.answered_ms, 1), quantile(whole.answered_ms, 1)) < 8'000);
    CHECK(std::max(quantile(first.applied_ms, 1), quantile(whole.applied_ms, 1)) < 2'000);
    CHECK(median(small.applied_ms) < 100);
    CHECK(is_within(p99(whole.under_load), quiet_ms, 1.2));
    CHECK(is_within(p99(small.under_load), quiet_ms, 1.2));
  }

  control.kill();
  router.reset();
  const stopwatch starting;
  router.emplace(config);
  REQUIRE(eventually([&] { return router->admin("/ready").status() == 200; }));
  const std::size_t last = keys - 1;
  const message answer = ask(router->port(), request("GET /", "X-Routing-Key: " + key_name(last) + "\r\n"));
  const double ready_ms = starting.ms();
  CHECK(answer.status() == 200);
  CHECK(answer.head.value("X-Cell") == cell_in(last, rounds));
  CHECK(router->metric("gateway_config_keys") == static_cast<double>(keys));
  MESSAGE("without a control plane " << keys << " keys are served " << ready_ms << " ms after the start");
  if (is_full_size()) CHECK(ready_ms < 1'000);
  control.start();
}

}  // namespace
}  // namespace cellroute::system_test
