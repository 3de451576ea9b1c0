#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/io/clock.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/websocket/session.hpp"
#include "tests/system/support/descriptor.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

/// Thousands of routers on one thread: each with the real machine of the router's side and a connection of its own, but
/// they believe what they are sent without a look: what they cost is the control plane's cost, not theirs.
class light_fleet {
 public:
  /// With `bytes_a_look` each reads no more than that 20 times a second, until `read_freely`.
  light_fleet(std::uint16_t port, std::size_t count, std::string name, std::size_t bytes_a_look = 0)
      : port_(port), epoll_(::epoll_create1(0)), bytes_a_look_(bytes_a_look) {
    for (std::size_t i = 0; i < count; ++i) clients_.emplace_back(name + "-" + std::to_string(i), i, masks_);
    thread_ = std::thread([this] { run(); });
  }
  light_fleet(const light_fleet&) = delete;
  light_fleet& operator=(const light_fleet&) = delete;
  ~light_fleet() {
    stop_ = true;
    thread_.join();
  }

  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  /// How many have said that they run it, and when the last of them did.
  [[nodiscard]] std::pair<std::size_t, steady::time_point> run_of(std::uint64_t version) const {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(version);
    return found == runs_.end() ? std::pair<std::size_t, steady::time_point>{} : found->second;
  }
  [[nodiscard]] bool all_run(std::uint64_t version, steady::duration limit = patience) const {
    return eventually([&] { return run_of(version).first == size(); }, limit);
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  /// Ends all connections at once; they come again by themselves.
  void cut_all() { is_to_cut_ = true; }
  void read_freely() { bytes_a_look_ = 0; }

 private:
  struct plain_masks final : websocket::mask_source {
    websocket::mask_key next_mask() override { return {}; }
  };
  struct client {
    client(std::string id, std::size_t at, plain_masks& with)
        : number(at), masks(with), link({}, {std::move(id), "boot-1", "light", {}, "file"}, limits(), {}, at + 1) {}
    static sync::intake_limits limits() {
      sync::intake_limits made;
      made.can.content_bytes_max = std::uint64_t{1} << 30;
      made.can.keys_max = 10'000'000;
      made.can.compressions = {"zstd"};
      return made;
    }

    std::size_t number;
    plain_masks& masks;
    sync::router_link link;
    descriptor socket{};
    std::optional<websocket::session> session{};  ///< once the handshake is done
    std::string head{};                           ///< of its answer
    std::string out{};
    bool waits_to_write = false;
  };

  static time_point now() { return io::read_clock().now; }

  void run() {
    std::array<epoll_event, 256> events;
    steady::time_point next_look{};
    while (!stop_) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 5);
      for (int i = 0; i < count; ++i) {
        client& c = clients_[events[static_cast<std::size_t>(i)].data.u64];
        if (c.socket && bytes_a_look_ == 0) receive(c);
        act(c);
      }
      if (steady::now() < next_look) continue;
      next_look = steady::now() + 50ms;
      if (is_to_cut_.exchange(false)) {
        for (client& c : clients_) {
          if (c.socket) lose(c);
        }
      }
      if (bytes_a_look_ > 0 || was_slow_) {
        was_slow_ = bytes_a_look_ > 0;
        for (client& c : clients_) {
          if (!c.socket) continue;
          receive(c);
          act(c);
          if (c.socket && !was_slow_) watch(c, EPOLL_CTL_MOD, wanted(c));
        }
      }
      for (client& c : clients_) {
        if (c.link.next_tick() > now()) continue;
        c.link.tick(now());
        act(c);
      }
    }
  }

  void receive(client& c) {
    const std::size_t limit = bytes_a_look_ > 0 ? std::min(bytes_a_look_.load(), block_.size()) : block_.size();
    const ssize_t size = ::recv(c.socket.get(), block_.data(), limit, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return lose(c);
    std::span<char> bytes(block_.data(), static_cast<std::size_t>(size));
    if (c.session) return take(c, bytes);
    c.head.append(bytes.data(), bytes.size());
    const std::size_t end = c.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    std::string rest = c.head.substr(end + 4);
    if (!c.head.starts_with("HTTP/1.1 101")) {
      c.socket.reset();
      return c.link.failed(sync::open_failure::busy, 0s, now());
    }
    c.head = {};
    c.session.emplace(websocket::message_writer(c.masks));
    c.link.opened(true, now());
    if (!rest.empty()) take(c, rest);
  }

  void take(client& c, std::span<char> bytes) {
    while (!bytes.empty() && c.socket) {
      const websocket::read_event event = c.session->receive(bytes);
      if (const auto* const m = std::get_if<websocket::message>(&event)) {
        if (m->kind == websocket::message_kind::text) {
          c.link.take_text(m->payload, now());
        } else {
          c.link.take_binary(std::as_bytes(std::span(m->payload)), now());
        }
        act(c);
      }
      if (c.session && c.session->owes()) c.session->append_owed(c.out);
    }
  }

  void lose(client& c) {
    ++lost_;
    const bool was_open = c.session.has_value();
    close(c);
    if (was_open) return c.link.closed(now());
    c.link.failed(sync::open_failure::unreachable, 0s, now());
  }

  static void close(client& c) {
    c.socket.reset();
    c.session.reset();
    c.head.clear();
    c.out.clear();
    c.waits_to_write = false;
  }

  void act(client& c) {
    std::vector<std::uint64_t> ran;
    for (auto actions = c.link.take_actions(); !actions.empty(); actions = c.link.take_actions()) {
      for (sync::link_action& action : actions) {
        if (std::holds_alternative<sync::open_connection>(action)) {
          open(c);
        } else if (std::holds_alternative<sync::close_connection>(action)) {
          close(c);
        } else if (const auto* said = std::get_if<wire::message>(&action)) {
          if (c.session)
            (void)c.session->append_message(c.out, websocket::message_kind::text, wire::write_message(*said));
        } else if (const auto* job = std::get_if<sync::check_content>(&action)) {
          c.link.checked(job->what.content, job->what.keys);
        } else if (const auto* next = std::get_if<sync::activate_content>(&action)) {
          c.link.activated(next->content, true);
          ran.push_back(next->content.version);
        }
      }
    }
    flush(c);
    if (ran.empty()) return;
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t version : ran) {
      auto& [count, last] = runs_[version];
      ++count;
      last = steady::now();
    }
  }

  void open(client& c) {
    close(c);
    c.socket = connect_to(port_);
    if (!c.socket) return c.link.failed(sync::open_failure::unreachable, 0s, now());
    c.out =
        "GET /v1/connect HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: cellroute.v1\r\n\r\n";
    watch(c, EPOLL_CTL_ADD, wanted(c));
  }

  /// Who reads slowly is not told that there is something: he looks.
  [[nodiscard]] std::uint32_t wanted(const client& c) const {
    return (bytes_a_look_ > 0 ? 0U : std::uint32_t{EPOLLIN}) | (c.waits_to_write ? std::uint32_t{EPOLLOUT} : 0U);
  }

  void flush(client& c) {
    while (!c.out.empty() && c.socket) {
      const ssize_t size = ::send(c.socket.get(), c.out.data(), c.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size <= 0) break;
      c.out.erase(0, static_cast<std::size_t>(size));
    }
    if (!c.socket || c.waits_to_write != c.out.empty()) return;
    c.waits_to_write = !c.out.empty();
    watch(c, EPOLL_CTL_MOD, wanted(c));
  }

  void watch(client& c, int how, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.u64 = c.number;
    ::epoll_ctl(epoll_.get(), how, c.socket.get(), &event);
  }

  std::uint16_t port_;
  descriptor epoll_;
  std::atomic<std::size_t> bytes_a_look_;  ///< 0: as many as there are
  bool was_slow_ = false;
  std::atomic<bool> is_to_cut_{false};
  plain_masks masks_;
  std::deque<client> clients_;
  std::array<char, 65536> block_{};
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::pair<std::size_t, steady::time_point>> runs_;
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cellroute::system_test
