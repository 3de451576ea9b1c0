#include "adapters/wire/regex_compiler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace cellroute::wire {
namespace {

struct match_case {
  std::string_view says;
  std::string_view regex;
  std::string key;
  std::string_view expected;  // `-` where it does not match, else its groups: n=1
};

const match_case match_cases[] = {
    {"a group", "^tier(?P<n>[0-9]+)-", "tier12-x", "n=12"},
    {"anchored only where it says so", "tier(?P<n>[0-9]+)-", "a-tier1-b", "n=1"},
    {"the leftmost match", "(?P<n>[0-9]+)", "a12b34", "n=12"},
    {"no match", "^tier(?P<n>[0-9]+)-", "tier-x", "-"},
    {"to its end", "^(?P<n>a+)$", "aab", "-"},
    {"two groups, in the order of the text", "^(?P<b>.)(?P<a>.)", "xyz", "b=x a=y"},
    {"groups without a name are nobody's", "^(x)(?P<n>.)(z)?", "xyz", "n=y"},
    {"a group that took no part is empty", "^x(?P<n>y)?", "xz", "n="},
    {"no group at all", "^x", "xz", ""},
    {"letters of another case are others", "^X", "x", "-"},
    {"unless it says so", "(?i)^X", "x", ""},
    {"a byte that is no character", "^a(?P<n>.)b",
     "a\xff"
     "b",
     "-"},
    {"a character of two bytes", "^a(?P<n>.)b",
     "a\xc3\xa9"
     "b",
     "n=\xc3\xa9"},
    {"the longest key", "^(?P<n>k*)$", std::string(256, 'k'), "n=k..."},
    {"what takes others for ever", "^(a+)+$", std::string(255, 'a') + "b", "-"},
};

std::string told(std::string_view regex, std::string_view key) {
  const auto pattern = by_re2.compile(std::string(regex));
  REQUIRE(pattern);
  std::array<std::string_view, pattern_groups_max> found;
  const auto groups = (*pattern)->groups();
  if (!(*pattern)->match(key, std::span(found).first(groups.size()))) return "-";
  std::string out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string_view text = found[i];
    out += (out.empty() ? "" : " ") + groups[i] + "=";
    out += text.size() > 100 ? std::string(text.substr(0, 1)) + "..." : std::string(text);
  }
  return out;
}

TEST_CASE("wire regex: what is found in a key") {
  for (const match_case& row : match_cases) {
    CAPTURE(row.says);
    CHECK(told(row.regex, row.key) == row.expected);
  }
}

struct refused_regex {
  std::string_view regex;
  std::string_view expected;  // how it begins
};

const refused_regex refused_regexes[] = {
    {"(", "is no regular expression of RE2: missing )"},
    {"[a", "is no regular expression of RE2: missing ]"},
    {"(?P<n>a)(?P<m>b)(?P<n>c)", "has two groups of the name n; give each its own"},
    {"(a)\\1", "is no regular expression of RE2: invalid escape sequence: \\1"},
    {"a{2000}", "is no regular expression of RE2: invalid repetition size: {2000}"},
    {"\xff", "is no regular expression of RE2: invalid UTF-8"},
    {"(a)(b)(c)(d)(e)(f)(g)(h)(i)", "has 9 groups; 8 is the most"},
};

TEST_CASE("wire regex: what is none, and why") {
  for (const refused_regex& row : refused_regexes) {
    CAPTURE(row.regex);
    const auto pattern = by_re2.compile(std::string(row.regex));
    REQUIRE_FALSE(pattern);
    CHECK(pattern.error().substr(0, row.expected.size()) == row.expected);
  }
  CHECK(by_re2.compile("(a)(b)(c)(d)(e)(f)(g)(h)"));
}

TEST_CASE("wire regex: a program as large as it may be, and one instruction more") {
  const std::string most = "^a{1000}a{1000}a{1000}a{998}";
  CHECK(by_re2.compile(most));
  const auto larger = by_re2.compile(most + "a");
  REQUIRE_FALSE(larger);
  CHECK(larger.error() == "compiles to 4001 instructions; 4000 is the most, so repeat less");
}

}  // namespace
}  // namespace cellroute::wire
