// A client's connection to a listener with TLS, from its first byte to its end. The client is OpenSSL on its own.
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/edge/http1_downstream.hpp"
#include "adapters/edge/listener.hpp"
#include "adapters/io/clock.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/tls_peer.hpp"

namespace cellroute::edge {
namespace {

using support::certificate_folder;
using support::tls_peer;

constexpr std::size_t whole = 1'000'000;

struct stocked_folder : certificate_folder {
  stocked_folder() {
    add("server", {.subject = "server", .alternative_names = "DNS:server.test"});
    add("client", {.subject = "router-7", .alternative_names = "URI:spiffe://cells/router-7"});
  }
};

const stocked_folder& folder() {
  static const stocked_folder made;
  return made;
}

io::tls_context server_context(io::client_auth clients = io::client_auth::off) {
  io::tls_server_options options;
  options.certificates.push_back({{}, folder().certificate_file("server"), folder().key_file("server")});
  options.protocols = {listener_protocols.begin(), listener_protocols.end()};
  options.clients = clients;
  if (clients != io::client_auth::off) options.client_ca_file = folder().authority_file();
  auto made = io::make_tls_server(options, io::read_wall_clock());
  REQUIRE(made.has_value());
  return *std::move(made);
}

/// Answers with what it was asked, how, and by whom; `/big` with a megabyte more, `/cut` stops in the middle.
struct secure_echo final : exchange_handler {
  io::task<void> serve(exchange& x) override {
    seen += x.refused.status != 0 ? std::to_string(x.refused.status) + " " + std::string(x.refused.details)
                                  : std::string(x.request.method) + " " + std::string(x.request.target);
    if (x.facts.secure) seen += " " + std::string(x.request.scheme);
    if (x.facts.client != nullptr) seen += " by " + x.facts.client->subject + " " + x.facts.client->uris.at(0);
    x.welcome_pipes(true);
    takes_pipes = x.takes_pipes();
    std::size_t content_bytes = 0;
    body_piece piece = x.first_body();
    while (x.refused.status == 0 && piece.fault == stream_fault::none) {
      CHECK(piece.pipe == nullptr);
      content_bytes += piece.size_bytes;
      if (piece.end) break;
      piece = co_await x.read_body(time_point::max());
    }
    if (content_bytes != 0) seen += " +" + std::to_string(content_bytes);
    if (piece.fault != stream_fault::none) seen += " !" + std::string(to_string(piece.fault));
    seen += ";";
    std::string text = "[" + std::string(x.request.target) + "]";
    if (x.request.target == "/big") text.append(whole, 'b');
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
  bool takes_pipes = true;
};

struct telling_observer final : listener_observer {
  explicit telling_observer(io::reactor& r) : reactor(r) {}
  void on_opened(std::uint16_t) override {}
  void on_closed(std::uint16_t) override { reactor.stop(); }
  void on_dropped(std::uint16_t, drop_reason) override {}
  void on_handshake(std::uint16_t, const io::tls_outcome& outcome) override {
    handshakes += std::string(io::to_string(outcome.fault)) + ";";
  }
  io::reactor& reactor;
  std::string handshakes;
};

/// What a client does besides its handshake.
struct client_script {
  std::string sent{};
  std::size_t fragment_bytes = whole;
  bool ends = false;  ///< announces its end behind what it sent
  bool cuts = false;  ///< ends the connection there, announced or not
  bool shows_certificate = false;
  std::string protocol{};                  ///< that ALPN names; none: no ALPN
  bool plain = false;                      ///< speaks no TLS at all
  bool silent = false;                     ///< does not even begin
  void (*meanwhile)(listener&) = nullptr;  ///< called once an answer has come
  std::string later{};                     ///< sent after that
};

struct told {
  std::string seen;        ///< by the handler
  std::string handshakes;  ///< by the observer
  std::string got;         ///< by the client, decrypted
  bool saw_end = false;    ///< announced
  bool takes_pipes = false;
};

/// One turn of a client; it comes again until the connection is over.
struct client_turn {
  io::reactor* reactor;
  tls_peer* peer;
  const client_script* script;
  listener* of;
  told* out;
  int descriptor;
  std::size_t written_bytes = 0;
  bool ended = false;
  bool meanwhile_done = false;

