// A router and a control plane that knows the base protocol's documents only: the messages of its checklist, and the
// sample of a push.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/scratch_folder.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"
#include "tests/system/support/transcript.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

/// The sample of a push, in one line.
std::string update_of(std::string_view version, std::string_view umbra = "tier1") {
  return R"({"type":"config_update","version":)" + std::string(version) +
         R"(,"config":{"default_placement":"tier3","customer_to_placement":{"umbra":")" + std::string(umbra) +
         R"(","mastera":"mastera"},"placement_to_endpoint":{"tier1":"http://127.0.0.1:9001",)"
         R"("tier3":"http://127.0.0.1:9003","mastera":"http://127.0.0.1:9004"}}})";
}
std::string snapshot_of(std::string_view version, std::string_view umbra = "tier1") {
  return R"({"type":"config_snapshot","version":")" + std::string(version) + R"(","routingTable":{"umbra":")" +
         std::string(umbra) +
         R"("},"cellEndpoints":{"tier1":"http://127.0.0.1:9001","tier3":"http://127.0.0.1:9003"},)"
         R"("defaultPlacement":"tier3"})";
}

std::string applied(std::string_view version) {
  return R"({"type":"ack","version":)" + std::string(version) + R"(,"status":"applied"})";
}

/// A control plane of the base protocol, which speaks and is answered, and notes all that is said.
class base_control {
 public:
  base_control() : listener_(listen_on_loopback()) {}
  [[nodiscard]] std::uint16_t port() const { return port_of(listener_); }

