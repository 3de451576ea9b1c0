#include "adapters/websocket/utf8_check.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "cellroute/base/escape.hpp"
#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

struct utf8_case {
  std::string_view says;
  std::string text;
  std::string_view expected;  ///< `whole`, `wait` for the rest of a character, or `bad`
};

std::string_view verdict(const way& arrives) {
  utf8_check check;
  std::size_t begin = 0;
  for (const std::size_t end : arrives.ends) {
    const exact_bytes piece{std::string_view(arrives.input).substr(begin, end - begin)};
    begin = end;
    if (!check.take(piece.view())) return "bad";
  }
  return check.is_complete() ? "whole" : "wait";
}

// Character by character with the core's own function; how far the text is in order is all that it can tell.
std::size_t good_bytes(std::string_view text) {
  std::size_t done = 0;
  while (done < text.size() && utf8_size(text.substr(done)) > 0) done += utf8_size(text.substr(done));
  return done;
}

// The same verdict, slowly: what is left behind the last whole character may become one, or never.
std::string_view slow_verdict(std::string_view text) {
  const std::string_view rest = text.substr(good_bytes(text));
  if (rest.empty()) return "whole";
  // Some rest of a character is 80, 90 or a0 at its beginning, and 80 behind it.
  for (const std::string_view next : {"\x80", "\x90", "\xa0"}) {
    for (const std::string_view more : {"", "\x80", "\x80\x80"}) {
      const std::string made = std::string(rest).append(next).append(more);
      if (utf8_size(made) == made.size()) return "wait";
    }
  }
  return "bad";
}

}  // namespace

TEST_CASE("websocket text: what is UTF-8, and what is not (RFC 3629 section 4)") {
  const utf8_case cases[] = {
      {"nothing", "", "whole"},
      {"ASCII", "Hello", "whole"},
      {"a NUL is a character", std::string("a\0b", 3), "whole"},
      {"two bytes", "\xc2\xb5", "whole"},
      {"three bytes", "\xe2\x82\xac", "whole"},
      {"four bytes", "\xf0\x9f\x98\x80", "whole"},
      {"the smallest of two", "\xc2\x80", "whole"},
      {"the smallest of three", "\xe0\xa0\x80", "whole"},
      {"the smallest of four", "\xf0\x90\x80\x80", "whole"},
      {"the last one before the surrogates", "\xed\x9f\xbf", "whole"},
      {"the first one behind them", "\xee\x80\x80", "whole"},
      {"one that is assigned to nothing", "\xef\xbf\xbf", "whole"},
      {"the last one of all", "\xf4\x8f\xbf\xbf", "whole"},
      {"behind a run of ASCII", "0123456789012345678901234567890123456789\xe2\x82\xac", "whole"},
      {"the first of two", "\xc2", "wait"},
      {"two of three", "\xe2\x82", "wait"},
      {"three of four", "\xf0\x9f\x98", "wait"},

      {"a byte from inside of a character", "\x80", "bad"},
      {"one too many", "\xc2\xb5\x80", "bad"},
      {"a slash in two bytes, which a filter would not see", "\xc0\xaf", "bad"},
      {"the largest overlong of two", "\xc1\xbf", "bad"},
      {"a slash in three bytes", "\xe0\x80\xaf", "bad"},
      {"the largest overlong of three", "\xe0\x9f\xbf", "bad"},
      {"a slash in four bytes", "\xf0\x80\x80\xaf", "bad"},
      {"the largest overlong of four", "\xf0\x8f\xbf\xbf", "bad"},
      {"the first surrogate", "\xed\xa0\x80", "bad"},
      {"the last surrogate", "\xed\xbf\xbf", "bad"},
      {"a pair of surrogates, as CESU-8 has it", "\xed\xa0\xbd\xed\xb8\x80", "bad"},
      {"one above the last", "\xf4\x90\x80\x80", "bad"},
      {"far above the last", "\xf5\x80\x80\x80", "bad"},
      {"five bytes", "\xf8\x88\x80\x80\x80", "bad"},
      {"a byte that is never there", "\xff", "bad"},
      {"a character cut by ASCII", "\xe2\x82 ", "bad"},
      {"a character cut by another", "\xe2\x82\xc2\xb5", "bad"},
      {"a character with a run of ASCII inside",
       "\xe2"
       "0123456789abcdef"
       "\x82\xac",
       "bad"},
      {"a run of ASCII where it should go on",
       "\xe2"
       "0123456789abcdef0123456789abcdef",
       "bad"},
      {"Latin-1", "caf\xe9 au lait", "bad"},
      {"bad behind a run of ASCII", "0123456789012345678901234567890123456789\xff", "bad"},
      {"bad before a run of ASCII", "\xe2 0123456789012345678901234567890123456789", "bad"},
  };
  for (const utf8_case& row : cases) {
    CAPTURE(row.says);
    CHECK(slow_verdict(row.text) == row.expected);
    for (const way& arrives : ways_of(row.text)) {
      CAPTURE(arrives.says);
      CHECK(verdict(arrives) == row.expected);
    }
  }
}

TEST_CASE("websocket text: whole where the slow reader says so, for all texts of three bytes") {
  std::string text(3, '\0');
  std::size_t differences = 0;
  for (unsigned number = 0; number < 1u << 24; ++number) {
    // Where the first byte is ASCII the rest was looked at before; one such byte stands for all.
    if (number >> 16 > 0 && number >> 16 < 0x7f) continue;
    for (std::size_t i = 0; i < 3; ++i) text[i] = static_cast<char>(number >> (8 * (2 - i)));
    utf8_check check;
    const bool is_whole = check.take(text) && check.is_complete();
    if (is_whole != (good_bytes(text) == text.size())) ++differences;
  }
  CHECK(differences == 0);
}

TEST_CASE("websocket text: as the slow reader says, for all boundaries in four bytes, behind runs of every size") {
  const std::array<unsigned char, 26> boundaries = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                                    0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
                                                    0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};
  std::size_t differences = 0;
  std::string text;
  for (std::size_t number = 0; number < 26u * 26 * 26 * 26; ++number) {
    text.assign(number % 41, 'a');
    for (std::size_t left = number, i = 0; i < 4; ++i, left /= boundaries.size()) {
      text.push_back(static_cast<char>(boundaries[left % boundaries.size()]));
    }
    utf8_check check;
    const std::string_view told = !check.take(text) ? "bad" : check.is_complete() ? "whole" : "wait";
    if (told != slow_verdict(text)) ++differences;
  }
  CHECK(differences == 0);
}
