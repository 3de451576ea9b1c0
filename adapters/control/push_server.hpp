#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/wakeup.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/sync/push_hub.hpp"
#include "adapters/websocket/handshake.hpp"

namespace cellroute::control {

class push_connection;

/// The protocol of its own that a router may offer; without it, it is served in the base protocol.
inline constexpr std::string_view native_protocol = "cellroute.v1";

/// A session that is open.
struct push_session_facts {
  std::uint64_t number = 0;
  std::string peer{};  ///< address and port
  bool is_native = false;
  time_point since{};
  std::optional<wire::digest> token{};  ///< SHA-256 of the one that opened it; nothing: it was opened without
};

/// Hears of sessions. Called on the reactor.
class push_observer {
 public:
  virtual void on_session_opened(const push_session_facts& session) = 0;
  /// `why` is empty where the router just left.
  virtual void on_session_ended(const push_session_facts& session, std::string_view why) = 0;
  virtual void on_hub_event(const sync::hub_event& event) = 0;
  /// Whether what opened a session still does; asked again and again.
  [[nodiscard]] virtual bool may_stay(const push_session_facts& session) = 0;

 protected:
  ~push_observer() = default;
};

/// Serves the sessions of all routers: carries what the hub says over WebSocket, and what routers say to the hub.
///
/// One that reads nothing delays nobody: what is on its way to it waits in its connection, and is dropped with it after
/// ten seconds. Chunks and whole texts are sent from where they lie.
///
/// Threads: the reactor's. Outlives the reactor's run, and so its connections; the observer outlives it.
class push_server final : private io::tick_listener {
 public:
  push_server(io::reactor& reactor, const sync::hub_settings& settings, push_observer& observer);
  push_server(const push_server&) = delete;
  push_server& operator=(const push_server&) = delete;
  ~push_server();

  /// Whether one more session may be opened.
  [[nodiscard]] bool has_room() const { return !is_stopping_ && hub_.session_count() < settings_.sessions_max; }
  /// Answers a handshake that was found good, and serves the session until it ends. Range: `has_room`.
  [[nodiscard]] io::task<void> serve(edge::exchange& x, websocket::accepted handshake,
                                     std::optional<wire::digest> token);

  // As of `push_hub`.
  void publish(sync::publication what);
  void publish_base(sync::base_publication what);
  bool dismiss(const std::string& router_id, const std::string& reason, duration spread);
  bool resync(const std::string& router_id);
  [[nodiscard]] bool take_needs() { return hub_.take_needs(); }
  /// Sends all routers away, in `spread`, and takes no more.
  void stop(const std::string& reason, duration spread);

  [[nodiscard]] const sync::push_hub& hub() const { return hub_; }
  /// All that are open, the oldest first.
  [[nodiscard]] std::vector<push_session_facts> sessions() const;
  [[nodiscard]] std::uint64_t messages_in() const { return messages_in_; }
  [[nodiscard]] std::uint64_t bytes_out() const { return bytes_out_; }
  [[nodiscard]] std::uint64_t sessions_opened() const { return sessions_opened_; }

 private:
  friend push_connection;

  void on_tick(time_point now) override;
  /// Has said what the hub has to say.
  void pump();
  io::task<void> wake_ready();
  [[nodiscard]] io::task<bool> switch_protocol(edge::exchange& x, websocket::accepted handshake);
  void end_session(const push_connection& connection);
  /// Ends those that may not stay, after a look at some of them.
  void look_who_may_stay();

  io::reactor& reactor_;
  sync::hub_settings settings_;
  sync::push_hub hub_;
  push_observer& observer_;
  std::map<std::uint64_t, push_connection*> connections_;  // each of a frame that runs
  std::deque<std::uint64_t> ready_;
  wakeup has_ready_;
  std::uint64_t looked_at_ = 0;  // the session that was looked at last
  bool is_stopping_ = false;
  std::uint64_t messages_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint64_t sessions_opened_ = 0;
};

}  // namespace cellroute::control
