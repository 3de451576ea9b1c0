#include "adapters/websocket/frame.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <string>
#include <vector>

#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

std::string_view to_string(opcode code) {
  switch (code) {
    case opcode::continuation:
      return "continuation";
    case opcode::text:
      return "text";
    case opcode::binary:
      return "binary";
    case opcode::close:
      return "close";
    case opcode::ping:
      return "ping";
    case opcode::pong:
      return "pong";
  }
  return {};
}

std::string words(const frame_head_outcome& outcome) {
  if (std::holds_alternative<need_more>(outcome)) return "wait";
  if (const auto* error = std::get_if<protocol_error>(&outcome)) return std::string(to_string(*error));
  const auto& [head, size_bytes] = std::get<found_head>(outcome);
  return std::string(to_string(head.code)) + (head.is_final ? " " : "... ") + std::to_string(head.payload_bytes) +
         (head.mask ? " masked, " : ", ") + std::to_string(size_bytes) + " bytes";
}

frame_head_outcome parse(std::string_view input, role self) {
  const exact_bytes exact{input};
  return parse_frame_head(exact.view(), self);
}

struct head_case {
  std::string_view says;
  std::string_view head;  ///< in hexadecimal
  std::string_view expected;
  role self = role::client;
};

// Whole, every beginning of it, and with anything behind.
void check_heads(std::span<const head_case> rows) {
  for (const head_case& row : rows) {
    CAPTURE(row.says);
    const std::string input = hex(row.head);
    CHECK(words(parse(input, row.self)) == row.expected);
    std::string first_told = "wait";
    for (std::size_t end = 0; end <= input.size(); ++end) {
      CAPTURE(end);
      const std::string told = words(parse(std::string_view(input).substr(0, end), row.self));
      if (first_told == "wait") first_told = told;
      CHECK(told == first_told);  // what was told once does not change with what follows
      if (told != "wait") CHECK(told == row.expected);
    }
    if (row.expected == "wait") continue;
    for (const char* behind : {"\x00", "\xff", "\x81\x05Hello"}) {
      CHECK(words(parse(input + std::string(behind, 1) + behind, row.self)) == row.expected);
    }
    const frame_head_outcome outcome = parse(input, row.self);
    if (const auto* found = std::get_if<found_head>(&outcome)) CHECK(encode(found->head).view() == input);
  }
}

constexpr role server = role::server;

}  // namespace

