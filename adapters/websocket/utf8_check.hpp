#pragma once

#include <cstdint>
#include <string_view>

namespace cellroute::websocket {

/// Whether bytes are UTF-8, told while they come, in pieces that may end anywhere.
///
/// Cost: sixteen bytes a step over ASCII; else a look into a table and a shift for each byte, without a branch.
/// Threads: one owner.
/// Source: RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF.
class utf8_check {
 public:
  /// False as soon as a byte has come that nothing behind it can make good; after that nothing may be taken.
  [[nodiscard]] bool take(std::string_view piece);

  /// Whether what was taken ends with a whole character.
  [[nodiscard]] bool is_complete() const { return state_ == 0; }

 private:
  std::uint8_t state_ = 0;  // of the table's machine; 0 between two characters
};

}  // namespace cellroute::websocket
