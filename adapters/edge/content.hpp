#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/http1/body_framing.hpp"
#include "adapters/http1/chunked_decoder.hpp"
#include "adapters/io/buffer.hpp"
#include "adapters/io/socket.hpp"

namespace cellroute::edge {

/// What was read from a connection and not yet used. Holds a block only while bytes are there.
class input_bytes {
 public:
  /// Free bytes kept before what is read, so that a longer head fits in front of the content that came with it.
  static constexpr std::size_t headroom_bytes = 1024;
  /// Free bytes kept behind it, for what ends chunked content.
  static constexpr std::size_t tailroom_bytes = 32;

  [[nodiscard]] std::string_view unread() const { return {block_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::span<char> unread_bytes() { return {block_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool is_empty() const { return begin_ == end_; }
  void consume(std::size_t size_bytes) { begin_ += size_bytes; }

  [[nodiscard]] std::size_t headroom() const { return begin_; }
  /// Free bytes behind the unread ones.
  [[nodiscard]] std::size_t tailroom() const { return block_.size() - end_; }

  /// Reads once, behind what is unread; takes a block where none is held. `filled` tells that there may be more.
  struct fill_result {
    io::io_status status = io::io_status::ok;
    bool filled = false;
  };
  [[nodiscard]] fill_result fill(io::socket& from, std::size_t block_bytes);

  /// Gives the block back if nothing is unread, and moves a small rest to a small block, before a wait.
  void shrink(io::buffer_pool& pool);

 private:
  io::buffer block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Reads one HTTP/1 message's content off a connection.
class content_reader {
 public:
  content_reader(io::socket& from, input_bytes& input) : socket_(from), input_(input) {}

  void begin(http1::body_framing framing, std::uint64_t length_bytes);

  /// The content that is here, without reading.
  [[nodiscard]] body_piece take();
  /// The next content; waits for it.
  [[nodiscard]] io::task<body_piece> read(time_point deadline);
  [[nodiscard]] bool is_complete() const { return complete_; }
  /// Those that may be passed on have no `skip`.
  [[nodiscard]] std::span<field> trailers();
  /// Keeps the names that the Connection fields of `head` have: trailers of these names end here. RFC 9110 section
  /// 7.6.1.
  void forbid_nominated(std::span<const field> head);
  /// The message is over: gives back what was borrowed for it.
  void rest() { pipe_.reset(); }
  /// A long stream may come in pipes. It never does from a secure connection.
  void welcome_pipes(bool welcome) { pipes_welcome_ = welcome; }

 private:
  [[nodiscard]] body_piece take_counted();
  [[nodiscard]] body_piece take_chunked();
  /// Whether what comes next is long enough, and plain enough, for a pipe.
  [[nodiscard]] bool suits_pipe() const;
  [[nodiscard]] body_piece lend_pipe(std::size_t size_bytes);
  [[nodiscard]] body_piece lend(std::size_t size_bytes, std::size_t tailroom_bytes);

  io::socket& socket_;
  input_bytes& input_;
  http1::body_framing framing_ = http1::body_framing::none;
  bool complete_ = false;
  bool grow_ = false;  // the last read filled its block
  bool pipes_welcome_ = false;
  io::pipe_handle pipe_;
  std::uint64_t left_bytes_ = 0;
  http1::chunked_decoder decoder_;
  std::vector<field> trailers_;
  std::string nominated_;  // a list; nearly always empty
};

/// Writes one HTTP/1 message: its head with the first content in one call where they fit together, then the rest.
class content_writer {
 public:
  explicit content_writer(io::socket& to) : socket_(to) {}

  /// With `ends_connection` nothing follows the message: its last bytes and the end of the stream leave in one packet.
  void begin(http1::body_framing framing, bool ends_connection = false);
  /// Sends `head`, which lies elsewhere, and the first content.
  [[nodiscard]] io::task<stream_fault> send_head(std::string_view head, body_piece first,
                                                 std::span<const field> trailers, time_point deadline);
  [[nodiscard]] io::task<stream_fault> send(body_piece piece, std::span<const field> trailers, time_point deadline);
  [[nodiscard]] bool is_complete() const { return complete_; }

 private:
  /// Content with its framing around it, as far as the room around it allowed.
  struct framed {
    std::span<char> bytes;
    std::size_t headroom_bytes = 0;
    std::string_view before;  // what had no room; to be sent first
    std::string_view behind;
  };
  [[nodiscard]] framed frame(body_piece piece, bool with_last_chunk);
  [[nodiscard]] bool ends_with_trailers(const body_piece& piece, std::span<const field> trailers) const {
    return piece.end && !trailers.empty() && framing_ == http1::body_framing::chunked;
  }
  /// The whole message is with the kernel.
  void note_end();
  [[nodiscard]] io::task<stream_fault> send_trailers(std::span<const field> trailers, time_point deadline);

  io::socket& socket_;
  http1::body_framing framing_ = http1::body_framing::none;
  bool ends_connection_ = false;
  bool complete_ = false;
  char prefix_[24] = {};
};

/// Sends everything, waiting where the peer does not take it. Faults: `closed`, `timed_out`, `cancelled`.
[[nodiscard]] io::task<stream_fault> send_all(io::socket& to, std::span<const char> bytes, bool more_follows,
                                              time_point deadline);

/// Room for as many fields in a borrowed block, behind its first `used_bytes`.
[[nodiscard]] std::span<field> field_storage(io::buffer& block, std::size_t used_bytes, std::size_t count);
[[nodiscard]] constexpr std::size_t field_storage_bytes(std::size_t used_bytes, std::size_t count) {
  return used_bytes + alignof(field) + count * sizeof(field);
}

}  // namespace cellroute::edge
