#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Whole numbers in bytes, the lowest first, on every host.
namespace cellroute::wire {

/// Range: `to` has room for the number.
template <class Number>
void put_number(std::span<std::byte> to, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) to[i] = static_cast<std::byte>(number >> (8 * i));
}

/// Range: `from` is at least as long as the number.
template <class Number>
[[nodiscard]] Number get_number(std::span<const std::byte> from) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<Number>(std::to_integer<Number>(from[i]) << (8 * i));
  return number;
}

}  // namespace cellroute::wire
