// The router as a process: how it starts, how it says that it cannot, and how it stops.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct ended {
  int code = -1;
  std::string output;
};

/// Runs the router until it ends by itself.
ended run_router(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) {
  std::vector<std::string> command{router_path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  program router(command, environment, 0);
  const int code = router.wait_exit().value_or(-1);
  return {code, router.whole_output()};
}

std::string write_file(const scratch_folder& folder, std::string_view name, std::string_view text) {
  const std::filesystem::path file = folder.path() / name;
  std::ofstream(file) << text;
  return file.string();
}

const std::string good = router_config{.placements = {{"tier1", at(9)}}}.yaml();

struct start_case {
  std::string_view says;
  std::string text;
  int code;
  std::string_view printed;
};

const start_case start_cases[] = {
    {"an unknown key, with its place", good + "colour: red\n", 1, ":8:1: colour:"},
    {"a default placement that nobody defines",
     "routing: {default_placement: nowhere}\nplacements: {tier1: {" + at(9) + "}}\n", 1, "routing.default_placement:"},
    {"a key of a placement that nobody defines",
     "routing: {default_placement: tier1, keys: {inline: {acme: gold}}}\nplacements: {tier1: {" + at(9) + "}}\n", 1,
     "acme"},
    {"a placement without an endpoint", "routing: {default_placement: tier1}\nplacements: {tier1: {endpoints: []}}\n",
     1, "placements.tier1"},
    {"a part that is not built yet, by name", good + "tracing: {sample: 0.1}\n", 1, "tracing: not supported yet"},
    {"no YAML at all", "[: {", 1, "cellroute.yaml:1:"},
    {"an empty file", "", 1, "cellroute.yaml:"},
};

TEST_CASE("process: an invalid configuration ends the start with exit code 1 and says what is wrong and where") {
  for (const start_case& row : start_cases) {
    CAPTURE(row.says);
    const scratch_folder folder;
    const ended e = run_router({"--config", write_file(folder, "cellroute.yaml", row.text)});
    CAPTURE(e.output);
    CHECK(e.code == row.code);
    CHECK(e.output.find(row.printed) != std::string::npos);
  }
}

TEST_CASE("process: all mistakes are told at once") {
  const scratch_folder folder;
  const ended e = run_router(
      {"--config", write_file(folder, "cellroute.yaml",
                              "colour: red\nrouting: {default_placement: gone}\nplacements: {t: {kind: odd}}\n")});
  CHECK(e.code == 1);
  for (const std::string_view part : {"colour", "routing.default_placement", "placements.t.kind"}) {
    CAPTURE(part);
    CHECK(e.output.find(part) != std::string::npos);
  }
}

struct usage_case {
  std::string_view says;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  int code;
  std::string_view printed;
};

const usage_case usage_cases[] = {
    {"no configuration", {}, {"CONFIG_PATH="}, 2, "--config"},
    {"a configuration that does not exist", {"--config", "no-such-file.yaml"}, {}, 2, "no-such-file.yaml"},
    {"one that the environment names does not exist", {}, {"CONFIG_PATH=no-such-file.yaml"}, 2, "no-such-file.yaml"},
    {"an unknown flag", {"--colour"}, {}, 2, "--colour"},
    {"help", {"--help"}, {}, 0, "Examples:"},
    {"help names what has no effect yet", {"--help"}, {}, 0, "CELL_NAME has no effect yet"},
    {"the version", {"--version"}, {}, 0, "cellroute-router "},
};

TEST_CASE("process: usage") {
  for (const usage_case& row : usage_cases) {
    CAPTURE(row.says);
    const ended e = run_router(row.arguments, row.environment);
    CAPTURE(e.output);
    CHECK(e.code == row.code);
    CHECK(e.output.find(row.printed) != std::string::npos);
  }
}

TEST_CASE("process: a port that another one has ends the start with exit code 1 and names it") {
  const descriptor taken = listen_on_loopback();
  const scratch_folder folder;
  const std::string address = "127.0.0.1:" + std::to_string(port_of(taken));
  const ended e = run_router({"--config", write_file(folder, "cellroute.yaml", good), "--listen", address});
  CHECK(e.code == 1);
  CHECK(e.output.find("cannot listen on " + address) != std::string::npos);
}

TEST_CASE("process: the environment's PORT wins over the file, and a flag over both") {
  fake_cell cell(echo_content{});
  const std::uint16_t from_environment = unused_port();
  const std::uint16_t from_flag = unused_port();
  {
    router_process router(
        {.placements = {{"tier1", at(cell.port())}}, .environment = {"PORT=" + std::to_string(from_environment)}});
    CHECK(router.port() == from_environment);
  }
  router_process router({.placements = {{"tier1", at(cell.port())}},
                         .arguments = {"--listen", "127.0.0.1:" + std::to_string(from_flag)},
                         .environment = {"PORT=" + std::to_string(from_environment)}});
  CHECK(router.port() == from_flag);
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
}

TEST_CASE("process: a variable that means nothing yet is told at the start, by its name") {
  router_process router({.placements = {{"tier1", at(9)}}, .environment = {"CELL_NAME=tier1"}});
  const auto line = router.process().find_line("variable_unused");
  REQUIRE(line);
  CHECK(log_line(*line)["level"] == "warn");
  CHECK(log_line(*line)["variable"] == "CELL_NAME");

  router_process other({.placements = {{"tier1", at(9)}}});
  CHECK_FALSE(other.process().find_line("variable_unused"));
}

TEST_CASE("process: a JSON configuration is taken as well, and CONFIG_PATH names it") {
  const scratch_folder folder;
  const std::string file =
      write_file(folder, "cellroute.json",
                 R"({"listeners": [{"name": "web", "address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
                     "routing": {"default_placement": "t"}, "placements": {"t": {"endpoints": [{"url": "http://127.0.0.1:9"}]}}})");
  program router({router_path()}, {"CONFIG_PATH=" + file}, 0);
  CHECK(router.wait_line(R"("listener":"admin")"));
  router.signal(SIGINT);
  CHECK(router.wait_exit() == 0);
}

