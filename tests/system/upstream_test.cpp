// What becomes of requests whose cell fails, is slow or dies, and of the connections to it.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// Answers with `bytes` and closes.
struct answer_and_close {
  std::string bytes;
  void operator()(cell_connection& c) const {
    message request;
    if (c.read_request(request)) c.send(bytes);
  }
};

struct bad_answer_case {
  std::string_view says;
  std::string answer;
  std::string_view error;
};

const bad_answer_case bad_answer_cases[] = {
    {"closed without a byte", "", "connection_terminated"},
    {"closed within the head", "HTTP/1.1 200 OK\r\nContent-Le", "connection_terminated"},
    {"closed behind an interim answer", "HTTP/1.1 102 Processing\r\n\r\n", "connection_terminated"},
    {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "http_protocol_error"},
    {"no status", "HTTP/1.1 OK\r\n\r\n", "http_protocol_error"},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "http_protocol_error"},
    {"two framings", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "http_protocol_error"},
    {"a head over the limit", "HTTP/1.1 200 OK\r\nX-A: " + std::string(70'000, 'a') + "\r\n\r\n",
     "http_protocol_error"},
    {"a line without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "http_protocol_error"},
    {"a switch of protocols that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
     "http_protocol_error"},
    {"a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "http_protocol_error"},
};

TEST_CASE("upstream: an answer that is none becomes 502, with the decision and the cause") {
  for (const bad_answer_case& row : bad_answer_cases) {
    CAPTURE(row.says);
    fake_cell cell(answer_and_close{row.answer});
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    client c(router.port());
    const message answer = c.ask(keyed("GET /", "X-Request-Id: r1\r\n"));
    CHECK(answer.status() == 502);
    CHECK(answer.complete);
    CHECK(answer.head.value("X-Routed-To") == "tier1");
    CHECK(answer.head.value("X-Route-Reason") == "tier");
    CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=" + std::string(row.error) + "; details=\""));
    const log_line line = router.access_line("r1");
    CHECK(line["status_code"] == "502");
    CHECK(line["proxy_error"] == row.error);
    CHECK(line["attempts"] == "1");
    CHECK(router.metric("gateway_upstream_errors_total", {"reason=\"" + std::string(row.error)}) == 1);
    CHECK(cell.accepted() == 1);
    CHECK(c.ask(request("GET /")).status() == 400);  // the client's connection outlives it
  }
}

