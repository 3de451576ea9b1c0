#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "adapters/edge/accept_limit.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/http1/head_error.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/io/socket.hpp"
#include "adapters/io/tls_context.hpp"
#include "adapters/io/tls_session.hpp"

namespace cellroute::edge {

/// Why a connection was not taken.
enum class drop_reason : std::uint8_t { connections_max, accept_rate };
[[nodiscard]] std::string_view to_string(drop_reason reason);

/// Told what happens at a listener; for counting.
class listener_observer {
 public:
  virtual void on_opened(std::uint16_t listener) = 0;
  virtual void on_closed(std::uint16_t listener) = 0;
  virtual void on_dropped(std::uint16_t listener, drop_reason reason) = 0;
  /// A TLS handshake has ended, well or not.
  virtual void on_handshake(std::uint16_t /*listener*/, const io::tls_outcome& /*outcome*/) {}
  /// Too few descriptors are left: nothing is accepted for a while, and who comes waits in the backlog.
  virtual void on_paused(std::uint16_t) {}

 protected:
  ~listener_observer() = default;
};

/// What all reactors that listen on one address share: how many connections are open there.
struct connection_count {
  alignas(64) std::atomic<std::uint32_t> open{0};
};

/// How many connections of clients a process has descriptors for, its listeners together. A client that takes the last
/// descriptor gets nothing but errors: there is none left to reach its cell.
///
/// Threads: any, once `open_max` is set. A reactor looks before it accepts, so each may be one over.
struct connection_room {
  std::uint64_t open_max = std::numeric_limits<std::uint64_t>::max();
  alignas(64) std::atomic<std::uint64_t> open{0};

  [[nodiscard]] bool is_full() const { return open.load(std::memory_order_relaxed) >= open_max; }
};

/// What a listener speaks, in the words of ALPN: for `io::tls_server_options::protocols`. Some clients name the old
/// version alone, and would get no connection where it is missing.
inline constexpr std::array<std::string_view, 2> listener_protocols = {"http/1.1", "http/1.0"};

struct listener_options {
  std::uint16_t index = 0;  ///< as configured; goes into `downstream_facts`
  io::socket_address address;
  bool is_local = false;                    ///< a socket of the file system; `downstream_facts` say whose process it is
  bool half_close = false;                  ///< a FIN before the answer does not mean that the client left
  std::uint32_t connections_max = 100'000;  ///< on all reactors together
  accept_limit* accepts = nullptr;          ///< of all reactors together; outlives the listener; none: no limit
  connection_room* room = nullptr;          ///< of all listeners together; outlives them; none: no limit
  io::tls_context tls;                      ///< of connections that are accepted from now on; none: they are plain
  http1::head_limits limits;
  duration tls_timeout = 10s;         ///< from the first byte of a TLS handshake to its end
  duration header_timeout = 10s;      ///< from the first byte of a head to its last; 408 then
  duration keep_alive_timeout = 60s;  ///< between requests; closed silently
  duration linger_timeout = 2s;       ///< how long a closing connection is read from, so that its answer is not lost
};

class http1_connection;

/// Accepts connections on one address for one reactor, and runs the HTTP/1 side of each.
///
/// Threads: the reactor's. Outlives its connections; outlived by handler, observer and count.
class listener final : public io::tick_listener {
 public:
  listener(io::reactor& reactor, listener_options options, exchange_handler& handler, listener_observer& observer,
           connection_count& count);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  /// Begins to accept from a descriptor that listens; takes it over. Errors: errno.
  [[nodiscard]] int open(int descriptor);
  /// Takes no new connection and no new request: idle connections close now, the others after their answer.
  void drain();
  /// Cuts what still runs.
  void cut();

  /// From now on, for the connections that are open, too. Range: index and address are those of before.
  void set_options(const listener_options& options) { options_ = options; }

  [[nodiscard]] const listener_options& options() const { return options_; }
  [[nodiscard]] io::reactor& owner() const { return reactor_; }
  [[nodiscard]] exchange_handler& handler() const { return handler_; }
  [[nodiscard]] bool is_draining() const { return draining_; }
  [[nodiscard]] std::size_t open_count() const { return open_here_; }

  void on_tick(time_point now) override;

 private:
  friend http1_connection;
  struct links {
    links* next = this;
    links* previous = this;
  };

  io::task<void> accept_all();
  void accept_waiting();
  void pause();
  void take(const io::accepted& connection);
  [[nodiscard]] bool count_in();
  void count_out();

  io::reactor& reactor_;
  listener_options options_;
  exchange_handler& handler_;
  listener_observer& observer_;
  connection_count& count_;
  io::socket socket_;
  links connections_;
  std::size_t open_here_ = 0;
  bool paused_ = false;  // too few descriptors were left; each tick tries again
  bool draining_ = false;
};

}  // namespace cellroute::edge
