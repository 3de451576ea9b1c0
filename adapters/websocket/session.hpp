#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "adapters/websocket/message_reader.hpp"
#include "adapters/websocket/message_writer.hpp"

namespace cellroute::websocket {

/// open     messages go both ways
/// closing  we close: our close frame is owed or sent; what the peer sent before it knew is still told
/// closed   the peer's close frame came; ours is owed or sent
/// failed   the peer broke the protocol: our close frame is owed or sent, and nothing is read any more
enum class session_state : std::uint8_t { open, closing, closed, failed };

/// One end of a connection behind the handshake: a reader, a writer, and what the one makes the other owe.
///
/// A ping is answered, a close frame is answered once, a broken protocol is told. None of that is written by itself,
/// but by `append_owed`, where the caller has room: so a peer that pings and does not read costs one pong's memory.
/// Behind a close frame nothing is sent, also no pong: the peer drops all of that.
///
/// Time: none. How long to wait for the peer's close frame, or as a client for the end of the connection behind it, is
/// the caller's to bound, and so is the time without any byte.
/// Threads: one owner.
/// Source: RFC 6455 sections 5.5 and 7.
class session {
 public:
  explicit session(message_writer writer, const reader_limits& limits = {})
      : writer_(writer), reader_(writer.self(), limits) {}

  /// As `message_reader::next`; pings and closes are told, too, and what they ask for is owed.
  [[nodiscard]] read_event receive(std::span<char>& input);

  /// Appends a message, or returns false and appends nothing because a close was begun.
  [[nodiscard]] bool append_message(std::string& out, message_kind kind, std::string_view payload);
  [[nodiscard]] bool append_ping(std::string& out, const control_payload& payload);

  /// For a payload that is sent from where it lies: its head, while messages may be sent.
  [[nodiscard]] std::optional<frame_head> make_head(message_kind kind, std::uint64_t payload_bytes);

  /// Owes the peer a close frame. Only the first time counts, and not after the peer's own close frame.
  ///
  /// Range: as of `control_payload`.
  void begin_close(close_code code, std::string_view reason = {});

  /// Something is owed: a pong, a close frame, or both. It may go between any two frames.
  [[nodiscard]] bool owes() const { return pong_.has_value() || close_.has_value(); }
  void append_owed(std::string& out);

  [[nodiscard]] session_state state() const { return state_; }
  [[nodiscard]] bool may_send() const { return state_ == session_state::open; }

  /// This end has to end the connection, once what it wrote has been sent. A client leaves that to the server, unless
  /// the server broke the protocol.
  [[nodiscard]] bool must_disconnect() const;

  /// Both close frames went: if the connection ends now, it ends cleanly.
  [[nodiscard]] bool is_clean() const { return state_ == session_state::closed && !owes(); }

  /// Why the peer closed: `no_status` if it did not say, `abnormal` if it sent no close frame.
  [[nodiscard]] close_code peer_code() const { return peer_code_; }

 private:
  void owe_close(close_code code, std::string_view reason);

  message_writer writer_;
  message_reader reader_;
  std::optional<control_payload> pong_;   // owed
  std::optional<control_payload> close_;  // owed
  session_state state_ = session_state::open;
  bool has_sent_close_ = false;
  close_code peer_code_ = close_code::abnormal;
};

}  // namespace cellroute::websocket
