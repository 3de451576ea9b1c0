// The control plane and routers that speak cellroute.v1: a changed file reaches them, whatever happens on the way.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/io/clock.hpp"
#include "adapters/process/fd_limit.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/many_keys.hpp"
#include "tests/system/support/native_double.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

using names = std::vector<std::string>;

std::string routes_with(std::string_view keys, std::string_view version = "v") {
  return "version: \"" + std::string(version) + "\"\nrouting: {default_placement: a, keys: {inline: {" +
         std::string(keys) +
         "}}}\nplacements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}]}, b: {endpoints: [{url: "
         "\"http://127.0.0.1:2\"}]}}\n";
}

TEST_CASE("control push: a router gets all of it once, then what changes, within a second of the file") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  CHECK(router.seen().wrong.empty());
  CHECK(router.seen().keys == 1);
  names transfers{"snapshot"};
  const steady::duration least = least_of_five(1s, [&] {
    transfers.emplace_back("delta");
    const std::size_t version = transfers.size();
    const stopwatch time;
    control.write_routes(routes_with("acme: b, umbra" + std::to_string(version) + ": a"));
    REQUIRE(router.runs(version));
    MESSAGE("file to router: " << time.ms() << " ms");
    return time.elapsed();
  });
  if (!is_sanitized()) CHECK(least < 1s);
  CHECK(router.seen().keys == 2);
  CHECK(router.seen().transfers == transfers);
  REQUIRE(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  const message page = control.page("/v1/routers/rt-1");
  const std::string running = R"("running":{"epoch":1,"version":)" + std::to_string(transfers.size()) + ",";
  const std::string_view texts[] = {R"("state":"in_sync")", R"("on_target":true)", R"("build":"double")",
                                    R"("labels":{"zone":"z1"})", running};
  for (const std::string_view text : texts) {
    CAPTURE(page.content);
    CHECK(page.content.find(text) != std::string::npos);
  }
  CHECK(control.page("/v1/routers?label.zone=z1").content.find("rt-1") != std::string::npos);
  CHECK(control.page("/v1/routers?label.zone=z2").content.find("rt-1") == std::string::npos);
  CHECK(control.page("/v1/routers?label.ring=z1").content.find("rt-1") == std::string::npos);
  const std::string drift = control.page("/v1/fleet/drift").content;
  CAPTURE(drift);
  CHECK(drift.find(R"("connected":1,"on_target":1)") != std::string::npos);
  CHECK(drift.find(R"({"name":"zone","routers":1,"routers_without":0,"values":[{"value":"z1","routers":1,)") !=
        std::string::npos);
  CHECK(drift.find(R"("confirmed_age_seconds":{"routers":1,"never":0,"p50":)") != std::string::npos);
  const std::string runs = R"("routers":1,"router_ids":["rt-1"],"routers_left_out":0)";
  CHECK(control.page("/v1/versions/" + std::to_string(transfers.size())).content.find(runs) != std::string::npos);
  CHECK(control.page("/v1/versions/1").content.find(R"("routers":0,"router_ids":[])") != std::string::npos);
  CHECK(control.page("/v1/versions?limit=1").content.find(R"("routers":1})") != std::string::npos);
}

TEST_CASE("control push: back to what a router still has takes no bytes") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  control.write_routes(routes_with("acme: b"));
  REQUIRE(router.runs(2));
  const std::size_t bytes = router.seen().content_bytes;
  control.write_routes(routes_with("acme: a"));
  REQUIRE(router.runs(3));
  CHECK(router.seen().content_bytes == bytes);
  CHECK((router.seen().transfers == names{"snapshot", "delta"}));
}

TEST_CASE("control push: a router that was away gets what changed since, in one step") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  native_double other(control.port(), "rt-2");
  REQUIRE(router.runs(1));
  REQUIRE(other.runs(1));
  router.pause(true);
  REQUIRE(eventually([&] { return control.metric("cellroute_control_sessions") == 1; }));
  for (const std::string_view keys : {"acme: b", "acme: b, umbra: a", "acme: b, umbra: b"}) {
    control.write_routes(routes_with(keys));
    REQUIRE(other.runs(other.seen().running.size() + 1));
  }
  router.pause(false);
  REQUIRE(router.runs(4));
  CHECK((router.seen().transfers == names{"snapshot", "delta"}));
  CHECK(router.seen().running == std::vector<std::uint64_t>{1, 4});
}

TEST_CASE("control push: the same in other words is no other version; another label is") {
  control_process control({.routes = routes_with("acme: a, umbra: b")});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  control.write_routes("# a comment\n" + routes_with("umbra: b, acme: a"));
  CHECK(control.process().wait_line(R"("event":"config_unchanged")"));
  control.write_routes(routes_with("umbra: b, acme: a", "w"));
  REQUIRE(router.runs(2));
  CHECK(control.page("/v1/info").content.find(R"("version":2,)") != std::string::npos);
}

