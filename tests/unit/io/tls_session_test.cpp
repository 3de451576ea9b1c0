// TLS behind a socket's calls: bytes, edges and ends.
#include "adapters/io/tls_session.hpp"

#include <doctest/doctest.h>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "tests/unit/io/tls_conversation.hpp"

namespace cellroute::io {
namespace {

TEST_CASE("tls: a handshake, and text both ways, in whatever fragments; what both agreed on is known then") {
  for (const bool we_accept : {true, false}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      for (const std::size_t fragment_bytes : {std::size_t{1}, std::size_t{7}, whole}) {
        CAPTURE(we_accept);
        CAPTURE(version);
        CAPTURE(fragment_bytes);
        const tls_context context = we_accept ? server_context() : client_context();
        conversation c(we_accept);
        SSL_CTX_set_max_proto_version(c.peer.context(), version);
        if (we_accept) {
          c.peer.ask_for("server.test");
          c.accept(context);
        } else {
          c.connect(context, {"server.test"});
        }
        c.run(fragment_bytes);
        CHECK(c.fault() == "none");
        CHECK(c.peer_done);
        REQUIRE(c.pair.ours.is_secure());
        CHECK(c.pair.ours.tls()->version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
        CHECK_FALSE(c.pair.ours.tls()->cipher().empty());
        CHECK(c.pair.ours.tls()->server_name() == "server.test");
        CHECK(c.pair.ours.tls()->protocol() == "");
        CHECK_FALSE(c.pair.ours.tls()->is_resumed());

        CHECK(c.peer.write("question"));
        CHECK(read_all(c.pair.ours) == "|would_block");
        c.run(fragment_bytes);
        CHECK(read_all(c.pair.ours) == "question|would_block");
        CHECK(written(c.pair.ours, "answer") == "ok");
        c.run(fragment_bytes);
        CHECK(c.peer.read() == "answer");
      }
    }
  }
}

TEST_CASE("tls: what is decrypted and not yet given is there, although no edge comes for it") {
  conversation c;
  c.accept(server_context());
  c.settle();
  CHECK(read_all(c.pair.ours) == "|would_block");
  CHECK_FALSE(c.pair.ours.has_unread());
  CHECK_FALSE(c.pair.ours.has_news());
  const started<io_status> first(c.pair.ours.readable());
  CHECK_FALSE(first.result.has_value());

  CHECK(c.peer.write("hello world"));
  c.run();
  CHECK(first.result == io_status::ok);
  std::array<char, 5> some{};
  CHECK(c.pair.ours.try_read(some).size_bytes == 5);
  CHECK(c.pair.ours.has_unread());
  const started<io_status> second(c.pair.ours.readable());
  CHECK(second.result == io_status::ok);
  CHECK(read_all(c.pair.ours) == " world|would_block");
  CHECK_FALSE(c.pair.ours.has_unread());
  const started<io_status> third(c.pair.ours.readable());
  CHECK_FALSE(third.result.has_value());
  c.pair.ours.cancel();
}

TEST_CASE("tls: a message that was read whole needs no second look at the kernel") {
  conversation c;
  c.accept(server_context());
  c.settle();
  CHECK(read_all(c.pair.ours) == "|would_block");
  CHECK(c.peer.write("hello"));
  c.run();
  std::array<char, 64> block{};
  CHECK(c.pair.ours.try_read(block).size_bytes == 5);
  const started<io_status> wait(c.pair.ours.readable());
  CHECK_FALSE(wait.result.has_value());
  c.pair.ours.cancel();
}

TEST_CASE("tls: a part of a record is no news; its reader waits and does not spin") {
  conversation c;
  c.accept(server_context());
  c.settle();
  CHECK(c.peer.write("hello"));
  c.peer.move_out(9);
  c.pair.becomes_readable();
  CHECK_FALSE(c.pair.ours.has_unread());
  CHECK(read_all(c.pair.ours) == "|would_block");
  const started<io_status> wait(c.pair.ours.readable());
  CHECK_FALSE(wait.result.has_value());
  c.run();
  CHECK(wait.result == io_status::ok);
  CHECK(read_all(c.pair.ours) == "hello|would_block");
}

TEST_CASE("tls: has_news_now asks the kernel, whatever the edges said") {
  conversation c;
  c.accept(server_context());
  c.settle();
  CHECK(read_all(c.pair.ours) == "|would_block");
  CHECK_FALSE(c.pair.ours.has_news_now());
  CHECK(c.peer.write("x"));
  c.peer.move_out();
  CHECK_FALSE(c.pair.ours.has_unread());  // no edge has come
  CHECK(c.pair.ours.has_news_now());
  CHECK(read_all(c.pair.ours) == "x|would_block");
}

TEST_CASE("tls: an end counts only where the peer has announced it") {
  struct end_case {
    std::string_view says;
    bool announced;
    bool cut;  // in the middle of a record
    std::string_view expected;
  };
  const end_case cases[] = {
      {"announced", true, false, "all|end"},
      {"the connection just ends: it may have been cut", false, false, "all|reset"},
      {"within a record", false, true, "|reset"},
  };
  for (const end_case& row : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      CAPTURE(row.says);
      CAPTURE(version);
      conversation c;
      SSL_CTX_set_max_proto_version(c.peer.context(), version);
      c.accept(server_context());
      c.settle();
      CHECK(c.peer.write("all"));
      if (row.announced) c.peer.end();
      c.peer.move_out(row.cut ? 10 : whole);
      c.pair.peer_ends();
      c.pair.peer_hangs_up();
      CHECK(read_all(c.pair.ours) == row.expected);
      CHECK(read_all(c.pair.ours) == row.expected.substr(row.expected.find('|')));
      CHECK(c.pair.ours.has_unread());
      CHECK(c.pair.ours.peer_closed());
      CHECK(c.pair.ours.tls()->outcome().fault == (row.announced ? tls_fault::none : tls_fault::closed));
      CHECK(c.pair.ours.tls()->outcome().details == (row.announced ? "" : "unexpected eof while reading"));
    }
  }
}

TEST_CASE("tls: each way ends by itself") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    conversation c;
    SSL_CTX_set_max_proto_version(c.peer.context(), version);
    c.accept(server_context());
    c.settle();
    SUBCASE("ours first") {
      CHECK(written(c.pair.ours, "last") == "ok");
      c.pair.ours.shutdown_send();
      CHECK_FALSE(c.pair.ours.is_sending_end());
      c.peer.move_in();
      CHECK(c.peer.read() == "last");
      CHECK(c.peer.saw_end());
      CHECK_FALSE(c.peer.move_in());
      CHECK(c.peer.connection_ended());
      CHECK(c.peer.write("still"));
      c.run();
      CHECK(read_all(c.pair.ours) == "still|would_block");
      CHECK(c.peer.write("here"));
      c.run();
      c.pair.ours.shutdown_send();  // once more changes nothing, and reads nothing
      CHECK(read_all(c.pair.ours) == "here|would_block");
    }
    SUBCASE("the peer's first") {
      c.peer.end();
      c.peer.move_out();
      c.pair.peer_ends();
      c.pair.peer_hangs_up();
      CHECK(read_all(c.pair.ours) == "|end");
      CHECK(written(c.pair.ours, "still") == "ok");
      c.peer.move_in();
      CHECK(c.peer.read() == "still");
    }
  }
}

