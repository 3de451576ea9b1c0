// What the world does to a router: cells that die, crowds, full disks, no descriptors left. It serves the rest, counts
// what it could not do, and does not crash.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// Takes as many descriptors as this process may have. False: that is fewer than `wanted`.
bool raise_own_limit(rlim_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, wanted));
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur >= wanted;
}

std::size_t open_descriptors(pid_t pid) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    ++count;
  return count;
}

TEST_CASE("faults: a cell that is killed takes its own requests with it, and nobody else's") {
  fake_cell healthy(echo_content{});
  std::atomic<int> begun{0};
  gate kill;
  fake_cell dying([&](cell_connection& c) {
    message request;
    if (!c.read_request(request)) return;
    if (request.head.target() == "/begun") c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    ++begun;
    if (kill.wait()) c.reset();
  });
  router_process router({.placements = {{"healthy", at(healthy.port())}, {"dying", at(dying.port())}},
                         .keys = "acme: dying, visa: healthy"});
  constexpr int count = 50;
  std::vector<client> answered;
  std::vector<client> waiting;
  for (int i = 0; i < count; ++i) {
    answered.emplace_back(router.port()).send(keyed("GET /begun"));
    waiting.emplace_back(router.port()).send(keyed("GET /waits"));
  }
  REQUIRE(eventually([&] { return begun == 2 * count; }));
  for (client& c : answered) CHECK(c.read_head());
  kill.open();
  client other(router.port());
  for (int i = 0; i < count; ++i) {
    CHECK(answered[static_cast<std::size_t>(i)].wait_end() == ending::reset);
    CHECK(waiting[static_cast<std::size_t>(i)].read_answer().status() == 502);
    CHECK(other.ask(request("GET /", "X-Routing-Key: visa\r\n")).status() == 200);
  }
  CHECK(eventually([&] { return router.metric("gateway_active_requests") == 0; }));
  CHECK(router.metric("gateway_requests_total", {"outcome=\"cut\""}) == count);
  CHECK(router.metric("gateway_requests_total", {"outcome=\"upstream_error\""}) == count);
}

