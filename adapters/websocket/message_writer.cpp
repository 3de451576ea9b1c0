#include "adapters/websocket/message_writer.hpp"

#include <algorithm>
#include <cassert>
#include <span>

namespace cellroute::websocket {
namespace {

// As much of a text as fits into so many bytes and ends with a whole character.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

control_payload::control_payload(close_code code, std::string_view reason) {
  if (code == close_code::no_status) return;
  assert(may_be_sent(code));
  const std::uint16_t number = number_of(code);
  bytes_[0] = static_cast<char>(number >> 8);
  bytes_[1] = static_cast<char>(number & 0xff);
  size_bytes_ = 2;
  append(cut(reason, control_bytes_max - size_bytes_));
}

void control_payload::append(std::string_view bytes) {
  assert(bytes.size() <= control_bytes_max - size_bytes_);
  std::ranges::copy(bytes, bytes_.begin() + size_bytes_);
  size_bytes_ = static_cast<std::uint8_t>(size_bytes_ + bytes.size());
}

void message_writer::append_message(std::string& out, message_kind kind, std::string_view payload) {
  append_frame(out, kind == message_kind::text ? opcode::text : opcode::binary, payload);
}

void message_writer::append_frame(std::string& out, opcode code, std::string_view payload, bool is_final) {
  const frame_head head = make_head(code, payload.size(), is_final);
  out += encode(head).view();
  const std::size_t begin = out.size();
  out += payload;
  if (head.mask) apply_mask(std::span<char>(out).subspan(begin), *head.mask);
}

frame_head message_writer::make_head(opcode code, std::uint64_t payload_bytes, bool is_final) {
  frame_head head{.code = code, .is_final = is_final, .payload_bytes = payload_bytes};
  if (masks_ != nullptr) head.mask = masks_->next_mask();
  return head;
}

}  // namespace cellroute::websocket
