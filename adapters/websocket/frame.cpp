#include "adapters/websocket/frame.hpp"

#include <algorithm>
#include <cassert>

#include "cellroute/base/expected.hpp"

namespace cellroute::websocket {
namespace {

constexpr std::uint8_t final_bit = 0x80;  // of the first byte
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;  // of the second

// What the seven bits of a length say where it does not fit into them: it follows in two bytes, or in eight.
constexpr std::uint8_t length_in_two = 126;
constexpr std::uint8_t length_in_eight = 127;

constexpr bool is_defined(opcode code) { return code <= opcode::binary || (is_control(code) && code <= opcode::pong); }

constexpr std::uint8_t byte_at(std::string_view input, std::size_t i) { return static_cast<std::uint8_t>(input[i]); }

// The length in the two or eight bytes of `digits`.
expected<std::uint64_t, protocol_error> parse_long_length(std::string_view digits) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) length = length << 8 | byte_at(digits, i);
  if (length >> 63 != 0) return unexpected(protocol_error::length_too_large);
  if (length < length_in_two || (digits.size() == 8 && length <= 0xffff)) {
    return unexpected(protocol_error::length_not_minimal);
  }
  return length;
}

}  // namespace

frame_head_outcome parse_frame_head(std::string_view input, role self) {
  if (input.empty()) return need_more{};
  const std::uint8_t first = byte_at(input, 0);
  found_head found;
  found.head.code = static_cast<opcode>(first & 0x0f);
  found.head.is_final = (first & final_bit) != 0;
  if ((first & reserved_bits) != 0) return protocol_error::reserved_bit;
  if (!is_defined(found.head.code)) return protocol_error::reserved_opcode;
  if (is_control(found.head.code) && !found.head.is_final) return protocol_error::fragmented_control;

  if (input.size() < 2) return need_more{};
  const std::uint8_t second = byte_at(input, 1);
  const bool is_masked = (second & mask_bit) != 0;
  const auto short_length = static_cast<std::uint8_t>(second & ~mask_bit);
  if (is_masked && self == role::client) return protocol_error::masked;
  if (!is_masked && self == role::server) return protocol_error::not_masked;
  if (is_control(found.head.code) && short_length > control_bytes_max) return protocol_error::control_too_long;

  const std::size_t digits = short_length == length_in_eight ? 8 : short_length == length_in_two ? 2 : 0;
  found.size_bytes = 2 + digits;
  if (input.size() < found.size_bytes) return need_more{};
  found.head.payload_bytes = short_length;
  if (digits > 0) {
    const auto length = parse_long_length(input.substr(2, digits));
    if (!length) return length.error();
    found.head.payload_bytes = *length;
  }
  if (!is_masked) return found;

  mask_key mask;
  if (input.size() < found.size_bytes + mask.size()) return need_more{};
  for (std::uint8_t& byte : mask) byte = byte_at(input, found.size_bytes++);
  found.head.mask = mask;
  return found;
}

encoded_head encode(const frame_head& head) {
  assert(head.payload_bytes >> 63 == 0);
  assert(!is_control(head.code) || (head.is_final && head.payload_bytes <= control_bytes_max));
  const std::uint64_t length = head.payload_bytes;
  const int digits = length < length_in_two ? 0 : length <= 0xffff ? 2 : 8;
  const std::uint8_t mask = head.mask ? mask_bit : std::uint8_t{0};
  const std::uint8_t short_length = digits == 0   ? static_cast<std::uint8_t>(length)
                                    : digits == 2 ? length_in_two
                                                  : length_in_eight;
  encoded_head out;
  out.push(static_cast<std::uint8_t>((head.is_final ? final_bit : 0) | static_cast<std::uint8_t>(head.code)));
  out.push(static_cast<std::uint8_t>(mask | short_length));
  for (int digit = digits - 1; digit >= 0; --digit) out.push(static_cast<std::uint8_t>(length >> (8 * digit)));
  if (head.mask) {
    for (const std::uint8_t byte : *head.mask) out.push(byte);
  }
  return out;
}

}  // namespace cellroute::websocket
