#include "cellroute/base/escape.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

using namespace cellroute;
using namespace std::string_view_literals;

namespace {

struct escape_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;
};

const escape_case escaped_cases[] = {
    {"visible ASCII stays", "acme-7_x.Y~!=/:@", "acme-7_x.Y~!=/:@"},
    {"nothing stays nothing", "", ""},
    {"the separators of parameters do not", "a;b,c\"d\\e", "a%3Bb%2Cc%22d%5Ce"},
    {"the escape itself does not", "100%", "100%25"},
    {"a space does not", "a b", "a%20b"},
    {"a line end cannot forge a header", "a\r\nX: y", "a%0D%0AX:%20y"},
    {"bytes above ASCII do not, nor DEL, nor 0", "\xc3\xa9\x7f\0"sv, "%C3%A9%7F%00"},
};

const escape_case json_cases[] = {
    {"plain text is quoted", "acme", "\"acme\""},
    {"nothing is an empty string", "", "\"\""},
    {"quotes and backslashes are escaped", "a\"b\\c", "\"a\\\"b\\\\c\""},
    {"control characters are escaped, DEL too", "\n\x01\x7f\0"sv, "\"\\u000a\\u0001\\u007f\\u0000\""},
    {"characters of 2, 3 and 4 bytes stay", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"a lone continuation byte is no character", "a\x80z", "\"a\\ufffdz\""},
    {"a character cut short is none", "\xe2\x82", "\"\\ufffd\\ufffd\""},
    {"a character cut short by a quote does not hide it", "\xe2\"", "\"\\ufffd\\\"\""},
    {"an overlong form is none", "\xc0\xaf", "\"\\ufffd\\ufffd\""},
    {"nor one of 3 bytes", "\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""},
    {"a surrogate is none", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
    {"the last character before the surrogates is one", "\xed\x9f\xbf", "\"\xed\x9f\xbf\""},
    {"above U+10FFFF there is none", "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    {"U+10FFFF is the last", "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""},
};

}  // namespace

TEST_CASE("escape: what can stand in a header's parameter") {
  for (const escape_case& row : escaped_cases) {
    CAPTURE(row.says);
    std::string out;
    append_escaped(out, row.text);
    CHECK((out == row.expected));
  }
}

TEST_CASE("escape: what can stand in a JSON string (RFC 8259 section 7, RFC 3629 section 4)") {
  for (const escape_case& row : json_cases) {
    CAPTURE(row.says);
    std::string out;
    append_json_string(out, row.text);
    CHECK((out == row.expected));
  }
}

TEST_CASE("escape: numbers are written in decimal") {
  const auto written = [](std::uint64_t number) {
    std::string out;
    append_number(out, number);
    return out;
  };
  CHECK(written(0) == "0");
  CHECK(written(4711) == "4711");
  CHECK(written(~std::uint64_t{0}) == "18446744073709551615");
}
