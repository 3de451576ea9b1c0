// What an operator is told of routers and their control plane in figures, and what a connection does by itself.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/sync_messages.hpp"
#include "tests/support/certificates.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

std::string one_cell(std::uint16_t cell) {
  return "routing: {default_placement: tier1, keys: {inline: {acme: tier1}}}\nplacements: {tier1: {" + at(cell) +
         "}}\n";
}

/// What promtool says of a page; empty: nothing.
std::string remarks_on(const std::string& page, const std::filesystem::path& folder) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    skip("promtool is not installed");
    return {};
  }
  const std::string file = (folder / "page.txt").string();
  const std::string said = (folder / "said.txt").string();
  std::ofstream(file) << page;
  (void)std::system(("promtool check metrics <" + file + " >" + said + " 2>&1").c_str());
  return read_text(said);
}

TEST_CASE("figures: certificates tell when they end, on the router and on the control plane; promtool has no remark") {
  fake_cell cell(says{"one"});
  support::certificate_folder certificates;
  certificates.add("control", {.subject = "control", .alternative_names = "IP:127.0.0.1", .valid_until_s = 7'200});
  certificates.add("router", {.subject = "rt-1", .valid_until_s = 20'000});
  control_process control(
      {.routes = one_cell(cell.port()),
       .settings = "auth: {loopback_without_token: false}\nmetrics: {address: \"127.0.0.1:0\"}\n",
       .listener = ", tls: {certificates: [{cert_file: " + certificates.certificate_file("control") +
                   ", key_file: " + certificates.key_file("control") +
                   "}], client_auth: {mode: optional, ca_file: " + certificates.authority_file() + "}}"});
  router_config config = told_by(control.port());
  config.whole.replace(config.whole.find("ws://"), 5, "wss://");
  config.whole.insert(config.whole.find("/connect\"]") + 10,
                      ", ca_file: " + certificates.authority_file() + ", cert_file: " +
                          certificates.certificate_file("router") + ", key_file: " + certificates.key_file("router"));
  router_process router(config);
  REQUIRE(leads_to(router, "acme", "one"));
  const std::string family = "gateway_tls_certificate_not_after_seconds";
  const double left = router.metric(family, {"listener=\"control_plane\"", certificates.certificate_file("router")});
  CHECK(left > 19'000);
  CHECK(left <= 20'000);
  CHECK(router.metric(family, {"listener=\"control_plane\"", certificates.authority_file()}) > 0);
  CHECK(remarks_on(router.admin("/metrics").content, router.folder()).empty());

  // They end within a day, which is told at the start.
  const std::string_view warning = R"("event":"certificate_ends")";
  CHECK(control.process().wait_line(std::string(R"("file":")") + certificates.certificate_file("control")));
  CHECK(control.process().find_line(warning));
  CHECK(router.process().wait_line(std::string(R"("file":")") + certificates.certificate_file("router")));
  CHECK(router.process().find_line(warning));

  const auto line = control.process().wait_line(R"("listener":"metrics")");
  REQUIRE(line);
  const std::string address = log_line(*line)["address"];
  const auto port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
  const std::string page = admin_page(port, "/metrics").content;
  const double of_control = sum_of(
      page, "cellroute_control_tls_certificate_not_after_seconds",
      {"listener=\"127.0.0.1:" + std::to_string(control.port()) + "\"", certificates.certificate_file("control")});
  CHECK(of_control > 6'000);
  CHECK(of_control <= 7'200);
  CHECK(sum_of(page, "cellroute_control_tls_certificate_not_after_seconds", {certificates.authority_file()}) > 0);
  CHECK(remarks_on(page, control.folder()).empty());
}

TEST_CASE("figures: the control plane tells of trouble with its store, and counts it") {
  control_process control({.routes_name = ""});
  CHECK(control.metric("cellroute_control_store_trouble") == 0);
  CHECK(control.metric("cellroute_control_store_errors_total") == 0);
  const std::filesystem::path store = control.folder() / "control.db";
  std::filesystem::rename(store, control.folder() / "aside");
  CHECK(eventually([&] { return control.metric("cellroute_control_store_trouble") == 1; }));
  CHECK(control.metric("cellroute_control_store_errors_total") >= 1);
  std::filesystem::rename(control.folder() / "aside", store);
  CHECK(eventually([&] { return control.metric("cellroute_control_store_trouble") == 0; }));
  CHECK(control.metric("cellroute_control_store_errors_total") >= 1);
}

TEST_CASE("figures: the control plane looks whether its store is whole") {
  fake_cell cell(says{"one"});
  control_process control({.routes = one_cell(cell.port()), .settings = "history: {verify_every: 1s}\n"});
  CHECK(control.process().wait_line(R"("event":"store_verified")"));
  CHECK(control.metric("cellroute_control_store_whole") == 1);
  CHECK(control.metric("cellroute_control_store_verified_time_seconds") > 1'700'000'000);
}

TEST_CASE("figures: tries that come to nothing are counted") {
  fake_cell cell(says{"one"});
  router_process router(told_by(unused_port(), one_cell(cell.port())));
  CHECK(eventually(
      [&] { return router.metric("gateway_control_plane_failed_tries_total", {"reason=\"unreachable\""}) >= 2; }));
  CHECK(router.metric("gateway_control_plane_failed_tries_total", {"reason=\"unauthorized\""}) == 0);
  CHECK(router.metric("gateway_control_plane_reconnects_total") == 0);
}

TEST_CASE("figures: an answer to a beat tells how the router is") {
  fake_cell cell(says{"one"});
  const descriptor listener = listen_on_loopback();
  router_process router(told_by(port_of(listener), one_cell(cell.port())));
  pollfd waiting{listener.get(), POLLIN, 0};
  REQUIRE(::poll(&waiting, 1, 10'000) == 1);
  websocket_double plane(descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  (void)plane.answer("cellroute.v1");
  REQUIRE(plane.read_text().value_or("").find("\"hello\"") != std::string::npos);
  wire::hello_ack opened;
  opened.session = 1;
  opened.ping_ms = 60'000;
  plane.send_text(wire::write_message(opened));
  for (int i = 0; i < 3; ++i) CHECK(cell_of(router, "acme") == "one");
  CHECK(cell_of(router, "somebody") == "one");  // to the default placement
  std::uint64_t seq = 0;
  wire::pong told;
  CHECK(eventually([&] {
    plane.send_text(wire::write_message(wire::ping{++seq, std::nullopt}));
    const auto said = wire::read_message(plane.read_text().value_or(""));
    const auto* pong = said ? std::get_if<wire::pong>(&*said) : nullptr;
    if (pong != nullptr) told = *pong;
    return told.requests == 4 && told.uptime_s >= 1;
  }));
  CHECK(told.seq == seq);
  CHECK(told.source == "file");
  CHECK((told.errors == wire::request_errors{}));
  std::uint64_t timed = 0;  // since the answer before
  for (const wire::latency_bucket& each : told.latency) timed += each.count;
  CHECK(timed <= 4);
  CHECK(told.default_route_hits == 1);
  CHECK(told.mem_bytes > 1'000'000);
  CHECK(told.rejected == 0);
}

/// Established connections with a port at this end and a timer of the kernel for silence, as it lists them.
int watched_ends(std::uint16_t port, bool is_local) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  int found = 0;
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer;
    words >> number >> local >> remote >> state >> queues >> timer;
    const std::string& end = is_local ? local : remote;
    if (state != "01" || end.size() < 4) continue;
    if (std::strtoul(end.c_str() + end.rfind(':') + 1, nullptr, 16) != port) continue;
    found += timer.starts_with("02:") ? 1 : 0;  // that of keepalive
  }
  return found;
}

TEST_CASE("link: the kernel watches both ends of a session, so that a peer that vanished is noticed") {
  fake_cell cell(says{"one"});
  control_process control({.routes = one_cell(cell.port())});
  router_process router(told_by(control.port()));
  REQUIRE(leads_to(router, "acme", "one"));
  CHECK(eventually([&] { return watched_ends(control.port(), true) >= 1; }));   // the control plane's
  CHECK(eventually([&] { return watched_ends(control.port(), false) >= 1; }));  // the router's
}

TEST_CASE("last known good: a start that fails for another reason is none of the content's") {
  fake_cell cell(says{"one"});
  const scratch_folder folder;
  const std::string state = (folder.path() / "state").string();
  control_process control({.routes = one_cell(cell.port())});
  router_config config = told_by(control.port());
  config.arguments = {"--state-dir", state};
  {
    router_process router(config);
    REQUIRE(leads_to(router, "acme", "one"));
  }
  control.process().signal(SIGTERM);
  REQUIRE(control.process().wait_exit() == 0);
  const std::string boots = read_text(state + "/BOOT");
  const descriptor taken = listen_on_loopback();
  std::ofstream(folder.path() / "router.yaml") << config.yaml();
  for (int i = 0; i < 4; ++i) {
    program failing({std::string(router_path()), "--config", (folder.path() / "router.yaml").string(), "--state-dir",
                     state, "--admin", "127.0.0.1:" + std::to_string(port_of(taken))},
                    {}, 0);
    CHECK(failing.wait_exit() == 1);
  }
  CHECK(read_text(state + "/BOOT") == boots);
  router_process router(config);
  CHECK(cell_of(router, "acme") == "one");
  CHECK_FALSE(router.process().find_line("kept_content_refused"));
}

}  // namespace
}  // namespace cellroute::system_test
