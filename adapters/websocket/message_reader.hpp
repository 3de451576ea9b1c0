#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/websocket/close_code.hpp"
#include "adapters/websocket/frame.hpp"
#include "adapters/websocket/protocol_error.hpp"
#include "adapters/websocket/utf8_check.hpp"

namespace cellroute::websocket {

/// How much is taken of a peer; exactly as much passes, one byte more does not.
struct reader_limits {
  std::size_t message_bytes_max = std::size_t{1} << 20;  ///< payload of one message, of all its frames together
};

/// A whole message; a text is UTF-8.
struct message {
  message_kind kind = message_kind::binary;
  std::string_view payload;
};

/// Asks for a pong with the same payload.
struct ping {
  std::string_view payload;
};

struct pong {
  std::string_view payload;
};

/// The peer sends nothing after it.
struct close {
  close_code code = close_code::no_status;
  std::string_view reason;  ///< UTF-8
};

/// What a reader tells. The views hold until it reads again, and as long as the input does.
using read_event = std::variant<need_more, message, ping, pong, close, protocol_error>;

/// Takes messages out of the bytes that a peer sends, however these were cut.
///
/// The limit is held against the length that a frame announces, before anything of it is kept. A text is looked at
/// while it comes, so that one bad byte is refused before the rest is sent.
///
/// Cost: one pass that takes the mask off, one over texts. What lies whole and in one frame in the input is handed out
/// where it lies; all else is copied together. Memory is kept only while a message is unfinished, and never more than
/// its limit: an announced length reserves nothing.
/// Threads: one owner.
/// Source: RFC 6455 sections 5 to 7.
class message_reader {
 public:
  explicit message_reader(role self, const reader_limits& limits = {}) : limits_(limits), self_(self) {}

  /// Reads up to the next thing to tell, and takes what it read off the front of `input`, in which it removes masks.
  ///
  /// After `need_more` all of the input was taken. After a `close` or an error nothing is read any more: all that comes
  /// is taken and dropped.
  [[nodiscard]] read_event next(std::span<char>& input);

  /// A `close` or an error was told.
  [[nodiscard]] bool has_ended() const { return part_ == part::ended; }

  /// Memory held for an unfinished message, or for the last one told.
  [[nodiscard]] std::size_t held_bytes() const { return message_.capacity(); }

 private:
  enum class part : std::uint8_t {
    head,     // of a frame
    control,  // the payload of a control frame
    data,     // that of another one
    ended,
  };

  [[nodiscard]] read_event read_head(std::span<char>& input);
  [[nodiscard]] read_event read_control(std::span<char>& input);
  [[nodiscard]] read_event read_data(std::span<char>& input);

  [[nodiscard]] frame_head_outcome take_head(std::span<char>& input);
  [[nodiscard]] std::span<char> take_payload(std::span<char>& input);
  [[nodiscard]] std::optional<protocol_error> begin_frame(const frame_head& head);
  [[nodiscard]] read_event tell_control(std::string_view payload);
  void keep(std::span<const char> piece);

  reader_limits limits_;
  frame_head frame_;              // the one whose payload comes
  std::uint64_t left_bytes_ = 0;  // of that payload
  std::vector<char> message_;     // what there is of an unfinished message, or what the last event points to
  utf8_check text_;               // of that message; complete between two of them
  std::array<char, control_bytes_max> beginning_{};  // the beginning of a head, or of a control frame's payload
  std::uint8_t beginning_bytes_ = 0;
  message_kind kind_ = message_kind::binary;
  bool is_in_message_ = false;
  role self_;
  part part_ = part::head;
};

}  // namespace cellroute::websocket
