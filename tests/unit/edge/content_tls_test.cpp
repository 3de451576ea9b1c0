// Content that ends with its connection, where somebody may have cut that.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/edge/content.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/io/tls_session.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/socket_pair.hpp"
#include "tests/support/tls_peer.hpp"

namespace cellroute::edge {
namespace {

TEST_CASE("content over tls: a stream is whole where its end was announced, and broken where it just ends") {
  struct end_case {
    std::string_view says;
    bool announced;
    bool cut_in_record;
    std::string_view text;
    bool end;
    stream_fault fault;
  };
  const end_case cases[] = {
      {"announced", true, false, "all of it", true, stream_fault::none},
      {"the connection ends", false, false, "all of it", false, stream_fault::closed},
      {"it ends within a record", false, true, "", false, stream_fault::closed},
  };
  support::certificate_folder folder;
  folder.add("server", {});
  io::tls_server_options options;
  options.certificates.push_back({{}, folder.certificate_file("server"), folder.key_file("server")});
  const auto context = io::make_tls_server(options, io::read_wall_clock());
  REQUIRE(context.has_value());
  for (const end_case& row : cases) {
    CAPTURE(row.says);
    io::reactor r;
    support::socket_pair pair(r);
    support::tls_peer peer = support::tls_peer::client(pair.peer_descriptor());
    const support::started<io::tls_outcome> accepted(io::accept_tls(pair.ours, *context, time_point::max()));
    for (int turn = 0; turn < 6; ++turn) {
      (void)peer.shake_hands();
      (void)peer.move();
      pair.ours.on_events(EPOLLIN | EPOLLOUT);
    }
    REQUIRE(accepted.result.has_value());
    input_bytes input;
    content_reader reader(pair.ours, input);
    reader.begin(http1::body_framing::until_close, 0);
    reader.welcome_pipes(true);
    CHECK(peer.write("all of it"));
    if (row.announced) peer.end();
    peer.move_out(row.cut_in_record ? 10 : 1000);
    pair.peer_ends();
    pair.peer_hangs_up();
    std::string text;
    body_piece last;
    for (int pieces = 0; pieces < 3 && !last.end && last.fault == stream_fault::none; ++pieces) {
      const support::started<body_piece> piece(reader.read(time_point::max()));
      REQUIRE(piece.result.has_value());
      last = *piece.result;
      text.append(last.data, last.size_bytes);
    }
    CHECK(text == row.text);
    CHECK(last.end == row.end);
    CHECK(last.fault == row.fault);
  }
}

}  // namespace
}  // namespace cellroute::edge