TEST_CASE("upstream: a cell that resets is 502 like one that closes") {
  fake_cell cell([](cell_connection& c) {
    message request;
    if (c.read_request(request)) c.reset();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const message answer = ask(router.port(), keyed("GET /"));
  CHECK(answer.status() == 502);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=connection_terminated"));
}

TEST_CASE("upstream: nobody listens: 502 at once, without a second try at the only endpoint") {
  closed_port nobody;
  router_process router({.placements = {{"tier1", at(nobody.port())}}});
  const stopwatch watch;
  const message answer = ask(router.port(), keyed("GET /", "X-Request-Id: r1\r\n"));
  CHECK(answer.status() == 502);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=connection_refused"));
  CHECK(watch.elapsed() < 4s);
  CHECK(router.access_line("r1")["attempts"] == "1");
  CHECK(router.access_line("r1")["upstream_url"] == "http://127.0.0.1:" + std::to_string(nobody.port()));
}

TEST_CASE("upstream: a refused connection is tried once more at another endpoint, whatever the method") {
  closed_port nobody;
  fake_cell cell(echo_content{});
  const std::string both =
      "endpoints: [" + endpoint(nobody.port(), ", id: dead") + ", " + endpoint(cell.port(), ", id: live") + "]";
  router_process router({.placements = {{"tier1", both}}});
  int tried_twice = 0;
  for (const std::string_view id : {"GET-1", "POST-1", "POST-2", "GET-2"}) {
    const std::string method(id.substr(0, id.find('-')));
    const message answer = ask(
        router.port(), keyed(method + " /", "Content-Length: 4\r\nX-Request-Id: " + std::string(id) + "\r\n") + "body");
    CHECK(answer.status() == 200);
    CHECK(answer.content == "body");
    const log_line line = router.access_line(id);
    CHECK(line["endpoint"] == "live");
    tried_twice += line["attempts"] == "2" ? 1 : 0;
  }
  CHECK(tried_twice == 2);
  CHECK(router.metric("gateway_retries_total", {"reason=\"connect_failed\"", "result=\"answered\""}) == 2);
}

TEST_CASE("upstream: attempts: 0 tries no other endpoint") {
  closed_port nobody;
  fake_cell cell(echo_content{});
  const std::string both = "endpoints: [" + endpoint(nobody.port()) + ", " + endpoint(cell.port()) + "]";
  router_process router({.placements = {{"tier1", both}}, .defaults = "retries: {attempts: 0}"});
  const int first = ask(router.port(), keyed("GET /")).status();
  const int second = ask(router.port(), keyed("GET /")).status();
  CHECK(first + second == 200 + 502);
}

TEST_CASE("upstream: connections are kept and used again") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (int i = 0; i < 5; ++i) CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(cell.accepted() == 1);
}

TEST_CASE("upstream: a connection that carried much content both ways is used again, too") {
  constexpr std::size_t size_bytes = 1024 * 1024;
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  const std::string bytes =
      keyed("POST /", "Content-Length: " + std::to_string(size_bytes) + "\r\n") + std::string(size_bytes, 'b');
  for (int i = 0; i < 10; ++i) CHECK(c.ask(bytes).content.size() == size_bytes);
  CHECK(cell.accepted() == 1);
}

TEST_CASE("upstream: an idle connection is closed after pool.idle_timeout") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .defaults = "pool: {idle_timeout: 200ms}"});
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(eventually([&] { return cell.finished() == 1; }));
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(cell.accepted() == 2);
}

struct pool_case {
  std::string_view says;
  std::string pool;
  int connections;
};

const pool_case pool_cases[] = {
    {"max_idle: 0 keeps none", "max_idle: 0", 4},
    {"max_requests: 2 changes every second time", "max_requests: 2", 2},
    {"max_requests: 0 is no limit", "max_requests: 0", 1},
};

TEST_CASE("upstream: how many connections four requests in a row need") {
  for (const pool_case& row : pool_cases) {
    CAPTURE(row.says);
    fake_cell cell(echo_content{});
    router_process router({.placements = {{"tier1", at(cell.port())}}, .defaults = "pool: {" + row.pool + "}"});
    for (int i = 0; i < 4; ++i) CHECK(ask(router.port(), keyed("GET /")).status() == 200);
    CHECK(cell.accepted() == row.connections);
  }
}

struct not_reused_case {
  std::string_view says;
  std::string answer;
};

