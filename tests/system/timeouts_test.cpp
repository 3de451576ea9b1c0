// Every deadline of an exchange, shortened by the configuration. What is too late is told from both sides: not before
// the limit, and then soon.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/full_backlog.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

constexpr steady::duration limit = 300ms;
constexpr steady::duration long_limit = 1s;  // where what must not be too late has to come within it
constexpr steady::duration tick = 150ms;     // deadlines are swept, and may be a tick early against another clock
constexpr steady::duration late = 5s;        // on a busy machine; nowhere near the default limits

bool in_time(const stopwatch& watch, steady::duration after = limit) {
  const steady::duration elapsed = watch.elapsed();
  INFO("after " << std::chrono::duration<double, std::milli>(elapsed).count() << " ms");
  CHECK(elapsed >= after - tick);
  CHECK(elapsed < after + late);
  return elapsed >= after - tick && elapsed < after + late;
}

/// Takes requests and never answers.
struct silent {
  void operator()(cell_connection& c) const {
    message request;
    while (c.read_request(request)) {
    }
  }
};

TEST_CASE("timeouts: a cell that does not take the connection is 504 connection_timeout") {
  full_backlog nowhere;
  router_process router({.placements = {{"tier1", at(nowhere.port())}}, .defaults = "timeouts: {connect: 300ms}"});
  const stopwatch watch;
  const message answer = ask(router.port(), keyed("GET /", "X-Request-Id: r1\r\n"));
  CHECK(answer.status() == 504);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=connection_timeout"));
  CHECK(answer.head.value("X-Routed-To") == "tier1");
  CHECK(in_time(watch));
  CHECK(router.access_line("r1")["attempts"] == "1");
  CHECK(router.metric("gateway_upstream_errors_total", {"reason=\"connection_timeout\""}) == 1);
}

TEST_CASE("timeouts: a cell that does not answer is 504 http_response_timeout") {
  fake_cell cell(silent{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .defaults = "timeouts: {response_header: 300ms}"});
  const stopwatch watch;
  const message answer = ask(router.port(), keyed("GET /", "X-Request-Id: r1\r\n"));
  CHECK(answer.status() == 504);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=http_response_timeout"));
  CHECK(answer.head.value("X-Routed-To") == "tier1");
  CHECK(in_time(watch));
  CHECK(router.access_line("r1")["proxy_error"] == "http_response_timeout");
  CHECK(router.metric("gateway_upstream_errors_total", {"reason=\"http_response_timeout\""}) == 1);
  CHECK(eventually([&] { return cell.finished() == 1; }));  // its connection is of no use any more
}

TEST_CASE("timeouts: response_header counts from the end of the request, not from its begin") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}},
                         .defaults = "timeouts: {response_header: 1s, request_body_idle: 20s}"});
  client c(router.port());
  c.send(keyed("POST /", "Content-Length: 6\r\n"));
  CHECK_FALSE(c.fill(3 * long_limit / 2));  // slower than the limit: no answer comes meanwhile
  CHECK(c.how_it_ended() == ending::none);
  c.send("slowly");
  CHECK(c.read_answer().content == "slowly");
}

TEST_CASE("timeouts: a stream that stands still is cut, and one that moves is not") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      c.send("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n");
      if (request.head.target() == "/stops") {
        c.send("0123");
        (void)c.wait_end();
        return;
      }
      for (int i = 0; i < 15; ++i) {  // each pause well below the limit of 2 s, all together above it
        c.send("x");
        std::this_thread::sleep_for(200ms);
      }
    }
  });
  router_process router({.placements = {{"moving", at(cell.port(), ", timeouts: {stream_idle: 2s}")},
                                        {"tier1", at(cell.port(), ", timeouts: {stream_idle: 300ms}")}},
                         .keys = "acme: tier1, visa: moving"});
  const message moving = ask(router.port(), request("GET /moves", "X-Routing-Key: visa\r\n"));
  CHECK(moving.complete);
  CHECK(moving.content.size() == 15);

  client c(router.port());
  const stopwatch watch;
  c.send(keyed("GET /stops", "X-Request-Id: r1\r\n"));
  const std::optional<message_head> head = c.read_head();
  REQUIRE(head);
  CHECK(c.read_bytes(4) == "0123");
  CHECK(c.wait_end() != ending::none);
  CHECK(in_time(watch));
  const log_line line = router.access_line("r1");
  CHECK(line["status_code"] == "200");
  CHECK(line["proxy_error"] == "connection_read_timeout");
  CHECK(router.metric("gateway_requests_total", {"outcome=\"cut\""}) == 1);
}