TEST_CASE("control push: a file that is refused changes nothing, and is told with every mistake") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  control.write_routes(routes_with("acme: nowhere, umbra: neither"));
  const auto line = control.process().wait_line(R"("event":"config_rejected")");
  REQUIRE(line);
  CHECK(line->find("nowhere") != std::string::npos);
  CHECK(line->find("neither") != std::string::npos);
  CHECK(control.page("/v1/info").content.find("nowhere") != std::string::npos);
  CHECK(control.page("/readyz").status() == 200);
  CHECK(router.seen().running == std::vector<std::uint64_t>{1});
  control.write_routes(routes_with("acme: b"));
  REQUIRE(router.runs(2));
  // A router may be told before the file's follower has heard that it was taken.
  CHECK(eventually([&] { return control.page("/v1/info").content.find(R"("mistakes":[])") != std::string::npos; }));
}

TEST_CASE("control push: what a router refuses is not sent to it again, and shows") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  native_double other(control.port(), "rt-2");
  REQUIRE(router.runs(1));
  router.refuse(true);
  control.write_routes(routes_with("acme: b"));
  REQUIRE(other.runs(2));
  REQUIRE(control.process().wait_line(R"("event":"router_refused")"));
  CHECK(control.page("/v1/routers/rt-1").content.find(R"("state":"rejected")") != std::string::npos);
  CHECK(control.page("/v1/routers/rt-1").content.find("schema: the test says so") != std::string::npos);
  CHECK(control.page("/v1/fleet/drift").content.find(R"("refused":1)") != std::string::npos);
  const std::size_t transfers = router.seen().transfers.size();
  std::this_thread::sleep_for(2500ms);  // a beat, which says the target again
  CHECK(router.seen().transfers.size() == transfers);
  router.refuse(false);
  control.write_routes(routes_with("acme: b, umbra: b"));
  REQUIRE(router.runs(3));
}

