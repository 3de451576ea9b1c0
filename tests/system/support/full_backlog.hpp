#pragma once

#include <array>
#include <cstdint>

#include "tests/system/support/connection.hpp"

namespace cellroute::system_test {

/// A port whose queue of connections is full: a further SYN gets no answer, as if it went nowhere.
class full_backlog {
 public:
  full_backlog() : listener_(listen_on_loopback(0)) {
    // One connection fills the queue of completed ones; the next ones stay half-open.
    for (connection& c : waiting_) {
      descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      sockaddr_in address = loopback(port());
      ::connect(socket.get(), generic(address), sizeof address);
      c = connection(std::move(socket));
    }
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(listener_); }

 private:
  descriptor listener_;
  std::array<connection, 4> waiting_;
};

}  // namespace cellroute::system_test
