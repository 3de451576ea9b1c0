#pragma once

// The seam between protocols and forwarding. A downstream protocol hands an `exchange` to a handler; an upstream
// protocol is an `upstream_stream`. Both speak in heads as views, pieces of content, trailers and faults; nothing
// behind this file knows which version of which protocol carried a byte.
//
// Rejected: a common buffer chain (every protocol would pay for the most general one), and callbacks (a request's
// story would be spread over a dozen functions).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "adapters/io/address.hpp"
#include "adapters/io/pipe.hpp"
#include "adapters/io/task.hpp"
#include "cellroute/base/time.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::io {
struct tls_identity;
}

namespace cellroute::edge {

/// For a message, or a piece of one, that ends without trailers.
inline constexpr std::span<const field> no_trailers{};

/// What became of reading from, or writing to, one side.
enum class stream_fault : std::uint8_t {
  none,
  closed,         ///< the peer ended or reset before the message was complete
  timed_out,      ///< the deadline came
  malformed,      ///< the peer broke the protocol
  too_large,      ///< a limit was passed
  cancelled,      ///< this side was told to give up
  no_descriptor,  ///< the process has none left
};
[[nodiscard]] std::string_view to_string(stream_fault fault);

/// Content, lent by the side that read it until its next read or its end.
///
/// Whoever writes it out may overwrite the free bytes around it, so that framing goes out with it in one call.
struct body_piece {
  char* data = nullptr;
  std::size_t size_bytes = 0;
  std::size_t headroom_bytes = 0;  ///< free before `data`
  std::size_t tailroom_bytes = 0;  ///< free behind the content
  io::pipe* pipe = nullptr;        ///< where not null, it holds the content instead of `data`
  bool end = false;                ///< nothing follows; trailers are known now
  bool more_follows = false;       ///< at once: what is sent may wait for it, and leave in one packet with it
  stream_fault fault = stream_fault::none;

  [[nodiscard]] std::span<char> bytes() const { return {data, size_bytes}; }
};

/// The protocol of a connection, for people to read; no decision depends on it.
enum class protocol : std::uint8_t { http_1_0, http_1_1 };
[[nodiscard]] std::string_view to_string(protocol version);

/// Where a request came in.
struct downstream_facts {
  io::socket_address peer;
  std::uint16_t listener = 0;                 ///< index, as configured
  std::uint16_t local_port = 0;               ///< that the client connected to
  bool secure = false;                        ///< the client's connection is encrypted
  std::optional<std::uint32_t> local_user{};  ///< of the process, on a listener that `is_local`; none: not known
  const io::tls_identity* client = nullptr;   ///< by its verified certificate; null: none was asked for, or shown
  protocol version = protocol::http_1_1;
};

/// A request that the protocol machine refused: it is answered, and never routed.
struct refusal {
  std::uint16_t status = 0;  ///< 0: not refused
  std::string_view details;  ///< fixed text: never what a client sent
};

/// The head of an answer on its way out.
struct outgoing_response {
  const response_view* view = nullptr;  ///< `skip` is honoured
  std::span<const field> added;
  bool close = false;  ///< the connection ends with this answer, where the protocol has such a thing
};

/// The head of a request on its way out.
struct outgoing_request {
  const request_view* view = nullptr;  ///< `skip` is honoured
  std::span<const field> added;
  std::string_view authority;  ///< the Host that the upstream sees
};

/// Told when a client leaves before its answer is complete.
class leaving_watcher {
 public:
  virtual void on_client_left() = 0;

 protected:
  ~leaving_watcher() = default;
};

/// One request and its answer, as a downstream protocol hands it to a handler.
///
/// Order of calls: any number of `read_body` beside `send_interim`*, one `send_head`, any number of `send_body`.
/// One read and one send may wait at a time. An exchange that a handler leaves without an answer is cut.
/// Threads: one reactor's.
class exchange {
 public:
  exchange() = default;
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  request_view request;  ///< holds until the exchange ends
  downstream_facts facts;
  refusal refused;

  /// Content that came with the head; costs nothing. Call once, before `read_body`.
  [[nodiscard]] virtual body_piece first_body() = 0;
  /// The next content. Faults: `closed`, `timed_out`, `malformed`, `too_large`, `cancelled`.
  [[nodiscard]] virtual io::task<body_piece> read_body(time_point deadline) = 0;
  /// Says whether content is carried unseen, to a side that takes it so: then pieces may come in a pipe.
  virtual void welcome_pipes(bool /*welcome*/) {}
  /// Whether `send_head` and `send_body` take content in a pipe. Not where it is encrypted on the way.
  [[nodiscard]] virtual bool takes_pipes() const { return false; }
  /// Ends a `read_body` that waits, and those begun later, with `cancelled`: the rest of the request is not wanted.
  virtual void stop_reading() = 0;
  /// After the last piece: the fields behind it that may be passed on.
  [[nodiscard]] virtual std::span<field> trailers() = 0;
  /// Whether the whole request has come; swallows what is already here of it. After that, an answer that leaves the
  /// rest unread has to end the connection.
  [[nodiscard]] virtual bool settle_body() = 0;