  void operator()() {
    if (script->plain) {
      if (written_bytes == 0) written_bytes = script->sent.size();
      if (!std::exchange(ended, true)) {
        CHECK(::send(descriptor, script->sent.data(), script->sent.size(), MSG_NOSIGNAL) > 0);
        if (script->cuts) (void)::shutdown(descriptor, SHUT_WR);
      }
      return;
    }
    const bool shaken = peer->shake_hands();
    if (shaken && written_bytes < script->sent.size()) {
      const std::string_view rest = std::string_view(script->sent).substr(written_bytes, script->fragment_bytes);
      if (peer->write(rest)) written_bytes += rest.size();
    }
    if (shaken && written_bytes == script->sent.size() && script->ends && !ended) peer->end();
    (void)peer->move(script->fragment_bytes);
    if (shaken && written_bytes == script->sent.size() && peer->unsent_bytes() == 0 && !std::exchange(ended, true) &&
        script->cuts) {
      (void)::shutdown(descriptor, SHUT_WR);
    }
    if (shaken) out->got += peer->read();
    if (!out->got.empty() && script->meanwhile != nullptr && !std::exchange(meanwhile_done, true)) {
      script->meanwhile(*of);
      if (!script->later.empty()) CHECK(peer->write(script->later));
    }
    reactor->post(*this);
  }
};

told talk(const client_script& script, listener_options options) {
  io::reactor r;
  secure_echo handler;
  telling_observer observer(r);
  connection_count count;
  count.open = 1;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  tls_peer peer = tls_peer::client(ends[1]);
  peer.trust(folder().authority_file());
  if (!script.protocol.empty()) {
    const std::string offer = static_cast<char>(script.protocol.size()) + script.protocol;
    const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(offer.data()));
    REQUIRE(SSL_CTX_set_alpn_protos(peer.context(), bytes, static_cast<unsigned>(offer.size())) == 0);
  }
  if (script.shows_certificate) peer.show(folder().certificate_file("client"), folder().key_file("client"));
  told out;
  {
    listener owner(r, options, handler, observer, count);
    if (!script.silent) r.post(client_turn{&r, &peer, &script, &owner, &out, ends[1]});
    r.spawn(http1_connection::serve(owner, io::accepted{ends[0], {}}));
    r.run();
  }
  if (script.plain) {
    std::array<char, 4096> block;
    for (ssize_t got; (got = ::recv(ends[1], block.data(), block.size(), 0)) > 0;) {
      out.got.append(block.data(), static_cast<std::size_t>(got));
    }
  } else {
    while (peer.move_in()) out.got += peer.read();
    out.got += peer.read();
    out.saw_end = peer.saw_end();
  }
  ::close(ends[1]);
  out.seen = handler.seen;
  out.handshakes = observer.handshakes;
  out.takes_pipes = handler.takes_pipes;
  return out;
}

listener_options secure_options(io::client_auth clients = io::client_auth::off) {
  listener_options options;
  options.tls = server_context(clients);
  options.half_close = true;
  options.linger_timeout = 100ms;
  return options;
}

const std::string answer = "HTTP/1.1 200 R\r\nContent-Length: 4\r\n\r\n[/a]";

TEST_CASE("http1 over tls: what a handler sees and a client gets, however the bytes were cut") {
  struct talk_case {
    std::string_view says;
    std::string sent;
    std::string_view seen;
    std::string got;
  };
  const std::vector<talk_case> cases = {
      {"one request", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a https;", answer},
      {"a target that says otherwise changes nothing", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a https;",
       answer},
      {"several on one connection",
       "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
       "GET /a https;POST /a https +3;", answer + answer},
      {"an answer that ends with the connection", "GET /stream HTTP/1.0\r\n\r\n", "GET /stream https;",
       "HTTP/1.1 200 R\r\nConnection: close\r\n\r\n[/stream]"},
      {"a head that breaks the rules", "GET /a HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", "400 ", ""},
      {"nothing at all", "", "", ""},
  };
  for (const talk_case& row : cases) {
    for (const std::size_t fragment_bytes : {std::size_t{7}, std::size_t{100}, whole}) {
      CAPTURE(row.says);
      CAPTURE(fragment_bytes);
      const told t =
          talk({.sent = row.sent, .fragment_bytes = fragment_bytes, .ends = true, .cuts = true}, secure_options());
      if (row.seen == "400 ") {
        CHECK(t.seen.starts_with("400 "));
        CHECK(t.got.starts_with("HTTP/1.1 400 R\r\n"));
      } else {
        CHECK(t.seen == row.seen);
        CHECK(t.got == row.got);
      }
      CHECK(t.handshakes == "none;");
      CHECK(t.saw_end);
    }
  }
}

TEST_CASE("http1 over tls: long content both ways comes whole, and through memory") {
  const std::string content(whole, 'c');
  const std::string length = std::to_string(content.size());
  const told t = talk({.sent = "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: " + length + "\r\n\r\n" + content,
                       .fragment_bytes = 60'000,
                       .ends = true},
                      secure_options());
  CHECK(t.seen == "POST /big https +1000000;");
  CHECK(t.got.size() == std::string_view("HTTP/1.1 200 R\r\nContent-Length: 1000006\r\n\r\n[/big]").size() + whole);
  CHECK(t.got.ends_with("bbb"));
  CHECK_FALSE(t.takes_pipes);
  CHECK(t.saw_end);
}

TEST_CASE("http1 over tls: an answer that was cut is not announced as whole") {
  const told t = talk({.sent = "GET /cut HTTP/1.1\r\nHost: h\r\n\r\n"}, secure_options());
  CHECK(t.seen == "GET /cut https;");
  CHECK_FALSE(t.saw_end);
}

TEST_CASE("http1 over tls: a client that is cut within its content has not ended it") {
  for (const bool announced : {true, false}) {
    const told t =
        talk({.sent = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", .ends = announced, .cuts = true},
             secure_options());
    CHECK(t.seen == "POST /a https +3 !closed;");
  }
}

TEST_CASE("http1 over tls: whom a client's certificate names is known to the handler") {
  const std::string sent = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const told known =
      talk({.sent = sent, .ends = true, .shows_certificate = true}, secure_options(io::client_auth::required));
  CHECK(known.seen == "GET /a https by CN=router-7 spiffe://cells/router-7;");
  const told unknown = talk({.sent = sent, .ends = true}, secure_options(io::client_auth::optional));
  CHECK(unknown.seen == "GET /a https;");
  const told refused = talk({.sent = sent}, secure_options(io::client_auth::required));
  CHECK(refused.seen == "");
  CHECK(refused.handshakes == "certificate_refused;");
}

TEST_CASE("http1 over tls: who names a protocol that is not spoken here is told, and not served") {
  const std::string sent = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string_view known : listener_protocols) {
    CHECK(talk({.sent = sent, .ends = true, .protocol = std::string(known)}, secure_options()).seen == "GET /a https;");
  }
  const told other = talk({.sent = sent, .protocol = "h2"}, secure_options());
  CHECK(other.seen == "");
  CHECK(other.handshakes == "nothing_in_common;");
}

TEST_CASE("http1 over tls: plain HTTP is answered in plain, and not served") {
  const told t = talk({.sent = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", .cuts = true, .plain = true}, secure_options());
  CHECK(t.seen == "400 this port speaks TLS; use https;");
  CHECK(t.handshakes == "malformed;");
  CHECK(t.got == "HTTP/1.1 400 R\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]");
  const told head =
      talk({.sent = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", .cuts = true, .plain = true}, secure_options());
  CHECK(head.got == "HTTP/1.1 400 R\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
}

TEST_CASE("http1 over tls: what is neither TLS nor HTTP gets an alert, and is not served") {
  const told t = talk({.sent = std::string(64, '\x01'), .cuts = true, .plain = true}, secure_options());
  CHECK(t.seen == "");
  CHECK(t.handshakes == "malformed;");
  CHECK((t.got.empty() || t.got.starts_with('\x15')));
}

TEST_CASE("http1 over tls: each wait has its time") {
  SUBCASE("for the first byte") {
    listener_options options = secure_options();
    options.header_timeout = 1ms;
    const told t = talk({.silent = true}, options);
    CHECK(t.handshakes == "");
  }
  SUBCASE("for the handshake") {
    listener_options options = secure_options();
    options.tls_timeout = 1ms;
    const told t = talk({.sent = "\x16\x03\x01", .plain = true}, options);
    CHECK(t.handshakes == "timed_out;");
    CHECK(t.got == "");
  }
  SUBCASE("for the rest of a head: it is answered") {
    listener_options options = secure_options();
    options.header_timeout = 50ms;
    const told t = talk({.sent = "GET /a HT"}, options);
    CHECK(t.seen == "408 the request head did not come in time ;");
    CHECK(t.got.starts_with("HTTP/1.1 408 R\r\n"));
    CHECK(t.saw_end);
  }
  SUBCASE("for the next request: the end is announced") {
    listener_options options = secure_options();
    options.keep_alive_timeout = 1ms;
    const told t = talk({.sent = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"}, options);
    CHECK(t.got == answer);
    CHECK(t.saw_end);
  }
}

TEST_CASE("http1 over tls: a drain ends what is idle, and announces it") {
  const told t = talk({.sent = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", .meanwhile = [](listener& of) { of.drain(); }},
                      secure_options());
  CHECK(t.got == answer);
  CHECK(t.saw_end);
}

TEST_CASE("http1 over tls: a reload leaves a connection with what it began with") {
  struct reload_case {
    std::string_view says;
    void (*reload)(listener&);
  };
  const reload_case cases[] = {
      {"another context",
       [](listener& of) {
         listener_options options = of.options();
         options.tls = server_context();
         options.keep_alive_timeout = 1ms;
         of.set_options(options);
       }},
      {"no TLS any more",
       [](listener& of) {
         listener_options options = of.options();
         options.tls = {};
         options.keep_alive_timeout = 1ms;
         of.set_options(options);
       }},
  };
  for (const reload_case& row : cases) {
    CAPTURE(row.says);
    const std::string request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    const told t = talk({.sent = request, .meanwhile = row.reload, .later = request}, secure_options());
    CHECK(t.got == answer + answer);
    CHECK(t.handshakes == "none;");
    CHECK(t.saw_end);
  }
}

}  // namespace
}  // namespace cellroute::edge
