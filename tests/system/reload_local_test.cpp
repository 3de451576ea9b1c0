// Local sections that change while requests are on their way: the log, the metrics' path, the admin port.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

namespace fs = std::filesystem;

bool has_id(const std::string& text, std::string_view id) {
  return text.find(R"("request_id":")" + std::string(id) + '"') != std::string::npos;
}

message ask_as(std::uint16_t port, std::string_view id) {
  return ask(port, keyed("GET /", "X-Request-Id: " + std::string(id) + "\r\n"));
}

message post_reload(std::uint16_t admin_port) {
  return ask(admin_port, request("POST /v1/reload", "Content-Length: 0\r\n"));
}

/// What a log is, after each edit, and where a request is found then.
struct log_case {
  std::string_view says;
  std::string access;
  std::string_view found_in;  ///< a file beside the configuration; `stdout`; empty: nowhere
  std::string_view holds;     ///< a part of its line
};

const log_case log_cases[] = {
    {"a file", "output: one.log", "one.log", "\"listener\":\"web\""},
    {"other names in it", "output: one.log, preset: homebrew", "one.log", "\"service\":\"tier1\""},
    {"another file", "output: two.log, fields: [request_id, method]", "two.log", "\"method\":\"GET\"}"},
    {"none", "output: off", "", ""},
    {"standard output", "output: stdout", "stdout", "\"placement_key\":\"tier1\""},
    {"none again", "output: off", "", ""},
    {"a file after none", "output: two.log", "two.log", "\"placement_key\":\"tier1\""},
};

TEST_CASE("reload: the log goes where an edit says, with the fields that it says") {
  fake_cell cell(says{"one"});
  router_config config{.placements = {{"tier1", at(cell.port())}}, .reload = "watch: false, poll: off"};
  router_process router(config);
  client kept(router.port());  // from before the first edit
  int number = 0;
  for (const log_case& row : log_cases) {
    CAPTURE(row.says);
    config.log = "access: {" + row.access + "}";
    router.edit(config);
    CHECK(post_reload(router.admin_port()).status() == 200);
    const std::string id = "request-" + std::to_string(++number);
    CHECK(kept.ask(keyed("GET /" + id, "X-Request-Id: " + id + "\r\n")).status() == 200);
    const auto text_of = [&](std::string_view where) {
      return where == "stdout" ? router.process().output() : read_text(router.folder() / where);
    };
    if (row.found_in.empty()) {
      std::this_thread::sleep_for(100ms);  // many turns of the log's writer
    } else {
      CHECK(eventually([&] { return text_of(row.found_in).find(id) != std::string::npos; }));
      CHECK(text_of(row.found_in).find(row.holds) != std::string::npos);
    }
    for (const std::string_view where : {"stdout", "one.log", "two.log"}) {
      if (where != row.found_in) CHECK(text_of(where).find(id) == std::string::npos);
    }
  }
  CHECK_FALSE(router.process().find_line("restart_needed"));
  CHECK(router.process().find_line(R"("event":"log_moved")"));
}

TEST_CASE("reload: a log that cannot be opened refuses the whole edit, and the old one goes on") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config{.placements = {{"tier1", at(one.port())}, {"tier3", at(two.port())}},
                       .reload = "watch: false, poll: off"};
  router_process router(config);
  config.log = "access: {output: no-such-folder/access.log, preset: homebrew}";
  config.keys = "acme: tier3";
  config.listener = ", limits: {max_connections: 7}";
  router.edit(config);
  const message refused = post_reload(router.admin_port());
  CHECK(refused.status() == 422);
  CHECK(refused.content.find("no-such-folder/access.log: No such file or directory; make it a file that can be ") !=
        std::string::npos);
  CHECK(ask_as(router.port(), "after").content == "one");
  CHECK(router.access_line("after")["placement_key"] == "tier1");
  CHECK(router.metric("gateway_config_generation") == 1);

  fs::create_directory(router.folder() / "no-such-folder");
  CHECK(post_reload(router.admin_port()).status() == 200);
  CHECK(ask_as(router.port(), "later").content == "two");
  CHECK(eventually([&] {
    return read_text(router.folder() / "no-such-folder/access.log").find("\"service\":\"tier3\"") != std::string::npos;
  }));
}

