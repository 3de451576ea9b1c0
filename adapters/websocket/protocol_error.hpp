#pragma once

#include <cstdint>
#include <string_view>

#include "adapters/websocket/close_code.hpp"

namespace cellroute::websocket {

/// Why what a peer sent is refused, and with it the connection: there is no going on behind bytes that were not
/// understood.
enum class protocol_error : std::uint8_t {
  reserved_bit,
  reserved_opcode,
  fragmented_control,
  control_too_long,
  length_not_minimal,
  length_too_large,
  not_masked,
  masked,
  unexpected_continuation,
  unfinished_message,
  message_too_big,
  bad_text,
  bad_close_size,
  bad_close_code,
  bad_close_reason,
};

/// The reason in words, for a log line or a close frame; never holds a byte that a peer sent.
[[nodiscard]] std::string_view to_string(protocol_error error);

/// The code that the peer is told.
[[nodiscard]] close_code close_code_of(protocol_error error);

}  // namespace cellroute::websocket
