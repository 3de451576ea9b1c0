#include "cellroute/base/unescape.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

using namespace cellroute;

namespace {

struct unescape_case {
  std::string_view says;
  std::string_view text;
  std::optional<std::string> expected;
};

const unescape_case cases[] = {
    {"nothing is nothing", "", ""},
    {"plain text", "acme", "acme"},
    {"a slash in a segment", "a%2Fb", "a/b"},
    {"small digits", "%2f", "/"},
    {"at both ends", "%2B%2b", "++"},
    {"a byte that is no text", "%ff%00", std::string("\xff\0", 2)},
    {"an escaped percent is not read twice", "%2541", "%41"},
    {"one digit", "%2", std::nullopt},
    {"one digit, behind text", "a%4", std::nullopt},
    {"no digit", "100%", std::nullopt},
    {"no digit, but an escape", "%%41", std::nullopt},
    {"a digit that is an escape", "%4%31", std::nullopt},
    {"another letter first", "%g4", std::nullopt},
    {"another letter last", "%4g", std::nullopt},
    {"a space", "% 1", std::nullopt},
    {"a sign", "%-1", std::nullopt},
};

}  // namespace

TEST_CASE("unescape: each %XX is a byte, and what is none is refused (RFC 3986 section 2.1)") {
  for (const unescape_case& row : cases) {
    CAPTURE(row.says);
    CHECK(unescape(row.text) == row.expected);
    CHECK(unescape_query(row.text) == row.expected);
  }
}

TEST_CASE("unescape: a plus is one in a path, and a space in a query") {
  CHECK(unescape("a+b") == "a+b");
  CHECK(unescape_query("a+b") == "a b");
  CHECK(unescape_query("%2B+%2b") == "+ +");
  CHECK(unescape_query("%+1") == std::nullopt);
}