  /// Waits for a router, the first one or the same again.
  void admit() {
    pollfd waiting{listener_.get(), POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, 10'000) == 1);
    session_.emplace(descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    const message_head asked = session_->answer();
    CHECK(asked.first_line() == "GET /connect HTTP/1.1");
    CHECK(asked.value("Sec-WebSocket-Protocol") == "cellroute.v1");  // and is not taken up on it
  }
  void leave() { session_.reset(); }

  void say(std::string_view text) {
    session_->send_text(text);
    transcript_ += "control: " + std::string(text) + "\n";
  }
  std::string hear() {
    const std::string text = session_->read_text().value_or("nothing");
    transcript_ += "router: " + text + "\n";
    CHECK(session_->wrong().empty());
    return text;
  }
  [[nodiscard]] const std::string& transcript() const { return transcript_; }

 private:
  descriptor listener_;
  std::optional<websocket_double> session_;
  std::string transcript_;
};

bool explains(const router_process& router, std::string_view key, std::string_view placement) {
  const std::string page = router.admin("/v1/explain?key=" + std::string(key)).content;
  return page.find("\"placement\":\"" + std::string(placement) + "\"") != std::string::npos;
}

TEST_CASE("base control plane: what does harm is left for what ran before, and refused when it is said again") {
  constexpr int enough = 520;  // to be judged by
  fake_cell one(says{"one"});
  const closed_port nobody;
  const auto update = [](int version, std::uint16_t port) {
    return R"({"type":"config_update","version":)" + std::to_string(version) +
           R"(,"config":{"default_placement":"all","customer_to_placement":{"acme":"all"},)"
           R"("placement_to_endpoint":{"all":"http://127.0.0.1:)" +
           std::to_string(port) + "\"}}}";
  };
  base_control control;
  router_process router(told_by(control.port(), "", ", revert_on_5xx_percent: 50, backoff: {min: 1ms, max: 1ms}"));
  control.admit();
  control.say(update(1, one.port()));
  CHECK(control.hear().find("applied") != std::string::npos);
  REQUIRE(answers_of(router, "acme", enough, 200) == enough);
  control.say(update(2, nobody.port()));
  CHECK(control.hear().find("applied") != std::string::npos);
  REQUIRE(answers_of(router, "acme", enough, 502) >= 500);  // it may be judged, and left, before the last of them
  REQUIRE(router.process().wait_line(R"("event":"config_reverted")"));
  CHECK(leads_to(router, "acme", "one"));
  control.leave();
  control.admit();
  control.say(update(2, nobody.port()));
  CHECK(control.hear().find("local_guard: ") != std::string::npos);
  CHECK(cell_of(router, "acme") == "one");
  control.say(update(3, one.port()));
  CHECK(control.hear().find("applied") != std::string::npos);
}

TEST_CASE("base control plane: config_update is applied, refused with the reason, and answered by its number") {
  base_control control;
  router_process router(told_by(control.port()));
  control.admit();
  control.say(update_of("42"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "tier1"));
  CHECK(explains(router, "somebody", "tier3"));
  control.say(R"({"type":"ping"})");
  (void)control.hear();
  control.say(update_of("42"));  // again
  (void)control.hear();
  control.say(update_of("43", "nowhere"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "tier1"));
  control.say(R"({"type":"config_update","version":44,"config":{}})");
  (void)control.hear();
  control.say(update_of("45", "mastera"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "mastera"));
  control.say(update_of("44"));  // late
  (void)control.hear();
  CHECK(explains(router, "umbra", "mastera"));
  compare_with("router_config_update.txt", control.transcript());
  CHECK(pushes(router, "applied") == 2);
  CHECK(pushes(router, "unchanged") == 1);
  CHECK(pushes(router, "rejected") == 2);  // one that came late was not bad
}

TEST_CASE("base control plane: what runs already is acknowledged and counted, and nothing changes") {
  base_control control;
  router_process router(told_by(control.port()));
  control.admit();
  control.say(update_of("42"));
  CHECK(control.hear() == applied("42"));
  const double generation = router.metric("gateway_config_generation");
  CHECK(pushes(router, "unchanged") == 0);
  control.say(update_of("42"));
  CHECK(control.hear() == applied("42"));
  CHECK(eventually([&] { return pushes(router, "unchanged") == 1; }));
  CHECK(router.metric("gateway_config_generation") == generation);
  CHECK(pushes(router, "applied") == 1);
  control.say(update_of("43"));  // its name is a part of what requests are told
  CHECK(control.hear() == applied("43"));
  CHECK(pushes(router, "applied") == 2);
  CHECK(pushes(router, "unchanged") == 1);
}

TEST_CASE("base control plane: one that counts anew is followed, and the log says so") {
  base_control control;
  router_process router(told_by(control.port(), "", ", backoff: {min: 1ms, max: 1ms}"));
  control.admit();
  control.say(update_of("42"));
  CHECK(control.hear() == applied("42"));
  control.leave();
  control.admit();
  control.say(update_of("7", "mastera"));
  CHECK(control.hear() == applied("7"));
  CHECK(explains(router, "umbra", "mastera"));
  CHECK(router.process().wait_line(R"("event":"version_reset")"));
}

TEST_CASE("base control plane: one that counts anew is refused where the file wants that, also by another process") {
  base_control control;
  const scratch_folder state;
  router_config config = told_by(control.port(), "", ", accept_version_reset: false, backoff: {min: 1ms, max: 1ms}");
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  std::optional<router_process> router(std::in_place, config);
  control.admit();
  control.say(update_of("42"));
  CHECK(control.hear() == applied("42"));
  router.reset();
  control.leave();
  router.emplace(config);
  control.admit();
  control.say(update_of("7", "mastera"));
  CHECK(control.hear().find("version 42 runs, and control_plane.accept_version_reset is off here") !=
        std::string::npos);
  CHECK(router->process().wait_line(R"("event":"config_rejected")"));
  CHECK(explains(*router, "umbra", "tier1"));
  CHECK(pushes(*router, "rejected") == 1);
  CHECK(router->admin("/debug/config").content.find("push 7: version 42 runs") != std::string::npos);
  control.say(update_of("43", "mastera"));
  CHECK(control.hear() == applied("43"));
  CHECK(explains(*router, "umbra", "mastera"));
  CHECK(router->admin("/debug/config").content.find("push 7: ") == std::string::npos);
}

TEST_CASE("base control plane: config_snapshot is answered by ack or nack, and by its own text") {
  base_control control;
  router_process router(told_by(control.port()));
  control.admit();
  control.say(snapshot_of("2026-01-04.1"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "tier1"));
  control.say(R"({"type":"ping"})");
  (void)control.hear();
  control.say(snapshot_of("2026-01-04.2", "nowhere"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "tier1"));
  control.say(snapshot_of("2026-01-04.3", "tier3"));
  (void)control.hear();
  CHECK(explains(router, "umbra", "tier3"));
  compare_with("router_config_snapshot.txt", control.transcript());
}

TEST_CASE("base control plane: what is not known around the maps is ignored and told once, and a refusal is shown") {
  fake_cell one(says{"one"});
  base_control control;
  router_process router(told_by(control.port(), "defaults: {limits: {max_request_body: 1KiB}, host: upstream}\n"));
  control.admit();
  const std::string config =
      R"(,"epoch":3,"sent_at":"2026","config":{"default_placement":"gold","customer_to_placement":)"
      R"({"acme":"gold"},"placement_to_endpoint":{"gold":"http://127.0.0.1:)" +
      std::to_string(one.port()) + R"("}},"placement_kinds":{"gold":"shared"}})";
  control.say(R"({"type":"config_update","version":1)" + config);
  CHECK(control.hear() == R"({"type":"ack","version":1,"status":"applied"})");
  CHECK(router.process().wait_line(R"("event":"control_plane_fields_ignored")"));
  const message answer = ask(router.port(), keyed("GET /"));
  CHECK(answer.content == "one");
  CHECK(answer.head.value("X-Route-Reason") == "tier");
  // The file names no placement: its defaults count for all of them.
  const std::string upload = keyed("POST /", "Content-Length: 2000\r\n") + std::string(2000, 'x');
  CHECK(ask(router.port(), upload).status() == 413);
  CHECK(router.admin("/debug/config").content.find(R"("rejected":null)") != std::string::npos);
  control.say(update_of("2", "nowhere"));
  (void)control.hear();
  const auto shows = [&](std::string_view text) {
    return eventually([&] { return router.admin("/debug/config").content.find(text) != std::string::npos; });
  };
  CHECK(shows(R"("mistakes":["push 2: )"));
  control.say(update_of("3"));
  (void)control.hear();
  CHECK(shows(R"("rejected":null)"));
}