TEST_CASE("timeouts: a client that stops within its content is answered 408") {
  fake_cell cell(echo_content{});
  router_process router(
      {.placements = {{"tier1", at(cell.port())}}, .defaults = "timeouts: {request_body_idle: 300ms}"});
  client c(router.port());
  const stopwatch watch;
  c.send(keyed("POST /", "X-Request-Id: r1\r\nContent-Length: 10\r\n") + "half");
  const message answer = c.read_answer();
  CHECK(answer.status() == 408);
  CHECK(answer.complete);
  CHECK(answer.head.value("Connection") == "close");
  CHECK(answer.head.value("X-Routed-To") == "tier1");
  CHECK(in_time(watch));
  CHECK(c.wait_end() == ending::closed);
  CHECK(router.access_line("r1")["status_code"] == "408");
  CHECK(router.metric("gateway_upstream_errors_total") == 0);  // the client's fault is not the cell's
  CHECK(eventually([&] { return cell.finished() == 1; }));
}

TEST_CASE("timeouts: request_body_idle does not run while the cell does not take the content") {
  gate go;
  fake_cell cell([&go](cell_connection& c) {
    const std::optional<message_head> head = c.read_head();
    if (!head || !go.wait()) return;
    message request;
    request.head = *head;
    c.read_content(request);
    c.answer("200 OK", std::to_string(request.content.size()));
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}, .defaults = "timeouts: {request_body_idle: 1s}"});
  client c(router.port());
  constexpr std::size_t size_bytes = 64 * 1024 * 1024;  // more than all buffers on the way
  const std::string content(size_bytes, 'c');
  c.send(keyed("POST /", "Content-Length: " + std::to_string(size_bytes) + "\r\n"));
  std::size_t sent = 0;
  stopwatch stalled;
  while (stalled.elapsed() < 3 * long_limit) {  // until nothing was taken for three times the limit
    const std::size_t more = c.send_some(std::string_view(content).substr(sent));
    sent += more;
    if (more > 0) stalled = stopwatch();
    if (more == 0) std::this_thread::sleep_for(1ms);
  }
  CHECK(sent < size_bytes);
  go.open();
  c.send(std::string_view(content).substr(sent));
  const message answer = c.read_answer();
  CHECK(answer.status() == 200);
  CHECK(answer.content == std::to_string(size_bytes));
}

TEST_CASE("timeouts: a head that stays half is answered 408; a connection without a byte is closed silently") {
  fake_cell cell(echo_head{});
  router_process router(
      {.placements = {{"tier1", at(cell.port())}}, .http = "timeouts: {header: 300ms, keep_alive: 20s}"});
  stopwatch watch;
  client silent_one(router.port());
  client half(router.port());
  half.send("GET / HTTP/1.1\r\nHost: shop.exam");
  while (watch.elapsed() >= limit) {  // it may have been closed for its silence before that came
    watch = stopwatch();
    silent_one = client(router.port());
    half = client(router.port());
    half.send("GET / HTTP/1.1\r\nHost: shop.exam");
  }
  const message answer = half.read_answer();
  CHECK(answer.status() == 408);
  CHECK(answer.head.value("Connection") == "close");
  CHECK(in_time(watch));
  CHECK(silent_one.wait_end() == ending::closed);
  CHECK(silent_one.unread().empty());
  CHECK(in_time(watch));
}

TEST_CASE("timeouts: an idle connection is closed silently after keep_alive") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .http = "timeouts: {keep_alive: 300ms}"});
  client c(router.port());
  const stopwatch watch;
  CHECK(c.ask(keyed("GET /")).status() == 200);
  CHECK_FALSE(c.fill());
  CHECK(c.how_it_ended() == ending::closed);
  CHECK(in_time(watch));
}

TEST_CASE("timeouts: total ends what moves") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      if (request.head.target() == "/silent") continue;
      c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
      while (c.send("x")) std::this_thread::sleep_for(10ms);
      return;
    }
  });
  router_process router({.placements = {{"moving", at(cell.port(), ", timeouts: {total: 1s}")},
                                        {"tier1", at(cell.port(), ", timeouts: {total: 300ms}")}},
                         .keys = "acme: tier1, visa: moving"});
  {
    const stopwatch watch;
    const message answer = ask(router.port(), keyed("GET /silent"));
    CHECK(answer.status() == 504);
    CHECK(in_time(watch));
  }
  const stopwatch watch;
  const message answer = ask(router.port(), request("GET /moves", "X-Routing-Key: visa\r\nX-Request-Id: r1\r\n"));
  CHECK(answer.status() == 200);
  CHECK_FALSE(answer.complete);
  CHECK(in_time(watch, long_limit));
  CHECK(router.access_line("r1")["proxy_error"] == "http_response_timeout");
}

}  // namespace
}  // namespace cellroute::system_test
