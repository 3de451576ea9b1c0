#include "adapters/websocket/protocol_error.hpp"

namespace cellroute::websocket {

std::string_view to_string(protocol_error error) {
  switch (error) {
    case protocol_error::reserved_bit:
      return "reserved bit set";
    case protocol_error::reserved_opcode:
      return "reserved opcode";
    case protocol_error::fragmented_control:
      return "fragmented control frame";
    case protocol_error::control_too_long:
      return "control frame too long";
    case protocol_error::length_not_minimal:
      return "length in more bytes than it needs";
    case protocol_error::length_too_large:
      return "length out of range";
    case protocol_error::not_masked:
      return "client frame is not masked";
    case protocol_error::masked:
      return "server frame is masked";
    case protocol_error::unexpected_continuation:
      return "continuation of no message";
    case protocol_error::unfinished_message:
      return "message begins inside another";
    case protocol_error::message_too_big:
      return "message too big";
    case protocol_error::bad_text:
      return "text is not UTF-8";
    case protocol_error::bad_close_size:
      return "close frame of one byte";
    case protocol_error::bad_close_code:
      return "close code must not be sent";
    case protocol_error::bad_close_reason:
      return "close reason is not UTF-8";
  }
  return {};
}

close_code close_code_of(protocol_error error) {
  switch (error) {
    case protocol_error::message_too_big:
      return close_code::message_too_big;
    case protocol_error::bad_text:
    case protocol_error::bad_close_reason:
      return close_code::invalid_data;
    case protocol_error::reserved_bit:
    case protocol_error::reserved_opcode:
    case protocol_error::fragmented_control:
    case protocol_error::control_too_long:
    case protocol_error::length_not_minimal:
    case protocol_error::length_too_large:
    case protocol_error::not_masked:
    case protocol_error::masked:
    case protocol_error::unexpected_continuation:
    case protocol_error::unfinished_message:
    case protocol_error::bad_close_size:
    case protocol_error::bad_close_code:
      return close_code::protocol_error;
  }
  return close_code::protocol_error;
}

}  // namespace cellroute::websocket
