#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "cellroute/base/random.hpp"

/// Ids of requests, as routers and control planes take them over or make them.
namespace cellroute::edge {

/// The longest request id that is taken over from a client. What is longer, or holds other than visible ASCII, is
/// replaced.
inline constexpr std::size_t request_id_bytes_max = 128;

[[nodiscard]] inline bool is_fit_request_id(std::string_view id) {
  return !id.empty() && id.size() <= request_id_bytes_max &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Writes sixteen hexadecimal digits; their order is that of the bytes, lowest first, which is all one to an id.
inline std::string_view write_hex(std::uint64_t number, std::span<char, 16> out) {
  // All digits at once: each half byte gets a byte of its own, and those from ten up another offset.
  for (int half = 0; half < 2; ++half) {
    std::uint64_t x = number >> (32 * half) & 0xffffffffu;
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    const std::uint64_t letters = (x + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    x += 0x3030303030303030u + letters * 0x27;
    std::memcpy(out.data() + 8 * half, &x, 8);
  }
  return {out.data(), out.size()};
}

/// A new id, of 32 hexadecimal digits.
inline std::string_view make_request_id(random_numbers& rng, std::array<char, 32>& made) {
  (void)write_hex(rng(), std::span(made).first<16>());
  (void)write_hex(rng(), std::span(made).last<16>());
  return {made.data(), made.size()};
}

}  // namespace cellroute::edge
