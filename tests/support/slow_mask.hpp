#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cellroute::support {

/// A masked payload, byte by byte, in the words of RFC 6455 section 5.3: byte i of it goes with byte i modulo 4 of the
/// key.
inline std::string slow_mask(std::string_view payload, const std::array<std::uint8_t, 4>& key, std::size_t before = 0) {
  std::string masked;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    masked.push_back(static_cast<char>(static_cast<unsigned char>(payload[i]) ^ key[(before + i) % 4]));
  }
  return masked;
}

}  // namespace cellroute::support