TEST_CASE("base control plane: one that starts anew may count anew") {
  base_control control;
  router_process router(told_by(control.port()));
  control.admit();
  control.say(update_of("42"));
  (void)control.hear();
  control.leave();
  control.admit();
  control.say(update_of("1", "mastera"));
  CHECK(control.hear() == R"({"type":"ack","version":1,"status":"applied"})");
  CHECK(explains(router, "umbra", "mastera"));
}

TEST_CASE("base control plane: what three maps cannot say stays as the local file says it") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  base_control control;
  router_process router(told_by(control.port(), "routing: {default_placement: tier1}\nplacements: {tier1: {" +
                                                    at(one.port(), ", limits: {max_request_body: 1KiB}") + "}}\n"));
  const std::string upload = keyed("POST /", "Content-Length: 2000\r\n") + std::string(2000, 'x');
  CHECK(ask(router.port(), upload).status() == 413);
  control.admit();
  control.say(R"({"type":"config_update","version":1,"config":{"default_placement":"tier1","customer_to_placement":)"
              R"({"acme":"tier1","visa":"tier2"},"placement_to_endpoint":{"tier1":"http://127.0.0.1:)" +
              std::to_string(two.port()) + R"(","tier2":"http://127.0.0.1:)" + std::to_string(one.port()) + "\"}}}");
  CHECK(control.hear() == R"({"type":"ack","version":1,"status":"applied"})");
  CHECK(ask(router.port(), keyed("GET /")).content == "two");
  CHECK(ask(router.port(), upload).status() == 413);
}

}  // namespace
}  // namespace cellroute::system_test