TEST_CASE("control push: a router's clock, its silence, and messages of a newer release are seen") {
  control_process control({.routes = routes_with("acme: a"), .settings = "push: {ping: 100ms, dead_after: 100}\n"});
  websocket_double router(control.port());
  REQUIRE(router.open("/v1/connect", "cellroute.v1").status() == 101);
  wire::hello said;
  said.router_id = "rt-1";
  router.send_text(wire::write_message(said));
  router.send_text(R"({"type":"of_a_later_release","what":7})");
  wire::pong told;
  const auto in_an_hour = io::read_wall_clock() + 1h;
  told.clock_ms = static_cast<std::uint64_t>(in_an_hour.time_since_epoch() / 1ms);
  router.send_text(wire::write_message(told));
  const auto shown = [&](std::string_view text) {
    return control.page("/v1/routers/rt-1").content.find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return shown(R"("clock_ahead_seconds":3)"); }));
  const double skew = control.metric("cellroute_control_clock_skew_seconds");
  CHECK(skew > 3'590);
  CHECK(skew < 3'610);
  CHECK(control.metric("cellroute_control_unknown_messages_total") == 1);
  CHECK(eventually([&] { return shown(R"("state":"suspect")"); }));
  CHECK(control.page("/v1/routers?state=suspect").content.find("rt-1") != std::string::npos);
  CHECK(shown(R"("apply_ms":null)"));
  CHECK(eventually([&] {
    router.send_text(wire::write_message(told));
    return !shown(R"("state":"suspect")");
  }));
  CHECK(shown(R"("connected":true)"));
}

TEST_CASE("control push: killed and started again, it sends no content to whom has it, and its numbers go on") {
  control_process control({.routes = routes_with("acme: a")});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  control.write_routes(routes_with("acme: b"));
  REQUIRE(router.runs(2));
  const native_double::record before = router.seen();
  control.kill();
  control.start();
  CHECK(control.page("/v1/info").content.find(R"("epoch":1,"version":2,)") != std::string::npos);
  REQUIRE(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  CHECK(router.seen().content_bytes == before.content_bytes);
  CHECK(router.seen().transfers == before.transfers);
  CHECK(router.seen().running == before.running);
  control.write_routes(routes_with("acme: a, umbra: b"));
  REQUIRE(router.runs(3));
  CHECK(router.seen().transfers.back() == "delta");

  control.kill();
  control.write_routes(routes_with("acme: b, umbra: b"));  // while nobody looks
  control.start();
  REQUIRE(router.runs(4));
}

TEST_CASE("control push: a router of many keys whose content is not known any more gets the rows that differ") {
  control_process control({.routes = many_keys(60'000), .routes_name = "routes.json"});
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1, 30s));
  const std::uint64_t whole = router.seen().content_bytes;
  control.kill();
  control.write_routes(many_keys(60'000, {.first = "b"}));  // while nobody looks
  control.start();
  REQUIRE(router.runs(2, 30s));
  CHECK((router.seen().transfers == names{"snapshot", "repair"}));
  CHECK(router.seen().wrong.empty());
  const std::uint64_t repair = router.seen().content_bytes - whole;
  MESSAGE(whole << " bytes at first, " << repair << " for what differs");
  CHECK(100 * repair < whole);
}

TEST_CASE("control push: two processes with one id: the newer one is kept, and it is an event") {
  control_process control({.routes = routes_with("acme: a")});
  websocket_double first(control.port());
  REQUIRE(first.open("/v1/connect", "cellroute.v1").status() == 101);
  wire::hello said;
  said.router_id = "rt-1";
  said.boot_id = "one";
  first.send_text(wire::write_message(said));
  REQUIRE(first.read_text());
  websocket_double second(control.port());
  REQUIRE(second.open("/v1/connect", "cellroute.v1").status() == 101);
  said.boot_id = "two";
  second.send_text(wire::write_message(said));
  REQUIRE(second.read_text());
  while (first.read_text()) {
  }
  CHECK(first.close_code() == 1008);
  CHECK(control.process().wait_line(R"("event":"router_duplicate")"));
  CHECK(control.metric("cellroute_control_sessions") == 1);
}

TEST_CASE("control push: one that reads nothing delays nobody, and is dropped") {
  control_process control({.routes = many_keys(100'000), .routes_name = "routes.json"});
  std::deque<std::unique_ptr<native_double>> routers;
  for (int i = 0; i < 50; ++i)
    routers.push_back(std::make_unique<native_double>(control.port(), "rt-" + std::to_string(i)));
  websocket_double deaf(control.port(), 4096);
  REQUIRE(deaf.open("/v1/connect", "cellroute.v1").status() == 101);
  wire::hello said;
  said.router_id = "deaf";
  said.can.content_bytes_max = 1 << 30;
  said.can.keys_max = 1'000'000;
  said.can.compressions = {"zstd"};
  deaf.send_text(wire::write_message(said));
  const stopwatch time;
  for (const auto& r : routers) CHECK(r->runs(1, 60s));
  MESSAGE("100,000 keys to 50 routers beside a deaf one: " << time.ms() << " ms, "
                                                           << routers.front()->seen().content_bytes << " bytes each");
  CHECK(routers.front()->seen().content_bytes > 500'000);
  CHECK(eventually([&] { return control.metric("cellroute_control_sessions") == 50; }));
  CHECK(control.page("/v1/routers/deaf").content.find(R"("connected":false)") != std::string::npos);
  const stopwatch change;
  control.write_routes(many_keys(100'000, {.first = "b"}));
  for (const auto& r : routers) CHECK(r->runs(2, 60s));
  MESSAGE("one row of them, file to last router: " << change.ms() << " ms");
  CHECK(routers.front()->seen().transfers.back() == "delta");
}

TEST_CASE("control push: 2,000 routers take little memory, and a change reaches all of them") {
  (void)process::raise_fd_limit();
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  constexpr std::size_t count = 2'000;
  if (limit.rlim_cur < count + 200) return skip("it needs 2,200 descriptors");
  control_process control({.routes = routes_with("acme: a")});
  (void)control.page("/v1/info");
  const std::size_t before = control.resident_bytes();
  std::deque<websocket_double> routers;
  const stopwatch connecting;
  for (std::size_t i = 0; i < count; ++i) {
    websocket_double& r = routers.emplace_back(control.port());
    REQUIRE(r.open("/connect").status() == 101);
    REQUIRE(r.read_text());
    r.send_text(R"({"type":"ack","version":1,"status":"applied"})");
  }
  MESSAGE("2,000 routers connected and served in " << connecting.ms() << " ms");
  REQUIRE(eventually([&] { return control.metric("cellroute_control_sessions") == count; }));
  const std::size_t each = (control.resident_bytes() - before) / count;
  MESSAGE("memory a router: " << each << " bytes");
  if (!is_sanitized()) CHECK(each < 6 * 1024);
  const stopwatch time;
  control.write_routes(routes_with("acme: b"));
  const auto is_content = [](const std::optional<std::string>& text) {
    return !text || text->find("config_update") != std::string::npos;
  };
  for (websocket_double& r : routers) {
    std::optional<std::string> text;
    do {
      text = r.read_text();
    } while (!is_content(text));
    REQUIRE(text);
    CHECK(text->find(R"("version":2)") != std::string::npos);
  }
  MESSAGE("file to the last of 2,000: " << time.ms() << " ms");
  const stopwatch health;
  CHECK(control.page("/health").status() == 200);
  MESSAGE("/health beside them: " << health.ms() << " ms");
}

}  // namespace
}  // namespace cellroute::system_test
