// HTTP/1 from end to end: framings, interim answers, trailers, pipelining, upgrades, old clients.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// An answer as a cell sends it and what a client takes from it.
struct answer_case {
  std::string_view says;
  std::string_view method;
  std::string sent;
  std::string_view content;
  std::string_view length;  ///< of Content-Length; `-`: there is none
  bool reused;              ///< the cell's connection
};

const answer_case answer_cases[] = {
    {"a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", "3", true},
    {"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc",
     "-", true},
    {"nothing", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", "0", true},
    {"204 has no content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "", "-", true},
    {"304 has none, whatever its length says", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "", "3",
     true},
    {"nor has an answer to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "", "3", true},
    {"nor one in chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", "-", true},
};

TEST_CASE("messages: answers in each framing, and the connections go on") {
  for (const answer_case& row : answer_cases) {
    CAPTURE(row.says);
    fake_cell cell(play{row.sent});
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    client c(router.port());
    for (int i = 0; i < 2; ++i) {
      const message answer = c.ask(keyed(std::string(row.method) + " /"));
      CHECK(answer.complete);
      CHECK(answer.content == row.content);
      CHECK((answer.head.has("Content-Length") ? answer.head.value("Content-Length") : "-") == row.length);
    }
    CHECK(cell.accepted() == (row.reused ? 1 : 2));
  }
}

TEST_CASE("messages: an answer that ends with its connection reaches the client whole, and the client's goes on") {
  fake_cell cell([](cell_connection& c) {
    message request;
    if (c.read_request(request)) c.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  for (int i = 0; i < 2; ++i) {
    const message answer = c.ask(keyed("GET /"));
    CHECK(answer.complete);
    CHECK(answer.head.value("Transfer-Encoding") == "chunked");
    CHECK(answer.content == "until the end");
  }
}

TEST_CASE("messages: request content in each framing") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  CHECK(c.ask(keyed("POST /", "Content-Length: 3\r\n") + "abc").content == "abc");
  CHECK(c.ask(keyed("POST /", "Transfer-Encoding: chunked\r\n") + "2\r\nab\r\n1;x=\"y\"\r\nc\r\n0\r\n\r\n").content ==
        "abc");
  CHECK(c.ask(keyed("GET /", "Content-Length: 3\r\n") + "abc").content == "abc");
  CHECK(c.ask(keyed("POST /")).content.empty());
  c.send(keyed("POST /", "Transfer-Encoding: chunked\r\n"));
  for (const char byte : std::string_view("3\r\nxyz\r\n0\r\n\r\n")) c.send({&byte, 1});
  CHECK(c.read_answer().content == "xyz");
}

/// In how many pieces a message with trailers comes: what is there with the head goes another way than what comes
/// later.
struct pieces_case {
  std::string_view says;
  bool apart;
};

const pieces_case pieces_cases[] = {{"all at once", false}, {"trailers behind the content", true}};

TEST_CASE("messages: trailers pass both ways, and cannot pass for head fields") {
  for (const pieces_case& row : pieces_cases) {
    CAPTURE(row.says);
    gate content_came;
    fake_cell cell([&](cell_connection& c) {
      message request;
      while (c.read_request(request)) {
        const std::string head =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: X-Inner\r\n\r\n"
            "2\r\nok\r\n";
        const std::string end = "0\r\nX-Sum: 7\r\nx-inner: 1\r\nContent-Length: 5\r\n\r\n";
        c.send(row.apart ? head : head + end);
        if (row.apart && content_came.wait()) c.send(end);
      }
    });
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    client c(router.port());
    const std::string head =
        keyed("POST /",
              "TE: trailers\r\nConnection: TE\r\nConnection: X-Hop, X-Last\r\nTransfer-Encoding: chunked\r\n") +
        "1\r\nx\r\n";
    const std::string end = "0\r\nX-Client-Sum: 9\r\nX-Hop: 1\r\nX-Last: 1\r\nX-Routing-Key: visa\r\n\r\n";
    c.send(row.apart ? head : head + end);
    if (row.apart) {
      REQUIRE(eventually([&] { return cell.accepted() == 1; }));  // the head is on its way
      c.send(end);
    }
    message answer;
    answer.head = c.read_head().value_or(message_head{});
    (void)eventually([&] { return !c.unread().empty() || !c.fill(); });
    content_came.open();
    c.read_content(answer);
    CHECK(answer.complete);
    CHECK(answer.content == "ok");
    CHECK(answer.trailers == "X-Sum: 7\r\n");
    REQUIRE(cell.requests().size() == 1);
    CHECK(cell.requests()[0].head.value("TE") == "trailers");
    CHECK(cell.requests()[0].trailers == "X-Client-Sum: 9\r\n");
  }
}

TEST_CASE("messages: 100-continue: the cell decides, and is asked before the content comes") {
  fake_cell cell([](cell_connection& c) {
    for (;;) {
      std::optional<message_head> head = c.read_head();
      if (!head) return;
      if (head->target() == "/refuse") {
        c.answer("417 Expectation Failed", "no");
        continue;
      }
      if (head->value("Expect") != "100-continue") return;
      c.send("HTTP/1.1 100 Continue\r\n\r\n");
      message request;
      request.head = *head;
      c.read_content(request);
      c.answer("200 OK", request.content);
    }
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  {
    client c(router.port());
    c.send(keyed("POST /take", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
    const std::optional<message_head> interim = c.read_head();
    REQUIRE(interim);
    CHECK(interim->status() == 100);
    c.send("body");
    CHECK(c.read_answer().content == "body");
  }
  client c(router.port());
  c.send(keyed("POST /refuse", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  const message answer = c.read_answer();
  CHECK(answer.status() == 417);
  CHECK(answer.content == "no");
}

TEST_CASE("messages: a request that the router refuses is answered without 100, and nothing of it is waited for") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(request("POST /", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  const std::optional<message_head> head = c.read_head();
  REQUIRE(head);
  CHECK(head->status() == 400);
  CHECK(head->value("Connection") == "close");
}

TEST_CASE("messages: interim answers pass, any number of them, and 1.0 clients are spared them") {
  fake_cell cell(
      play{"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  c.send(keyed("GET /"));
  const std::optional<message_head> hints = c.read_head();
  REQUIRE(hints);
  CHECK(hints->status() == 103);
  CHECK(hints->value("Link") == "</a.css>");
  CHECK(c.read_head().value_or(message_head{}).status() == 102);
  CHECK(c.read_answer().content == "ok");

  client old(router.port());
  old.send("GET / HTTP/1.0\r\n" + std::string(acme) + "\r\n");
  CHECK(old.read_head().value_or(message_head{}).status() == 200);
}

TEST_CASE("messages: pipelined requests are answered in their order, whoever serves them") {
  fake_cell one(play{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"});
  fake_cell two(play{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"});
  router_process router(
      {.placements = {{"one", at(one.port())}, {"two", at(two.port())}}, .keys = "acme: one, visa: two"});
  client c(router.port());
  const std::string second = request("POST /", "X-Routing-Key: visa\r\nContent-Length: 2\r\n") + "xx";
  std::string all;
  for (int i = 0; i < 50; ++i) all += keyed("GET /") + second + request("GET /");
  c.send(all);
  for (int i = 0; i < 50; ++i) {
    CHECK(c.read_answer().content == "one");
    CHECK(c.read_answer().content == "two");
    CHECK(c.read_answer().status() == 400);
  }
}

TEST_CASE("messages: Connection: close is obeyed, on both sides apart") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  const message answer = c.ask(keyed("GET /", "Connection: close\r\n"));
  CHECK(answer.status() == 200);
  CHECK(answer.head.value("Connection") == "close");
  CHECK(c.wait_end() == ending::closed);
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(cell.accepted() == 1);  // what the client closes is not the cell's concern
}

TEST_CASE("messages: a HTTP/1.0 client gets no chunks, and keep-alive where it asks") {
  fake_cell cell(play{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"});
  fake_cell sized(play{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"});
  router_process router(
      {.placements = {{"chunks", at(cell.port())}, {"sized", at(sized.port())}}, .keys = "acme: chunks"});
  {
    client c(router.port());
    const message answer = c.ask("GET / HTTP/1.0\r\n" + std::string(acme) + "\r\n");
    CHECK_FALSE(answer.head.has("Transfer-Encoding"));
    CHECK(answer.content == "abc");
    CHECK(answer.complete);
  }
  client c(router.port());
  for (int i = 0; i < 2; ++i) {
    const message answer = c.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Routing-Key: other\r\n\r\n");
    CHECK(same_text(answer.head.value("Connection"), "keep-alive"));
    CHECK(answer.content == "abc");
  }
}

TEST_CASE("messages: an upgrade becomes a tunnel both ways; one side may end before the other") {
  fake_cell cell([](cell_connection& c) {
    std::optional<message_head> head = c.read_head();
    if (!head) return;
    if (head->value("Upgrade") != "chat" || head->value("Connection") != "Upgrade") {
      c.answer("400 Bad Request", head->text);
      return;
    }
    c.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nwelcome");
    if (c.read_bytes(5) != "hello") return;
    c.send("hello you");
    if (c.wait_end() != ending::closed) return;  // the client has finished sending
    c.send("and good bye");
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  const message answer = c.ask(keyed("GET /", "Connection: Upgrade\r\nUpgrade: chat\r\nX-Request-Id: t1\r\n"));
  REQUIRE(answer.status() == 101);
  CHECK(answer.head.value("Upgrade") == "chat");
  CHECK(answer.head.value("Connection") == "Upgrade");
  CHECK(answer.head.value("X-Routed-To") == "tier1");
  CHECK(c.read_bytes(7) == "welcome");
  c.send("hello");
  CHECK(c.read_bytes(9) == "hello you");
  c.finish_sending();
  CHECK(c.read_bytes(12) == "and good bye");
  CHECK(c.wait_end() == ending::closed);
  const log_line line = router.access_line("t1");
  CHECK(line["status_code"] == "101");
  CHECK(line["bytes_in"] == "5");
  CHECK(line["bytes_out"] == "28");
}

TEST_CASE("messages: a tunnel carries what is large, and ends when its cell does") {
  const std::string large(3'000'000, 't');
  fake_cell cell([&](cell_connection& c) {
    if (!c.read_head()) return;
    c.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n");
    const std::string came = c.read_bytes(large.size());
    c.send(came);
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  REQUIRE(c.ask(keyed("GET /", "Connection: Upgrade\r\nUpgrade: chat\r\n")).status() == 101);
  c.send(large);
  CHECK((c.read_bytes(large.size()) == large));
  CHECK(c.wait_end() == ending::closed);
}

TEST_CASE("messages: an upgrade that the cell does not want is an answer like any other; h2c is never asked for") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  const message answer = c.ask(keyed("GET /", "Connection: Upgrade\r\nUpgrade: chat\r\n"));
  CHECK(answer.status() == 200);
  CHECK(message_head{answer.content}.value("Upgrade") == "chat");
  const message h2c =
      c.ask(keyed("GET /", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"));
  CHECK(h2c.status() == 200);
  CHECK_FALSE(message_head{h2c.content}.has("Upgrade"));
  CHECK_FALSE(message_head{h2c.content}.has("HTTP2-Settings"));
}

}  // namespace
}  // namespace cellroute::system_test
