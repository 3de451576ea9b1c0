// Content on its way: nothing is held back, nothing is piled up, and a message that was cut cannot be taken for whole.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/pattern.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t mebi = 1024 * 1024;

/// Each way. A sanitizer looks at every byte, and learns nothing from more of them; it also keeps what was freed, so
/// the sizes of memory are judged without one.
const std::size_t large_bytes = (is_sanitized() ? 64 : 1024) * mebi;

bool send_pattern(connection& c, pattern bytes, std::size_t size_bytes) {
  while (bytes.at() < size_bytes) {
    if (!c.send(bytes.next(size_bytes - bytes.at()))) return false;
  }
  return true;
}

/// Reads so many bytes of a pattern. Returns how many came before the first that is wrong, or before the end.
std::size_t read_pattern(connection& c, pattern bytes, std::size_t size_bytes) {
  while (bytes.at() < size_bytes) {
    const std::size_t before = bytes.at();
    const std::string piece = c.read_some();
    if (piece.empty() || !bytes.is_next(piece)) return before;
  }
  return bytes.at();
}

TEST_CASE("streaming: a large content up and one down at once, byte by byte, within 8 MiB of memory") {
  const std::size_t size_bytes = large_bytes;
  std::atomic<std::size_t> came_up{0};
  fake_cell cell([&](cell_connection& c) {
    const std::optional<message_head> head = c.read_head();
    if (!head || head->target() != "/large") {
      if (head) c.answer("200 OK", "", "Connection: close\r\n");  // else a POST might meet its end
      return;
    }
    c.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size_bytes) + "\r\n\r\n");
    std::thread down([&] { send_pattern(c, pattern(2), size_bytes); });
    came_up = read_pattern(c, pattern(1), size_bytes);
    down.join();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  CHECK(ask(router.port(), keyed("GET /small")).status() == 200);
  const std::size_t before = router.resident_bytes();
  std::size_t most = before;

  client c(router.port());
  c.send(keyed("POST /large", "Content-Length: " + std::to_string(size_bytes) + "\r\n"));
  const stopwatch watch;
  std::thread up([&] { send_pattern(c, pattern(1), size_bytes); });
  const std::optional<message_head> head = c.read_head();
  std::atomic<bool> done{false};
  std::thread sampler([&] {
    while (!done) {
      most = std::max(most, router.resident_bytes());
      std::this_thread::sleep_for(5ms);
    }
  });
  const std::size_t came_down = read_pattern(c, pattern(2), size_bytes);
  up.join();
  CHECK(eventually([&] { return came_up == size_bytes; }));
  done = true;
  sampler.join();
  REQUIRE(head);
  CHECK(head->status() == 200);
  CHECK(came_down == size_bytes);
  if (!is_sanitized()) CHECK(most - before < 8 * mebi);
  MESSAGE("" << size_bytes / mebi << " MiB each way in " << watch.ms() << " ms; the router grew by "
             << (most - before) / 1024 << " KiB");
}

TEST_CASE("streaming: the first byte of an answer reaches the client before the cell has finished") {
  for (const std::string_view framing : {"Content-Length: 11\r\n", "Transfer-Encoding: chunked\r\n", ""}) {
    CAPTURE(framing);
    const bool chunked = framing.starts_with("Transfer");
    gate seen;
    fake_cell cell([&](cell_connection& c) {
      message request;
      if (!c.read_request(request)) return;
      c.send("HTTP/1.1 200 OK\r\n" + std::string(framing) + "\r\n" + (chunked ? "5\r\nfirst\r\n" : "first"));
      if (!seen.wait()) return;
      c.send(chunked ? "6\r\n, last\r\n0\r\n\r\n" : ", last");
    });
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    client c(router.port());
    c.send(keyed("GET /"));
    message answer;
    answer.head = c.read_head().value_or(message_head{});
    CHECK(answer.status() == 200);
    std::string first;
    while (first.find("first") == std::string::npos && !(first += c.read_bytes(1)).empty() &&
           c.how_it_ended() == ending::none) {
    }
    CHECK(first.find("first") != std::string::npos);
    seen.open();
    std::string rest;
    while (rest.find(", last") == std::string::npos && c.how_it_ended() == ending::none) rest += c.read_bytes(1);
    CHECK(rest.find(", last") != std::string::npos);
  }
}

