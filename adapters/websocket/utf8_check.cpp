// A state machine in a table of 256 words. The word of a byte holds, for each state, the state behind that byte; a
// state is the number of bits by which its part of a word is shifted. So a byte costs a look that does not wait for the
// state, and a shift that does (after Per Vognsen's shift-based automata).
//
// Measured (bench/websocket.cpp, Greek), and lost: ranges for the next byte in three members 0.5 GB/s, whole characters
// by the core's `utf8_size` 0.6 GB/s.
#include "adapters/websocket/utf8_check.hpp"

#include <array>
#include <cstring>

namespace cellroute::websocket {
namespace {

// What must come next. One in six bits of a word: nine of them fit.
enum state : std::uint8_t {
  between = 0,  // characters
  one_left = 6,
  two_left = 12,
  three_left = 18,
  after_e0 = 24,  // lower ones behind it are overlong
  after_ed = 30,  // higher ones are surrogates
  after_f0 = 36,  // lower ones are overlong
  after_f4 = 42,  // higher ones are above the last character
  bad = 48,
};
constexpr std::uint64_t state_bits = 63;

constexpr state first_of_character(unsigned byte) {
  if (byte < 0x80) return between;
  if (byte < 0xc2 || byte > 0xf4) return bad;  // inside of a character, overlong in two bytes, too large
  if (byte < 0xe0) return one_left;
  if (byte < 0xf0) return byte == 0xe0 ? after_e0 : byte == 0xed ? after_ed : two_left;
  return byte == 0xf0 ? after_f0 : byte == 0xf4 ? after_f4 : three_left;
}

constexpr state next(state now, unsigned byte) {
  const auto between_these = [byte](unsigned low, unsigned high, state then) {
    return byte >= low && byte <= high ? then : bad;
  };
  switch (now) {
    case between:
      return first_of_character(byte);
    case one_left:
      return between_these(0x80, 0xbf, between);
    case two_left:
      return between_these(0x80, 0xbf, one_left);
    case three_left:
      return between_these(0x80, 0xbf, two_left);
    case after_e0:
      return between_these(0xa0, 0xbf, one_left);
    case after_ed:
      return between_these(0x80, 0x9f, one_left);
    case after_f0:
      return between_these(0x90, 0xbf, two_left);
    case after_f4:
      return between_these(0x80, 0x8f, two_left);
    case bad:
      return bad;
  }
  return bad;
}

constexpr std::array<std::uint64_t, 256> words = [] {
  std::array<std::uint64_t, 256> made{};
  for (unsigned byte = 0; byte < made.size(); ++byte) {
    for (const state now : {between, one_left, two_left, three_left, after_e0, after_ed, after_f0, after_f4, bad}) {
      made[byte] |= std::uint64_t{next(now, byte)} << now;
    }
  }
  return made;
}();

// Where the first byte stands that is not ASCII, or less than sixteen bytes before it.
const char* skip_ascii(const char* at, const char* end) {
  constexpr std::uint64_t high_bits = 0x8080808080808080u;
  for (; end - at >= 16; at += 16) {
    std::uint64_t first;
    std::uint64_t second;
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&second, at + 8, sizeof second);
    if (((first | second) & high_bits) != 0) break;
  }
  return at;
}

}  // namespace

bool utf8_check::take(std::string_view piece) {
  const char* at = piece.data();
  const char* const end = at + piece.size();
  std::uint64_t now = state_;  // what is above its lowest six bits belongs to other states
  while (at != end) {
    if ((now & state_bits) == between) at = skip_ascii(at, end);
    const char* const block_end = end - at < 16 ? end : at + 16;
    for (; at != block_end; ++at) now = words[static_cast<unsigned char>(*at)] >> (now & state_bits);
    if ((now & state_bits) == bad) return false;
  }
  state_ = static_cast<std::uint8_t>(now & state_bits);
  return true;
}

}  // namespace cellroute::websocket
