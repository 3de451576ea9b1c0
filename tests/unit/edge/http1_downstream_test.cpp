// A client's connection from its first byte to its end: which requests a handler sees, and which bytes the client gets.
#include "adapters/edge/http1_downstream.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "adapters/edge/listener.hpp"

namespace cellroute::edge {
namespace {

/// Answers with what it was asked; `/leave` leaves the request's content unread, `/cut` stops in the middle.
struct echo_handler final : exchange_handler {
  io::task<void> serve(exchange& x) override {
    seen += x.refused.status != 0 ? std::to_string(x.refused.status) + ";"
                                  : std::string(x.request.method) + " " + std::string(x.request.target);
    std::string text = "[" + std::string(x.request.target) + "]";
    if (x.refused.status == 0 && x.request.target != "/leave") {
      body_piece piece = x.first_body();
      while (piece.fault == stream_fault::none) {
        seen.append(piece.data, piece.size_bytes);
        if (piece.end) break;
        piece = co_await x.read_body(time_point::max());
      }
      seen += piece.fault == stream_fault::none ? ";" : "!" + std::string(to_string(piece.fault)) + ";";
    } else if (x.refused.status == 0) {
      seen += ";";
    }
    response_view view;
    view.status = x.refused.status == 0 ? std::uint16_t{200} : x.refused.status;
    view.reason = "R";
    view.body.has_body = true;
    if (x.request.target != "/stream") view.body.length_bytes = text.size();
    outgoing_response out;
    out.view = &view;
    out.close = !x.settle_body();
    body_piece body;
    body.data = text.data();
    body.size_bytes = text.size();
    body.end = x.request.target != "/cut";
    (void)co_await x.send_head(out, body, no_trailers, time_point::max());
    if (x.request.target == "/cut") x.abort();
  }
  std::string seen;
};

struct stop_when_closed final : listener_observer {
  explicit stop_when_closed(io::reactor& r) : reactor(r) {}
  void on_opened(std::uint16_t) override {}
  void on_closed(std::uint16_t) override { reactor.stop(); }
  void on_dropped(std::uint16_t, drop_reason) override {}
  io::reactor& reactor;
};

struct conversation {
  std::string seen;  ///< by the handler
  std::string got;   ///< by the client
};

/// Has a client send `bytes`, in pieces of that size, and end its sending; reads what it gets.
conversation talk(std::string_view bytes, std::size_t piece_bytes, bool client_ends, const listener_options& options) {
  io::reactor r;
  echo_handler handler;
  stop_when_closed observer(r);
  connection_count count;
  count.open = 1;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  {
    listener owner(r, options, handler, observer, count);
    // Each piece is sent in a turn of the loop of its own, so that each is an edge of its own.
    struct sender {
      io::reactor& reactor;
      int descriptor;
      std::string_view rest;
      std::size_t piece_bytes;
      bool ends;
      void operator()() {
        const std::size_t size_bytes = std::min(piece_bytes, rest.size());
        if (::send(descriptor, rest.data(), size_bytes, MSG_NOSIGNAL) < 0) return;
        rest.remove_prefix(size_bytes);
        if (!rest.empty()) {
          reactor.post(*this);
        } else if (ends) {
          (void)::shutdown(descriptor, SHUT_WR);
        }
      }
    };
    r.post(sender{r, ends[1], bytes, piece_bytes, client_ends});
    r.spawn(http1_connection::serve(owner, io::accepted{ends[0], {}}));
    r.run();
  }
  conversation c{handler.seen, ""};
  std::array<char, 4096> block;
  for (ssize_t got; (got = ::recv(ends[1], block.data(), block.size(), 0)) > 0;) {
    c.got.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[1]);
  CHECK(count.open == 0);
  return c;
}

struct talk_case {
  std::string_view says;
  std::string_view sent;
  std::string_view seen;
  std::string_view got;
};

const talk_case talk_cases[] = {
    {"one request", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a;", "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]"},
    {"several on one connection, all sent at once",
     "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a;GET /b;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/b]"},
    {"content, then another request",
     "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
     "POST /aabc;GET /b;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/b]"},
    {"chunks, then another request",
     "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: "
     "h\r\n\r\n",
     "POST /aabc;GET /b;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/b]"},
    {"HEAD gets no content", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /a;GET /b;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/b]"},
    {"content of unknown length comes in chunks", "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", "GET /stream;",
     "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n[/stream]\r\n0\r\n\r\n"},
    {"or until the end, for HTTP/1.0", "GET /stream HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n", "GET /stream;",
     "HTTP/1.1 200 R\r\nConnection: close\r\n\r\n[/stream]"},
    {"close ends the connection: nothing behind is served",
     "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[/a]"},
    {"HTTP/1.0 ends it too", "GET /a HTTP/1.0\r\n\r\n", "GET /a;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[/a]"},
    {"unless it was asked not to", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
     "GET /a;GET /b;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n[/a]"
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[/b]"},
    {"a head that breaks the rules is refused, and nothing behind it is served",
     "GET /a HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", "400;",
     "HTTP/1.1 400 R\r\n"},
    {"a HEAD that is refused gets no content either", "HEAD /a HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", "400;",
     "HTTP/1.1 400 R\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"},
    {"nor one whose head has no end", "\r\nHEAD /a HTTP/1.1\nHost: h\r\n\r\n", "400;",
     "HTTP/1.1 400 R\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"},
    {"both framings at once are refused (request smuggling)",
     "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400;",
     "HTTP/1.1 400 R\r\n"},
    {"a connection that breaks off within a head", "GET /a HTTP/1.1\r\nHo", "", ""},
    {"or within content", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", "POST /aabc!closed;",
     "HTTP/1.1 200 R\r\n"},
    {"nothing at all", "", "", ""},
    {"empty lines before a request", "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]"},
    {"an empty line behind one", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\n", "GET /a;",
     "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]"},
};

TEST_CASE("http1 downstream: what a handler sees and a client gets, however the bytes were cut") {
  for (const talk_case& row : talk_cases) {
    for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
      CAPTURE(row.says);
      CAPTURE(piece_bytes);
      listener_options options;
      options.half_close = true;  // the client ends its sending first
      const conversation c = talk(row.sent, piece_bytes, true, options);
      CHECK(c.seen == row.seen);
      const bool whole = row.got.ends_with(']') || row.got.ends_with("\r\n\r\n") || row.got.empty();
      CHECK((whole ? c.got == row.got : c.got.starts_with(row.got)));
    }
  }
}

TEST_CASE("http1 downstream: a client that has two hundred requests here gets its answers, and not the whole stack") {
  std::string sent;
  for (int i = 0; i < 200; ++i) sent += "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
  listener_options options;
  options.half_close = true;
  const conversation c = talk(sent, sent.size(), true, options);
  std::size_t answers = 0;
  for (std::size_t at = c.got.find("HTTP/1.1 200"); at != std::string::npos; at = c.got.find("HTTP/1.1 200", at + 1)) {
    ++answers;
  }
  CHECK(answers == 200);
}

TEST_CASE("http1 downstream: content that nobody reads is not taken for the next request") {
  const conversation c =
      talk("POST /leave HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n",
           100'000, true, {});
  CHECK(c.seen == "POST /leave;");
  CHECK(c.got.find("Connection: close\r\n") != std::string::npos);
  CHECK(c.got.find("smuggled") == std::string::npos);
}

TEST_CASE("http1 downstream: nothing is served behind an answer that was cut") {
  const conversation c =
      talk("GET /cut HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", 100'000, false, {});
  CHECK(c.seen == "GET /cut;");
}

TEST_CASE("http1 downstream: a head that does not come in time is answered 408 once a byte of it has come") {
  listener_options options;
  options.header_timeout = 1ms;
  options.keep_alive_timeout = 1ms;
  const conversation half = talk("GET /a HT", 100'000, false, options);
  CHECK(half.seen == "408;");
  CHECK(half.got.starts_with("HTTP/1.1 408 R\r\n"));
  const conversation half_head = talk("HEAD /a HT", 100'000, false, options);
  CHECK(half_head.got.ends_with("\r\n\r\n"));
  for (const std::string_view empty_lines : {"\r\n", "\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\n"}) {
    CAPTURE(empty_lines);
    const conversation silent = talk(empty_lines, 100'000, false, options);
    CHECK(silent.got.find("408") == std::string::npos);  // a client that pools would take it for its next answer
  }
  const conversation nothing = talk("", 100'000, false, options);
  CHECK(nothing.seen == "");
  CHECK(nothing.got == "");
  const conversation idle = talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 100'000, false, options);
  CHECK(idle.seen == "GET /a;");
  CHECK(idle.got.ends_with("[/a]"));
}

}  // namespace
}  // namespace cellroute::edge
