// What a router keeps for its next start, by the router as a user runs it: each system call fails once, or is the last
// (T12).
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/control_proofs/faulty_process.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/fake_cell.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t looked_at[] = {0, 7, 14, 21, 28};

/// The table that these keys are led by; -1: not by one.
int table_of(const router_process& router) {
  int found = -2;
  for (const std::size_t number : looked_at) {
    const std::string cell =
        ask(router.port(), request("GET /", "X-Routing-Key: " + key_name(number) + "\r\n")).content;
    const int table = cell == cell_in(number, 0) ? 0 : cell == cell_in(number, 1) ? 1 : -1;
    found = found == -2 || found == table ? table : -1;
  }
  return found;
}

/// What comes while calls fail.
struct pushed_change {
  std::string_view says;
  std::size_t keys = 0;   ///< of the table
  bool moves_all = true;  ///< else those that are looked at
};

class kept_points {
 public:
  explicit kept_points(const pushed_change& change) : change_(change) {
    const std::string whole = fleet_of(change_.keys, 0, one_.port(), two_.port());
    tell_it(0, "PUT", "/v1/config", whole);
  }

  void operator()(call_control& calls, const fault& what) {
    CAPTURE(change_.says);
    CAPTURE(static_cast<int>(what.what));
    CAPTURE(what.name);
    CAPTURE(what.number);
    const scratch_folder state;
    router_config config = silent_told_by(control_.port());
    config.arguments = {"--state-dir", (state.path() / "state").string()};
    const int before = static_cast<int>(table_);
    const int after = 1 - before;
    bool has_run = false;
    bool is_kept = false;
    {
      config.environment = calls.environment();
      router_process router(config);
      router.expect_failure();
      REQUIRE(eventually([&] { return runs(control_, router, version_); }));
      calls.arm(what);
      publish(static_cast<std::size_t>(after));
      (void)eventually([&] {
        has_run = runs(control_, router, version_);
        return has_run || router.process().has_ended();
      });
      calls.disarm();
      if (what.what != outcome::kill || !calls.has_come()) {
        CHECK(has_run);  // what cannot be kept is used all the same
        CHECK(table_of(router) == after);
        // What is told of one event after the other is in the log before what came of the signal.
        router.process().signal(SIGUSR2);
        CHECK(router.process().wait_line("signal_ignored"));
        is_kept = !router.process().find_line("state_not_kept");
      }
      router.process().signal(SIGKILL);
      (void)router.process().wait_exit();
    }
    // A start with nobody to ask: it has one of the two, whole; and that which it said to have kept.
    router_config alone = silent_told_by(unused_port());
    alone.arguments = config.arguments;
    const router_process router(alone);
    REQUIRE(eventually([&] { return router.admin("/ready").status() == 200; }));
    const int kept = table_of(router);
    CHECK((kept == before || kept == after));
    if (is_kept) CHECK(kept == after);
  }

 private:
  void publish(std::size_t table) {
    if (change_.moves_all)
      return tell_it(table, "PUT", "/v1/config", fleet_of(change_.keys, table, one_.port(), two_.port()));
    std::string rows;
    for (const std::size_t number : looked_at)
      rows +=
          (rows.empty() ? "{\"" : ", \"") + key_name(number) + "\": \"" + std::string(cell_in(number, table)) + "\"";
    tell_it(table, "PATCH", "/v1/keys", rows + "}");
  }
  void tell_it(std::size_t table, std::string_view method, std::string_view path, std::string_view body) {
    const message answer = tell(control_, method, path, body);
    REQUIRE(answer.status() / 100 == 2);
    table_ = table;
    version_ = version_of(answer);
  }

  const pushed_change& change_;
  fake_cell<says> one_{says{"tier1"}};
  fake_cell<says> two_{says{"tier3"}};
  control_process control_{written_by_api()};
  std::size_t table_ = 0;
  std::uint64_t version_ = 0;
};

const pushed_change pushed_changes[] = {
    {"a few keys move, which is put behind what is kept", 3'000, false},
    {"so many keys move that all is kept anew", 20'000, true},
};

TEST_CASE("kept proof: at each call of keeping what was pushed it fails or dies, and a start has one whole") {
  for (const pushed_change& change : pushed_changes) {
    kept_points points(change);
    fault_tally tally = try_all_calls(points);
    MESSAGE("a push to a router, " << change.says << ": " << tally.text());
    CHECK(fault_tally::sum_of(tally.points) > sized(10, 20));
    CHECK(tally.points["fdatasync"] + tally.points["fsync"] >= 2);
  }
}

}  // namespace
}  // namespace cellroute::system_test
