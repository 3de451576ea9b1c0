// A router that takes its fleet sections from a control plane: both as processes.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/certificates.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/ctl.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/many_keys.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// A routing file of two cells, in which this placement has the key acme.
std::string routes_of(std::uint16_t a, std::uint16_t b, std::string_view acme, std::string_view version = "v1") {
  return "version: \"" + std::string(version) +
         "\"\nrouting: {default_placement: tier3, keys: {inline: {acme: " + std::string(acme) +
         "}}}\nplacements:\n  tier1: {" + at(a) + "}\n  tier3: {" + at(b) + "}\n";
}

/// A routing file of one cell and no key: what `min_keys` refuses.
std::string without_keys(std::uint16_t cell) {
  return "version: \"empty\"\nrouting: {default_placement: tier3}\nplacements: {tier3: {" + at(cell) + "}}\n";
}

TEST_CASE("pushed routing: without any, a router answers 503 and is not ready; then it serves what is pushed") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const std::uint16_t nobody = unused_port();
  router_process router(told_by(nobody));
  const message refused = ask(router.port(), keyed("GET /"));
  CHECK(refused.status() == 503);
  CHECK(refused.head.value("Retry-After") == "5");
  CHECK(refused.head.value("Proxy-Status").find("error=proxy_configuration_error") != std::string::npos);
  CHECK(router.admin("/ready").status() == 503);
  CHECK(router.admin("/health").status() == 200);
  CHECK(router.metric("gateway_control_plane_connected") == 0);

  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_process other(told_by(control.port(), "", ", ring: canary"));
  CHECK(leads_to(other, "acme", "one"));
  CHECK(leads_to(other, "somebody", "two"));
  CHECK(other.admin("/ready").status() == 200);
  CHECK(other.metric("gateway_control_plane_connected") == 1);
  CHECK(other.metric("gateway_config_generation", {"source=\"push\""}) == 2);
  CHECK(pushes(other, "applied") == 1);
  CHECK(other.admin("/debug/config").content.find("\"source\":\"push\"") != std::string::npos);
  CHECK(control.page("/v1/routers").content.find("\"ring\":\"canary\"") != std::string::npos);
  CHECK(eventually([&] {  // at each beat it says how it is
    const std::string told = control.page("/v1/routers").content;
    return told.find(R"("status":{"uptime_seconds":)") != std::string::npos &&
           told.find(R"("clock_ahead_seconds":null)") == std::string::npos &&
           told.find(R"("apply_ms":null)") == std::string::npos &&
           told.find(R"("connect":0,"timeout":0,"no_route":0},"default_route_hits":1,)") != std::string::npos;
  }));
}

TEST_CASE("pushed routing: a change reaches requests in a second, and none fails, whatever the control plane does") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_process router(told_by(control.port()));
  REQUIRE(leads_to(router, "acme", "one"));

  std::atomic<bool> is_over{false};
  std::size_t asked = 0;
  std::size_t failed = 0;
  std::thread load([&] {
    for (; !is_over; ++asked) failed += ask(router.port(), keyed("GET /")).status() != 200 ? 1 : 0;
  });
  const auto changed = steady::now();
  control.write_routes(routes_of(one.port(), two.port(), "tier3", "v2"));
  CHECK(leads_to(router, "acme", "two"));
  const auto took = steady::now() - changed;
  MESSAGE("live after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
  CHECK(took < 3s);

  control.kill();
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 0; }));
  CHECK(cell_of(router, "acme") == "two");
  control.start();
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }));
  CHECK(router.metric("gateway_control_plane_reconnects_total") >= 1);
  // What it runs already does not come again: to be told so changes nothing.
  CHECK(eventually([&] { return pushes(router, "unchanged") >= 1; }));
  CHECK(pushes(router, "applied") == 2);
  control.write_routes(routes_of(one.port(), two.port(), "tier1", "v3"));
  CHECK(leads_to(router, "acme", "one"));
  is_over = true;
  load.join();
  MESSAGE(asked << " requests, " << failed << " failed");
  CHECK(asked > 0);
  CHECK(failed == 0);
}