TEST_CASE("tls: an end that the kernel has no room for is sent as soon as there is some") {
  conversation c;
  c.accept(server_context());
  c.settle();
  c.pair.make_narrow();
  CHECK(written(c.pair.ours, "last words") == "ok");
  int record_bytes = 0;
  REQUIRE(::ioctl(c.pair.peer_descriptor(), FIONREAD, &record_bytes) == 0);
  while (::send(c.pair.ours.descriptor(), "filling", 7, MSG_NOSIGNAL) > 0) {
  }
  c.pair.ours.shutdown_send();
  CHECK(c.pair.ours.is_sending_end());
  const started<io_status> waiting(c.pair.ours.writable());
  CHECK_FALSE(waiting.result.has_value());

  c.peer.move_in(static_cast<std::size_t>(record_bytes));
  CHECK(c.peer.read() == "last words");
  CHECK(c.pair.peer_reads().starts_with("filling"));
  CHECK_FALSE(c.peer.saw_end());
  c.pair.becomes_writable();
  CHECK_FALSE(c.pair.ours.is_sending_end());
  CHECK(waiting.result == io_status::ok);
  c.peer.move_in();
  CHECK(c.peer.read() == "");
  CHECK(c.peer.saw_end());
  CHECK_FALSE(c.peer.move_in());
  CHECK(c.peer.connection_ended());
}

TEST_CASE("tls: writing to a peer that has gone is a reset, and no signal") {
  conversation c;
  c.accept(server_context());
  c.settle();
  c.pair.close_peer();
  CHECK(written(c.pair.ours, "x") == "reset");
  CHECK(written(c.pair.ours, "x") == "reset");
}

TEST_CASE("tls: a writer that finds no room in a handshake waits for room, and not for bytes") {
  conversation c;
  const std::string block(4096, 'x');
  c.pair.make_narrow();
  c.pair.make_narrow();
  std::size_t filled_bytes = 0;
  for (io_result last; (last = c.pair.ours.try_write(block)).status == io_status::ok;) filled_bytes += last.size_bytes;
  c.connect(client_context(), {"server.test"});
  CHECK(c.fault() == "waits");
  c.pair.becomes_readable();
  CHECK(c.fault() == "waits");
  CHECK(c.pair.peer_reads().size() == filled_bytes);
  c.pair.becomes_writable();
  CHECK(c.pair.peer_reads().starts_with('\x16'));  // the ClientHello has left now
  c.pair.ours.cancel();
}

TEST_CASE("tls: nobody negotiates anew, whichever side asks") {
  for (const bool we_accept : {true, false}) {
    CAPTURE(we_accept);
    const tls_context context = we_accept ? server_context() : client_context();
    conversation c(we_accept);
    SSL_CTX_set_max_proto_version(c.peer.context(), TLS1_2_VERSION);
    we_accept ? c.accept(context) : c.connect(context, {"server.test"});
    c.settle();
    CHECK(SSL_renegotiate(c.peer.ssl()) == 1);
    (void)c.peer.shake_hands();
    c.run();
    CHECK(read_all(c.pair.ours) == "|would_block");
    c.run();
    (void)c.peer.read();
    CHECK(c.peer.error() == "no renegotiation");
  }
}

