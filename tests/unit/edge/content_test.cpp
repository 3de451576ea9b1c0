#include "adapters/edge/content.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/socket_pair.hpp"

namespace cellroute::edge {
namespace {

using http1::body_framing;
using support::socket_pair;
using support::started;

constexpr std::string_view behind = "GET /next HTTP/1.1\r\n\r\n";

/// Content as it was read, to its end or to a fault.
struct read_content {
  std::string text;
  stream_fault fault = stream_fault::none;
  bool end = false;
};

io::task<int> read_all(content_reader& from, time_point deadline, read_content& into) {
  for (;;) {
    const body_piece piece = co_await from.read(deadline);
    into.text.append(piece.data, piece.size_bytes);
    into.fault = piece.fault;
    into.end = piece.end;
    if (piece.end || piece.fault != stream_fault::none) co_return 1;
  }
}

/// Both rooms around a piece belong to whoever has it: what lies behind the content must be free.
void check_rooms(const body_piece& piece, const input_bytes& input) {
  if (input.is_empty()) return;
  CHECK(piece.data + piece.size_bytes + piece.tailroom_bytes <= input.unread().data());
}

struct reading_case {
  std::string_view says;
  body_framing framing;
  std::uint64_t length_bytes;
  std::string_view sent;
  std::string_view expected;
  stream_fault fault = stream_fault::none;
};

const reading_case whole_contents[] = {
    {"no content", body_framing::none, 0, "", ""},
    {"a length of nothing", body_framing::length, 0, "", ""},
    {"a length", body_framing::length, 5, "hello", "hello"},
    {"a length of one", body_framing::length, 1, "x", "x"},
    {"one chunk", body_framing::chunked, 0, "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"several chunks", body_framing::chunked, 0, "1\r\na\r\n2;x=\"y\"\r\nbc\r\nA\r\n0123456789\r\n0\r\n\r\n",
     "abc0123456789"},
    {"no chunk but the last", body_framing::chunked, 0, "0\r\n\r\n", ""},
    {"trailers", body_framing::chunked, 0, "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "abc"},
};

const reading_case broken_contents[] = {
    {"chunks: a size that is none", body_framing::chunked, 0, "5\r\nhello\r\nxyz\r\n", "hello",
     stream_fault::malformed},
    {"chunks: data longer than its size", body_framing::chunked, 0, "2\r\nabc\r\n", "ab", stream_fault::malformed},
    {"chunks: a bare line feed", body_framing::chunked, 0, "2\nab", "", stream_fault::malformed},
    {"length: the peer ends too early", body_framing::length, 6, "hello", "hello", stream_fault::closed},
    {"chunks: the peer ends too early", body_framing::chunked, 0, "5\r\nhel", "hel", stream_fault::closed},
    {"chunks: the peer ends before the last chunk", body_framing::chunked, 0, "2\r\nab\r\n", "ab",
     stream_fault::closed},
    {"chunks: the peer ends within the trailers", body_framing::chunked, 0, "0\r\nX: 1\r\n", "", stream_fault::closed},
};

/// Where a message of so many bytes is cut: nowhere, everywhere, and at each single place.
std::vector<std::vector<std::size_t>> cuts_of(std::size_t size_bytes) {
  std::vector<std::vector<std::size_t>> cuts{{}};
  std::vector<std::size_t> every;
  for (std::size_t at = 1; at < size_bytes; ++at) {
    every.push_back(at);
    cuts.push_back({at});
  }
  cuts.push_back(every);
  return cuts;
}

/// Reads `sent`, which arrives cut so; `part_with_head` bytes are there before the reader begins.
read_content read_cut(const reading_case& row, std::string_view sent, const std::vector<std::size_t>& cuts, bool ends,
                      std::string& rest) {
  io::reactor r;
  socket_pair pair(r);
  input_bytes input;
  content_reader reader(pair.ours, input);
  reader.begin(row.framing, row.length_bytes);
  read_content got;
  const started<int> reading(read_all(reader, time_point::max(), got));
  std::size_t at = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : sent.size();
    pair.peer_writes(sent.substr(at, end - at));
    if (ends && i == cuts.size()) pair.peer_ends();
    at = end;
    ends&& i == cuts.size() ? pair.peer_hangs_up() : pair.becomes_readable();
  }
  CHECK(reading.result.has_value());
  CHECK(reader.is_complete() == got.end);
  rest = std::string(input.unread());
  return got;
}

TEST_CASE("content reader: every framing, however the bytes were cut, and not a byte of the next message") {
  for (const reading_case& row : whole_contents) {
    CAPTURE(row.says);
    for (const bool more_behind : {false, true}) {
      const std::string sent = std::string(row.sent) + std::string(more_behind ? behind : "");
      for (const std::vector<std::size_t>& cuts : cuts_of(row.sent.size())) {
        CAPTURE(cuts.size());
        std::string rest;
        const read_content got = read_cut(row, sent, cuts, false, rest);
        REQUIRE(got.end);
        REQUIRE(got.fault == stream_fault::none);
        REQUIRE(got.text == row.expected);
        if (more_behind && !rest.empty()) REQUIRE(rest == behind);
      }
    }
  }
}

TEST_CASE("content reader: what breaks the framing, or ends too early, is no end") {
  for (const reading_case& row : broken_contents) {
    CAPTURE(row.says);
    for (const std::vector<std::size_t>& cuts : cuts_of(row.sent.size())) {
      CAPTURE(cuts.size());
      std::string rest;
      const read_content got = read_cut(row, row.sent, cuts, true, rest);
      REQUIRE_FALSE(got.end);
      REQUIRE(to_string(got.fault) == to_string(row.fault));
      REQUIRE(row.expected.starts_with(got.text));
      if (row.fault == stream_fault::closed) REQUIRE(got.text == row.expected);
    }
  }
}

TEST_CASE("content reader: content until the end of the connection ends with it") {
  const reading_case row{"until close", body_framing::until_close, 0, "all of it", "all of it"};
  for (const std::vector<std::size_t>& cuts : cuts_of(row.sent.size())) {
    std::string rest;
    const read_content got = read_cut(row, row.sent, cuts, true, rest);
    REQUIRE(got.end);
    REQUIRE(got.text == row.expected);
  }
}

TEST_CASE("content reader: take gives what came with the head, without reading, in rooms that may be written to") {
  for (const reading_case& row : whole_contents) {
    CAPTURE(row.says);
    io::reactor r;
    socket_pair pair(r);
    input_bytes input;
    const std::string head = "HEAD";
    pair.peer_writes(head + std::string(row.sent) + std::string(behind));
    REQUIRE(input.fill(pair.ours, 2048).status == io::io_status::ok);
    input.consume(head.size());
    content_reader reader(pair.ours, input);
    reader.begin(row.framing, row.length_bytes);
    std::string text;
    for (int i = 0; i < 10 && !reader.is_complete(); ++i) {
      const body_piece piece = reader.take();
      text.append(piece.data, piece.size_bytes);
      check_rooms(piece, input);
      if (piece.size_bytes != 0) CHECK(piece.headroom_bytes >= input_bytes::headroom_bytes + head.size());
      std::fill_n(piece.data - piece.headroom_bytes, piece.headroom_bytes, '<');
      std::fill_n(piece.data + piece.size_bytes, piece.tailroom_bytes, '>');
    }
    CHECK(text == row.expected);
    CHECK(input.unread() == behind);
    CHECK(reader.take().end);
  }
}

TEST_CASE("content reader: trailers are known at the end, and those that may not be passed on are marked") {
  io::reactor r;
  socket_pair pair(r);
  input_bytes input;
  content_reader reader(pair.ours, input);
  reader.begin(body_framing::chunked, 0);
  pair.peer_writes("0\r\nX-Sum: 1\r\nContent-Length: 5\r\nX-Routing-Key: forged\r\n\r\n");
  CHECK(reader.trailers().empty());
  read_content got;
  const started<int> reading(read_all(reader, time_point::max(), got));
  std::string passed_on;
  for (const field& f : reader.trailers()) {
    if (!f.skip) passed_on += std::string(f.name) + "=" + std::string(f.value);
  }
  CHECK(passed_on == "X-Sum=1");
}

TEST_CASE("content reader: a wait ends at its deadline, and when it is cancelled") {
  io::reactor r;
  socket_pair pair(r);
  input_bytes input;
  content_reader reader(pair.ours, input);
  reader.begin(body_framing::length, 10);
  pair.peer_writes("abc");
  read_content late;
  const started<int> first(read_all(reader, r.now() + 10s, late));
  r.wheel().sweep(r.now() + 10s - 1ns);
  CHECK_FALSE(first.result.has_value());
  r.wheel().sweep(r.now() + 10s + io::timer_wheel::tick);
  CHECK(to_string(late.fault) == "timed_out");
  CHECK(late.text == "abc");
  read_content cancelled;
  const started<int> second(read_all(reader, r.now() + 30s, cancelled));
  pair.ours.cancel_read();
  CHECK(to_string(cancelled.fault) == "cancelled");
}

TEST_CASE("input bytes: a waiting reader holds no block, or a small one") {
  io::reactor r;
  socket_pair pair(r);
  input_bytes input;
  CHECK(input.fill(pair.ours, 65536).status == io::io_status::would_block);
  input.shrink(r.buffers());
  CHECK(input.tailroom() == 0);
  CHECK(input.unread().empty());

  pair.peer_writes("a few bytes");
  pair.becomes_readable();
  CHECK(input.fill(pair.ours, 65536).status == io::io_status::ok);
  input.shrink(r.buffers());
  CHECK(input.unread() == "a few bytes");
  CHECK(input.tailroom() <= io::buffer_pool::class_bytes[0]);

  const std::string many(3000, 'x');
  pair.peer_writes(many);
  pair.becomes_readable();
  while (input.fill(pair.ours, 65536).status == io::io_status::ok) {
  }
  CHECK(input.unread() == "a few bytes" + many);
  input.shrink(r.buffers());
  CHECK(input.unread() == "a few bytes" + many);
}

TEST_CASE("input bytes: grows while nobody consumes, up to the largest block, and keeps every byte") {
  io::reactor r;
  socket_pair pair(r);
  input_bytes input;
  std::string sent;
  while (sent.size() < 200'000) {
    const std::string block(5000, static_cast<char>('a' + sent.size() / 5000 % 26));
    pair.peer_writes(block);
    sent += block;
    pair.becomes_readable();
    while (input.fill(pair.ours, 2048).status == io::io_status::ok) {
    }
    REQUIRE(input.unread() == sent);
  }
}

/// A piece in the middle of a block, with guards around what may be written to.
struct guarded_piece {
  guarded_piece(std::string_view text, std::size_t headroom_bytes, std::size_t tailroom_bytes, bool end)
      : block(guard_bytes + headroom_bytes + text.size() + tailroom_bytes + guard_bytes, '#') {
    std::ranges::copy(text, block.begin() + static_cast<std::ptrdiff_t>(guard_bytes + headroom_bytes));
    piece.data = block.data() + guard_bytes + headroom_bytes;
    piece.size_bytes = text.size();
    piece.headroom_bytes = headroom_bytes;
    piece.tailroom_bytes = tailroom_bytes;
    piece.end = end;
  }
  [[nodiscard]] bool is_intact() const {
    const std::string guard(guard_bytes, '#');
    return block.starts_with(guard) && block.ends_with(guard);
  }
  static constexpr std::size_t guard_bytes = 64;
  std::string block;
  body_piece piece;
};

struct writing_case {
  std::string_view says;
  body_framing framing;
  std::vector<std::string_view> pieces;  // the last one ends the message; the first goes with the head
  std::string_view trailer;
  std::string_view expected;
};

const writing_case writing_cases[] = {
    {"no content", body_framing::none, {""}, "", "HEAD\r\n\r\n"},
    {"a length, with the head", body_framing::length, {"hello"}, "", "HEAD\r\n\r\nhello"},
    {"a length, in pieces", body_framing::length, {"he", "llo"}, "", "HEAD\r\n\r\nhello"},
    {"a length, nothing with the head", body_framing::length, {"", "hello"}, "", "HEAD\r\n\r\nhello"},
    {"one chunk", body_framing::chunked, {"hello"}, "", "HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"chunks", body_framing::chunked, {"he", "llo"}, "", "HEAD\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
    {"an empty piece is no last chunk",
     body_framing::chunked,
     {"he", "", "llo"},
     "",
     "HEAD\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
    {"an end without content", body_framing::chunked, {"he", ""}, "", "HEAD\r\n\r\n2\r\nhe\r\n0\r\n\r\n"},
    {"nothing but an end", body_framing::chunked, {""}, "", "HEAD\r\n\r\n0\r\n\r\n"},
    {"a size of two digits",
     body_framing::chunked,
     {"0123456789abcdefg"},
     "",
     "HEAD\r\n\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n"},
    {"trailers",
     body_framing::chunked,
     {"he", "llo"},
     "X-Sum",
     "HEAD\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"},
    {"trailers with the head", body_framing::chunked, {"he"}, "X-Sum", "HEAD\r\n\r\n2\r\nhe\r\n0\r\nX-Sum: 1\r\n\r\n"},
    {"trailers behind an empty end",
     body_framing::chunked,
     {"he", ""},
     "X-Sum",
     "HEAD\r\n\r\n2\r\nhe\r\n0\r\nX-Sum: 1\r\n\r\n"},
    {"no trailers where there is no place for them", body_framing::length, {"hello"}, "X-Sum", "HEAD\r\n\r\nhello"},
    {"until the connection ends", body_framing::until_close, {"he", "llo"}, "", "HEAD\r\n\r\nhello"},
};

/// Writes the row's message and looks at what comes of it.
void write_message(const writing_case& row, std::size_t headroom, std::size_t tailroom, bool ends_connection) {
  CAPTURE(headroom);
  CAPTURE(tailroom);
  CAPTURE(ends_connection);
  io::reactor r;
  socket_pair pair(r);
  content_writer writer(pair.ours);
  writer.begin(row.framing, ends_connection);
  const field trailer{row.trailer, "1", field_name::other, false};
  const std::span<const field> trailers(&trailer, row.trailer.empty() ? 0 : 1);
  for (std::size_t i = 0; i < row.pieces.size(); ++i) {
    const bool last = i + 1 == row.pieces.size();
    REQUIRE_FALSE(writer.is_complete());
    REQUIRE_FALSE(pair.peer_saw_end());
    guarded_piece p(row.pieces[i], headroom, tailroom, last);
    const std::span<const field> behind_piece = last ? trailers : std::span<const field>{};
    const started<stream_fault> sending(i == 0
                                            ? writer.send_head("HEAD\r\n\r\n", p.piece, behind_piece, time_point::max())
                                            : writer.send(p.piece, behind_piece, time_point::max()));
    REQUIRE(sending.result == stream_fault::none);
    REQUIRE(p.is_intact());
  }
  REQUIRE(writer.is_complete());
  REQUIRE(pair.peer_reads() == row.expected);
  // The end goes with the last bytes, not when somebody closes: those may wait for it (MSG_MORE).
  REQUIRE(pair.peer_saw_end() == (ends_connection || row.framing == body_framing::until_close));
}

TEST_CASE("content writer: the same bytes, whatever room the content leaves for its framing") {
  constexpr std::size_t headrooms[] = {0, 1, 2, 3, 4, 10, 11, 12, 13, 64};
  constexpr std::size_t tailrooms[] = {0, 1, 2, 3, 6, 7, 8, 32};
  for (const writing_case& row : writing_cases) {
    CAPTURE(row.says);
    for (const std::size_t headroom : headrooms) {
      for (const std::size_t tailroom : tailrooms) {
        for (const bool ends_connection : {false, true}) write_message(row, headroom, tailroom, ends_connection);
      }
    }
  }
}

TEST_CASE("content writer: waits for a slow peer, and loses nothing") {
  for (const body_framing framing : {body_framing::length, body_framing::chunked}) {
    io::reactor r;
    socket_pair pair(r);
    pair.make_narrow();
    content_writer writer(pair.ours);
    writer.begin(framing);
    std::string text;
    for (int i = 0; text.size() < 100'000; ++i) text += std::to_string(i) + " ";
    guarded_piece p(text, 0, 0, true);
    const started<stream_fault> sending(writer.send_head("HEAD\r\n\r\n", p.piece, {}, time_point::max()));
    CHECK_FALSE(sending.result.has_value());
    CHECK_FALSE(writer.is_complete());
    std::string got;
    for (int i = 0; i < 10'000 && !sending.result; ++i) {
      got += pair.peer_reads();
      pair.becomes_writable();
    }
    got += pair.peer_reads();
    REQUIRE(sending.result == stream_fault::none);
    const std::size_t body = got.find("0 1 2 3");
    REQUIRE(body != std::string::npos);
    CHECK(got.substr(body, text.size()) == text);
    CHECK(writer.is_complete());
  }
}

TEST_CASE("content writer: how a send ends that cannot go on") {
  struct end_case {
    std::string_view says;
    std::string_view what;
    std::string_view expected;
  };
  const end_case cases[] = {
      {"the peer takes nothing until the deadline", "late", "timed_out"},
      {"this side gives up", "cancel", "cancelled"},
      {"the peer has gone", "close", "closed"},
  };
  for (const end_case& row : cases) {
    CAPTURE(row.says);
    io::reactor r;
    socket_pair pair(r);
    pair.make_narrow();
    content_writer writer(pair.ours);
    writer.begin(body_framing::length);
    guarded_piece p(std::string(100'000, 'x'), 0, 0, true);
    const started<stream_fault> sending(writer.send(p.piece, {}, r.now() + 1s));
    CHECK_FALSE(sending.result.has_value());
    if (row.what == "late") r.wheel().sweep(r.now() + 1s + io::timer_wheel::tick);
    if (row.what == "cancel") pair.ours.cancel();
    if (row.what == "close") {
      pair.close_peer();
      pair.breaks();
    }
    REQUIRE(sending.result.has_value());
    CHECK(to_string(*sending.result) == row.expected);
    CHECK_FALSE(writer.is_complete());
  }
}

TEST_CASE("field storage: aligned room behind the text, for exactly as many fields as were asked for") {
  io::buffer_pool pool;
  for (const std::size_t used_bytes : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
    io::buffer block = pool.take(field_storage_bytes(used_bytes, 40));
    const std::span<field> fields = field_storage(block, used_bytes, 40);
    REQUIRE(fields.size() == 40);
    const auto* const begin = static_cast<const void*>(fields.data());
    const auto* const end = static_cast<const void*>(fields.data() + fields.size());
    CHECK(begin >= static_cast<const void*>(block.data() + used_bytes));
    CHECK(end <= static_cast<const void*>(block.data() + block.size()));
    for (const field& f : fields) CHECK(f.name.empty());
  }
}

}  // namespace
}  // namespace cellroute::edge