TEST_CASE("process: a router starts within a second") {
  const steady::duration least = least_of_five(1s, [] {
    const stopwatch watch;
    const router_process router({.placements = {{"tier1", at(9)}}});
    const steady::duration took = watch.elapsed();
    MESSAGE("ready after " << watch.ms() << " ms with " << router.resident_bytes() / 1024 << " KiB of memory");
    if (!is_sanitized()) CHECK(router.resident_bytes() < std::size_t{100} * 1024 * 1024);
    return took;
  });
  if (!is_sanitized()) CHECK(least < 1s);
}

/// A cell whose answer to /slow waits for the gate; all others come at once.
auto slow_cell(gate& go) {
  return fake_cell([&go](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      if (request.head.target() == "/slow" && !go.wait()) return;
      c.answer("200 OK", "done");
    }
  });
}

TEST_CASE("process: a stop drains: not ready, then nothing new, what runs is finished, exit 0") {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT}) {
    CAPTURE(number);
    gate go;
    auto cell = slow_cell(go);
    router_process router({.placements = {{"tier1", at(cell.port())}}, .drain = "unready_for: 3s, timeout: 20s"});
    CHECK(router.admin("/ready").status() == 200);
    client busy(router.port());
    busy.send(keyed("GET /slow"));
    client idle(router.port());
    CHECK(idle.ask(keyed("GET /")).status() == 200);
    REQUIRE(eventually([&] { return cell.requests().size() == 2; }));

    router.process().signal(number);
    REQUIRE(router.process().wait_line("drain_started"));
    const message not_ready = router.admin("/ready");
    CHECK(not_ready.status() == 503);
    CHECK(not_ready.content == "{\"status\":\"draining\"}\n");
    CHECK(router.admin("/health").status() == 200);
    CHECK(ask(router.port(), keyed("GET /")).status() == 200);  // load balancers have not noticed yet

    REQUIRE(router.process().wait_line("drain_closing"));
    CHECK(eventually([&] { return !connect_to(router.port()); }));
    CHECK(idle.wait_end() == ending::closed);
    CHECK_FALSE(router.process().has_ended());
    go.open();
    const message answer = busy.read_answer();
    CHECK(answer.status() == 200);
    CHECK(answer.content == "done");
    CHECK(answer.head.value("Connection") == "close");
    CHECK(busy.wait_end() == ending::closed);
    CHECK(router.process().wait_exit() == 0);
  }
}

