#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "adapters/websocket/protocol_error.hpp"

namespace cellroute::websocket {

/// Which end we are: a client masks what it sends, a server does not, and each refuses the other way.
enum class role : std::uint8_t { client, server };

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

[[nodiscard]] constexpr bool is_control(opcode code) { return code >= opcode::close; }

enum class message_kind : std::uint8_t { text, binary };

/// What a client XORs each payload with. Source: RFC 6455 section 5.3.
using mask_key = std::array<std::uint8_t, 4>;

/// More does not go into a control frame. Source: RFC 6455 section 5.5.
inline constexpr std::size_t control_bytes_max = 125;

/// Two bytes, a length of eight, a mask of four; a server's frames have no mask.
inline constexpr std::size_t frame_head_bytes_max = 14;

/// What stands in front of a payload.
struct frame_head {
  opcode code = opcode::binary;
  bool is_final = true;  ///< the last frame of its message
  std::uint64_t payload_bytes = 0;
  std::optional<mask_key> mask{};
  friend bool operator==(const frame_head&, const frame_head&) = default;
};

/// All of the input is a beginning; more of it is needed.
struct need_more {
  friend bool operator==(const need_more&, const need_more&) = default;
};

/// A head, and how many bytes of the input it took.
struct found_head {
  frame_head head;
  std::size_t size_bytes = 0;
  friend bool operator==(const found_head&, const found_head&) = default;
};

using frame_head_outcome = std::variant<need_more, found_head, protocol_error>;

/// Reads the head at the front of what the peer of `self` sent.
///
/// Errors: those of a single frame, each as soon as the byte that proves it is there.
/// Source: RFC 6455 sections 5.1, 5.2 and 5.5. No extension is ever agreed on, so all that is reserved is refused.
[[nodiscard]] frame_head_outcome parse_frame_head(std::string_view input, role self);

/// A head as bytes.
class encoded_head {
 public:
  void push(std::uint8_t byte) { bytes_[size_bytes_++] = static_cast<char>(byte); }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_bytes_}; }

 private:
  std::array<char, frame_head_bytes_max> bytes_{};
  std::uint8_t size_bytes_ = 0;
};

/// Writes a head in its shortest form. What a server sends to many is this, once, and the payload from where it lies.
///
/// Range: `payload_bytes` below 2^63; of a control frame `control_bytes_max` at most, and final.
[[nodiscard]] encoded_head encode(const frame_head& head);

}  // namespace cellroute::websocket
