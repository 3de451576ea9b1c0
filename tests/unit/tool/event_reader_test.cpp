#include "adapters/tool/event_reader.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::tool {
namespace {

struct event_case {
  std::string_view says;
  std::string input;
  std::string_view expected;  ///< `id kind data` a line
  std::string_view last_id = "";
};

const std::string megabyte(std::size_t{1} << 20, 'x');

const event_case event_cases[] = {
    {"an event", "id: 1\nevent: a.b\ndata: {}\n\n", "1 a.b {}\n", "1"},
    {"without a name or a number", "data: x\n\n", " message x\n"},
    {"a comment is none", ": watching\n\n", ""},
    {"without data it is none, but its number counts", "id: 4\nevent: a\n\ndata: x\n\n", "4 message x\n", "4"},
    {"half of one is none", "data: x\n", ""},
    {"two, the second has the number of the first", "id: 1\ndata: a\n\ndata: b\n\n", "1 message a\n1 message b\n", "1"},
    {"data of several lines", "data: a\ndata:\ndata:  b\n\n", " message a|| b\n"},
    {"other line ends", "data: a\r\n\r\ndata: b\r\rdata: c\n\n", " message a\n message b\n message c\n"},
    {"no space, a further colon", "data:a:b\n\n", " message a:b\n"},
    {"a field that nobody knows", "retry: 5\nfoo\ndata: a\n\n", " message a\n"},
    {"a number with a zero byte is none", std::string("id: 1") + '\0' + "\ndata: a\n\n", " message a\n"},
    {"an event that is too long is left out", "data: " + megabyte + "\ndata: y\n\ndata: z\n\n", " message z\n"},
    {"and one of too many lines", "data: " + megabyte.substr(9) + "\ndata: 123456789\n\ndata: z\n\n", " message z\n"},
};

std::string told(const std::vector<server_event>& events) {
  std::string out;
  for (const server_event& e : events) {
    std::string data = e.data;
    for (char& c : data) c = c == '\n' ? '|' : c;
    out += e.id + " " + e.kind + " " + data + "\n";
  }
  return out;
}

TEST_CASE("event reader: events out of bytes, however they are cut") {
  for (const event_case& row : event_cases) {
    CAPTURE(row.says);
    event_reader at_once;
    CHECK(told(at_once.take(row.input)) == std::string(row.expected));
    CHECK(at_once.last_id() == row.last_id);
    event_reader byte_by_byte;
    std::string all;
    for (const char c : row.input) all += told(byte_by_byte.take({&c, 1}));
    CHECK(all == std::string(row.expected));
    if (row.input.size() > 1'000) continue;
    for (std::size_t cut = 0; cut <= row.input.size(); ++cut) {
      event_reader in_two;
      const std::string first = told(in_two.take(std::string_view(row.input).substr(0, cut)));
      CHECK(first + told(in_two.take(std::string_view(row.input).substr(cut))) == std::string(row.expected));
    }
  }
}

TEST_CASE("event reader: what was cut off is no part of what comes then, and the number is kept") {
  event_reader reader;
  CHECK(reader.take("id: 3\ndata: a\n\ndata: half").size() == 1);
  reader.restart();
  CHECK(told(reader.take("data: b\n\n")) == "3 message b\n");
}

}  // namespace
}  // namespace cellroute::tool