TEST_CASE("process: what runs longer than drain.timeout is cut, and the exit is a good one all the same") {
  gate never;
  auto cell = slow_cell(never);
  router_process router({.placements = {{"tier1", at(cell.port())}}, .drain = "unready_for: 0s, timeout: 300ms"});
  client busy(router.port());
  busy.send(keyed("GET /slow"));
  REQUIRE(eventually([&] { return cell.requests().size() == 1; }));
  const stopwatch watch;
  router.process().signal(SIGTERM);
  CHECK(busy.wait_end() != ending::none);
  CHECK(router.process().wait_exit() == 0);
  CHECK(watch.elapsed() >= 150ms);
  CHECK(watch.elapsed() < 10s);
  CHECK(router.process().wait_line("drain_cut", 1s));
  never.open();
}

TEST_CASE("process: a second signal ends at once") {
  gate never;
  auto cell = slow_cell(never);
  router_process router({.placements = {{"tier1", at(cell.port())}}, .drain = "unready_for: 60s, timeout: 60s"});
  client busy(router.port());
  busy.send(keyed("GET /slow"));
  REQUIRE(eventually([&] { return cell.requests().size() == 1; }));
  router.process().signal(SIGTERM);
  REQUIRE(router.process().wait_line("drain_started"));
  const stopwatch watch;
  router.process().signal(SIGTERM);
  CHECK(router.process().wait_exit() == 0);
  CHECK(watch.elapsed() < 10s);
  CHECK(busy.wait_end() != ending::none);
  never.open();
}

/// What the descriptor of a process leads to.
std::string descriptor_target(pid_t pid, int number) {
  std::error_code missing;
  const std::filesystem::path link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
  return std::filesystem::read_symlink(link, missing).string();
}

TEST_CASE("process: a standard descriptor that was closed is not given to a socket") {
  struct closed_case {
    std::string_view says;
    std::string_view redirection;
    std::string_view log_output;
    std::vector<int> closed;
  };
  const closed_case cases[] = {
      {"standard input", "<&-", "stdout", {0}},
      {"standard output, the log goes to standard error", ">&-", "stderr", {1}},
      {"standard error", "2>&-", "stdout", {2}},
      {"input and error", "<&- 2>&-", "stdout", {0, 2}},
  };
  fake_cell cell(echo_content{});
  for (const closed_case& row : cases) {
    CAPTURE(row.says);
    router_process router({.placements = {{"tier1", at(cell.port())}},
                           .log = "access: {output: " + std::string(row.log_output) + "}",
                           .under = {"sh", "-c", "exec \"$@\" " + std::string(row.redirection), "sh"}});
    for (const int number : row.closed) CHECK(descriptor_target(router.process().pid(), number) == "/dev/null");
    CHECK(ask(router.port(), keyed("GET /", "X-Request-Id: seen\r\n")).status() == 200);
    CHECK(router.access_line("seen")["status_code"] == "200");
    CHECK(router.metric("gateway_access_log_lines_total", {"result=\"lost\""}) == 0);
  }
}

TEST_CASE("process: the log of a closed standard output is reported once, and its lines are counted as lost") {
  fake_cell cell(echo_content{});
  const scratch_folder folder;
  const std::string file =
      write_file(folder, "cellroute.yaml", router_config{.placements = {{"tier1", at(cell.port())}}}.yaml());
  // Where a router listens is told by its log, which is of no use here: the ports are chosen beforehand.
  const std::uint16_t port = unused_port();
  const std::uint16_t admin_port = unused_port();
  program router({"sh", "-c", "exec \"$@\" >&-", "sh", router_path(), "--config", file, "--listen",
                  "127.0.0.1:" + std::to_string(port), "--admin", "127.0.0.1:" + std::to_string(admin_port)},
                 {}, 0);
  REQUIRE(eventually([&] { return connect_to(admin_port) && connect_to(port); }));
  CHECK(ask(port, keyed("GET /")).status() == 200);
  const auto lost = [&] {
    return sum_of(admin_page(admin_port, "/metrics").content, "gateway_access_log_lines_total", {"result=\"lost\""});
  };
  CHECK(eventually([&] { return lost() >= 4; }));  // three events of the start, and the request
  router.signal(SIGTERM);
  CHECK(router.wait_exit() == 0);
  const std::string said = router.whole_output();
  const std::size_t first = said.find("log_write_failed");
  REQUIRE(first != std::string::npos);
  CHECK(said.find("it was closed when this process started") != std::string::npos);
  CHECK(said.find("log_write_failed", first + 1) == std::string::npos);
}

