#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cellroute/base/expected.hpp"

/// Numbers in as few bytes as they need: 7 bits in each byte, the lowest first; all bytes but the last have the top
/// bit. Each number has one form.
///
/// Source: unsigned LEB128, DWARF Debugging Information Format 4, section 7.6.
namespace cellroute {

inline constexpr std::size_t varint_bytes_max = 10;

/// Writes a number and returns what is behind it.
///
/// Range: there is room for `varint_bytes_max`.
inline std::byte* write_varint(std::byte* to, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) *to++ = static_cast<std::byte>(number | 0x80);
  *to++ = static_cast<std::byte>(number);
  return to;
}

/// How many bytes a number takes.
[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t number) {
  std::size_t size = 1;
  for (; number >= 0x80; number >>= 7) ++size;
  return size;
}

enum class varint_error {
  cut_off,
  not_shortest,  ///< a second form of a number would make a second form of everything that has one
  too_large,     ///< beyond 64 bits
};

[[nodiscard]] constexpr std::string_view to_string(varint_error error) {
  switch (error) {
    case varint_error::cut_off:
      return "cut_off";
    case varint_error::not_shortest:
      return "not_shortest";
    case varint_error::too_large:
      return "too_large";
  }
  return {};
}

/// Takes a number off the front of some bytes; these stay as they are where there is none.
[[nodiscard]] inline expected<std::uint64_t, varint_error> take_varint(std::span<const std::byte>& from) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto byte = std::to_integer<std::uint64_t>(from[i]);
    if (i + 1 == varint_bytes_max && byte > 1) return unexpected(varint_error::too_large);
    number |= (byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    if (byte == 0 && i > 0) return unexpected(varint_error::not_shortest);
    from = from.subspan(i + 1);
    return number;
  }
  return unexpected(varint_error::cut_off);
}

}  // namespace cellroute
