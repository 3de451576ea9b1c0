#include "adapters/websocket/utf8_check.hpp"

#include <cstdint>
#include <cstring>

namespace cellroute::websocket {
namespace {

constexpr std::uint8_t continuation_first = 0x80;
constexpr std::uint8_t continuation_last = 0xbf;

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
  utf8_check state = *this;  // a copy that no other pointer leads to stays in registers
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (at != end) {
    if (state.is_complete()) at = skip_ascii(at, end);
    const char* const block_end = end - at < 16 ? end : at + 16;
    for (; at != block_end; ++at) {
      if (!state.take_byte(static_cast<std::uint8_t>(*at))) return false;
    }
  }
  *this = state;
  return true;
}

bool utf8_check::take_byte(std::uint8_t byte) {
  if (left_ == 0) return byte < continuation_first || begin_character(byte);
  if (byte < low_ || byte > high_) return false;
  low_ = continuation_first;
  high_ = continuation_last;
  --left_;
  return true;
}

bool utf8_check::begin_character(std::uint8_t byte) {
  if (byte < 0xc2 || byte > 0xf4) return false;  // inside of a character, overlong in two bytes, or above the last one
  left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : continuation_first;  // lower ones are overlong
  high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : continuation_last;  // surrogates; above U+10FFFF
  return true;
}

}  // namespace cellroute::websocket