TEST_CASE("websocket head: the examples (RFC 6455 section 5.7)") {
  const head_case cases[] = {
      {"a text", "81 05", "text 5, 2 bytes"},
      {"a masked text", "81 85 37 fa 21 3d", "text 5 masked, 6 bytes", server},
      {"the first part of a text", "01 03", "text... 3, 2 bytes"},
      {"the last part of it", "80 02", "continuation 2, 2 bytes"},
      {"a ping", "89 05", "ping 5, 2 bytes"},
      {"its masked answer", "8a 85 37 fa 21 3d", "pong 5 masked, 6 bytes", server},
      {"256 bytes", "82 7e 01 00", "binary 256, 4 bytes"},
      {"64 KiB", "82 7f 00 00 00 00 00 01 00 00", "binary 65536, 10 bytes"},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: opcodes and bits (RFC 6455 section 5.2)") {
  const head_case cases[] = {
      {"a continuation", "80 00", "continuation 0, 2 bytes"},
      {"one in the middle", "00 00", "continuation... 0, 2 bytes"},
      {"a text", "81 00", "text 0, 2 bytes"},
      {"a binary message", "82 00", "binary 0, 2 bytes"},
      {"the first part of one", "02 00", "binary... 0, 2 bytes"},
      {"a close", "88 00", "close 0, 2 bytes"},
      {"a ping", "89 00", "ping 0, 2 bytes"},
      {"a pong", "8a 00", "pong 0, 2 bytes"},

      {"the bit of an extension, compression's", "c1 00", "reserved bit set"},
      {"the second one", "a1 00", "reserved bit set"},
      {"the third one", "91 00", "reserved bit set"},
      {"all of them", "f1 00", "reserved bit set"},
      {"one on a control frame", "c9 00", "reserved bit set"},
      {"one on a continuation", "40 00", "reserved bit set"},
      {"data that is not defined", "83 00", "reserved opcode"},
      {"the last of these", "87 00", "reserved opcode"},
      {"in parts", "03 00", "reserved opcode"},
      {"a control frame that is not defined", "8b 00", "reserved opcode"},
      {"the last of these", "8f 00", "reserved opcode"},
      {"plain HTTP", "48 54 54 50", "reserved bit set"},
      {"a TLS record", "16 03 01", "reserved bit set"},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: control frames are short and whole (RFC 6455 section 5.5)") {
  const head_case cases[] = {
      {"the longest close", "88 7d", "close 125, 2 bytes"},
      {"the longest ping", "89 7d", "ping 125, 2 bytes"},
      {"the longest pong", "8a fd 00 00 00 00", "pong 125 masked, 6 bytes", server},

      {"one byte more, close", "88 7e 00 7e", "control frame too long"},
      {"one byte more, ping", "89 7e 00 7e", "control frame too long"},
      {"one byte more, pong", "8a fe 00 7e 00 00 00 00", "control frame too long", server},
      {"far longer", "89 7f 00 00 00 00 00 01 00 00", "control frame too long"},
      {"a short one in the long form", "89 7e 00 05", "control frame too long"},
      {"a close in parts", "08 00", "fragmented control frame"},
      {"a ping in parts", "09 00", "fragmented control frame"},
      {"a pong in parts", "0a 00", "fragmented control frame"},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: lengths, each in the shortest form (RFC 6455 section 5.2)") {
  const head_case cases[] = {
      {"the longest of the short form", "82 7d", "binary 125, 2 bytes"},
      {"the shortest of two bytes", "82 7e 00 7e", "binary 126, 4 bytes"},
      {"one more", "82 7e 00 7f", "binary 127, 4 bytes"},
      {"the longest of two bytes", "82 7e ff ff", "binary 65535, 4 bytes"},
      {"the shortest of eight bytes", "82 7f 00 00 00 00 00 01 00 00", "binary 65536, 10 bytes"},
      {"the longest of all", "82 7f 7f ff ff ff ff ff ff ff", "binary 9223372036854775807, 10 bytes"},
      {"masked, of two bytes", "82 fe 00 7e 01 02 03 04", "binary 126 masked, 8 bytes", server},
      {"masked, of eight", "82 ff 00 00 00 00 00 01 00 00 01 02 03 04", "binary 65536 masked, 14 bytes", server},

      {"0 in two bytes", "82 7e 00 00", "length in more bytes than it needs"},
      {"125 in two bytes", "82 7e 00 7d", "length in more bytes than it needs"},
      {"125 in two bytes, masked", "82 fe 00 7d 00 00 00 00", "length in more bytes than it needs", server},
      {"0 in eight bytes", "82 7f 00 00 00 00 00 00 00 00", "length in more bytes than it needs"},
      {"126 in eight bytes", "82 7f 00 00 00 00 00 00 00 7e", "length in more bytes than it needs"},
      {"65535 in eight bytes", "82 7f 00 00 00 00 00 00 ff ff", "length in more bytes than it needs"},
      {"the highest bit, negative for some", "82 7f 80 00 00 00 00 00 00 00", "length out of range"},
      {"all bits", "82 7f ff ff ff ff ff ff ff ff", "length out of range"},
      {"the highest bit and few others", "82 7f 80 00 00 00 00 00 00 05", "length out of range"},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: a client masks, a server does not (RFC 6455 section 5.1)") {
  const head_case cases[] = {
      {"a client's", "82 85 01 02 03 04", "binary 5 masked, 6 bytes", server},
      {"a server's", "82 05", "binary 5, 2 bytes"},
      {"a client's control frame", "89 80 01 02 03 04", "ping 0 masked, 6 bytes", server},
      {"a mask of nothing is one", "82 85 00 00 00 00", "binary 5 masked, 6 bytes", server},

      {"a client that does not mask, which proxies can be fooled by", "82 05", "client frame is not masked", server},
      {"nor an empty frame", "82 00", "client frame is not masked", server},
      {"nor a close", "88 00", "client frame is not masked", server},
      {"nor a long one", "82 7e 01 00", "client frame is not masked", server},
      {"a server that masks", "82 85 01 02 03 04", "server frame is masked"},
      {"and an empty frame", "82 80 01 02 03 04", "server frame is masked"},
      {"and a pong", "8a 80 01 02 03 04", "server frame is masked"},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: a beginning needs more") {
  const head_case cases[] = {
      {"nothing", "", "wait"},
      {"one byte", "81", "wait"},
      {"half a length", "82 7e 01", "wait"},
      {"most of a long length", "82 7f 00 00 00 00 00 01 00", "wait"},
      {"no mask yet", "81 85", "wait", server},
      {"most of a mask", "81 85 37 fa 21", "wait", server},
  };
  check_heads(cases);
}

TEST_CASE("websocket head: what is written is read, for every opcode around every boundary") {
  constexpr std::uint64_t lengths[] = {0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, ~std::uint64_t{0} >> 1};
  std::size_t heads = 0;
  for (const opcode code :
       {opcode::continuation, opcode::text, opcode::binary, opcode::close, opcode::ping, opcode::pong}) {
    for (const std::uint64_t length : lengths) {
      for (const bool is_final : {true, false}) {
        if (is_control(code) && (!is_final || length > control_bytes_max)) continue;
        for (const role self : {role::client, role::server}) {
          frame_head head{.code = code, .is_final = is_final, .payload_bytes = length};
          if (self == role::server) head.mask = some_mask;
          const encoded_head written = encode(head);
          const std::size_t shortest = 2u + (length < 126 ? 0 : length < 65536 ? 2 : 8) + (head.mask ? 4 : 0);
          CHECK(written.view().size() == shortest);
          CHECK((parse(written.view(), self) == frame_head_outcome(found_head{head, shortest})));
          ++heads;
        }
      }
    }
  }
  CHECK(heads == 2 * (3 * 11 * 2 + 3 * 4));
}

TEST_CASE("websocket errors: each has words of its own and a code that may be sent (RFC 6455 section 7.4.1)") {
  std::vector<std::string_view> seen;
  for (auto error = protocol_error::reserved_bit;; error = static_cast<protocol_error>(static_cast<int>(error) + 1)) {
    const std::string_view text = to_string(error);
    CHECK_FALSE(text.empty());
    CHECK(std::ranges::find(seen, text) == seen.end());
    CHECK(text.size() <= control_bytes_max - 2);
    CHECK(may_be_sent(close_code_of(error)));
    seen.push_back(text);
    if (error == protocol_error::bad_close_reason) break;
  }
  CHECK(close_code_of(protocol_error::reserved_bit) == close_code::protocol_error);
  CHECK(close_code_of(protocol_error::masked) == close_code::protocol_error);
  CHECK(close_code_of(protocol_error::not_masked) == close_code::protocol_error);
  CHECK(close_code_of(protocol_error::bad_text) == close_code::invalid_data);
  CHECK(close_code_of(protocol_error::message_too_big) == close_code::message_too_big);
}
