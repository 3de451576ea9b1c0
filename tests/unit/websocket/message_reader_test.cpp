#include "adapters/websocket/message_reader.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/websocket/message_writer.hpp"
#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

struct reader_case {
  std::string_view says;
  std::vector<frame> frames;
  std::string expected;  ///< what is told, in words; `wait` at the end where a message is unfinished
};

constexpr reader_limits limits{.message_bytes_max = 1000};

bool ends(std::string_view words) {
  return !words.empty() && (words.find("close") != std::string_view::npos || !words.ends_with("] "));
}

std::string read(role self, const way& arrives, const reader_limits& within = limits) {
  message_reader reader{self, within};
  std::string words;
  std::size_t begin = 0;
  for (const std::size_t end : arrives.ends) {
    exact_bytes piece{std::string_view(arrives.input).substr(begin, end - begin)};
    begin = end;
    std::span<char> left = piece.span();
    for (;;) {
      const bool had_ended = reader.has_ended();
      const read_event event = reader.next(left);
      if (std::holds_alternative<need_more>(event)) break;
      REQUIRE_FALSE(had_ended);
      words += in_words(event);
    }
    REQUIRE(left.empty());
    REQUIRE(reader.held_bytes() <= within.message_bytes_max + 1);
  }
  REQUIRE(reader.has_ended() == ends(words));
  return words;
}

// The same frames, written by us.
std::string written_again(role receiver, const std::vector<frame>& frames) {
  same_mask masks;
  message_writer writer = receiver == role::server ? message_writer{masks} : message_writer{};
  std::string bytes;
  for (const frame& each : frames) {
    writer.append_frame(bytes, static_cast<opcode>(each.first & 0x0f), each.payload, (each.first & 0x80) != 0);
  }
  return bytes;
}

// Each row is read at both ends: a client's frames are masked, a server's are not.
void check_messages(std::span<const reader_case> rows) {
  for (const reader_case& row : rows) {
    CAPTURE(row.says);
    const bool waits = row.expected.ends_with("wait");
    const std::string told = waits ? row.expected.substr(0, row.expected.size() - 4) : row.expected;
    for (const role self : {role::client, role::server}) {
      CAPTURE((self == role::client ? "at a client" : "at a server"));
      const std::string input = sent_to(self, row.frames);
      for (const way& arrives : ways_of(input)) {
        CAPTURE(arrives.says);
        CHECK(read(self, arrives) == told);
      }
      if (waits) continue;
      const std::string behind = input + sent_to(self, {{0x81, "next"}});
      CHECK(read(self, {"with the next message behind", behind, {behind.size()}}) ==
            (ends(told) ? told : told + "text[next] "));
      if (!ends(told)) CHECK(written_again(self, row.frames) == input);
    }
  }
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return payload.append(reason);
}

std::string bytes(std::size_t size) { return std::string(size, 'x'); }

}  // namespace

TEST_CASE("websocket reader: the examples (RFC 6455 section 5.7)") {
  struct {
    std::string_view says;
    role self;
    std::string input;
    std::string expected;
  } const cases[] = {
      {"a text", role::client, hex("81 05 48 65 6c 6c 6f"), "text[Hello] "},
      {"a masked text", role::server, hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), "text[Hello] "},
      {"a text in two frames", role::client, hex("01 03 48 65 6c 80 02 6c 6f"), "text[Hello] "},
      {"a ping", role::client, hex("89 05 48 65 6c 6c 6f"), "ping[Hello] "},
      {"a masked pong", role::server, hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"), "pong[Hello] "},
      {"256 bytes", role::client, hex("82 7e 01 00") + bytes(256), "binary[" + bytes(256) + "] "},
      {"64 KiB", role::client, hex("82 7f 00 00 00 00 00 01 00 00") + bytes(65536), "binary[" + bytes(65536) + "] "},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      CAPTURE(arrives.says);
      CHECK(read(row.self, arrives, {.message_bytes_max = 65536}) == row.expected);
    }
  }
}