const not_reused_case not_reused_cases[] = {
    {"the cell says close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
    {"the cell speaks HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    {"bytes behind the answer: of an answer that nobody asked for",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"},
};

TEST_CASE("upstream: a connection is not used again when") {
  for (const not_reused_case& row : not_reused_cases) {
    CAPTURE(row.says);
    fake_cell cell(play{row.answer});
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    CHECK(ask(router.port(), keyed("GET /")).content == "ok");
    CHECK(ask(router.port(), keyed("GET /")).content == "ok");
    CHECK(cell.accepted() == 2);
  }
}

/// Answers once a connection, takes a second request and closes without a word: what a cell does whose idle timeout
/// ends while the request is on its way. From the third connection on it answers always.
void forget_the_second(cell_connection& c) {
  message request;
  for (int served = 0; c.read_request(request); ++served) {
    if (served == 1 && c.number() < 2) return;
    c.answer("200 OK", "ok");
  }
}

struct retry_case {
  std::string_view says;
  std::string bytes;
  int status;
  int attempts;
};

const retry_case retry_cases[] = {
    {"GET is tried again", keyed("GET /", "X-Request-Id: second\r\n"), 200, 2},
    {"DELETE is tried again", keyed("DELETE /", "X-Request-Id: second\r\n"), 200, 2},
    {"PUT with its whole content at hand is tried again",
     keyed("PUT /", "X-Request-Id: second\r\nContent-Length: 3\r\n") + "abc", 200, 2},
    {"POST is not: the cell may have acted", keyed("POST /", "X-Request-Id: second\r\nContent-Length: 3\r\n") + "abc",
     502, 1},
    {"PATCH is not", keyed("PATCH /", "X-Request-Id: second\r\nContent-Length: 3\r\n") + "abc", 502, 1},
};

TEST_CASE("upstream: a pooled connection that ends without a byte of answer") {
  for (const retry_case& row : retry_cases) {
    CAPTURE(row.says);
    fake_cell cell(forget_the_second);
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    REQUIRE(ask(router.port(), keyed("GET /")).status() == 200);
    CHECK(ask(router.port(), row.bytes).status() == row.status);
    CHECK(router.access_line("second")["attempts"] == std::to_string(row.attempts));
    CHECK(cell.accepted() == row.attempts);
    CHECK(router.metric("gateway_retries_total", {"reason=\"reused_connection_ended\"", "result=\"answered\""}) ==
          row.attempts - 1);
  }
}

TEST_CASE("upstream: a pooled connection that the cell has closed meanwhile is not tried, with any method") {
  fake_cell cell([](cell_connection& c) {
    message request;
    if (c.read_request(request)) c.answer("200 OK", "ok");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (int i = 1; i <= 3; ++i) {
    CHECK(ask(router.port(), keyed("POST /", "Content-Length: 0\r\n")).status() == 200);
    CHECK(eventually([&] { return cell.finished() == i; }));
  }
}

TEST_CASE(
    "upstream: nor is one whose end the router has not looked at yet, where the request could not be sent again") {
  gate may_end;
  fake_cell cell([&](cell_connection& c) {
    message request;
    if (!c.read_request(request)) return;
    c.answer("200 OK", "ok");
    if (c.number() == 1) (void)may_end.wait();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  REQUIRE(c.ask(keyed("POST /", "Content-Length: 0\r\n")).status() == 200);
  router.process().signal(SIGSTOP);  // so that it finds the request and the end of its kept connection at once
  const std::string status = "/proc/" + std::to_string(router.process().pid()) + "/status";
  REQUIRE(eventually([&] { return read_text(status).find("State:\tT") != std::string::npos; }));
  c.send(keyed("POST /", "Content-Length: 0\r\n"));
  may_end.open();
  CHECK(eventually([&] { return cell.finished() == 1; }));
  router.process().signal(SIGCONT);
  const message answer = c.read_answer();
  CHECK(answer.status() == 200);
}

TEST_CASE("upstream: host: upstream sends the endpoint's own name") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port(), ", host: upstream")}}});
  const message_head seen{ask(router.port(), keyed("GET /")).content};
  CHECK(seen.value("Host") == "127.0.0.1:" + std::to_string(cell.port()));
  CHECK(seen.value("X-Forwarded-Host") == "shop.example");
}

TEST_CASE("upstream: a name without an address is 502, and the others are served") {
  fake_cell cell(echo_head{});
  router_process router(
      {.placements = {{"lost", "endpoints: [{url: \"http://cell.invalid:80\"}]"}, {"tier1", at(cell.port())}},
       .keys = "acme: lost"});
  const message answer = ask(router.port(), keyed("GET /"));
  CHECK(answer.status() == 502);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=dns_error"));
  CHECK(ask(router.port(), request("GET /", "X-Routing-Key: other\r\n")).status() == 200);
}

}  // namespace
}  // namespace cellroute::system_test
