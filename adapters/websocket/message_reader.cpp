#include "adapters/websocket/message_reader.hpp"

#include <algorithm>
#include <utility>

#include "adapters/websocket/masking.hpp"

namespace cellroute::websocket {
namespace {

std::string_view view_of(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

std::uint8_t payload_byte(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

// The reason is a text like any other, and may end in a log (RFC 6455 section 5.5.1).
read_event parse_close(std::string_view payload) {
  if (payload.empty()) return close{};
  if (payload.size() == 1) return protocol_error::bad_close_size;
  const auto code = static_cast<close_code>(payload_byte(payload, 0) << 8 | payload_byte(payload, 1));
  if (!may_be_sent(code)) return protocol_error::bad_close_code;
  const std::string_view reason = payload.substr(2);
  utf8_check check;
  if (!check.take(reason) || !check.is_complete()) return protocol_error::bad_close_reason;
  return close{code, reason};
}

// With its memory.
void drop(std::vector<char>& bytes) { std::vector<char>().swap(bytes); }

}  // namespace

read_event message_reader::next(std::span<char>& input) {
  if (!is_in_message_) drop(message_);
  read_event event = need_more{};
  bool goes_on = true;
  while (goes_on) {
    const part before = part_;
    switch (part_) {
      case part::head:
        event = read_head(input);
        break;
      case part::control:
        event = read_control(input);
        break;
      case part::data:
        event = read_data(input);
        break;
      case part::ended:
        input = input.last(0);
        return need_more{};
    }
    // Nothing to tell, and yet one step further: a frame began, or one ended that does not end its message.
    goes_on = std::holds_alternative<need_more>(event) && part_ != before;
  }
  if (std::holds_alternative<close>(event) || std::holds_alternative<protocol_error>(event)) {
    part_ = part::ended;
    drop(message_);
  }
  return event;
}

read_event message_reader::read_head(std::span<char>& input) {
  const frame_head_outcome outcome = take_head(input);
  if (const auto* refused = std::get_if<protocol_error>(&outcome)) return *refused;
  const auto* found = std::get_if<found_head>(&outcome);
  if (found == nullptr) return need_more{};
  if (const auto refused = begin_frame(found->head)) return *refused;
  part_ = is_control(frame_.code) ? part::control : part::data;
  return need_more{};
}

read_event message_reader::read_control(std::span<char>& input) {
  const std::span<char> piece = take_payload(input);
  if (beginning_bytes_ == 0 && left_bytes_ == 0) {
    part_ = part::head;
    return tell_control(view_of(piece));
  }
  std::ranges::copy(piece, beginning_.begin() + beginning_bytes_);
  beginning_bytes_ = static_cast<std::uint8_t>(beginning_bytes_ + piece.size());
  if (left_bytes_ > 0) return need_more{};
  part_ = part::head;
  return tell_control({beginning_.data(), std::exchange(beginning_bytes_, std::uint8_t{0})});
}

read_event message_reader::read_data(std::span<char>& input) {
  const std::span<char> piece = take_payload(input);
  const bool is_text = kind_ == message_kind::text;
  if (is_text && !text_.take(view_of(piece))) return protocol_error::bad_text;
  const bool is_whole = left_bytes_ == 0 && frame_.is_final;
  if (is_text && is_whole && !text_.is_complete()) return protocol_error::bad_text;

  const bool lies_in_input = is_whole && message_.empty();
  if (!lies_in_input) keep(piece);
  if (left_bytes_ == 0) part_ = part::head;
  if (!is_whole) return need_more{};
  is_in_message_ = false;
  return message{kind_, lies_in_input ? view_of(piece) : view_of(message_)};
}

// Parses where the bytes lie, unless a beginning is kept: then behind that.
frame_head_outcome message_reader::take_head(std::span<char>& input) {
  const std::size_t before = beginning_bytes_;
  const std::size_t copied = std::min(input.size(), frame_head_bytes_max - before);
  if (before > 0) std::ranges::copy(input.first(copied), beginning_.begin() + static_cast<std::ptrdiff_t>(before));
  const std::string_view seen = before > 0 ? std::string_view(beginning_.data(), before + copied) : view_of(input);
  const frame_head_outcome outcome = parse_frame_head(seen, self_);
  if (const auto* found = std::get_if<found_head>(&outcome)) {
    input = input.subspan(found->size_bytes - before);
    beginning_bytes_ = 0;
  } else if (std::holds_alternative<need_more>(outcome)) {
    if (before == 0) std::ranges::copy(input.first(copied), beginning_.begin());
    beginning_bytes_ = static_cast<std::uint8_t>(before + copied);
    input = input.last(0);
  }
  return outcome;
}

// What of the frame's payload is there, without its mask.
std::span<char> message_reader::take_payload(std::span<char>& input) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes_, input.size()));
  const std::span<char> piece = input.first(size);
  input = input.subspan(size);
  if (frame_.mask) apply_mask(piece, *frame_.mask, frame_.payload_bytes - left_bytes_);
  left_bytes_ -= size;
  return piece;
}

// The rules that a frame keeps with those before it (RFC 6455 section 5.4), and the limit.
std::optional<protocol_error> message_reader::begin_frame(const frame_head& head) {
  frame_ = head;
  left_bytes_ = head.payload_bytes;
  if (is_control(head.code)) return {};
  const bool continues = head.code == opcode::continuation;
  if (continues && !is_in_message_) return protocol_error::unexpected_continuation;
  if (!continues && is_in_message_) return protocol_error::unfinished_message;
  if (head.payload_bytes > limits_.message_bytes_max - message_.size()) return protocol_error::message_too_big;
  if (!continues) {
    kind_ = head.code == opcode::text ? message_kind::text : message_kind::binary;
    is_in_message_ = true;
  }
  return {};
}

read_event message_reader::tell_control(std::string_view payload) {
  if (frame_.code == opcode::close) return parse_close(payload);
  if (frame_.code == opcode::ping) return ping{payload};
  return pong{payload};
}

// Room grows with what has come: twice as much each time, but no more than the message can still have.
void message_reader::keep(std::span<const char> piece) {
  const std::size_t size = message_.size() + piece.size();
  if (size > message_.capacity()) {
    const std::size_t most = frame_.is_final ? size + static_cast<std::size_t>(left_bytes_) : limits_.message_bytes_max;
    message_.reserve(std::min(most, std::max(size, 2 * message_.capacity())));
  }
  message_.insert(message_.end(), piece.begin(), piece.end());
}

}  // namespace cellroute::websocket
