// The control plane and routers that know the base protocol's documents only: the messages of its checklist, and the
// sample of a push.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/system/support/control_process.hpp"
#include "tests/system/support/transcript.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

/// The sample, as it is: what travels is a file that can be followed, too.
constexpr std::string_view sample = R"({
  "type": "config_update",
  "version": 42,
  "config": {
    "default_placement": "tier3",
    "customer_to_placement": {"umbra": "tier1", "mastera": "mastera"},
    "placement_to_endpoint": {
      "tier1": "http://127.0.0.1:9001",
      "tier3": "http://127.0.0.1:9003",
      "mastera": "http://127.0.0.1:9004"
    }
  }
})";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// A router of the base protocol: it answers beats, and notes all else that is said.
class base_double {
 public:
  explicit base_double(std::uint16_t port) : socket_(port) { REQUIRE(socket_.open("/connect").status() == 101); }

  /// The next content, beats answered on the way.
  [[nodiscard]] std::string content() {
    while (auto text = socket_.read_text()) {
      if (*text == R"({"type":"ping"})") {
        socket_.send_text(R"({"type":"pong"})");
        continue;
      }
      transcript_ += "control: " + *text + "\n";
      return *text;
    }
    return {};
  }
  /// The next beat.
  [[nodiscard]] bool beat() {
    const auto text = socket_.read_text();
    transcript_ += "control: " + text.value_or("nothing") + "\n";
    return text == R"({"type":"ping"})";
  }
  void say(std::string_view text) {
    socket_.send_text(text);
    transcript_ += "router: " + std::string(text) + "\n";
  }
  [[nodiscard]] websocket_double& socket() { return socket_; }
  [[nodiscard]] const std::string& transcript() const { return transcript_; }

 private:
  websocket_double socket_;
  std::string transcript_;
};

control_setup setup_of(std::string_view dialect) {
  return {.routes = std::string(sample),
          .routes_name = "draft-push.json",
          .settings = "push: {ping: 300ms, base_dialect: " + std::string(dialect) + "}\n"};
}

TEST_CASE("control: a router of config_update is told what is published, and each change of it") {
  control_process control(setup_of("config_update"));
  base_double router(control.port());
  (void)router.content();
  router.say(R"({"type":"ack","version":1,"status":"applied"})");
  REQUIRE(router.beat());
  router.say(R"({"type":"pong"})");
  control.write_routes(replaced(std::string(sample), "\"umbra\": \"tier1\"", "\"umbra\": \"mastera\""));
  (void)router.content();
  router.say(R"({"type":"ack","version":2,"status":"rejected","error":"no placement mastera here"})");
  CHECK(control.process().wait_line("no placement mastera here"));
  control.write_routes(std::string(sample));
  (void)router.content();
  router.say(R"({"type":"ack","version":3,"status":"applied"})");
  CHECK(control.process().wait_line(
      R"("event":"router_applied","message":"a router runs a content that it did not run before","router":"","session":1,"version":3)"));
  compare_with("config_update.txt", router.transcript());
}

TEST_CASE("control: a router of config_snapshot refuses by nack, and its versions are texts") {
  control_process control(setup_of("config_snapshot"));
  base_double router(control.port());
  (void)router.content();
  router.say(R"({"type":"ack","version":"1"})");
  REQUIRE(router.beat());
  router.say(R"({"type":"pong"})");
  control.write_routes(replaced(std::string(sample), "\"umbra\": \"tier1\"", "\"umbra\": \"mastera\""));
  (void)router.content();
  router.say(R"({"type":"nack","version":"2","error":"no placement mastera here"})");
  CHECK(control.process().wait_line("no placement mastera here"));
  control.write_routes(replaced(std::string(sample), "\"umbra\": \"tier1\", ", ""));
  (void)router.content();
  router.say(R"({"type":"ack","version":""})");  // there are routers that leave it empty
  CHECK(control.process().wait_line(R"("session":1,"version":3)"));
  compare_with("config_snapshot.txt", router.transcript());
}

TEST_CASE("control: routers of the base protocol that are not told the same are not there: one that comes later, too") {
  control_process control(setup_of("config_update"));
  base_double first(control.port());
  const std::string told = first.content();
  control.write_routes(replaced(std::string(sample), "\"umbra\": \"tier1\"", "\"umbra\": \"mastera\""));
  first.say(R"({"type":"ack","version":1,"status":"applied"})");
  const std::string changed = first.content();
  CHECK(changed != told);
  base_double second(control.port());
  CHECK(second.content() == changed);
}

TEST_CASE("control: what does not go into three maps ends a base session, with the reason, and is an event") {
  control_process control(
      {.routes = "routing: {default_placement: a}\nplacements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}, {url: "
                 "\"http://127.0.0.1:2\"}]}}\n"});
  websocket_double router(control.port());
  REQUIRE(router.open("/connect").status() == 101);
  CHECK_FALSE(router.read_text());
  CHECK(router.close_code() == 1008);
  CHECK(router.close_reason() == "the base protocol cannot say: placements.a has not exactly one endpoint of weight 1");
  const auto line = control.process().wait_line(R"("event":"session_ended")");
  REQUIRE(line);
  CHECK(log_line(*line)["reason"] == router.close_reason());
  CHECK(log_line(*line)["level"] == "warn");
}

}  // namespace
}  // namespace cellroute::system_test