TEST_CASE(
    "pushed routing: the router's own guard refuses a push; the old one serves, and the control plane knows why") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_process router(told_by(control.port(), "guard: {min_keys: 1}\n"));
  REQUIRE(leads_to(router, "acme", "one"));
  control.write_routes(without_keys(two.port()));
  REQUIRE(router.process().wait_line(R"("event":"config_rejected")"));
  CHECK(router.process().find_line("min_keys"));
  CHECK(cell_of(router, "acme") == "one");
  CHECK(pushes(router, "rejected") == 1);
  CHECK(eventually([&] { return control.page("/v1/routers").content.find("min_keys") != std::string::npos; }));
}

TEST_CASE(
    "pushed routing: what the router's own guard refused is taken when it may be and the operator sends it again") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_process router(told_by(control.port(), "reload: {debounce: 0s}\nguard: {min_keys: 1}\n"));
  REQUIRE(leads_to(router, "acme", "one"));
  control.write_routes(without_keys(two.port()));
  REQUIRE(eventually([&] { return control.metric("cellroute_control_router_refusals_total") == 1; }));
  router.edit(told_by(control.port(), "reload: {debounce: 0s}\n").yaml());
  REQUIRE(router.reaches_generation(3));
  CHECK(cell_of(router, "acme") == "one");  // it was refused for what it is: nobody offers it by himself
  CHECK(control.page("/v1/routers/" + id_of(router) + ":resync", "POST").status() == 202);
  CHECK(leads_to(router, "acme", "two"));
  CHECK(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  CHECK(control.metric("cellroute_control_router_refusals_total") == 1);
}

