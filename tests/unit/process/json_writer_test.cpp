// The text that log lines and admin answers are made of.
#include "adapters/process/json_writer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace cellroute::process {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

struct string_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;  // without the quotes around it
};

const string_case string_cases[] = {
    {"nothing", "", ""},
    {"plain ASCII stays", "acme-42 /a?b=c&d", "acme-42 /a?b=c&d"},
    {"a slash needs no escape", "/", "/"},
    {"a quote would end the string", R"(a"b)", R"(a\"b)"},
    {"a backslash would start an escape", R"(a\b)", R"(a\\b)"},
    {"a line feed would end the line", "a\nb", R"(a\nb)"},
    {"a return would hide the line in a terminal", "a\rb", R"(a\rb)"},
    {"a tab has a name", "a\tb", R"(a\tb)"},
    {"other controls have a number", "\x01\x1f", R"(\u0001\u001f)"},
    {"a zero byte is a control like any", "a\0b"sv, R"(a\u0000b)"},
    {"the first that is no control", "\x20\x21", " !"},
    {"escape sequences do not reach a terminal", "\x1b[2J", R"(\u001b[2J)"},
    {"DEL is a control", "~\x7f", R"(~\u007f)"},
    {"C1 controls, which some terminals obey",
     "\xC2\x9B"
     "2J",
     R"(\u009b2J)"},
    {"the last C1 and the first after it", "\xC2\x9F\xC2\xA0", "\\u009f\xC2\xA0"},
    {"UTF-8 of two bytes stays", "ä", "ä"},
    {"of three", "€", "€"},
    {"of four", "😀", "😀"},
    {"highest code point", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
    {"above it", "\xF4\x90\x80\x80", R"(\ufffd\ufffd\ufffd\ufffd)"},
    {"a byte that never occurs",
     "a\xFF"
     "b",
     R"(a\ufffdb)"},
    {"a continuation alone", "\x80", R"(\ufffd)"},
    {"a sequence cut off by the end", "\xE2\x82", R"(\ufffd\ufffd)"},
    {"a sequence cut off by ASCII", "\xE2\x82q", R"(\ufffd\ufffdq)"},
    {"an overlong slash", "\xC0\xAF", R"(\ufffd\ufffd)"},
    {"overlong in three bytes", "\xE0\x9F\xBF", R"(\ufffd\ufffd\ufffd)"},
    {"overlong in four bytes", "\xF0\x8F\xBF\xBF", R"(\ufffd\ufffd\ufffd\ufffd)"},
    {"half of a surrogate pair", "\xED\xA0\x80", R"(\ufffd\ufffd\ufffd)"},
    {"the code point before the surrogates", "\xED\x9F\xBF", "\xED\x9F\xBF"},
    {"Latin-1 is not UTF-8", "caf\xE9", R"(caf\ufffd)"},
};

TEST_CASE("json: what a string looks like (RFC 8259 section 7)") {
  for (const string_case& row : string_cases) {
    CAPTURE(row.says);
    CHECK(json_string(row.text) == '"' + std::string(row.expected) + '"');
  }
}

TEST_CASE("json: a byte is escaped wherever it stands in a word of eight") {
  for (unsigned byte = 0; byte < 0x80; ++byte) {
    const std::string one = json_string(std::string(1, static_cast<char>(byte)));
    const std::string escaped = one.substr(1, one.size() - 2);
    for (std::size_t at = 0; at < 17; ++at) {
      std::string text(17, 'x');
      std::string expected(text);
      text[at] = static_cast<char>(byte);
      expected.replace(at, 1, escaped);
      CAPTURE(byte);
      CAPTURE(at);
      CHECK(json_string(text) == '"' + expected + '"');
    }
  }
}

struct elapsed_case {
  duration elapsed;
  std::string_view expected;
};

const elapsed_case elapsed_cases[] = {
    {0ns, "0.000"},     {1ns, "0.000"},        {499ns, "0.000"}, {501ns, "0.001"},     {1us, "0.001"},
    {999us, "0.999"},   {999'600ns, "1.000"},  {1ms, "1.000"},   {1234567ns, "1.235"}, {100ms, "100.000"},
    {30s, "30000.000"}, {24h, "86400000.000"}, {-1ns, "0.000"},  {-5s, "0.000"},  // a clock that was set back measured
                                                                                  // nothing
};

TEST_CASE("json: durations are milliseconds with three digits") {
  for (const elapsed_case& row : elapsed_cases) {
    std::string out;
    append_milliseconds(out, row.elapsed);
    CHECK(out == row.expected);
  }
}

struct instant_case {
  std::string_view says;
  std::chrono::nanoseconds since_1970;
  std::string_view expected;
};

const instant_case instant_cases[] = {
    {"the beginning", 0ns, "1970-01-01T00:00:00.000Z"},
    {"a moment of today", 1'767'528'000'123ms, "2026-01-04T12:00:00.123Z"},
    {"what is below a millisecond is cut, not rounded", 1'767'528'000'123ms + 999'999ns, "2026-01-04T12:00:00.123Z"},
    {"the last millisecond of a year", 1'767'225'599'999ms, "2025-12-31T23:59:59.999Z"},
    {"the first of the next", 1'767'225'600'000ms, "2026-01-01T00:00:00.000Z"},
    {"a leap day", 1'709'164'800'000ms, "2024-02-29T00:00:00.000Z"},
    {"before the beginning", -1ms, "1969-12-31T23:59:59.999Z"},
};

TEST_CASE("json: timestamps are RFC 3339 with milliseconds, UTC") {
  for (const instant_case& row : instant_cases) {
    CAPTURE(row.says);
    std::string out;
    append_timestamp(out, wall_time(row.since_1970));
    CHECK(out == row.expected);
  }
}

TEST_CASE("json: values of every kind, and the commas between them") {
  std::string out;
  json_writer json(out);
  json.begin_object()
      .field("text", "a\"b")
      .field("view", "v"sv)
      .field("string", "s"s)
      .field("yes", true)
      .field("no", false)
      .field("nothing", nullptr)
      .field("small", std::uint8_t{200})
      .field("least", std::numeric_limits<std::int64_t>::min())
      .field("most", std::numeric_limits<std::uint64_t>::max())
      .field("real", 0.1)
      .field("infinite", std::numeric_limits<double>::infinity())
      .field("elapsed", duration(1500us))
      .field("instant", wall_time{})
      .name("list")
      .begin_array()
      .value(1)
      .value("two")
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .value(3)
      .end_array()
      .name("inner")
      .begin_object()
      .field("a", 1)
      .field("b", 2)
      .end_object()
      .field("last", 0)
      .end_object();
  CHECK(out == R"({"text":"a\"b","view":"v","string":"s","yes":true,"no":false,"nothing":null,"small":200,)"
               R"("least":-9223372036854775808,"most":18446744073709551615,"real":0.1,"infinite":null,"elapsed":1.500,)"
               R"("instant":"1970-01-01T00:00:00.000Z","list":[1,"two",{},[],3],"inner":{"a":1,"b":2},"last":0})");
}

}  // namespace
}  // namespace cellroute::process
