// A router whose control plane, and whose folder of state, change while it runs: by an edit of its own file.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "tests/system/support/control_process.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

namespace fs = std::filesystem;

/// A routing of two cells, in which this placement has the key acme.
std::string routing_to(std::uint16_t a, std::uint16_t b, std::string_view acme, std::string_view version) {
  return "version: \"" + std::string(version) +
         "\"\nrouting: {default_placement: tier3, keys: {inline: {acme: " + std::string(acme) +
         "}}}\nplacements:\n  tier1: {" + at(a) + "}\n  tier3: {" + at(b) + "}\n";
}

/// A local file in parts: whom it obeys, where it keeps what it is told, and the rest.
struct local_file {
  std::uint16_t control = 0;  ///< 0: nobody
  std::string keys{};         ///< further ones of `control_plane`, each with a comma before it
  std::string state{};        ///< empty: off
  std::string sections{};

  [[nodiscard]] router_config config() const {
    router_config made;
    made.whole = "process: {workers: 1, drain: {unready_for: 0s, timeout: 2s}" +
                 (state.empty() ? std::string() : ", state_dir: \"" + state + "\"") +
                 "}\nlisteners: [{name: web, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\n"
                 "reload: {debounce: 0s, poll: 200ms, backoff_on_error: 0s}\n";
    if (control != 0) {
      made.whole += "control_plane: {urls: [\"ws://127.0.0.1:" + std::to_string(control) + "/connect\"]" + keys + "}\n";
    }
    made.whole += sections;
    return made;
  }
};

/// Requests without rest, until it is asked what came of them.
class steady_requests {
 public:
  explicit steady_requests(const router_process& to)
      : thread_([this, &to] {
          while (!is_over_) {
            failed_ += ask(to.port(), keyed("GET /")).status() != 200 ? 1 : 0;
            ++asked_;
          }
        }) {}
  steady_requests(const steady_requests&) = delete;
  steady_requests& operator=(const steady_requests&) = delete;
  ~steady_requests() { end(); }

  /// How many failed; all of them where there was none.
  [[nodiscard]] int failed() {
    end();
    return asked_ > 0 ? failed_.load() : -1;
  }

 private:
  void end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::atomic<bool> is_over_{false};
  std::atomic<int> asked_{0};
  std::atomic<int> failed_{0};
  std::thread thread_;
};

bool page_has(const router_process& router, std::string_view path, std::string_view text) {
  return eventually([&] { return router.admin(path).content.find(text) != std::string::npos; });
}

bool is_connected(const router_process& router) {
  return eventually([&] { return router.metric("gateway_control_plane_connected") == 1; });
}

TEST_CASE("link by reload: a file that gains a control plane is told by it, and no request fails") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "pushed")});
  local_file file{.sections = routing_to(two.port(), two.port(), "tier1", "file")};
  router_process router(file.config());
  REQUIRE(cell_of(router, "acme") == "two");
  CHECK(router.admin("/metrics").content.find("gateway_control_plane_connected") == std::string::npos);
  steady_requests load(router);
  file.control = control.port();
  file.keys = ", ring: late";
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "one"));
  CHECK(is_connected(router));
  CHECK(load.failed() == 0);
  CHECK_FALSE(router.process().find_line("restart_needed"));
  CHECK(page_has(router, "/debug/config", R"("source":"push")"));
  CHECK(router.admin("/ready").status() == 200);
  CHECK(control.page("/v1/routers").content.find(R"("ring":"late")") != std::string::npos);
}

TEST_CASE("link by reload: another address ends the session and begins one there; what runs stays until it says more") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process first({.routes = routing_to(one.port(), two.port(), "tier1", "a")});
  local_file file{.control = first.port()};
  router_process router(file.config());
  REQUIRE(leads_to(router, "acme", "one"));
  REQUIRE(is_connected(router));
  steady_requests load(router);

  file.control = unused_port();  // nobody is there
  router.edit(file.config());
  REQUIRE(router.process().wait_line(R"("event":"control_plane_changed")"));
  CHECK(eventually([&] { return router.metric("gateway_control_plane_connected") == 0; }));
  CHECK(eventually([&] { return router.metric("gateway_control_plane_failed_tries_total") >= 1; }));
  CHECK(eventually([&] { return first.metric("cellroute_control_sessions") == 0; }));
  CHECK(cell_of(router, "acme") == "one");
  CHECK(router.admin("/ready").status() == 200);
  CHECK(eventually([&] { return router.metric("gateway_config_confirmed_age_seconds") > 1; }));

  // One that has a history of its own, with the same numbers.
  control_process second({.routes = routing_to(one.port(), two.port(), "tier3", "b")});
  file.control = second.port();
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "two"));
  CHECK(is_connected(router));
  CHECK(eventually([&] { return second.metric("cellroute_control_routers_on_target") == 1; }));
  CHECK(eventually([&] { return router.metric("gateway_config_confirmed_age_seconds") < 30; }));
  CHECK(load.failed() == 0);
  second.write_routes(routing_to(one.port(), two.port(), "tier1", "b2"));
  CHECK(leads_to(router, "acme", "one"));
}