TEST_CASE("reload: after a change SIGUSR1 opens the log anew that is in use") {
  fake_cell cell(says{"one"});
  router_config config{.placements = {{"tier1", at(cell.port())}}};
  router_process router(config);
  config.log = "access: {output: access.log}";
  router.edit(config);
  REQUIRE(router.reaches_generation(2));
  const fs::path log = router.folder() / "access.log";
  CHECK(ask_as(router.port(), "before").status() == 200);
  REQUIRE(eventually([&] { return has_id(read_text(log), "before"); }));
  fs::rename(log, router.folder() / "access.log.1");
  router.process().signal(SIGUSR1);
  REQUIRE(eventually([&] { return fs::exists(log); }));
  CHECK(ask_as(router.port(), "after").status() == 200);
  CHECK(eventually([&] { return has_id(read_text(log), "after"); }));
  CHECK_FALSE(has_id(read_text(router.folder() / "access.log.1"), "after"));
}

TEST_CASE("reload: the path of the metrics follows an edit") {
  fake_cell cell(says{"one"});
  router_config config{.placements = {{"tier1", at(cell.port())}}, .reload = "watch: false, poll: off"};
  router_process router(config);
  config.metrics = "path: /m";
  router.edit(config);
  CHECK(post_reload(router.admin_port()).status() == 200);
  CHECK(router.admin("/m").content.find("gateway_config_generation{source=\"file\"} 2") != std::string::npos);
  CHECK(router.admin("/metrics").status() == 404);
}

TEST_CASE("reload: the admin port moves; who asked for it has an answer, and the old port takes nobody more") {
  fake_cell cell(says{"one"});
  const std::uint16_t next = unused_port();
  router_config config{.placements = {{"tier1", at(cell.port())}}, .reload = "watch: false, poll: off"};
  router_process router(config);
  client idle(router.admin_port());
  CHECK(idle.ask(request("GET /health")).status() == 200);
  config.admin = "address: \"127.0.0.1:" + std::to_string(next) + "\"";
  router.edit(config);
  CHECK(post_reload(router.admin_port()).content == "{\"result\":\"applied\",\"generation\":2}\n");
  CHECK(admin_page(next, "/ready").status() == 200);
  CHECK(eventually([&] { return !client(router.admin_port()).is_open(); }));
  CHECK_FALSE(idle.fill());  // it was idle: nothing held it
  CHECK(router.process().wait_line("127.0.0.1:" + std::to_string(next)));
  CHECK(post_reload(next).content == "{\"result\":\"unchanged\",\"generation\":2}\n");
  CHECK_FALSE(router.process().find_line("restart_needed"));
}

TEST_CASE("reload: an admin port that another one has refuses the whole edit") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const descriptor taken = listen_on_loopback();
  router_config config{.placements = {{"tier1", at(one.port())}, {"tier3", at(two.port())}},
                       .reload = "watch: false, poll: off"};
  router_process router(config);
  const std::string address = "127.0.0.1:" + std::to_string(port_of(taken));
  config.admin = "address: \"" + address + "\"";
  config.keys = "acme: tier3";
  config.log = "access: {output: new.log}";
  router.edit(config);
  const message refused = post_reload(router.admin_port());
  CHECK(refused.status() == 422);
  CHECK(refused.content.find("cannot listen on " + address) != std::string::npos);
  CHECK(refused.content.find("own port") == std::string::npos);
  CHECK(ask_as(router.port(), "after").content == "one");
  CHECK(has_id(router.access_line("after").text(), "after"));
  CHECK_FALSE(fs::exists(router.folder() / "new.log"));
  CHECK(router.metric("gateway_config_generation") == 1);

  config.admin = "address: \":" + std::to_string(router.admin_port()) + "\"";
  router.edit(config);
  CHECK(post_reload(router.admin_port()).content.find("it is the admin listener's own port: choose another, or ") !=
        std::string::npos);
}

}  // namespace
}  // namespace cellroute::system_test
