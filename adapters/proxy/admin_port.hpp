#pragma once

#include <memory>
#include <vector>

#include "adapters/edge/listener.hpp"

namespace cellroute::proxy {

/// Where the admin pages are: one listener that takes connections, and those before it until their connections have
/// ended. Its connections are not the data plane's and are not counted as its.
///
/// Threads: the reactor's, which outlives it like the pages.
class admin_port final : private edge::listener_observer {
 public:
  admin_port(io::reactor& reactor, edge::exchange_handler& pages) : reactor_(reactor), pages_(pages) {}

  /// Takes over a descriptor that listens. The listener of before takes no new connection and no new request; what
  /// still runs there is cut when `timeout` is over. Returns errno; then all is as before.
  [[nodiscard]] int serve(int descriptor, const io::socket_address& address, duration timeout);
  /// Once a tick.
  void sweep(time_point now);

  [[nodiscard]] const io::socket_address& address() const { return address_; }

 private:
  void on_opened(std::uint16_t) override {}
  void on_closed(std::uint16_t) override {}
  void on_dropped(std::uint16_t, edge::drop_reason) override {}

  struct ending {
    std::unique_ptr<edge::listener> listener;
    time_point cut_at;
  };
  io::reactor& reactor_;
  edge::exchange_handler& pages_;
  io::socket_address address_;
  edge::connection_count count_;
  std::unique_ptr<edge::listener> listener_;
  std::vector<ending> endings_;
};

}  // namespace cellroute::proxy