TEST_CASE("process: SIGHUP reads the configuration again, SIGUSR2 means nothing; neither ends it") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  struct signal_case {
    int number;
    std::string_view event;
    std::string_view level;
  };
  for (const signal_case& row :
       {signal_case{SIGHUP, "config_unchanged", "info"}, signal_case{SIGUSR2, "signal_ignored", "warn"}}) {
    CAPTURE(row.event);
    router.process().signal(row.number);
    const auto line = router.process().wait_line(row.event);
    REQUIRE(line);
    CHECK(log_line(*line)["level"] == row.level);
    CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  }
}

/// A router whose log is a file, which then tells where it listens.
class router_with_log_file {
 public:
  explicit router_with_log_file(std::string placement)
      : process_({router_path(), "--config",
                  write_file(folder_, "cellroute.yaml",
                             router_config{.placements = {{"tier1", std::move(placement)}},
                                           .log = "access: {output: \"" + log().string() + "\"}"}
                                 .yaml())},
                 {}, 0) {
    if (!eventually([&] { return read_text(log()).find(R"("listener":"admin")") != std::string::npos; }))
      FAIL("the router did not start: " << process_.output());
  }
  [[nodiscard]] std::filesystem::path log() const { return folder_.path() / "access.log"; }
  [[nodiscard]] program& process() { return process_; }
  [[nodiscard]] std::uint16_t port() const {
    const std::string text = read_text(log());
    const std::string_view before_port = R"("address":"127.0.0.1:)";
    return static_cast<std::uint16_t>(std::atoi(text.c_str() + text.find(before_port) + before_port.size()));
  }

 private:
  scratch_folder folder_;
  program process_;
};

TEST_CASE("process: SIGUSR1 opens the log file again, so that one moved away is let go") {
  fake_cell cell(echo_content{});
  router_with_log_file router(at(cell.port()));
  client c(router.port());
  const auto has_line = [](const std::filesystem::path& file, std::string_view id) {
    return read_text(file).find(R"("request_id":")" + std::string(id) + '"') != std::string::npos;
  };
  CHECK(c.ask(keyed("GET /", "X-Request-Id: before\r\n")).status() == 200);
  REQUIRE(eventually([&] { return has_line(router.log(), "before"); }));
  const std::filesystem::path moved = router.log().string() + ".1";
  std::filesystem::rename(router.log(), moved);
  router.process().signal(SIGUSR1);
  REQUIRE(eventually([&] { return read_text(router.log()).find("log_reopen") != std::string::npos; }));
  CHECK(c.ask(keyed("GET /", "X-Request-Id: after\r\n")).status() == 200);
  CHECK(eventually([&] { return has_line(router.log(), "after"); }));
  CHECK_FALSE(has_line(moved, "after"));
  c.close();
  router.process().signal(SIGTERM);
  CHECK(router.process().wait_exit() == 0);
}

TEST_CASE("process: the last access lines are written before the end") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) CHECK(c.ask(keyed("GET /")).status() == 200);
  c.close();
  router.process().signal(SIGTERM);
  CHECK(router.process().wait_exit() == 0);
  const auto lines = [&] {
    int found = 0;
    for (const std::string& line : router.process().lines())
      found += line.find("\"status_code\":200") != std::string::npos ? 1 : 0;
    return found;
  };
  CHECK(eventually([&] { return lines() == count; }, 2s));
}

TEST_CASE("process: several workers serve side by side, and their counts are one") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .workers = 3});
  constexpr int count = 60;
  for (int i = 0; i < count; ++i) CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(eventually([&] { return router.metric("gateway_requests_total", {"code=\"200\""}) == count; }));
  CHECK(cell.accepted() <= 3);
}

}  // namespace
}  // namespace cellroute::system_test
