#pragma once

#include <cstdint>
#include <string_view>

namespace cellroute::websocket {

/// Whether bytes are UTF-8, told while they come, in pieces that may end anywhere.
///
/// Cost: sixteen bytes a step over ASCII, else one. Threads: one owner.
/// Source: RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF.
class utf8_check {
 public:
  /// False as soon as a byte has come that nothing behind it can make good; after that nothing may be taken.
  [[nodiscard]] bool take(std::string_view piece);

  /// Whether what was taken ends with a whole character.
  [[nodiscard]] bool is_complete() const { return left_ == 0; }

 private:
  [[nodiscard]] bool take_byte(std::uint8_t byte);
  [[nodiscard]] bool begin_character(std::uint8_t byte);

  std::uint8_t left_ = 0;  // bytes that the character still needs
  std::uint8_t low_ = 0;   // what the next of them is between
  std::uint8_t high_ = 0;
};

}  // namespace cellroute::websocket