TEST_CASE("faults: a slow client gets all of its answer, and holds up nobody") {
  const std::string content(400'000, 's');
  fake_cell cell(play{"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client slow(router.port(), 4096);
  for (const char byte : keyed("GET /")) slow.send({&byte, 1});
  const std::optional<message_head> head = slow.read_head();
  REQUIRE(head);
  std::size_t came = 0;
  client quick(router.port());
  while (came < content.size()) {
    const std::size_t more = slow.read_bytes(20'000).size();
    if (more == 0) break;
    came += more;
    CHECK(quick.ask(keyed("GET /")).content.size() == content.size());
  }
  CHECK(came == content.size());
}

TEST_CASE("faults: 5,000 idle clients cost little, and the others are served") {
  constexpr std::size_t count = 5000;
  if (!raise_own_limit(count + 500)) {
    skip("this process may not open " + std::to_string(count) + " descriptors");
    return;
  }
  fake_cell cell(echo_content{});
  // None of them is closed for its silence before all of them have been asked.
  router_process router({.placements = {{"tier1", at(cell.port())}},
                         .listener = ", limits: {accept_burst: 20000}",
                         .http = "timeouts: {header: 300s, keep_alive: 300s}"});
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  const std::size_t before = router.resident_bytes();
  std::vector<client> crowd;
  crowd.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    crowd.emplace_back(router.port());
    REQUIRE(crowd.back().is_open());
  }
  REQUIRE(eventually([&] { return router.metric("gateway_active_connections") == count; }));
  const std::size_t idle_before_request = (router.resident_bytes() - before) / count;
  CHECK(ask(router.port(), keyed("POST /", "Content-Length: 5\r\n") + "hello").content == "hello");
  std::size_t served = 0;
  for (client& c : crowd) served += c.ask(keyed("GET /")).status() == 200 ? 1 : 0;
  CHECK(served == count);
  const std::size_t idle_after_request = (router.resident_bytes() - before) / count;
  MESSAGE("resident memory per idle client: " << idle_before_request << " bytes before its first request, "
                                              << idle_after_request << " after it");
  if (!is_sanitized())
    CHECK(idle_after_request < 2048);  // the exact bar is the bench's; this catches a buffer that is kept
  CHECK(cell.accepted() < 10);
  crowd.clear();
  CHECK(eventually([&] { return router.metric("gateway_active_connections") == 0; }));
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
}

TEST_CASE("faults: the log's disk is full: requests are served, lines are counted as lost") {
  if (!std::filesystem::exists("/dev/full")) {
    skip("this system has no /dev/full");
    return;
  }
  fake_cell cell(echo_content{});
  scratch_folder folder;
  const std::filesystem::path log = folder.path() / "access.log";
  std::filesystem::create_symlink("/dev/full", log);
  // Where a router listens is told by its log, which is of no use here: the port is chosen beforehand.
  const std::uint16_t port = unused_port();
  const std::uint16_t admin_port = unused_port();
  REQUIRE(port != admin_port);
  const std::filesystem::path file = folder.path() / "cellroute.yaml";
  std::ofstream(file) << router_config{.placements = {{"tier1", at(cell.port())}},
                                       .log = "access: {output: \"" + log.string() + "\"}"}
                             .yaml();
  program router({router_path(), "--config", file.string(), "--listen", "127.0.0.1:" + std::to_string(port), "--admin",
                  "127.0.0.1:" + std::to_string(admin_port)},
                 {}, 0);
  REQUIRE(eventually([&] { return connect_to(admin_port) && connect_to(port); }));
  client c(port);
  for (int i = 0; i < 1000; ++i) {
    if (c.ask(keyed("GET /")).status() != 200) FAIL("request " << i << " was not served");
  }
  const auto lost = [&] {
    return sum_of(admin_page(admin_port, "/metrics").content, "gateway_access_log_lines_total", {"result=\"lost\""});
  };
  CHECK(eventually([&] { return lost() >= 1000; }));
  CHECK(router.wait_line("log_write_failed"));
  c.close();
  router.signal(SIGTERM);
  CHECK(router.wait_exit() == 0);
}

TEST_CASE("faults: more clients than descriptors: those connected are served, and the others as soon as one leaves") {
  constexpr rlim_t descriptors_max = 64;
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .descriptors_max = descriptors_max});
  // With no connection to a cell yet, so that each of the first requests needs a descriptor.
  std::vector<client> crowd;
  for (rlim_t i = 0; i < 2 * descriptors_max; ++i) crowd.emplace_back(router.port());
  // The admin pages need a descriptor as well.
  REQUIRE(eventually([&] { return router.metric("gateway_accept_pauses_total", {"listener=\"web\""}) == 1; }));
  CHECK(open_descriptors(router.process().pid()) < descriptors_max);
  const auto connected = static_cast<std::size_t>(router.metric("gateway_active_connections"));
  CHECK(connected >= descriptors_max / 3);
  for (std::size_t i = 0; i < connected; ++i) CHECK(crowd[i].ask(keyed("GET /")).status() == 200);
  client first = std::move(crowd.front());
  // Half of the crowd leaves. Nobody else comes, so nothing but the router itself has those accepted that still wait.
  crowd.erase(crowd.begin(), crowd.begin() + descriptors_max);
  CHECK(crowd.back().ask(keyed("GET /")).status() == 200);
  crowd.clear();
  CHECK(eventually([&] { return client(router.port()).ask(keyed("GET /")).status() == 200; }));
  CHECK(first.ask(keyed("GET /")).status() == 200);
  CHECK(router.metric("gateway_connections_dropped_total") == 0);
  CHECK(eventually([&] { return router.metric("gateway_active_connections") == 1; }));
}

TEST_CASE("faults: no descriptor is left for a cell: 503, and the cell is not blamed") {
  constexpr rlim_t descriptors_max = 64;
  gate go;
  fake_cell cell([&go](cell_connection& c) {
    message request;
    if (!c.read_request(request) || (request.head.target() == "/slow" && !go.wait())) return;
    c.answer("200 OK", "ok", "Connection: close\r\n");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}, .descriptors_max = descriptors_max});
  // Once while there are descriptors: the undefined behaviour sanitizer needs one itself to look at a type for the
  // first time.
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  std::vector<client> crowd;
  for (rlim_t i = 0; i < 2 * descriptors_max; ++i) crowd.emplace_back(router.port());
  REQUIRE(eventually([&] { return router.metric("gateway_accept_pauses_total") >= 1; }));
  const auto connected = static_cast<std::size_t>(router.metric("gateway_active_connections"));
  // All that are connected want their cell at once, which is more than it has connections for. One descriptor may still
  // have been the admin page's while they asked; nobody takes it after that.
  for (std::size_t i = 0; i < connected; ++i) crowd[i].send(keyed("GET /slow"));
  if (!eventually([&] { return open_descriptors(router.process().pid()) >= descriptors_max - 1; })) {
    FAIL("the router has only " << open_descriptors(router.process().pid()) << " descriptors open");
  }
  const message answer = crowd[connected - 1].read_answer();
  CHECK(answer.status() == 503);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error="));
  go.open();
  CHECK(crowd.front().read_answer().status() == 200);
  client kept = std::move(crowd[connected - 1]);
  crowd.clear();
  CHECK(eventually([&] { return kept.ask(keyed("GET /")).status() == 200; }));
  CHECK(router.metric("gateway_upstream_errors_total") == 0);
}

