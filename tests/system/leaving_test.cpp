// A client's leaving: its cell is told at once, and is never blamed.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

enum class leaves { by_closing, by_reset, by_finishing };

struct leaving_case {
  std::string_view says;
  std::string bytes;
  leaves how;
};

const leaving_case leaving_cases[] = {
    {"before the answer, by closing", keyed("GET /", "X-Request-Id: r1\r\n"), leaves::by_closing},
    {"before the answer, by a reset", keyed("GET /", "X-Request-Id: r1\r\n"), leaves::by_reset},
    {"before the answer, by a FIN", keyed("GET /", "X-Request-Id: r1\r\n"), leaves::by_finishing},
    {"within its content, by closing", keyed("POST /", "X-Request-Id: r1\r\nContent-Length: 9\r\n") + "half",
     leaves::by_closing},
    {"within its content, by a reset", keyed("POST /", "X-Request-Id: r1\r\nContent-Length: 9\r\n") + "half",
     leaves::by_reset},
    {"within the answer, by closing", keyed("GET /begin", "X-Request-Id: r1\r\n"), leaves::by_closing},
    {"within the answer, by a reset", keyed("GET /begin", "X-Request-Id: r1\r\n"), leaves::by_reset},
};

/// How long its cell did not know that the client had left.
steady::duration time_of_leaving(const leaving_case& row) {
  gate asked;
  gate ended;
  steady::time_point seen_at;
  fake_cell cell([&](cell_connection& c) {
    const std::optional<message_head> head = c.read_head();
    if (!head) return;
    if (head->target() == "/begin") c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    asked.open();
    (void)c.wait_end();
    seen_at = steady::now();
    ended.open();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(row.bytes);
  REQUIRE(asked.wait());
  if (row.bytes.find("/begin") != std::string::npos) CHECK(c.read_head());
  const steady::time_point left_at = steady::now();
  if (row.how == leaves::by_closing) c.close();
  if (row.how == leaves::by_reset) c.reset();
  if (row.how == leaves::by_finishing) c.finish_sending();
  REQUIRE(ended.wait());
  const log_line line = router.access_line("r1");
  CHECK(line["status_code"] == "499");
  CHECK(line["proxy_error"].empty());
  CHECK(router.metric("gateway_upstream_errors_total") == 0);
  CHECK(router.metric("gateway_upstream_requests_total", {"outcome=\"cancelled\""}) == 1);
  CHECK(router.metric("gateway_upstream_requests_total", {"outcome=\"failed\""}) == 0);
  CHECK(router.metric("gateway_requests_total", {"outcome=\"client_gone\"", "code=\"499\""}) == 1);
  CHECK(router.metric("gateway_active_requests") == 0);
  return seen_at - left_at;
}

TEST_CASE("leaving: the upstream connection ends within 100 ms, the log says 499, and the cell has no failure") {
  const steady::duration promised = is_sanitized() ? 500ms : 100ms;
  std::vector<double> took;
  for (const leaving_case& row : leaving_cases) {
    CAPTURE(row.says);
    const steady::duration least = least_of_five(promised, [&] { return time_of_leaving(row); });
    CHECK(least < promised);
    took.push_back(std::chrono::duration<double, std::milli>(least).count());
  }
  std::sort(took.begin(), took.end());
  MESSAGE("the cell saw it after " << took[took.size() / 2] << " ms (median), " << took.back() << " ms (longest)");
}

TEST_CASE("leaving: with half_close a FIN before the answer is no leaving") {
  gate finished;
  fake_cell cell([&](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      if (finished.wait()) c.answer("200 OK", "still here");
    }
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}, .listener = ", half_close: true"});
  client c(router.port());
  c.send(keyed("GET /"));
  REQUIRE(eventually([&] { return cell.requests().size() == 1; }));
  c.finish_sending();
  finished.open();
  CHECK(c.read_answer().content == "still here");
  CHECK(c.wait_end() == ending::closed);
}

TEST_CASE("leaving: with half_close a reset is still a leaving") {
  gate asked;
  fake_cell cell([&](cell_connection& c) {
    if (!c.read_head()) return;
    asked.open();
    (void)c.wait_end();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}, .listener = ", half_close: true"});
  client c(router.port());
  c.send(keyed("GET /", "X-Request-Id: r1\r\n"));
  REQUIRE(asked.wait());
  c.reset();
  CHECK(eventually([&] { return cell.finished() == 1; }, 5s));
  CHECK(router.access_line("r1")["status_code"] == "499");
}

TEST_CASE("leaving: while its cell is being connected to, which ends that too") {
  // Nobody accepts and the queue is full: the connection stays half-open until it is given up.
  const descriptor listener = listen_on_loopback(0);
  std::vector<connection> waiting;
  for (int i = 0; i < 4; ++i) {
    descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address = loopback(port_of(listener));
    ::connect(socket.get(), generic(address), sizeof address);
    waiting.emplace_back(std::move(socket));
  }
  router_process router({.placements = {{"tier1", at(port_of(listener))}}});
  client c(router.port());
  c.send(keyed("GET /", "X-Request-Id: r1\r\n"));
  REQUIRE(eventually([&] { return router.metric("gateway_active_requests") == 1; }));
  c.close();
  const log_line line = router.access_line("r1");
  CHECK(line["status_code"] == "499");
  CHECK(line.number("duration_ms") < 5000);  // the connect timeout
  CHECK(router.metric("gateway_upstream_errors_total") == 0);
}

TEST_CASE("leaving: five hundred that leave at once leave nothing behind") {
  fake_cell cell([](cell_connection& c) {
    message request;
    if (c.read_request(request) && request.head.target() == "/answer") {
      c.answer("200 OK", "ok", "Connection: close\r\n");
      return;
    }
    (void)c.wait_end();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  constexpr std::size_t count = 500;
  {
    std::vector<client> crowd;
    for (std::size_t i = 0; i < count; ++i) crowd.emplace_back(router.port());
    for (client& c : crowd) c.send(keyed("GET /wait"));
    REQUIRE(eventually([&] { return cell.requests().size() == count; }));
  }
  CHECK(eventually([&] { return router.metric("gateway_requests_total", {"code=\"499\""}) == count; }));
  CHECK(eventually([&] { return cell.finished() == static_cast<int>(count); }));
  CHECK(router.metric("gateway_active_requests") == 0);
  CHECK(router.metric("gateway_upstream_errors_total") == 0);
  CHECK(router.metric("gateway_requests_total", {"outcome=\"upstream_error\""}) == 0);
  CHECK(ask(router.port(), keyed("GET /answer")).status() == 200);
}

}  // namespace
}  // namespace cellroute::system_test