  /// A 1xx answer. Left out, as success, where the client's protocol has none.
  [[nodiscard]] virtual io::task<stream_fault> send_interim(const outgoing_response& head, time_point deadline) = 0;
  /// The head of the answer with its first content; trailers where that is the last. The response view is spent by this
  /// call: its bytes may be overwritten.
  [[nodiscard]] virtual io::task<stream_fault> send_head(const outgoing_response& head, body_piece first,
                                                         std::span<const field> trailers, time_point deadline) = 0;
  /// Further content; `end` ends the answer, with these trailers where the protocol can carry them.
  [[nodiscard]] virtual io::task<stream_fault> send_body(body_piece piece, std::span<const field> trailers,
                                                         time_point deadline) = 0;
  /// After a 101 was sent: from now on content is bytes of the new protocol, both ways, and each way ends by itself.
  virtual void become_tunnel() = 0;

  /// What was asked is not looked at any more: who carries a tunnel for days need not keep its head.
  virtual void forget_request() {}

  /// The client is known to have gone, or to want no answer.
  [[nodiscard]] virtual bool has_left() const = 0;
  /// Has `watcher` told when that happens; null ends it.
  virtual void watch_leaving(leaving_watcher* watcher) = 0;
  /// Ends the exchange so that the client cannot take what it got for a whole answer.
  virtual void abort() = 0;

 protected:
  ~exchange() = default;
};

/// What a listener does with an exchange. The exchange is complete when the task ends.
class exchange_handler {
 public:
  [[nodiscard]] virtual io::task<void> serve(exchange& x) = 0;

 protected:
  ~exchange_handler() = default;
};

/// An answer's head as it was read, or why there is none.
struct answer_head {
  stream_fault fault = stream_fault::none;
  response_view* head = nullptr;  ///< holds until the next `read_head` or until it is sent on
};

/// One request to an endpoint and its answer. Made by an `upstream_source`.
///
/// Threads: one reactor's. `cancel` may be called while others wait; they end with `cancelled`.
class upstream_stream {
 public:
  upstream_stream() = default;
  upstream_stream(const upstream_stream&) = delete;
  upstream_stream& operator=(const upstream_stream&) = delete;

  /// Whether `connect` is not needed: the connection has carried requests before, and may have died since.
  [[nodiscard]] virtual bool is_reused() const = 0;
  [[nodiscard]] virtual io::task<stream_fault> connect(time_point deadline) = 0;

  [[nodiscard]] virtual io::task<stream_fault> send_head(const outgoing_request& head, body_piece first,
                                                         std::span<const field> trailers, time_point deadline) = 0;
  [[nodiscard]] virtual io::task<stream_fault> send_body(body_piece piece, std::span<const field> trailers,
                                                         time_point deadline) = 0;
  /// The next head: interim answers come one by one before the final one.
  [[nodiscard]] virtual io::task<answer_head> read_head(time_point deadline) = 0;
  /// Moves the deadline of a `read_head` that waits: the request has been sent, now its answer is due.
  virtual void expect_answer_by(time_point deadline) = 0;
  [[nodiscard]] virtual body_piece first_body() = 0;
  [[nodiscard]] virtual io::task<body_piece> read_body(time_point deadline) = 0;
  virtual void welcome_pipes(bool /*welcome*/) {}
  [[nodiscard]] virtual bool takes_pipes() const { return false; }
  [[nodiscard]] virtual std::span<field> trailers() = 0;
  /// A byte of an answer has come: the request must not be sent again.
  [[nodiscard]] virtual bool has_answered() const = 0;
  /// The upstream will read no more of this request.
  [[nodiscard]] virtual bool closes_after_answer() const = 0;
  virtual void become_tunnel() = 0;
  virtual void cancel() = 0;

  /// Ends the stream: the connection goes back to its pool if both messages were complete, else it is closed.
  virtual void release() = 0;

 protected:
  ~upstream_stream() = default;
};

struct stream_releaser {
  void operator()(upstream_stream* stream) const { stream->release(); }
};
/// A stream, given back at the end on every path.
using upstream_handle = std::unique_ptr<upstream_stream, stream_releaser>;

/// Which connection a request needs: `idle` is one that has no known fault, `asked` one of which the kernel was asked,
/// for a request that could not be sent again, and `fresh` one that has yet to connect.
enum class connection_need : std::uint8_t { idle, asked, fresh };

/// Whose connections to take: one endpoint's, on one reactor.
class upstream_source {
 public:
  /// A connection as needed; where no idle one is fit, one that has yet to connect.
  [[nodiscard]] virtual upstream_handle take(connection_need need) = 0;

 protected:
  ~upstream_source() = default;
};

}  // namespace cellroute::edge