TEST_CASE("pushed routing: of many keys only what differs is sent to whom has a content that nobody knows any more") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const auto file = [&](std::string_view first) {
    return many_keys(60'000, {.first = first, .port_a = one.port(), .port_b = two.port()});
  };
  control_process control({.routes = file("a"), .routes_name = "routes.json"});
  router_process router(told_by(control.port()));
  REQUIRE(eventually([&] { return cell_of(router, first_of_many) == "one"; }, 30s));
  REQUIRE(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  const double whole_bytes = control.metric("cellroute_control_sent_bytes_total");
  control.kill();
  control.write_routes(file("b"));  // while nobody looks
  control.start();
  CHECK(eventually([&] { return cell_of(router, first_of_many) == "two"; }, 30s));
  const double repair_bytes = control.metric("cellroute_control_sent_bytes_total");
  MESSAGE(whole_bytes << " bytes at first, " << repair_bytes << " for what differs");
  CHECK(20 * repair_bytes < whole_bytes);
  CHECK(pushes(router, "applied") == 2);
  CHECK(pushes(router, "rejected") == 0);
}

TEST_CASE("pushed routing: nobody empties a table of a thousand keys by mistake, and who wants to says so") {
  fake_cell one(says{"one"});
  const auto routes = [&one](int keys) {
    std::string text = "routing:\n  default_placement: tier1\n  keys:\n    inline:\n";
    if (keys == 0) text = "routing:\n  default_placement: tier1\n";
    for (int i = 0; i < keys; ++i) text += "      k" + std::to_string(i) + ": {placement: tier1}\n";
    return text + "placements: {tier1: {endpoints: [{url: \"http://127.0.0.1:" + std::to_string(one.port()) +
           "\"}]}}\n";
  };
  control_process control({.routes = routes(1'000)});
  router_process router(told_by(control.port(), "reload: {debounce: 0s}\n"));
  REQUIRE(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  // The control plane asks first.
  control.write_routes(routes(0));
  const auto refused = control.process().wait_line(R"("event":"config_rejected")");
  REQUIRE(refused);
  CHECK(refused->find("guard.min_keys: 0 keys would be left, not at least 1") != std::string::npos);
  CHECK(control.page("/v1/watch:retry?override=min_keys", "POST").status() == 202);
  // Then the router does.
  CHECK(eventually([&] { return control.metric("cellroute_control_router_refusals_total") == 1; }));
  CHECK(router.process().wait_line("0 keys would be left, not at least 1"));
  CHECK(router.metric("gateway_config_keys") == 1'000);
  router.edit(told_by(control.port(), "reload: {debounce: 0s}\nguard: {min_keys: 0}\n").yaml());
  REQUIRE(router.reaches_generation(3));
  CHECK(ctl(control, {"resync", id_of(router)}).code == 0);
  CHECK(eventually([&] { return router.metric("gateway_config_keys") == 0; }));
}

TEST_CASE("pushed routing: what the router's guards refuse is refused in the name of that guard") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const auto routes = [&](int keys, const std::string& placement) {
    std::string rows;
    for (int i = 0; i < keys; ++i) rows += "k" + std::to_string(i) + ": " + placement + ", ";
    return "routing: {default_placement: tier3, keys: {inline: {" + rows + "}}}\nplacements:\n  tier1: {" +
           at(one.port()) + "}\n  tier3: {" + at(two.port()) + "}\n";
  };
  control_process control({.routes = routes(1200, "tier1")});
  router_process router(told_by(control.port(), "guard: {max_removed_percent: 1, max_moved_percent: 1}\n"));
  REQUIRE(leads_to(router, "k0", "one"));
  const auto is_refused_as = [&](std::string_view code) {
    return eventually([&] { return control.page("/v1/routers").content.find(code) != std::string::npos; });
  };
  control.write_routes(routes(100, "tier1"));
  CHECK(is_refused_as("guard_removed: guard.max_removed_percent"));
  control.write_routes(routes(1200, "tier3"));
  CHECK(is_refused_as("guard_moved: guard.max_moved_percent"));
  CHECK(cell_of(router, "k0") == "one");
}

TEST_CASE("pushed routing: what does harm is left for what ran before, told, and not taken again, nor by a restart") {
  constexpr int enough = 520;  // to be judged by
  fake_cell one(says{"one"});
  const closed_port nobody;
  // What is left has twice as many keys: no guard stands in the way back.
  const auto routes = [&](std::uint16_t port, int keys) {
    std::string rows;
    for (int i = 0; i < keys; ++i) rows += "k" + std::to_string(i) + ": tier1, ";
    return "routing: {default_placement: tier1, keys: {inline: {" + rows + "}}}\nplacements: {tier1: {" + at(port) +
           "}}\n";
  };
  control_process control({.routes = routes(one.port(), 1'000)});
  const support::scratch_folder state;
  router_config config = told_by(control.port(), "guard: {max_removed_percent: 1}\n", ", revert_on_5xx_percent: 50");
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  {
    router_process router(config);
    REQUIRE(leads_to(router, "k1", "one"));
    REQUIRE(answers_of(router, "k1", enough, 200) == enough);
    control.write_routes(routes(nobody.port(), 2'000));
    REQUIRE(eventually([&] { return answers_of(router, "k1", 1, 502) == 1; }));
    REQUIRE(answers_of(router, "k1", enough, 502) > 0);
    REQUIRE(router.process().wait_line(R"("event":"config_reverted")"));
    CHECK(leads_to(router, "k1", "one"));
    CHECK(answers_of(router, "k1", 10, 200) == 10);
    CHECK(pushes(router, "rejected") == 1);
    CHECK(router.admin("/debug/config").content.find("requests were answered 5xx by this router") != std::string::npos);
    CHECK(eventually([&] {
      return control.page("/v1/routers").content.find("local_guard: ") != std::string::npos &&
             control.metric("cellroute_control_routers_on_target") == 0;
    }));
    CHECK(control.metric("cellroute_control_router_refusals_total") == 1);
    CHECK(control.metric("cellroute_control_router_refusals_total", {"code=\"local_guard\""}) == 1);
  }
  router_process router(config);
  CHECK(leads_to(router, "k1", "one"));
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }));
  std::this_thread::sleep_for(1s);
  CHECK(cell_of(router, "k1") == "one");
  CHECK(pushes(router, "applied") == 0);
  control.write_routes(routes(one.port(), 1'001));
  CHECK(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  CHECK(cell_of(router, "k1000") == "one");
}

TEST_CASE("pushed routing: of changes that come quickly none hides what there is to go back to") {
  constexpr int enough = 520;  // to be judged by
  fake_cell one(says{"one"});
  const closed_port nobody;
  control_process control({.routes = routes_of(one.port(), one.port(), "tier1")});
  router_process router(told_by(control.port(), "", ", revert_on_5xx_percent: 50"));
  REQUIRE(leads_to(router, "acme", "one"));
  REQUIRE(answers_of(router, "acme", enough, 200) == enough);
  for (int i = 1; i <= 4; ++i) {  // more than a router holds for its control plane
    control.write_routes(routes_of(nobody.port(), nobody.port(), "tier1", "bad " + std::to_string(i)));
    REQUIRE(eventually([&] { return pushes(router, "applied") == 1 + i; }));
  }
  REQUIRE(answers_of(router, "acme", enough, 502) >= 500);
  REQUIRE(router.process().wait_line(R"("event":"config_reverted")"));
  CHECK(leads_to(router, "acme", "one"));
  CHECK(router.process().find_line(R"("event":"config_reverted")")->find("bad 4") != std::string::npos);
}

TEST_CASE("pushed routing: an edit of the local file changes its local sections, and the pushed routing stays") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  // The file's own fleet sections count until something pushed was applied.
  const std::string bootstrap = "reload: {debounce: 0s}\n" + routes_of(two.port(), two.port(), "tier1", "file");
  router_process router(told_by(control.port(), bootstrap));
  REQUIRE(leads_to(router, "acme", "one"));
  router.edit(told_by(control.port(), "decision: {headers: never}\n" + bootstrap).yaml());
  CHECK(eventually([&] { return ask(router.port(), keyed("GET /")).head.value("X-Routed-To").empty(); }));
  CHECK(cell_of(router, "acme") == "one");
  CHECK(router.metric("gateway_config_generation", {"source=\"push\""}) == 3);
  control.write_routes(routes_of(one.port(), two.port(), "tier3", "v2"));
  CHECK(leads_to(router, "acme", "two"));
  CHECK(ask(router.port(), keyed("GET /")).head.value("X-Routed-To").empty());
}

TEST_CASE("pushed routing: an edit that takes the routing out of the file takes it from no request") {
  fake_cell one(says{"one"});
  const std::uint16_t nobody = unused_port();
  const router_config told = told_by(nobody);
  router_config both = told_by(nobody, "guard: {min_keys: 1}\n" + routes_of(one.port(), one.port(), "tier1"));
  router_config alone = both;
  const std::size_t line = alone.whole.find("control_plane");
  alone.whole.erase(line, alone.whole.find('\n', line) + 1 - line);
  for (const router_config* first : {&alone, &both}) {
    CAPTURE(first->whole);
    router_process router(*first);
    REQUIRE(cell_of(router, "acme") == "one");
    router.edit(told);
    CHECK(router.process().wait_line(R"("event":"routing_kept")"));
    CHECK(router.reaches_generation(2));
    CHECK(cell_of(router, "acme") == "one");
    CHECK(router.admin("/ready").status() == 200);
    router.edit(told.whole + "decision: {headers: never}\n");
    CHECK(router.reaches_generation(3));
    const message answer = ask(router.port(), keyed("GET /"));
    CHECK(answer.content == "one");
    CHECK(answer.head.value("X-Routed-To").empty());
    CHECK(router.admin("/ready").status() == 200);
  }
}

TEST_CASE("pushed routing: while there is none a router is not ready, whatever else its file says") {
  fake_cell one(says{"one"});
  const std::string placements = "guard: {min_keys: 1}\nplacements: {tier1: {" + at(one.port()) + "}}\n";
  const router_config config = told_by(unused_port(), placements);
  router_process router(config);
  CHECK(router.admin("/ready").status() == 503);
  router.edit(config.whole + "http: {max_headers: 50}\n");
  CHECK(router.reaches_generation(2));
  CHECK(ask(router.port(), keyed("GET /")).status() == 503);
  CHECK(router.admin("/ready").status() == 503);
  CHECK(router.admin("/ready").content.find("unconfigured") != std::string::npos);
}

TEST_CASE("pushed routing: without its control plane a router starts with the routing of its file") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_process router(told_by(unused_port(), routes_of(one.port(), two.port(), "tier1", "file")));
  CHECK(cell_of(router, "acme") == "one");
  CHECK(router.admin("/ready").status() == 200);
  CHECK(router.metric("gateway_config_generation", {"source=\"file\""}) == 1);
  CHECK(router.process().wait_line(R"("event":"control_plane_unreachable")"));
}

TEST_CASE("pushed routing: a restarted router serves what was pushed last, without any control plane") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder state;
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_config config = told_by(control.port(), routes_of(two.port(), two.port(), "tier1", "file"));
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  {
    router_process router(config);
    REQUIRE(leads_to(router, "acme", "one"));
    control.write_routes(routes_of(two.port(), one.port(), "tier1", "v2"));
    REQUIRE(leads_to(router, "acme", "two"));
    REQUIRE(leads_to(router, "somebody", "one"));
    const std::string page = router.admin("/debug/config").content;
    CHECK(page.find(R"("pushed":{"epoch":1,"version":2,"digest":")") != std::string::npos);
    CHECK(
        router.process().wait_line(R"("source":"push","version":"v2","pushed_epoch":1,"pushed_version":2,"digest":")"));
  }
  // It was told to end before it had lived long enough: neither is counted.
  CHECK(read_text((state.path() / "state" / "BOOT").string()).find("survived") == std::string::npos);
  control.kill();
  router_process router(config);
  CHECK(router.admin("/debug/config").content.find(R"("pushed":{"epoch":1,"version":2,)") != std::string::npos);
  CHECK(cell_of(router, "acme") == "two");
  CHECK(cell_of(router, "somebody") == "one");  // the file would lead it to the other one
  CHECK(router.admin("/ready").status() == 200);
  CHECK(router.metric("gateway_config_generation", {"source=\"state\""}) == 2);
  control.start();
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 1; }));
  CHECK(
      eventually([&] { return control.page("/v1/routers").content.find("\"on_target\":true") != std::string::npos; }));
  // It has that content already.
  CHECK(pushes(router, "applied") == 0);
}

TEST_CASE("pushed routing: over TLS the router knows its control plane, and is known by a certificate of its own") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  support::certificate_folder certificates;
  certificates.add("control", {.subject = "control", .alternative_names = "DNS:localhost,IP:127.0.0.1"});
  certificates.add("other", {.subject = "other", .alternative_names = "DNS:elsewhere.example"});
  certificates.add("router", {.subject = "rt-1"});
  const auto control_with = [&](const std::string& name) {
    return control_setup{.routes = routes_of(one.port(), two.port(), "tier1"),
                         .settings = "auth: {loopback_without_token: false}\n",
                         .listener = ", tls: {certificates: [{cert_file: " + certificates.certificate_file(name) +
                                     ", key_file: " + certificates.key_file(name) +
                                     "}], client_auth: {mode: optional, ca_file: " + certificates.authority_file() +
                                     "}}"};
  };
  const auto router_of = [&](std::uint16_t port, bool shows_certificate) {
    router_config config;
    config.whole =
        "listeners: [{name: web, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\n"
        "control_plane: {urls: [\"wss://127.0.0.1:" +
        std::to_string(port) + "\"], ca_file: " + certificates.authority_file();
    if (shows_certificate) {
      config.whole +=
          ", cert_file: " + certificates.certificate_file("router") + ", key_file: " + certificates.key_file("router");
    }
    config.whole += "}\n";
    return config;
  };
  control_process control(control_with("control"));
  router_process router(router_of(control.port(), true));
  CHECK(leads_to(router, "acme", "one"));
  router_process nameless(router_of(control.port(), false));
  CHECK(nameless.process().wait_line(
      "it answers 401: name a token: Authorization: Bearer TOKEN; check control_plane.token_file"));
  CHECK(nameless.admin("/ready").status() == 503);
  control_process impostor(control_with("other"));
  router_process careful(router_of(impostor.port(), true));
  CHECK(careful.process().wait_line("TLS: "));
  CHECK(careful.admin("/ready").status() == 503);
}

TEST_CASE("pushed routing: the environment names the control plane") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routes_of(one.port(), two.port(), "tier1")});
  router_config config;
  config.whole =
      "listeners: [{name: web, address: \"127.0.0.1:0\"}]\n"
      "admin: {address: \"127.0.0.1:0\"}\n";
  config.environment = {"CONTROL_PLANE_URL=ws://127.0.0.1:" + std::to_string(control.port())};
  router_process router(config);
  CHECK(leads_to(router, "acme", "one"));

  config.whole = "# all is told\n";
  config.arguments = {"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"};
  config.environment = {"CONTROL_PLANE_URL=ws://127.0.0.1:" + std::to_string(unused_port()) +
                        "/connect,ws://127.0.0.1:" + std::to_string(control.port()) + "/connect"};
  router_process other(config);
  CHECK(leads_to(other, "acme", "one"));
}

}  // namespace
}  // namespace cellroute::system_test
