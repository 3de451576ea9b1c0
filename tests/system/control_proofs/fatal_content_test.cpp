// What is pushed ends the router: as it is checked, and as a start compiles it. A content that does so again and again
// is refused, and what ran before runs.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/system/control_proofs/faulty_process.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

/// A configuration of one cell, with a rule that a library of the router may die of.
std::string fleet_with(std::uint16_t cell, std::string_view pattern) {
  return R"({"routing": {"default_placement": "tier1", "rules": [{"match": {"regex": ")" + std::string(pattern) +
         R"("}, "placement": "tier1"}]}, "placements": {"tier1": {"endpoints": [{"url": "http://127.0.0.1:)" +
         std::to_string(cell) + "\"}]}}}";
}

/// A library of this router dies of a certain pattern.
const std::vector<std::string> with_fatal_pattern = {"LD_PRELOAD=" CELLROUTE_FATAL_PATTERN_PATH};

router_config keeping(router_config config, const scratch_folder& state, std::vector<std::string> environment = {}) {
  config.arguments = {"--state-dir", (state.path() / "state").string()};
  config.environment = std::move(environment);
  return config;
}

bool is_refused_at(const control_process& control) {
  return eventually(
      [&] { return control.page("/v1/routers").content.find("\"last_refusal\":\"crash_loop") != std::string::npos; });
}

TEST_CASE("fatal content: one that ends the router in its check is refused by the fourth start, which serves on") {
  fake_cell cell(says{"served"});
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_with(cell.port(), "^good-")).status() == 200);
  const scratch_folder state;
  const router_config config = keeping(silent_told_by(control.port()), state, with_fatal_pattern);
  {
    router_process router(config);
    REQUIRE(eventually([&] { return runs(control, router, 1); }));
    router.expect_failure();
    REQUIRE(tell(control, "PUT", "/v1/config", fleet_with(cell.port(), "^fatal-")).status() == 200);
    CHECK(router.process().wait_exit() == -SIGABRT);
  }
  for (int start = 2; start <= 3; ++start) {  // each is sent it again
    router_process router(config);
    router.expect_failure();
    CHECK(router.process().wait_exit() == -SIGABRT);
  }
  router_process router(config);
  CHECK(router.process().find_line("its check has ended 3 processes; it is refused"));
  CHECK(is_refused_at(control));
  CHECK(cell_of(router, "anybody") == "served");
  CHECK(runs(control, router, 1, false));
  // What comes then is taken.
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_with(cell.port(), "^better-")).status() == 200);
  CHECK(eventually([&] { return runs(control, router, 3); }));
}

TEST_CASE("fatal content: one that ends each start as it is compiled is left for the one before") {
  fake_cell cell(says{"served"});
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_with(cell.port(), "^good-")).status() == 200);
  const scratch_folder state;
  {
    router_process router(keeping(silent_told_by(control.port()), state));
    REQUIRE(eventually([&] { return runs(control, router, 1); }));
    REQUIRE(tell(control, "PUT", "/v1/config", fleet_with(cell.port(), "^fatal-")).status() == 200);
    REQUIRE(eventually([&] { return runs(control, router, 2); }));
    router.expect_failure();
    router.process().signal(SIGKILL);  // once
    (void)router.process().wait_exit();
  }
  const router_config config = keeping(silent_told_by(control.port()), state, with_fatal_pattern);
  const scratch_folder folder;
  const std::string file = (folder.path() / "cellroute.yaml").string();
  std::ofstream(file) << config.yaml();
  for (int start = 2; start <= 3; ++start) {
    program dying({router_path(), "--config", file, config.arguments[0], config.arguments[1]}, config.environment, 0);
    CHECK(dying.wait_exit() == -SIGABRT);
  }
  router_process router(config);
  CHECK(router.process().find_line("was begun 3 times and did not survive; it is refused"));
  CHECK(cell_of(router, "anybody") == "served");
  CHECK(is_refused_at(control));
  CHECK(runs(control, router, 1, false));
}

/// A control plane of the base protocol that says one thing to each router which comes.
class insisting_control {
 public:
  insisting_control() : listener_(listen_on_loopback()) {}
  [[nodiscard]] std::uint16_t port() const { return port_of(listener_); }

  /// What the next router answers to it; nothing where it ends.
  std::string say(std::string_view text) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, 10'000) == 1);
    websocket_double session(descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    (void)session.answer();
    session.send_text(text);
    return session.read_text().value_or("");
  }

 private:
  descriptor listener_;
};

TEST_CASE(
    "fatal content: one of the base protocol, which ends the router in its check, is refused by the fourth start") {
  insisting_control control;
  const scratch_folder state;
  const auto update_of = [](std::string_view version, std::string_view placement) {
    return R"({"type":"config_update","version":)" + std::string(version) + R"(,"config":{"default_placement":")" +
           std::string(placement) + R"(","customer_to_placement":{},"placement_to_endpoint":{")" +
           std::string(placement) + R"(":"http://127.0.0.1:9001"}}})";
  };
  const std::string fatal = update_of("7", "fatal");
  for (int start = 1; start <= 3; ++start) {
    call_control calls;
    const router_config config = keeping(silent_told_by(control.port()), state, calls.environment());
    router_process router(config);
    router.expect_failure();
    calls.arm({outcome::kill, "unlinkat", 1});  // the first file that goes is the note of the check, when it is over
    CHECK(control.say(fatal).empty());
    CHECK(router.process().wait_exit() == -SIGKILL);
  }
  const router_config config = keeping(silent_told_by(control.port()), state);
  router_process router(config);
  CHECK(router.process().find_line("its check has ended 3 processes; it is refused"));
  const std::string answer = control.say(fatal);
  CAPTURE(answer);
  CHECK(answer.find(R"("status":"rejected")") != std::string::npos);
  CHECK(answer.find("its check has ended this router") != std::string::npos);
  CHECK(control.say(update_of("8", "good")).find(R"("status":"applied")") != std::string::npos);
}

}  // namespace
}  // namespace cellroute::system_test
