#include "cellroute/base/ascii.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace cellroute;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view small = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view large = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_small = "0123456789abcdef";
constexpr std::string_view hex_large = "0123456789ABCDEF";

bool is_in(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

struct equal_case {
  std::string_view says;
  std::string_view a;
  std::string_view b;
  bool expected;
};

const equal_case equal_cases[] = {
    {"nothing and nothing", "", "", true},
    {"letters in any case", "X-Request-Id", "x-REQUEST-iD", true},
    {"the whole, not its beginning", "X-Request-Id", "X-Request-I", false},
    {"the whole, not the other's beginning", "X-Request-I", "X-Request-Id", false},
    {"another character is another", "X-Request-Id", "X_Request_Id", false},
    {"what differs by 32 and is no letter: [ and {", "[", "{", false},
    {"what differs by 32 and is no letter: @ and `", "@", "`", false},
    {"a zero byte does not end it", "a\0b"sv, "a\0c"sv, false},
    {"bytes above ASCII have no case", "\xc4", "\xe4", false},
};

}  // namespace

TEST_CASE("ascii: what each of the 256 bytes is") {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    CAPTURE(i);
    CHECK(is_digit(c) == is_in(digits, c));
    CHECK(is_letter(c) == (is_in(small, c) || is_in(large, c)));
    CHECK(is_hex_digit(c) == (is_in(hex_small, c) || is_in(hex_large, c)));
    CHECK(to_lower(c) == (is_in(large, c) ? small[large.find(c)] : c));
    const bool has_value = is_in(hex_small, c) || is_in(hex_large, c);
    const std::size_t value = is_in(hex_small, c) ? hex_small.find(c) : hex_large.find(c);
    CHECK(hex_value(c) == (has_value ? static_cast<int>(value) : -1));
  }
}

TEST_CASE("ascii: equal but for the case of letters") {
  for (const equal_case& row : equal_cases) {
    CAPTURE(row.says);
    CHECK(equal_ignoring_case(row.a, row.b) == row.expected);
    CHECK((lowered(row.a) == lowered(row.b)) == row.expected);
  }
}

TEST_CASE("ascii: small letters") { CHECK(lowered("Aa-Zz[\xc4 9") == "aa-zz[\xc4 9"); }
