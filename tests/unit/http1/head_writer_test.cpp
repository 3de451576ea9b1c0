#include "adapters/http1/head_writer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/unit/http1/read_heads.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

const std::string sent =
    "GET /a?b HTTP/1.1\r\n"
    "Host: a.test\r\n"
    "accept:*/*\r\n"
    "X-Empty:\r\n"
    "Connection: X-Hop\r\n"
    "X-Space: \t b  c \t\r\n"
    "X-Hop: 1\r\n"
    "X-Last: z\r\n"
    "\r\n";

struct parsed_request {
  parsed_request() : bytes(sent), storage(7) { REQUIRE(parse_request_head(bytes.view(), {}, storage, head)); }
  exact_bytes bytes;
  std::vector<field> storage;
  request_head head;
};

}  // namespace

TEST_CASE("http1 writer: fields that were not touched go out byte for byte as they came") {
  parsed_request request;
  CHECK(written(outgoing(request.head.view)) ==
        "GET /a?b HTTP/1.1\r\nHost: a.test\r\n"
        "accept:*/*\r\nX-Empty:\r\nX-Space: \t b  c \t\r\nX-Last: z\r\n\r\n");
}

TEST_CASE("http1 writer: a field that was changed goes out as it is now, in its place") {
  struct change_case {
    std::string_view says;
    std::size_t which;
    field now;
    std::string_view line;
  };
  const std::string elsewhere = "other";
  const change_case cases[] = {
      {"another value", 4, {"X-Space", elsewhere}, "X-Space: other\r\n"},
      {"another name", 4, {elsewhere, "b"}, "other: b\r\n"},
      {"no value", 4, {"X-Space", {}}, "X-Space: \r\n"},
      {"left out", 4, {"X-Space", "b", field_name::other, true}, ""},
  };
  for (const change_case& row : cases) {
    CAPTURE(row.says);
    parsed_request request;
    request.storage[row.which] = row.now;
    CHECK(written(outgoing(request.head.view)) == "GET /a?b HTTP/1.1\r\nHost: a.test\r\naccept:*/*\r\nX-Empty:\r\n" +
                                                      std::string{row.line} + "X-Last: z\r\n\r\n");
  }
}

TEST_CASE("http1 writer: a part of a value, or of a name, is not taken for its line") {
  parsed_request request;
  field& space = request.storage[4];
  REQUIRE(space.name == "X-Space");
  space.value = space.value.substr(0, 1);
  CHECK(written(outgoing(request.head.view)).find("\r\nX-Space: b\r\n") != std::string::npos);
  space = {space.name.substr(2), request.storage[4].value};
  CHECK(written(outgoing(request.head.view)).find("\r\nSpace: b\r\n") != std::string::npos);
}

TEST_CASE("http1 writer: the order of fields is the caller's") {
  parsed_request request;
  std::swap(request.storage[1], request.storage[6]);
  CHECK(written(outgoing(request.head.view)) ==
        "GET /a?b HTTP/1.1\r\nHost: a.test\r\n"
        "X-Last: z\r\nX-Empty:\r\nX-Space: \t b  c \t\r\naccept:*/*\r\n\r\n");
}

TEST_CASE("http1 writer: the lines of this hop (RFC 9110 section 7.6.1)") {
  struct line_case {
    std::string_view says;
    outgoing_request head;
    std::string_view lines;
  };
  line_case cases[] = {
      {"nothing", {}, ""},
      {"a length", {.framing = body_framing::length, .length_bytes = 5}, "Content-Length: 5\r\n"},
      {"a length of zero", {.length_bytes = 0}, "Content-Length: 0\r\n"},
      {"chunks", {.framing = body_framing::chunked}, "Transfer-Encoding: chunked\r\n"},
      {"chunks have no length",
       {.framing = body_framing::chunked, .length_bytes = 5},
       "Transfer-Encoding: chunked\r\n"},
      {"an expectation", {.expects_continue = true}, "Expect: 100-continue\r\n"},
      {"trailers are taken", {.te_trailers = true}, "TE: trailers\r\nConnection: TE\r\n"},
      {"an upgrade", {.upgrade = "websocket"}, "Upgrade: websocket\r\nConnection: Upgrade\r\n"},
      {"the last request", {.close = true}, "Connection: close\r\n"},
      {"all in one Connection",
       {.upgrade = "x", .close = true, .te_trailers = true},
       "TE: trailers\r\nUpgrade: x\r\nConnection: close, TE, Upgrade\r\n"},
      {"an upgrade that would add a line is none", {.upgrade = "x\r\nA: b"}, ""},
  };
  for (line_case& row : cases) {
    CAPTURE(row.says);
    row.head.method = "GET";
    row.head.target = "/";
    row.head.authority = "a.test";
    CHECK(written(row.head) == "GET / HTTP/1.1\r\nHost: a.test\r\n" + std::string{row.lines} + "\r\n");
  }
}