TEST_CASE("link by reload: another token or label is another session at the same address, and nothing is sent again") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  constexpr std::string_view token = "a-token-that-nobody-guesses";
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "a"),
                           .settings = "auth: {admin_token_file: admin.token}\n",
                           .files = {{"admin.token", std::string(token)}}});
  local_file file{.control = control.port(), .keys = ", ring: blue"};
  router_process router(file.config());
  REQUIRE(leads_to(router, "acme", "one"));
  REQUIRE(is_connected(router));
  steady_requests load(router);
  for (const std::string_view ring : {"green", "red"}) {
    std::ofstream(router.folder() / "token") << token << "\n";
    fs::permissions(router.folder() / "token", fs::perms(0600));
    file.keys = ", ring: " + std::string(ring) + (ring == "red" ? ", token_file: token" : "");
    router.edit(file.config());
    CHECK(eventually([&] {
      return control.page("/v1/routers").content.find("\"ring\":\"" + std::string(ring)) != std::string::npos;
    }));
  }
  CHECK(load.failed() == 0);
  CHECK(router.metric("gateway_config_apply_total", {"result=\"applied\"", "source=\"push\""}) == 1);
  CHECK(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  CHECK(control.metric("cellroute_control_sessions") == 1);
}

TEST_CASE("link by reload: a file that loses its control plane is the configuration again, where it has routing") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "pushed")});
  local_file file{.control = control.port(), .sections = routing_to(one.port(), two.port(), "tier3", "file")};
  router_process router(file.config());
  REQUIRE(leads_to(router, "acme", "one"));
  steady_requests load(router);
  const std::uint16_t port = std::exchange(file.control, 0);
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "two"));
  CHECK(router.process().wait_line(R"("event":"control_plane_left")"));
  CHECK(page_has(router, "/debug/config", R"("source":"file")"));
  CHECK(router.admin("/debug/config").content.find(R"("pushed":{)") == std::string::npos);
  CHECK(router.admin("/metrics").content.find("gateway_control_plane_connected") == std::string::npos);
  CHECK(eventually([&] { return control.metric("cellroute_control_sessions") == 0; }));
  control.write_routes(routing_to(one.port(), two.port(), "tier1", "unheard"));
  file.sections = routing_to(two.port(), one.port(), "tier3", "file 2");  // edits of it count
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "one"));

  file.sections = routing_to(two.port(), two.port(), "tier3", "file 3");
  file.control = port;  // and it may come back
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "one"));
  CHECK(page_has(router, "/debug/config", R"("source":"push")"));
  CHECK(load.failed() == 0);
}

TEST_CASE("link by reload: one that loses it and has no routing keeps what runs, and says so") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "pushed")});
  local_file file{.control = control.port()};
  router_process router(file.config());
  REQUIRE(leads_to(router, "acme", "one"));
  steady_requests load(router);
  file.control = 0;
  router.edit(file.config());
  const auto told = router.process().wait_line(R"("event":"routing_kept")");
  REQUIRE(told);
  CHECK(told->find("no control plane any more, and has no routing") != std::string::npos);
  CHECK(router.process().wait_line(R"("event":"control_plane_left")"));
  CHECK(cell_of(router, "acme") == "one");
  CHECK(router.admin("/ready").status() == 200);
  CHECK(page_has(router, "/debug/config", R"("source":"push")"));
  file.sections = "decision: {headers: never}\n";
  router.edit(file.config());
  CHECK(eventually([&] { return ask(router.port(), keyed("GET /")).head.value("X-Routed-To").empty(); }));
  CHECK(cell_of(router, "acme") == "one");
  file.sections = routing_to(one.port(), two.port(), "tier3", "file");
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "two"));
  CHECK(page_has(router, "/debug/config", R"("source":"file")"));
  CHECK(load.failed() == 0);
}

TEST_CASE("link by reload: a first file without routing and control plane is still no configuration") {
  router_process router(local_file{.control = unused_port()}.config());
  router.edit(local_file{}.config());
  REQUIRE(router.process().wait_line(R"("event":"config_rejected")"));
  CHECK(router.admin("/ready").status() == 503);
}

