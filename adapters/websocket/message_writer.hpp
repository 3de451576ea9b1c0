#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/websocket/close_code.hpp"
#include "adapters/websocket/frame.hpp"
#include "adapters/websocket/masking.hpp"

namespace cellroute::websocket {

/// The payload of a control frame.
class control_payload {
 public:
  control_payload() = default;
  /// Range: `control_bytes_max` bytes at most.
  explicit control_payload(std::string_view bytes) { append(bytes); }
  /// That of a close frame: `no_status` makes an empty one. The reason is cut, between two characters, to what fits.
  ///
  /// Range: a code that `may_be_sent`, or `no_status`; the reason is UTF-8.
  control_payload(close_code code, std::string_view reason);

  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_bytes_}; }

 private:
  void append(std::string_view bytes);

  std::array<char, control_bytes_max> bytes_{};
  std::uint8_t size_bytes_ = 0;
};

/// Writes what one end sends: a server's frames bare, a client's each with a mask of its own.
///
/// That messages follow each other, and nothing a close frame, is the caller's to see to; `session` does.
/// Threads: one owner. Source: RFC 6455 sections 5 and 6.1.
class message_writer {
 public:
  /// A server's.
  message_writer() = default;
  /// A client's; `masks` outlives it.
  explicit message_writer(mask_source& masks) : masks_(&masks) {}

  [[nodiscard]] role self() const { return masks_ != nullptr ? role::client : role::server; }

  /// Appends a message in one frame. A text is UTF-8.
  void append_message(std::string& out, message_kind kind, std::string_view payload);

  /// Appends one frame. A message in several is one that is not final, continuations, and a final continuation; control
  /// frames may stand between them, and nothing else.
  void append_frame(std::string& out, opcode code, std::string_view payload, bool is_final = true);

  void append_control(std::string& out, opcode code, const control_payload& payload) {
    append_frame(out, code, payload.view());
  }

  /// The head of the next frame, for a payload that is sent from where it lies: `encode` makes bytes of it. A client
  /// masks the payload with the head's `mask`.
  [[nodiscard]] frame_head make_head(opcode code, std::uint64_t payload_bytes, bool is_final = true);

 private:
  mask_source* masks_ = nullptr;
};

}  // namespace cellroute::websocket
