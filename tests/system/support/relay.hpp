#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "tests/system/support/connection.hpp"
#include "tests/system/support/descriptor.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

/// What a relay does to what passes.
struct relay_wish {
  /// Takes the offer of subprotocols out of the handshake: then both ends speak the base protocol.
  bool hides_subprotocols = false;
  /// After so many bytes of the server nothing passes for a while, again and again; 0: never.
  std::size_t stalls_every_bytes = 0;
  steady::duration stall{};
};

/// Lies between a client and a server on loopback, one connection at a time, and passes on what they say.
class relay {
 public:
  relay(std::uint16_t server_port, relay_wish wish)
      : server_port_(server_port), wish_(wish), listener_(listen_on_loopback()), thread_([this] { run(); }) {}
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;
  ~relay() {
    is_over_ = true;
    thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_of(listener_); }
  /// How often nothing passed.
  [[nodiscard]] int stalls() const { return stalls_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  static constexpr int beat_ms = 50;  ///< how often it looks whether it is to end

  void run() {
    while (!is_over_) {
      pollfd waiting{listener_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, beat_ms) != 1) continue;
      const descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const descriptor server = connect_to(server_port_);
      if (!client || !server) continue;
      ++connections_;
      carry(client, server);
    }
  }

  void carry(const descriptor& client, const descriptor& server) {
    std::string head;
    bool is_open = !wish_.hides_subprotocols;
    std::size_t until_stall = wish_.stalls_every_bytes;
    while (!is_over_) {
      std::array<pollfd, 2> ends{{{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}}};
      if (::poll(ends.data(), ends.size(), beat_ms) < 0) return;
      if (ends[0].revents != 0) {
        const std::string bytes = read(client);
        if (bytes.empty()) return;
        if (is_open) {
          if (!write(server, bytes)) return;
        } else if (head += bytes; head.find("\r\n\r\n") != std::string::npos) {
          if (!write(server, without_subprotocols(head))) return;
          is_open = true;
        }
      }
      if (ends[1].revents != 0) {
        const std::string bytes = read(server);
        if (bytes.empty() || !write(client, bytes)) return;
        if (wish_.stalls_every_bytes == 0) continue;
        until_stall -= std::min(until_stall, bytes.size());
        if (until_stall > 0) continue;
        until_stall = wish_.stalls_every_bytes;
        ++stalls_;
        pass_nothing();
      }
    }
  }

  void pass_nothing() const {
    const steady::time_point until = steady::now() + wish_.stall;
    while (!is_over_ && steady::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(beat_ms));
  }

  static std::string without_subprotocols(std::string_view head) {
    std::string kept;
    while (!head.empty()) {
      const std::size_t end = head.find("\r\n") + 2;
      const std::string_view line = head.substr(0, end);
      if (!same_text(line.substr(0, line.find(':')), "Sec-WebSocket-Protocol")) kept += line;
      head.remove_prefix(end);
      if (line == "\r\n") break;
    }
    return kept.append(head);
  }

  static std::string read(const descriptor& from) {
    std::string bytes(16 * 1024, '\0');
    const ssize_t got = ::recv(from.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

  static bool write(const descriptor& to, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  std::uint16_t server_port_;
  relay_wish wish_;
  descriptor listener_;
  std::atomic<bool> is_over_{false};
  std::atomic<int> stalls_{0};
  std::atomic<int> connections_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace cellroute::system_test
