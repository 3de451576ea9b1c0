#include "adapters/websocket/session.hpp"

#include <variant>

namespace cellroute::websocket {

read_event session::receive(std::span<char>& input) {
  const read_event event = reader_.next(input);
  if (const auto* asked = std::get_if<ping>(&event)) {
    // In place of one that was not sent yet: RFC 6455 section 5.5.3 asks only for the last one's.
    if (!has_sent_close_) pong_ = control_payload(asked->payload);
  } else if (const auto* closed = std::get_if<close>(&event)) {
    peer_code_ = closed->code;
    pong_.reset();
    if (may_send()) owe_close(closed->code, {});
    state_ = session_state::closed;
  } else if (const auto* refused = std::get_if<protocol_error>(&event)) {
    pong_.reset();
    if (may_send()) owe_close(close_code_of(*refused), to_string(*refused));
    state_ = session_state::failed;
  }
  return event;
}

bool session::append_message(std::string& out, message_kind kind, std::string_view payload) {
  if (!may_send()) return false;
  writer_.append_message(out, kind, payload);
  return true;
}

bool session::append_ping(std::string& out, const control_payload& payload) {
  if (!may_send()) return false;
  writer_.append_control(out, opcode::ping, payload);
  return true;
}

std::optional<frame_head> session::make_head(message_kind kind, std::uint64_t payload_bytes) {
  if (!may_send()) return {};
  return writer_.make_head(kind == message_kind::text ? opcode::text : opcode::binary, payload_bytes);
}

void session::begin_close(close_code code, std::string_view reason) {
  if (!may_send()) return;
  owe_close(code, reason);
  state_ = session_state::closing;
}

void session::append_owed(std::string& out) {
  if (pong_) writer_.append_control(out, opcode::pong, *pong_);
  pong_.reset();
  if (!close_) return;
  writer_.append_control(out, opcode::close, *close_);
  close_.reset();
  has_sent_close_ = true;
}

bool session::must_disconnect() const {
  if (owes()) return false;
  return state_ == session_state::failed || (state_ == session_state::closed && writer_.self() == role::server);
}

void session::owe_close(close_code code, std::string_view reason) { close_.emplace(code, reason); }

}  // namespace cellroute::websocket
