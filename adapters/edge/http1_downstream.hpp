#pragma once

#include "adapters/edge/content.hpp"
#include "adapters/edge/listener.hpp"

namespace cellroute::edge {

/// One client's HTTP/1 connection: waits, reads heads, hands exchanges to the listener's handler, in order.
///
/// On a listener with TLS its handshake comes first. A client that speaks plain HTTP there is told so, in plain.
///
/// It is a local of the coroutine that runs it. While it waits for a request it holds no block and one frame.
class http1_connection final : public listener::links, private io::hangup_watcher {
 public:
  http1_connection(listener& owner, const io::socket_address& peer);
  http1_connection(const http1_connection&) = delete;
  http1_connection& operator=(const http1_connection&) = delete;
  ~http1_connection();

  /// Serves a connection from its first byte to its end.
  static io::root_task serve(listener& owner, io::accepted connection);

  [[nodiscard]] bool is_idle() const { return idle_; }
  /// Ends the connection, now: whoever waits on it is woken.
  void cut();

 private:
  friend class http1_exchange;
  /// `wait`: no whole request has come, and nothing of one; the deadline stays. `secured`: the handshake is over.
  enum class next_step : std::uint8_t { wait, secured, next_request, close, linger };

  io::task<next_step> serve_next();
  io::task<next_step> begin_tls();
  io::task<void> end();
  io::task<void> linger(time_point deadline);
  void on_hangup() override;

  listener& listener_;
  io::socket socket_;
  input_bytes input_;
  io::socket_address peer_;
  leaving_watcher* watcher_ = nullptr;
  bool idle_ = false;
  bool tls_due_ = false;  // its handshake has not begun
  bool lingers_ = false;  // what the client still sends is swallowed before the connection is closed
};

}  // namespace cellroute::edge
