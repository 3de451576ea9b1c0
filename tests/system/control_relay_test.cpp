// A router and a control plane that could both do more, with something between them: one that lets them speak the base
// protocol only, and one that holds up what they say.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/system/support/control_process.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/proof_size.hpp"
#include "tests/system/support/relay.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct routes {
  std::uint16_t one = 0;
  std::uint16_t two = 0;
  std::string_view acme = "tier1";
  std::string more{};  ///< further keys, each with a comma before it

  [[nodiscard]] std::string text() const {
    return "routing: {default_placement: tier2, keys: {inline: {acme: " + std::string(acme) + more +
           "}}}\nplacements:\n  tier1: {" + at(one) + "}\n  tier2: {" + at(two) + "}\n";
  }
};

router_config told_through(const relay& between, std::string_view sections = "") {
  return told_by(between.port(), sections, ", backoff: {min: 100ms, max: 1s}");
}

TEST_CASE("control relay: where only the base protocol passes, a router is told, changed, refuses, and is told again") {
  for (const std::string_view dialect : {"config_update", "config_snapshot"}) {
    CAPTURE(dialect);
    fake_cell one(says{"one"});
    fake_cell two(says{"two"});
    const routes first{one.port(), two.port()};
    control_process control(
        {.routes = first.text(), .settings = "push: {base_dialect: " + std::string(dialect) + "}\n"});
    const relay between(control.port(), {.hides_subprotocols = true});
    router_process router(told_through(between, "guard: {min_keys: 1}\n"));
    REQUIRE(leads_to(router, "acme", "one"));
    CHECK(router.process().wait_line("(base protocol)"));

    control.write_routes(routes{one.port(), two.port(), "tier2"}.text());
    CHECK(leads_to(router, "acme", "two"));
    CHECK(control.metric("cellroute_control_router_refusals_total") == 0);

    // The router's own guard: what it serves stays, and the reason is told here.
    control.write_routes("routing: {default_placement: tier2}\nplacements: {tier2: {" + at(two.port()) + "}}\n");
    CHECK(eventually([&] { return control.metric("cellroute_control_router_refusals_total") == 1; }));
    CHECK(control.process().wait_line("min_keys"));
    CHECK(leads_to(router, "acme", "two"));

    control.kill();
    CHECK(leads_to(router, "acme", "two"));
    control.write_routes(first.text());
    control.start();
    CHECK(leads_to(router, "acme", "one"));
    CHECK(between.connections() >= 2);
  }
}

TEST_CASE("control relay: what stands still again and again arrives whole") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  routes many{one.port(), two.port()};
  for (std::uint64_t i = 1; i <= 30'000; ++i)  // names that hardly become shorter
    many.more += ", k" + std::to_string(i * 0x9e3779b97f4a7c15) + ": tier1";
  control_process control({.routes = many.text()});
  // A beat that does not come three times ends a session: the full size does that with each chunk.
  const relay between(control.port(), {.stalls_every_bytes = 36 * 1024, .stall = sized<steady::duration>(1s, 7s)});
  const router_process router(told_through(between));
  CHECK(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; },
                   sized<steady::duration>(60s, 300s)));
  CHECK(leads_to(router, "k" + std::to_string(std::uint64_t{30'000} * 0x9e3779b97f4a7c15), "one"));
  CHECK(leads_to(router, "acme", "one"));
  MESSAGE("stood still " << between.stalls() << " times; " << control.metric("cellroute_control_sent_bytes_total")
                         << " bytes sent");
  CHECK(between.stalls() >= 4);
  CHECK(router.metric("gateway_config_apply_total", {"result=\"rejected\"", "source=\"push\""}) == 0);
}

}  // namespace
}  // namespace cellroute::system_test