TEST_CASE("http1 writer: what is added comes behind, and can add no line") {
  const field added[] = {{"X-Cell-Key", "acme"},   {"X-Empty", ""},   {"X-Line", "a\r\nX-Evil: 1"},
                         {"X-LF", "a\nX-Evil: 1"}, {"X-CR", "a\rb"},  {"X-Nul", std::string_view{"a\0b", 3}},
                         {"X\r\nX-Evil", "1"},     {"X-Tab", "a\tb"}, {"X-Last", "\xc3\xa9"}};
  outgoing_request request{.method = "GET", .target = "/", .authority = "a.test", .added = added};
  CHECK(written(request) ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Cell-Key: acme\r\nX-Empty: \r\nX-Tab: a\tb\r\nX-Last: \xc3\xa9\r\n\r\n");
  const outgoing_response response{.status = 200, .reason = "OK", .added = added};
  CHECK(written(response) ==
        "HTTP/1.1 200 OK\r\nX-Cell-Key: acme\r\nX-Empty: \r\nX-Tab: a\tb\r\nX-Last: \xc3\xa9\r\n\r\n");
}

TEST_CASE("http1 writer: a start line that would be torn is not written") {
  const outgoing_request good{.method = "GET", .target = "/", .authority = "a.test"};
  CHECK_FALSE(written(good).empty());
  for (const std::string_view bad : {"", "G ET", "G\r\nET", "G\x01"}) {
    outgoing_request head = good;
    head.method = bad;
    CHECK(written(head).empty());
  }
  for (const std::string_view bad : {"", "/a b", "/a\r\nX: y", "/\x7f", "/a#b"}) {
    outgoing_request head = good;
    head.target = bad;
    CHECK(written(head).empty());
  }
  for (const std::string_view bad : {"a b", "a\r\nX: y"}) {
    outgoing_request head = good;
    head.authority = bad;
    CHECK(written(head).empty());
  }
  for (const int bad : {0, 99, 1000})
    CHECK(written(outgoing_response{.status = static_cast<std::uint16_t>(bad)}).empty());
  CHECK(written(outgoing_response{.status = 200, .reason = "a\r\nX: y"}) == "HTTP/1.1 200 \r\n\r\n");
}

TEST_CASE("http1 writer: responses (RFC 9112 sections 4 and 6)") {
  struct response_case {
    std::string_view says;
    outgoing_response head;
    std::string_view expected;
  };
  const response_case cases[] = {
      {"an empty reason keeps its space", {.status = 299}, "HTTP/1.1 299 \r\n\r\n"},
      {"a length",
       {.status = 200, .reason = "OK", .framing = body_framing::length, .length_bytes = 5},
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {"the length that an answer to HEAD would have",
       {.status = 200, .reason = "OK", .length_bytes = 5},
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {"chunks",
       {.status = 200, .reason = "OK", .framing = body_framing::chunked},
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"until the end of the connection",
       {.status = 200, .reason = "OK", .framing = body_framing::until_close, .close = true},
       "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
      {"to a client of HTTP/1.0 that keeps its connection",
       {.status = 200, .reason = "OK", .framing = body_framing::length, .length_bytes = 5, .keep_alive = true},
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"},
      {"204 never has a length", {.status = 204, .reason = "X", .length_bytes = 0}, "HTTP/1.1 204 X\r\n\r\n"},
      {"nor has an interim answer",
       {.status = 100, .reason = "X", .framing = body_framing::chunked},
       "HTTP/1.1 100 X\r\n\r\n"},
      {"a tunnel",
       {.status = 101, .reason = "X", .upgrade = "websocket"},
       "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
  };
  for (const response_case& row : cases) {
    CAPTURE(row.says);
    CHECK(written(row.head) == row.expected);
  }
}

TEST_CASE("http1 writer: views give the framing of the next hop") {
  const auto request_framing = [](const body_size& body) {
    request_view view;
    view.body = body;
    return outgoing(view).framing;
  };
  CHECK(request_framing({}) == body_framing::none);
  CHECK(request_framing({true, 5}) == body_framing::length);
  CHECK(request_framing({false, 0}) == body_framing::length);
  CHECK(request_framing({true, {}}) == body_framing::chunked);
  const auto response_framing = [](const body_size& body) {
    response_view view;
    view.body = body;
    return outgoing(view).framing;
  };
  CHECK(response_framing({}) == body_framing::none);
  CHECK(response_framing({true, 5}) == body_framing::length);
  CHECK(response_framing({false, 5}) == body_framing::none);
  CHECK(response_framing({true, {}}) == body_framing::chunked);
}

TEST_CASE("http1 writer: it fits exactly or not at all") {
  parsed_request request;
  const field added[] = {{"X-Cell-Key", "acme"}};
  outgoing_request head = outgoing(request.head.view);
  head.added = added;
  const std::string whole = written(head);
  CHECK(whole.size() <= size_bound(head));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    exact_bytes room{std::string(size, '\0')};
    CHECK(write_request_head({room.data(), size}, head) == 0);
  }
  exact_bytes room{std::string(whole.size(), '\0')};
  CHECK(write_request_head({room.data(), room.size()}, head) == whole.size());
  CHECK(room.view() == whole);
}

TEST_CASE("http1 writer: the largest lines are within the bound") {
  const outgoing_request request{.method = "M",
                                 .target = "/",
                                 .framing = body_framing::length,
                                 .length_bytes = ~std::uint64_t{0},
                                 .upgrade = "x",
                                 .close = true,
                                 .expects_continue = true,
                                 .te_trailers = true};
  CHECK_FALSE(written(request).empty());
  const outgoing_response response{
      .status = 599, .framing = body_framing::length, .length_bytes = ~std::uint64_t{0}, .upgrade = "x"};
  CHECK_FALSE(written(response).empty());
}

TEST_CASE("http1 writer: the line before a chunk ends where the data begins") {
  struct prefix_case {
    std::uint64_t size_bytes;
    std::string_view expected;
  };
  const prefix_case cases[] = {
      {1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {65536, "10000\r\n"}, {~std::uint64_t{0}, "ffffffffffffffff\r\n"}};
  for (const prefix_case& row : cases) {
    std::array<char, 20> room{};
    const std::size_t size = write_chunk_prefix(room, row.size_bytes);
    CHECK(std::string_view{room.data() + room.size() - size, size} == row.expected);
    CHECK(write_chunk_prefix(std::span{room}.first(row.expected.size()), row.size_bytes) == size);
    CHECK(write_chunk_prefix(std::span{room}.first(row.expected.size() - 1), row.size_bytes) == 0);
  }
}

TEST_CASE("http1 writer: the last chunk and its trailers") {
  const field trailers[] = {{"X-Sum", "1"}, {"Host", "b.test", field_name::host, true}, {"X-Evil", "a\r\nB: c"}};
  std::string room(last_chunk_size_bound(trailers), '\0');
  room.resize(write_last_chunk(room, trailers));
  CHECK(room == "0\r\nX-Sum: 1\r\n\r\n");
  std::array<char, 5> bare{};
  CHECK(write_last_chunk(bare, {}) == 5);
  CHECK(std::string_view{bare.data(), 5} == last_chunk);
  CHECK(write_last_chunk(std::span{bare}.first(4), {}) == 0);
}