TEST_CASE("state by reload: what runs is in the new folder before it counts, and the next start finds it there") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "a")});
  const scratch_folder folders;
  const fs::path old_folder = folders.path() / "old";
  const fs::path new_folder = folders.path() / "new";
  local_file file{.control = control.port(), .state = old_folder.string()};
  {
    router_process router(file.config());
    REQUIRE(leads_to(router, "acme", "one"));
    steady_requests load(router);
    file.state = new_folder.string();
    router.edit(file.config());
    const auto moved = router.process().wait_line(R"("event":"state_moved")");
    REQUIRE(moved);
    CHECK(moved->find(new_folder.string()) != std::string::npos);
    CHECK(fs::exists(new_folder / "CURRENT"));
    CHECK(load.failed() == 0);
    CHECK_FALSE(router.process().find_line("restart_needed"));
    // Who wants the old one can have it.
    router_process other(local_file{.control = control.port(), .state = old_folder.string()}.config());
    CHECK(cell_of(other, "acme") == "one");
    // What comes later goes to the new one.
    control.write_routes(routing_to(one.port(), two.port(), "tier3", "b"));
    CHECK(leads_to(router, "acme", "two"));
  }
  control.process().signal(SIGTERM);
  REQUIRE(control.process().wait_exit() == 0);
  router_process router(file.config());
  CHECK(cell_of(router, "acme") == "two");
  CHECK(router.metric("gateway_config_generation", {"source=\"state\""}) == 2);
}

TEST_CASE("state by reload: a folder that cannot be used refuses the edit whole, and what ran keeps running") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "a")});
  const scratch_folder folders;
  const fs::path old_folder = folders.path() / "old";
  std::ofstream(folders.path() / "file") << "no folder";
  local_file file{.control = control.port(), .state = old_folder.string()};
  router_process router(file.config());
  REQUIRE(leads_to(router, "acme", "one"));
  local_file bad = file;
  bad.state = (folders.path() / "file").string();
  bad.sections = "decision: {headers: never}\n";
  router.edit(bad.config());
  const auto refused = router.process().wait_line(R"("event":"config_rejected")");
  REQUIRE(refused);
  CHECK(refused->find("is no folder; name one") != std::string::npos);
  CHECK(router.admin("/debug/config").content.find("is no folder; name one") != std::string::npos);
  CHECK_FALSE(ask(router.port(), keyed("GET /")).head.value("X-Routed-To").empty());  // nothing of it counts
  control.write_routes(routing_to(one.port(), two.port(), "tier3", "b"));
  CHECK(leads_to(router, "acme", "two"));
  CHECK(router.metric("gateway_config_generation", {"source=\"push\""}) >= 3);
  // And the same edit is taken once it can be.
  fs::remove(folders.path() / "file");
  CHECK(eventually([&] { return ask(router.port(), keyed("GET /")).head.value("X-Routed-To").empty(); }));
  CHECK(fs::exists(folders.path() / "file" / "CURRENT"));
  CHECK(cell_of(router, "acme") == "two");
}

TEST_CASE("state by reload: it may be gained and given up, with the keys of files") {
  fake_cell one(says{"one"});
  const scratch_folder folders;
  const fs::path folder = folders.path() / "state";
  router_config config{.placements = {{"tier1", at(one.port())}, {"tier3", at(one.port())}}, .key_files = "more.tsv"};
  config.reload = "debounce: 0s";
  config.files = {{"more.tsv", "k1\ttier1\nk2\ttier3\n"}};
  router_process router(config);
  config.process = ", state_dir: \"" + folder.string() + "\"";
  router.edit(config);
  REQUIRE(router.process().wait_line(R"("event":"keys_kept")"));
  CHECK(fs::exists(folder / "lock"));
  CHECK_FALSE(fs::is_empty(folder));
  config.process.clear();
  router.edit(config);
  CHECK(router.reaches_generation(3));
  CHECK(router.process().wait_line(R"("folder":"off")"));
  CHECK(cell_of(router, "k1") == "one");
}

TEST_CASE("link by reload: one edit may bring both, a control plane and a folder") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const scratch_folder folders;
  control_process control({.routes = routing_to(one.port(), two.port(), "tier1", "a")});
  local_file file{.sections = routing_to(two.port(), two.port(), "tier1", "file")};
  router_process router(file.config());
  file.control = control.port();
  file.state = (folders.path() / "state").string();
  router.edit(file.config());
  CHECK(leads_to(router, "acme", "one"));
  CHECK(eventually([&] { return fs::exists(folders.path() / "state" / "CURRENT"); }));
  control.write_routes(routing_to(one.port(), two.port(), "tier3", "b"));
  CHECK(leads_to(router, "acme", "two"));
}

}  // namespace
}  // namespace cellroute::system_test