TEST_CASE("tls: what did not fit may be offered again from another place, with more behind it") {
  conversation c;
  c.accept(server_context());
  c.settle();
  c.pair.make_narrow();
  std::size_t sent_bytes = 0;
  std::string text(1000, 'x');
  for (io_result last; (last = c.pair.ours.try_write(text)).status == io_status::ok;) sent_bytes += last.size_bytes;
  std::string elsewhere = text + "more";
  text.assign(1000, '!');
  std::string got;
  for (int turn = 0; turn < 100 && !elsewhere.empty(); ++turn) {
    c.peer.move_in();
    got += c.peer.read();
    c.pair.becomes_writable();
    const io_result sent = c.pair.ours.try_write(elsewhere);
    REQUIRE((sent.status == io_status::ok || sent.status == io_status::would_block));
    elsewhere.erase(0, sent.size_bytes);
  }
  c.peer.move_in();
  got += c.peer.read();
  CHECK(got == std::string(sent_bytes + 1000, 'x') + "more");
}

TEST_CASE("tls: new keys, asked for by the peer, change nothing else (RFC 8446 section 4.6.3)") {
  conversation c;
  c.accept(server_context());
  c.settle();
  CHECK(SSL_key_update(c.peer.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  CHECK(c.peer.write("after"));
  c.run();
  CHECK(read_all(c.pair.ours) == "after|would_block");
  CHECK(written(c.pair.ours, "answer") == "ok");
  c.run();
  CHECK(c.peer.read() == "answer");
}

TEST_CASE("tls: a write that has to read first goes on when the bytes have come, whoever reads them") {
  // A ticket that holds a client's certificate is longer than a record of 512 bytes: half of it may be here.
  for (const bool reader_waits : {false, true}) {
    CAPTURE(reader_waits);
    conversation c(false);
    c.peer.trust(folder().authority_file());
    SSL_CTX_set_max_send_fragment(c.peer.context(), 512);
    tls_client_options options;
    options.cert_file = folder().certificate_file("client");
    options.key_file = folder().key_file("client");
    const tls_context context = client_context(options);
    c.connect(context, {"server.test"});
    while (c.fault() == "waits") {
      (void)c.peer.shake_hands();
      if (c.peer.move()) c.pair.ours.on_events(EPOLLIN | EPOLLOUT);
    }
    REQUIRE(c.fault() == "none");
    c.peer.move_in();
    CHECK(c.peer.shake_hands());
    REQUIRE(c.peer.unsent_bytes() > 700);
    c.peer.move_out(600);
    c.pair.becomes_readable();
    CHECK(read_all(c.pair.ours) == "|would_block");
    CHECK(written(c.pair.ours, "text") == "would_block");
    const started<io_status> writer(c.pair.ours.writable());
    CHECK_FALSE(writer.result.has_value());
    std::optional<started<io_status>> reader;
    if (reader_waits) reader.emplace(c.pair.ours.readable());
    c.pair.becomes_writable();
    CHECK_FALSE(writer.result.has_value());  // not what it waits for
    c.peer.move_out();
    c.pair.becomes_readable();
    CHECK(writer.result == io_status::ok);
    if (reader_waits) CHECK(reader->result == io_status::ok);
    CHECK(written(c.pair.ours, "text") == "ok");
    c.peer.move_in();
    CHECK(c.peer.read() == "text");
  }
}

TEST_CASE("tls: a writer that has to read is woken by a reader who read without waiting") {
  conversation c(false);
  c.peer.trust(folder().authority_file());
  SSL_CTX_set_max_send_fragment(c.peer.context(), 512);
  tls_client_options options;
  options.cert_file = folder().certificate_file("client");
  options.key_file = folder().key_file("client");
  const tls_context context = client_context(options);
  c.connect(context, {"server.test"});
  while (c.fault() == "waits") {
    (void)c.peer.shake_hands();
    if (c.peer.move()) c.pair.ours.on_events(EPOLLIN | EPOLLOUT);
  }
  c.peer.move_in();
  CHECK(c.peer.shake_hands());
  c.peer.move_out(600);
  c.pair.becomes_readable();
  CHECK(read_all(c.pair.ours) == "|would_block");
  CHECK(written(c.pair.ours, "text") == "would_block");
  const started<io_status> writer(c.pair.ours.writable());
  CHECK(c.peer.write("news"));
  c.peer.move_out();
  CHECK_FALSE(writer.result.has_value());
  CHECK(c.pair.ours.has_news_now());  // read without an edge
  CHECK(read_all(c.pair.ours) == "news|would_block");
  const started<io_status> reader(c.pair.ours.readable());
  CHECK(writer.result == io_status::ok);
  c.pair.ours.cancel();
}

}  // namespace
}  // namespace cellroute::io