TEST_CASE("websocket reader: messages in one frame (RFC 6455 sections 5.6 and 6.2)") {
  const reader_case cases[] = {
      {"a text", {{0x81, "Hello"}}, "text[Hello] "},
      {"a binary message", {{0x82, "Hello"}}, "binary[Hello] "},
      {"an empty text", {{0x81, ""}}, "text[] "},
      {"an empty binary message", {{0x82, ""}}, "binary[] "},
      {"several", {{0x81, "a"}, {0x82, "b"}, {0x81, "c"}}, "text[a] binary[b] text[c] "},
      {"any bytes", {{0x82, hex("00 ff 81 88 0a")}}, "binary[" + hex("00 ff 81 88 0a") + "] "},
      {"125 bytes", {{0x82, bytes(125)}}, "binary[" + bytes(125) + "] "},
      {"126 bytes", {{0x82, bytes(126)}}, "binary[" + bytes(126) + "] "},
      {"half of one", {{0x81, "a"}, {0x01, "Hello"}}, "text[a] wait"},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: messages in several frames (RFC 6455 section 5.4)") {
  const reader_case cases[] = {
      {"two frames", {{0x01, "Hel"}, {0x80, "lo"}}, "text[Hello] "},
      {"three", {{0x02, "He"}, {0x00, "ll"}, {0x80, "o"}}, "binary[Hello] "},
      {"its kind is that of the first", {{0x02, "\xff"}, {0x80, "\xfe"}}, "binary[\xff\xfe] "},
      {"the first is empty", {{0x01, ""}, {0x80, "Hello"}}, "text[Hello] "},
      {"the last is empty", {{0x01, "Hello"}, {0x80, ""}}, "text[Hello] "},
      {"those in between are empty", {{0x01, "Hel"}, {0x00, ""}, {0x00, ""}, {0x80, "lo"}}, "text[Hello] "},
      {"all are empty", {{0x01, ""}, {0x00, ""}, {0x80, ""}}, "text[] "},
      {"one message behind the other", {{0x01, "a"}, {0x80, "b"}, {0x02, "c"}, {0x80, "d"}}, "text[ab] binary[cd] "},
      {"and then one in one frame", {{0x01, "a"}, {0x80, "b"}, {0x82, "c"}}, "text[ab] binary[c] "},
      {"frames of many sizes",
       {{0x02, bytes(125)}, {0x00, bytes(126)}, {0x00, bytes(1)}, {0x80, bytes(300)}},
       "binary[" + bytes(552) + "] "},
      {"the last one is not there yet", {{0x01, "Hel"}, {0x00, "lo"}}, "wait"},

      {"a continuation of nothing", {{0x80, "lo"}}, "1002 continuation of no message"},
      {"one that is not the last", {{0x00, "lo"}}, "1002 continuation of no message"},
      {"one behind a whole message", {{0x81, "Hello"}, {0x80, "!"}}, "text[Hello] 1002 continuation of no message"},
      {"one behind a last one",
       {{0x01, "Hel"}, {0x80, "lo"}, {0x80, "!"}},
       "text[Hello] 1002 continuation of no message"},
      {"one behind a ping", {{0x89, ""}, {0x80, "lo"}}, "ping[] 1002 continuation of no message"},
      {"a text inside of a text", {{0x01, "Hel"}, {0x81, "lo"}}, "1002 message begins inside another"},
      {"the first frame of one", {{0x01, "Hel"}, {0x01, "lo"}}, "1002 message begins inside another"},
      {"a binary message inside of a text", {{0x01, "Hel"}, {0x82, "lo"}}, "1002 message begins inside another"},
      {"behind an empty first frame", {{0x01, ""}, {0x81, "lo"}}, "1002 message begins inside another"},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: control frames, also inside of messages (RFC 6455 sections 5.4 and 5.5)") {
  const reader_case cases[] = {
      {"a ping", {{0x89, "Hello"}}, "ping[Hello] "},
      {"a ping of nothing", {{0x89, ""}}, "ping[] "},
      {"a pong that nobody asked for", {{0x8a, "Hello"}}, "pong[Hello] "},
      {"the longest", {{0x89, bytes(125)}}, "ping[" + bytes(125) + "] "},
      {"any bytes", {{0x89, hex("00 ff c0")}}, "ping[" + hex("00 ff c0") + "] "},
      {"a ping in a message", {{0x01, "Hel"}, {0x89, "p"}, {0x80, "lo"}}, "ping[p] text[Hello] "},
      {"a pong in a message", {{0x02, "Hel"}, {0x8a, "p"}, {0x80, "lo"}}, "pong[p] binary[Hello] "},
      {"several, between all frames",
       {{0x89, "1"}, {0x01, "Hel"}, {0x89, "2"}, {0x8a, "3"}, {0x00, ""}, {0x89, "4"}, {0x80, "lo"}, {0x89, "5"}},
       "ping[1] ping[2] pong[3] ping[4] text[Hello] ping[5] "},
      {"one inside of a character",
       {{0x01, "\xe2"}, {0x89, "\xff"}, {0x80, "\x82\xac"}},
       "ping[\xff] text[\xe2\x82\xac] "},
      {"a close inside of a message ends it, too",
       {{0x01, "Hel"}, {0x88, close_payload(1001)}, {0x80, "lo"}},
       "close 1001[] "},

      {"a ping with a reserved bit", {{0xc9, ""}}, "1002 reserved bit set"},
      {"a ping in parts", {{0x09, ""}, {0x80, ""}}, "1002 fragmented control frame"},
      {"a ping that is too long", {{0x89, bytes(126)}}, "1002 control frame too long"},
      {"a close that is too long", {{0x88, close_payload(1000, bytes(124))}}, "1002 control frame too long"},
      {"an opcode that is not defined, in a message", {{0x01, "Hel"}, {0x8b, ""}}, "1002 reserved opcode"},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: a text is UTF-8 (RFC 6455 sections 5.6 and 8.1)") {
  const reader_case cases[] = {
      {"in one frame", {{0x81, "\xe2\x82\xac"}}, "text[\xe2\x82\xac] "},
      {"a character in two frames", {{0x01, "a\xe2\x82"}, {0x80, "\xac"}}, "text[a\xe2\x82\xac] "},
      {"a character in three frames", {{0x01, "\xe2"}, {0x00, "\x82"}, {0x80, "\xac"}}, "text[\xe2\x82\xac] "},
      {"binary messages may hold what they like", {{0x82, "\xff\xc0\x80"}}, "binary[\xff\xc0\x80] "},
      {"also behind a text", {{0x81, "a"}, {0x02, "\xff"}, {0x80, "\xff"}}, "text[a] binary[\xff\xff] "},
      {"each text begins anew", {{0x81, "\xe2\x82\xac"}, {0x81, "a"}}, "text[\xe2\x82\xac] text[a] "},

      {"a bad byte", {{0x81, "caf\xe9!"}}, "1007 text is not UTF-8"},
      {"overlong", {{0x81, "\xc0\xaf"}}, "1007 text is not UTF-8"},
      {"a surrogate", {{0x81, "\xed\xa0\x80"}}, "1007 text is not UTF-8"},
      {"it ends inside of a character", {{0x81, "\xe2\x82"}}, "1007 text is not UTF-8"},
      {"also with an empty last frame", {{0x01, "\xe2\x82"}, {0x80, ""}}, "1007 text is not UTF-8"},
      {"what was left open is not finished by the next text",
       {{0x81, "\xe2\x82"}, {0x81, "\xac"}},
       "1007 text is not UTF-8"},
      {"a bad byte in a later frame", {{0x01, "Hel"}, {0x80, "\xff"}}, "1007 text is not UTF-8"},
      {"a character that the next frame does not go on with", {{0x01, "\xe2"}, {0x80, "lo"}}, "1007 text is not UTF-8"},
      {"a bad byte far behind ASCII", {{0x81, bytes(500) + "\xff"}}, "1007 text is not UTF-8"},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: what a close frame says (RFC 6455 sections 5.5.1 and 7.1.6)") {
  const reader_case cases[] = {
      {"nothing", {{0x88, ""}}, "close 1005[] "},
      {"a code", {{0x88, close_payload(1000)}}, "close 1000[] "},
      {"a code and a reason", {{0x88, close_payload(1001, "bye")}}, "close 1001[bye] "},
      {"the longest reason", {{0x88, close_payload(1000, bytes(123))}}, "close 1000[" + bytes(123) + "] "},
      {"a reason beyond ASCII", {{0x88, close_payload(1000, "\xe2\x82\xac")}}, "close 1000[\xe2\x82\xac] "},
      {"what comes behind it is not read", {{0x88, ""}, {0x81, "a"}, {0x89, "b"}, {0x88, ""}}, "close 1005[] "},
      {"not even to be refused", {{0x88, ""}, {0xff, ""}}, "close 1005[] "},

      {"half a code", {{0x88, "\x03"}}, "1002 close frame of one byte"},
      {"a reason that is not UTF-8", {{0x88, close_payload(1000, "caf\xe9")}}, "1007 close reason is not UTF-8"},
      {"a reason with a byte that is never there",
       {{0x88, close_payload(1000, "\xff")}},
       "1007 close reason is not UTF-8"},
      {"a reason that ends inside of a character",
       {{0x88, close_payload(1000, "\xe2\x82")}},
       "1007 close reason is not UTF-8"},
      {"what comes behind an error is not read", {{0xff, ""}, {0x81, "a"}, {0x88, ""}}, "1002 reserved bit set"},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: which codes a close frame may hold (RFC 6455 section 7.4)") {
  struct {
    std::string_view says;
    std::vector<unsigned> codes;
    bool may;
  } const cases[] = {
      {"those that the RFC defines", {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011}, true},
      {"those that were registered since", {1012, 1013, 1014}, true},
      {"those of libraries", {3000, 3001, 3999}, true},
      {"those of applications", {4000, 4001, 4999}, true},
      {"below all", {0, 1, 125, 999}, false},
      {"reserved", {1004}, false},
      {"those that stand for no frame or none with a code", {1005, 1006}, false},
      {"what stands for a failed TLS handshake", {1015}, false},
      {"those that nobody has defined yet", {1016, 1100, 2000, 2999}, false},
      {"above all", {5000, 5001, 9999, 65535}, false},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    for (const unsigned code : row.codes) {
      CAPTURE(code);
      CHECK(may_be_sent(static_cast<close_code>(code)) == row.may);
      const reader_case both[] = {
          {"alone",
           {{0x88, close_payload(code)}},
           row.may ? "close " + std::to_string(code) + "[] " : "1002 close code must not be sent"},
          {"with a reason",
           {{0x88, close_payload(code, "why")}},
           row.may ? "close " + std::to_string(code) + "[why] " : "1002 close code must not be sent"},
      };
      check_messages(both);
    }
  }
}

TEST_CASE("websocket reader: a message's limit, and one past it") {
  const std::string big = "1009 message too big";
  const reader_case cases[] = {
      {"as much as may be", {{0x82, bytes(1000)}}, "binary[" + bytes(1000) + "] "},
      {"in two frames", {{0x02, bytes(500)}, {0x80, bytes(500)}}, "binary[" + bytes(1000) + "] "},
      {"each message for itself",
       {{0x82, bytes(600)}, {0x82, bytes(600)}},
       "binary[" + bytes(600) + "] binary[" + bytes(600) + "] "},
      {"each in parts for itself",
       {{0x02, bytes(600)}, {0x80, ""}, {0x02, bytes(600)}, {0x80, bytes(400)}},
       "binary[" + bytes(600) + "] binary[" + bytes(1000) + "] "},
      {"control frames do not count",
       {{0x02, bytes(1000)}, {0x89, "ping"}, {0x80, ""}},
       "ping[ping] binary[" + bytes(1000) + "] "},

      {"one byte more", {{0x82, bytes(1001)}}, big},
      {"one byte more of text", {{0x81, bytes(1001)}}, big},
      {"one byte more in the second frame", {{0x02, bytes(500)}, {0x80, bytes(501)}}, big},
      {"one byte more in a later frame", {{0x02, bytes(500)}, {0x00, bytes(500)}, {0x00, ""}, {0x80, "x"}}, big},
  };
  check_messages(cases);
}

TEST_CASE("websocket reader: an announced length is refused before anything of it came") {
  struct {
    std::string_view says;
    std::string input;
    std::size_t message_bytes_max;
  } const cases[] = {
      {"one over the limit", hex("82 7e 03 e9"), 1000},
      {"4 GiB", hex("82 7f 00 00 00 01 00 00 00 00"), 1000},
      {"the largest there is", hex("82 7f 7f ff ff ff ff ff ff ff"), 1000},
      {"a sum that overflows 64 bits for some", hex("02 01 78") + hex("80 7f 7f ff ff ff ff ff ff ff"), 1000},
      {"no limit but nothing", hex("82 01"), 0},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.input)) {
      CAPTURE(arrives.says);
      CHECK(read(role::client, arrives, {.message_bytes_max = row.message_bytes_max}) == "1009 message too big");
    }
  }
  CHECK(read(role::client, {"", hex("82 00"), {2}}, {.message_bytes_max = 0}) == "binary[] ");
}

TEST_CASE("websocket reader: a mistake is told with the byte that makes it") {
  struct {
    std::string_view says;
    role self;
    std::string before;  ///< after this nothing is told yet
    std::string byte;
    std::string_view expected;
  } const cases[] = {
      {"a reserved bit", role::client, "", hex("c1"), "1002 reserved bit set"},
      {"a reserved opcode", role::client, "", hex("83"), "1002 reserved opcode"},
      {"a control frame in parts", role::client, "", hex("09"), "1002 fragmented control frame"},
      {"no mask", role::server, hex("81"), hex("05"), "1002 client frame is not masked"},
      {"a mask", role::client, hex("81"), hex("85"), "1002 server frame is masked"},
      {"a long control frame", role::client, hex("89"), hex("7e"), "1002 control frame too long"},
      {"a length that is not minimal", role::client, hex("81 7e 00"), hex("7d"),
       "1002 length in more bytes than it needs"},
      {"a length over the limit", role::client, hex("81 7e 03"), hex("e9"), "1009 message too big"},
      {"a bad byte in a text of which more comes", role::client, hex("01 7e 00 ff 61 62"), hex("ff"),
       "1007 text is not UTF-8"},
      {"a bad byte of a character", role::client, hex("81 7e 00 ff f4"), hex("90"), "1007 text is not UTF-8"},
      {"a masked one", role::server, hex("81 fe 00 ff 00 00 00 01 61 62"), hex("ff"), "1007 text is not UTF-8"},
      {"a bad byte in the last of its frames", role::client, hex("01 01 61 80 04 62"), hex("80"),
       "1007 text is not UTF-8"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.says);
    for (const way& arrives : ways_of(row.before)) CHECK(read(row.self, arrives) == "");
    message_reader reader{row.self, limits};
    std::string before = row.before;
    std::span<char> left = before;
    CHECK(std::holds_alternative<need_more>(reader.next(left)));
    std::string byte = row.byte;
    left = byte;
    CHECK(in_words(reader.next(left)) == row.expected);
  }
}

TEST_CASE("websocket reader: what lies whole in the input is handed out where it lies") {
  message_reader reader{role::server, limits};
  std::string input = sent_to(role::server, {{0x82, bytes(300)}, {0x01, ""}, {0x80, "Hello"}, {0x89, "ping"}});
  std::span<char> left = input;
  const auto lies_in_input = [&input](std::string_view payload) {
    return payload.data() >= input.data() && payload.data() + payload.size() <= input.data() + input.size();
  };
  const read_event first = reader.next(left);
  CHECK(lies_in_input(std::get<message>(first).payload));
  const read_event second = reader.next(left);
  CHECK(std::get<message>(second).payload == "Hello");
  CHECK(lies_in_input(std::get<message>(second).payload));
  const read_event third = reader.next(left);
  CHECK(lies_in_input(std::get<ping>(third).payload));
  CHECK(reader.held_bytes() == 0);
}

TEST_CASE("websocket reader: memory is that of the bytes that came, and is given back") {
  constexpr std::size_t million = 1'000'000;
  message_reader reader{role::client, {.message_bytes_max = million}};
  std::string head(encode({.code = opcode::binary, .payload_bytes = million}).view());
  std::span<char> left = head;
  CHECK(std::holds_alternative<need_more>(reader.next(left)));
  CHECK(reader.held_bytes() == 0);  // who announces a million bytes has not sent them

  std::string piece = bytes(1000);
  std::size_t most = 0;
  read_event event = need_more{};
  for (std::size_t sent = 0; sent < million; sent += piece.size()) {
    CHECK(std::holds_alternative<need_more>(event));
    left = piece;
    event = reader.next(left);
    most = std::max(most, reader.held_bytes());
    if (reader.held_bytes() > 2 * (sent + piece.size())) FAIL_CHECK(reader.held_bytes() << " bytes held for " << sent);
  }
  CHECK(std::get<message>(event).payload.size() == million);
  CHECK(most == million);  // not twice as much for the last byte
  CHECK(std::holds_alternative<need_more>(reader.next(left)));
  CHECK(reader.held_bytes() == 0);
}

TEST_CASE("websocket reader: an end gives back what an unfinished message held") {
  for (const std::string& last : {hex("88 00"), hex("ff")}) {
    message_reader reader{role::client, limits};
    std::string input = sent_to(role::client, {{0x02, bytes(500)}}) + last;
    std::span<char> left = input;
    CHECK_FALSE(in_words(reader.next(left)).empty());
    CHECK(reader.held_bytes() == 0);
  }
}
