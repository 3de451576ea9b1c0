#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/io/clock.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/sync/router_link.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {

/// A router that does nothing but to take contents: the real machine of the router's side, on a connection that was
/// written for tests. It runs on a thread of its own, and remembers what came.
class native_double {
 public:
  struct record {
    std::vector<std::uint64_t> running;  ///< versions, in the order in which they ran
    std::vector<std::string> transfers;  ///< their kinds
    std::vector<std::string> events;     ///< types of what else is worth a look: goaway, error
    std::size_t content_bytes = 0;
    std::size_t keys = 0;
    int close_code = 0;
    std::string wrong;
  };

  native_double(std::uint16_t port, std::string id) : port_(port), id_(std::move(id)) {
    thread_ = std::thread([this] { run(); });
  }
  native_double(const native_double&) = delete;
  native_double& operator=(const native_double&) = delete;
  ~native_double() {
    stop_ = true;
    thread_.join();
  }

  [[nodiscard]] record seen() const {
    const std::lock_guard lock(mutex_);
    return record_;
  }
  /// Whether it came to run this version in time.
  [[nodiscard]] bool runs(std::uint64_t version, steady::duration limit = patience) const {
    return eventually(
        [&] {
          const std::lock_guard lock(mutex_);
          return !record_.running.empty() && record_.running.back() == version;
        },
        limit);
  }
  /// Out of reach from now on, or there again with what it has.
  void pause(bool wants) { is_paused_ = wants; }
  /// Refuses what it is sent from now on.
  void refuse(bool wants) { refuses_ = wants; }

 private:
  static time_point now() { return io::read_clock().now; }

  void run() {
    sync::link_settings settings;
    settings.wait.longest = 200ms;
    sync::intake_limits limits;
    limits.can.content_bytes_max = std::uint64_t{1} << 30;
    limits.can.keys_max = 10'000'000;
    limits.can.compressions = {"zstd"};
    limits.can.repair = true;
    sync::router_link link(settings, {id_, "boot-1", "double", {{"zone", "z1"}}, "state"}, limits, {}, 7);
    std::optional<websocket_double> socket;
    while (!stop_) {
      if (is_paused_) {
        if (socket) link.closed(now());
        socket.reset();
        std::this_thread::sleep_for(2ms);
        continue;
      }
      if (link.next_tick() <= now()) link.tick(now());
      act(link, socket);
      if (!socket) {
        std::this_thread::sleep_for(2ms);
        continue;
      }
      const auto frame = socket->read_frame(5ms);
      if (frame) {
        take(link, *socket, *frame);
      } else if (socket->how_it_ended() != ending::none || !socket->wrong().empty()) {
        note([&](record& r) { r.wrong = socket->wrong(); });
        socket.reset();
        link.closed(now());
      }
      act(link, socket);
    }
  }

  void take(sync::router_link& link, websocket_double& socket, const websocket_double::frame& frame) {
    if (frame.opcode == 1) {
      if (const auto said = wire::read_message(frame.payload)) {
        if (const auto* opened = std::get_if<wire::hello_ack>(&*said)) salt_ = opened->salt;
        if (const auto* begun = std::get_if<wire::config_begin>(&*said)) {
          constexpr std::string_view kinds[] = {"snapshot", "delta", "repair"};
          note([&](record& r) { r.transfers.emplace_back(kinds[static_cast<std::size_t>(begun->kind)]); });
        }
        if (std::holds_alternative<wire::goaway>(*said)) note([](record& r) { r.events.emplace_back("goaway"); });
        if (const auto* bad = std::get_if<wire::session_error>(&*said))
          note([&](record& r) { r.events.push_back("error " + bad->code); });
      } else {
        note([&](record& r) { r.wrong = "no message: " + frame.payload; });
      }
      link.take_text(frame.payload, now());
    } else if (frame.opcode == 2) {
      note([&](record& r) { r.content_bytes += frame.payload.size(); });
      link.take_binary(std::as_bytes(std::span(frame.payload)), now());
    } else if (frame.opcode == 8) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(frame.payload[i]); };
      if (frame.payload.size() >= 2) note([&](record& r) { r.close_code = byte(0) << 8 | byte(1); });
      socket.send_frame(8, frame.payload.substr(0, 2));
    }
  }

  void act(sync::router_link& link, std::optional<websocket_double>& socket) {
    for (sync::link_action& action : link.take_actions()) {
      if (std::holds_alternative<sync::open_connection>(action)) {
        open(link, socket);
      } else if (std::holds_alternative<sync::close_connection>(action)) {
        socket.reset();
      } else if (const auto* said = std::get_if<wire::message>(&action)) {
        if (socket) socket->send_text(wire::write_message(*said));
      } else if (const auto* job = std::get_if<sync::check_content>(&action)) {
        check(link, *job);
      } else if (const auto* next = std::get_if<sync::activate_content>(&action)) {
        note([&](record& r) {
          r.running.push_back(next->content.version);
          r.keys = contents_.at(next->content.sum).keys.size();
        });
        link.activated(next->content, true);
      } else if (const auto* rows = std::get_if<sync::sum_up_rows>(&action)) {
        const auto here = contents_.find(rows->base.sum);
        std::vector<wire::digest> sums;
        if (here != contents_.end()) sums = sync::sums_of(sync::sum_up(here->second, salt_), rows->asked.groups);
        link.summed_up(*rows, std::move(sums));
      } else if (const auto* gone = std::get_if<sync::drop_content>(&action)) {
        contents_.erase(gone->content.sum);
      }
    }
  }

  void open(sync::router_link& link, std::optional<websocket_double>& socket) {
    socket.emplace(port_);
    const message_head answer = socket->is_open() ? socket->open("/v1/connect", "cellroute.v1") : message_head{};
    if (answer.status() == 101) return link.opened(answer.value("Sec-WebSocket-Protocol") == "cellroute.v1", now());
    socket.reset();
    link.failed(answer.status() == 503 ? sync::open_failure::busy : sync::open_failure::unreachable, 0s, now());
  }

  void check(sync::router_link& link, const sync::check_content& job) {
    const wire::content_id& id = job.what.content;
    if (refuses_) return link.checked(id, {wire::refusal_code::schema, "the test says so"});
    const auto base = job.what.base ? contents_.find(*job.what.base) : contents_.end();
    auto made = sync::unpack(job.what, job.bytes, base != contents_.end() ? &base->second : nullptr, {salt_, 3});
    if (!made) return link.checked(id, made.error());
    const std::size_t keys = made->keys.size();
    contents_.insert_or_assign(id.sum, *std::move(made));
    link.checked(id, keys);
  }

  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change(record_);
  }

  std::uint16_t port_;
  std::string id_;
  std::uint64_t salt_ = 0;
  std::map<wire::digest, sync::content> contents_;
  mutable std::mutex mutex_;
  record record_;
  std::atomic<bool> refuses_{false};
  std::atomic<bool> is_paused_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cellroute::system_test