TEST_CASE("streaming: the first byte of a content reaches the cell before the client has finished") {
  gate seen;
  fake_cell cell([&](cell_connection& c) {
    const std::optional<message_head> head = c.read_head();
    if (!head) return;
    std::string content = c.read_bytes(5);
    if (content == "first") seen.open();
    content += c.read_bytes(6);
    c.answer("200 OK", content);
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(keyed("POST /", "Content-Length: 11\r\n") + "first");
  CHECK(seen.wait());
  c.send(", last");
  CHECK(c.read_answer().content == "first, last");
}

/// Sends until nothing was taken for a while. Returns how much that was.
std::size_t send_until_stalled(connection& c, std::atomic<std::size_t>& sent) {
  const std::string block(65536, 's');
  stopwatch quiet;
  while (quiet.elapsed() < 500ms) {
    const std::size_t more = c.send_some(block);
    sent += more;
    if (more > 0) quiet = stopwatch();
    if (more == 0) std::this_thread::sleep_for(1ms);
  }
  return sent;
}

constexpr std::size_t stall_bytes_max = 64 * mebi;  // what the system's own buffers on two connections may take

TEST_CASE("streaming: a client that does not read stops its cell, and nobody else") {
  constexpr std::size_t size_bytes = 256 * mebi;
  std::atomic<std::size_t> sent{0};
  std::atomic<bool> stalled{false};
  gate go_on;
  fake_cell cell([&](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      if (request.head.target() == "/small") {
        c.answer("200 OK", "small");
        continue;
      }
      c.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size_bytes) + "\r\n\r\n");
      send_until_stalled(c, sent);
      stalled = true;
      if (!go_on.wait()) return;
      const std::string block(65536, 's');
      while (sent < size_bytes) {
        const std::string_view piece = std::string_view(block).substr(0, size_bytes - sent);
        if (!c.send(piece)) return;
        sent += piece.size();
      }
    }
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const std::size_t before = router.resident_bytes();
  client c(router.port());
  c.send(keyed("GET /large"));
  REQUIRE(eventually([&] { return stalled.load(); }));
  MESSAGE("the cell could send " << sent / 1024 << " KiB, then the router held " << router.resident_bytes() / 1024
                                 << " KiB after " << before / 1024);
  CHECK(sent < stall_bytes_max);
  if (!is_sanitized()) CHECK(router.resident_bytes() < before + 2 * mebi);
  CHECK(ask(router.port(), keyed("GET /small")).content == "small");

  go_on.open();
  REQUIRE(c.read_head());
  std::size_t came = 0;
  while (came < size_bytes) {
    const std::size_t more = c.read_some().size();
    if (more == 0) break;
    came += more;
  }
  CHECK(came == size_bytes);
}

TEST_CASE("streaming: a cell that does not read stops its client") {
  gate end;
  fake_cell cell([&](cell_connection& c) {
    if (c.read_head()) (void)end.wait();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const std::size_t before = router.resident_bytes();
  client c(router.port());
  c.send(keyed("POST /", "Content-Length: 1000000000\r\n"));
  std::atomic<std::size_t> sent{0};
  send_until_stalled(c, sent);
  MESSAGE("the client could send " << sent / 1024 << " KiB");
  CHECK(sent > 0);
  CHECK(sent < stall_bytes_max);
  if (!is_sanitized()) CHECK(router.resident_bytes() < before + 2 * mebi);
  end.open();
}

TEST_CASE("streaming: an early answer reaches a client that is still sending") {
  fake_cell cell([](cell_connection& c) {
    if (!c.read_head()) return;
    c.answer("403 Forbidden", "no", "Connection: close\r\n");
    (void)c.wait_end();
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(keyed("POST /", "Content-Length: 1000000000\r\n") + std::string(100'000, 'x'));
  const message answer = c.read_answer();
  CHECK(answer.status() == 403);
  CHECK(answer.content == "no");
  CHECK(answer.complete);
}

TEST_CASE("streaming: an early answer to a request that goes on: the rest of it is carried, too") {
  fake_cell cell([](cell_connection& c) {
    if (!c.read_head()) return;
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nea");
    const std::string content = c.read_bytes(4);
    c.send(content);
    message next;
    if (c.read_request(next)) c.answer("200 OK", "next");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(keyed("POST /", "Content-Length: 4\r\n"));
  REQUIRE(c.read_head());
  CHECK(c.read_bytes(2) == "ea");
  c.send("late");
  CHECK(c.read_bytes(4) == "late");
  CHECK(c.ask(keyed("GET /")).content == "next");
}

/// How an answer may be cut.
struct cut_case {
  std::string_view says;
  std::string begin;
  bool reset;
};

const cut_case cut_cases[] = {
    {"a length is not reached", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false},
    {"a length is not reached, by a reset", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true},
    {"the last chunk does not come", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false},
    {"a chunk is cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", true},
    {"a chunk breaks the protocol", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", false},
};

TEST_CASE("streaming: an answer that its cell cuts cannot be taken for a whole one") {
  for (const cut_case& row : cut_cases) {
    CAPTURE(row.says);
    gate seen;
    fake_cell cell([&](cell_connection& c) {
      message request;
      if (!c.read_request(request)) return;
      const std::size_t content = row.begin.find("half") + 4;
      c.send(row.begin.substr(0, content));
      if (!seen.wait()) return;
      c.send(row.begin.substr(content));
      if (row.reset) c.reset();
    });
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    client c(router.port());
    c.send(keyed("GET /", "X-Request-Id: r1\r\n"));
    std::string seen_bytes;
    while (seen_bytes.find("half") == std::string::npos) {
      const std::string more = c.read_some();
      if (more.empty()) break;
      seen_bytes += more;
    }
    CHECK(seen_bytes.find("half") != std::string::npos);
    seen.open();
    CHECK(c.wait_end() == ending::reset);
    CHECK(c.unread().find("0\r\n\r\n") == std::string_view::npos);
    const log_line line = router.access_line("r1");
    CHECK(line["status_code"] == "200");
    CHECK_MESSAGE((line["proxy_error"] == "connection_terminated" || line["proxy_error"] == "http_protocol_error"),
                  line.text());
    CHECK(router.metric("gateway_requests_total", {"outcome=\"cut\""}) == 1);
    CHECK(router.metric("gateway_upstream_errors_total") == 1);
    CHECK(ask(router.port(), request("GET /")).status() == 400);  // the router itself goes on
  }
}

TEST_CASE("streaming: a HTTP/1.0 client sees a cut answer as a reset, having no other sign") {
  fake_cell cell([](cell_connection& c) {
    message request;
    if (c.read_request(request)) c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send("GET / HTTP/1.0\r\n" + std::string(acme) + "\r\n");
  CHECK(c.wait_end() == ending::reset);
}

TEST_CASE(
    "streaming: content that breaks its framing is answered 400, and does not reach the cell as a whole request") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const std::string_view broken : {"zz\r\n", "3\r\nabcX\r\n", "ffffffffffffffffff\r\n", "-1\r\n"}) {
    CAPTURE(broken);
    client c(router.port());
    c.send(keyed("POST /", "Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n" + std::string(broken));
    const message answer = c.read_answer();
    CHECK(answer.status() == 400);
    CHECK(c.wait_end() == ending::closed);
  }
  CHECK(cell.requests().empty());
}

struct limit_case {
  std::string_view says;
  std::string request;
  int status;
};

const limit_case limit_cases[] = {
    {"a length at the limit", keyed("POST /", "Content-Length: 1024\r\n") + std::string(1024, 'x'), 200},
    {"a length one past it: before a byte of it is read", keyed("POST /", "Content-Length: 1025\r\n"), 413},
    {"chunks that reach the limit",
     keyed("POST /", "Transfer-Encoding: chunked\r\n") + "400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n", 200},
    {"chunks that go past it",
     keyed("POST /", "Transfer-Encoding: chunked\r\n") + "400\r\n" + std::string(1024, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n",
     413},
};

TEST_CASE("streaming: limits.max_request_body") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port(), ", limits: {max_request_body: 1KiB}")}}});
  for (const limit_case& row : limit_cases) {
    CAPTURE(row.says);
    CHECK(ask(router.port(), row.request).status() == row.status);
  }
}

}  // namespace
}  // namespace cellroute::system_test
