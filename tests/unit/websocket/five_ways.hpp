#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/websocket/masking.hpp"
#include "adapters/websocket/message_reader.hpp"
#include "tests/support/five_ways.hpp"
#include "tests/support/slow_mask.hpp"

namespace cellroute::websocket {

/// Bytes written as in the RFC's examples: pairs of hexadecimal digits, with spaces between them.
inline std::string hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += digits[i] == ' ' ? 1 : 2) {
    if (digits[i] != ' ') bytes.push_back(static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1])));
  }
  return bytes;
}

/// A frame as a test writes it down: its first byte, which is opcode and bits, and its payload.
struct frame {
  unsigned first = 0;
  std::string payload;
};

inline constexpr mask_key some_mask = {0x37, 0xfa, 0x21, 0x3d};

/// For a client whose bytes are compared.
class same_mask final : public mask_source {
 public:
  mask_key next_mask() override { return some_mask; }
};

/// The frames as that end's peer sends them, put together without any code under test.
inline std::string sent_to(role receiver, const std::vector<frame>& frames) {
  std::string bytes;
  for (const frame& each : frames) {
    const std::size_t size = each.payload.size();
    const unsigned mask_bit = receiver == role::server ? 0x80 : 0;
    const unsigned size_digits = size < 126 ? 0 : size < 65536 ? 2 : 8;
    bytes.push_back(static_cast<char>(each.first));
    bytes.push_back(static_cast<char>(mask_bit | (size_digits == 0 ? size : size_digits == 2 ? 126 : 127)));
    for (unsigned i = size_digits; i > 0; --i) bytes.push_back(static_cast<char>(size >> (8 * (i - 1))));
    if (receiver == role::client) {
      bytes += each.payload;
    } else {
      bytes.append(some_mask.begin(), some_mask.end());
      bytes += support::slow_mask(each.payload, some_mask);
    }
  }
  return bytes;
}

using support::exact_bytes;
using support::way;
using support::ways_of;

inline std::string in_words(const read_event& event) {
  if (const auto* whole = std::get_if<message>(&event)) {
    return (whole->kind == message_kind::text ? "text[" : "binary[") + std::string(whole->payload) + "] ";
  }
  if (const auto* asked = std::get_if<ping>(&event)) return "ping[" + std::string(asked->payload) + "] ";
  if (const auto* told = std::get_if<pong>(&event)) return "pong[" + std::string(told->payload) + "] ";
  if (const auto* closed = std::get_if<close>(&event)) {
    return "close " + std::to_string(number_of(closed->code)) + "[" + std::string(closed->reason) + "] ";
  }
  if (const auto* error = std::get_if<protocol_error>(&event)) {
    return std::to_string(number_of(close_code_of(*error))) + " " + std::string(to_string(*error));
  }
  return "";
}

}  // namespace cellroute::websocket
