#include "adapters/http1/uri_authority.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace cellroute::http1;

namespace {

struct host_case {
  std::string_view says;
  std::string text;
  bool expected;
};

const host_case host_cases[] = {
    {"a name", "example.test", true},
    {"upper case stays", "EXAMPLE.TEST", true},
    {"an underscore is in use", "a_b.test", true},
    {"a port", "example.test:8080", true},
    {"a port may be empty", "example.test:", true},
    {"the largest port", "a:65535", true},
    {"an address", "127.0.0.1:80", true},
    {"an address of IPv6", "[2001:db8::1]", true},
    {"with a port", "[::1]:8080", true},
    {"all groups", "[1:2:3:4:5:6:7:8]", true},
    {"the gap stands for one group", "[1:2:3:4:5:6:7::]", true},
    {"IPv4 at the end", "[::ffff:127.0.0.1]", true},
    {"nothing but the gap", "[::]", true},
    {"a percent-encoded byte", "a%41.test", true},
    {"the longest name", std::string(255, 'a'), true},

    {"nothing names nobody", "", false},
    {"only a port", ":80", false},
    {"one byte too long", std::string(256, 'a'), false},
    {"a list", "a.test, b.test", false},
    {"a list without a space", "a.test,b.test", false},
    {"user information", "user@a.test", false},
    {"a path", "a.test/x", false},
    {"a query", "a.test?x", false},
    {"a fragment", "a.test#x", false},
    {"a backslash, which browsers take for a slash", "a.test\\x", false},
    {"a space inside", "a b", false},
    {"a tab inside", "a\tb", false},
    {"bytes beyond ASCII", "\xc3\xa9.test", false},
    {"a port that is no number", "a.test:8o", false},
    {"a sign", "a.test:+80", false},
    {"a port one too large", "a.test:65536", false},
    {"a port of six digits", "a.test:000080", false},
    {"two ports", "a.test:80:81", false},
    {"IPv6 without brackets", "::1", false},
    {"a bracket that is not closed", "[::1", false},
    {"a bracket that is not opened", "::1]", false},
    {"text behind the bracket", "[::1]x", false},
    {"empty brackets", "[]", false},
    {"seven groups", "[1:2:3:4:5:6:7]", false},
    {"nine groups", "[1:2:3:4:5:6:7:8:9]", false},
    {"a gap for nothing", "[1:2:3:4:5:6:7:8::]", false},
    {"two gaps", "[1::2::3]", false},
    {"three colons", "[1:::2]", false},
    {"a single colon at the end", "[1:2:3:4:5:6:7:8:]", false},
    {"a group of five digits", "[12345::]", false},
    {"no hexadecimal digit", "[g::]", false},
    {"a zone", "[fe80::1%25eth0]", false},
    {"a future address", "[v1.x]", false},
    {"IPv4 in the middle", "[::1.2.3.4:1]", false},
    {"IPv4 before the gap", "[1.2.3.4::]", false},
    {"IPv4 with a part too large", "[::1.2.3.256]", false},
    {"IPv4 with a leading zero", "[::1.2.3.04]", false},
    {"IPv4 with three parts", "[::1.2.3]", false},
    {"IPv4 with five parts", "[::1.2.3.4.5]", false},
    {"half a percent-encoding", "a%4", false},
    {"no hex after the percent", "a%zz", false},
};

}  // namespace

TEST_CASE("http1 authority: what a Host may hold (RFC 9110 section 7.2, RFC 3986 section 3.2.2)") {
  for (const host_case& row : host_cases) {
    CAPTURE(row.says);
    CHECK(is_host_and_port(row.text) == row.expected);
  }
}