TEST_CASE("faults: a limit of descriptors that max_connections does not fit in is told at the start") {
  struct told_case {
    std::string_view limits;
    bool expected;
  };
  for (const told_case& row : {told_case{"", true}, {", limits: {max_connections: 20}", false}}) {
    CAPTURE(row.limits);
    router_process router(
        {.placements = {{"tier1", at(9)}}, .listener = std::string(row.limits), .descriptors_max = 64});
    const std::optional<std::string> line = router.process().find_line("descriptors_too_few");
    CHECK(line.has_value() == row.expected);
    if (!line) continue;
    const log_line told(*line);
    CHECK(told["level"] == "warn");
    CHECK(told.number("descriptors") == 64);
    CHECK(told.number("max_connections") == 100'000);
    CHECK(told.number("connections") < 64 * 3 / 4);
    CHECK(told["message"].find("ulimit -n") != std::string::npos);
  }
}

TEST_CASE("faults: a listener takes max_connections at once, refuses the others, and counts them") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .listener = ", limits: {max_connections: 3}"});
  std::vector<client> taken;
  for (int i = 0; i < 3; ++i) {
    taken.emplace_back(router.port());
    CHECK(taken.back().ask(keyed("GET /")).status() == 200);
  }
  client refused(router.port());
  CHECK(refused.wait_end() != ending::none);
  CHECK(eventually(
      [&] { return router.metric("gateway_connections_dropped_total", {"reason=\"connection_limit\""}) == 1; }));
  for (client& c : taken) CHECK(c.ask(keyed("GET /")).status() == 200);
  taken.pop_back();
  CHECK(eventually([&] { return client(router.port()).ask(keyed("GET /")).status() == 200; }));
}

TEST_CASE("faults: a listener accepts accept_burst connections, then accept_rate a second, however many workers") {
  fake_cell cell(echo_content{});
  struct accept_case {
    int workers;
    int burst;
  };
  for (const accept_case row : {accept_case{1, 1}, {1, 5}, {2, 2}, {4, 1}, {4, 6}}) {
    CAPTURE(row.workers);
    CAPTURE(row.burst);
    router_process router({.placements = {{"tier1", at(cell.port())}},
                           .listener = ", limits: {accept_rate: 1, accept_burst: " + std::to_string(row.burst) + "}",
                           .workers = row.workers});
    const stopwatch watch;
    int served = 0;
    constexpr int count = 20;
    for (int i = 0; i < count; ++i) served += client(router.port()).ask(keyed("GET /")).status() == 200 ? 1 : 0;
    CHECK(served >= row.burst);
    CHECK(served <= row.burst + static_cast<int>(watch.ms() / 1000));
    CHECK(eventually([&] {
      return router.metric("gateway_connections_dropped_total", {"reason=\"accept_rate\""}) == count - served;
    }));
    CHECK(eventually([&] { return client(router.port()).ask(keyed("GET /")).status() == 200; }));
  }
}

}  // namespace
}  // namespace cellroute::system_test
