#pragma once

#include <asio/signal_set.hpp>
#include <cstdint>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/api_home.hpp"
#include "adapters/control/control_metrics.hpp"
#include "adapters/control/front.hpp"
#include "adapters/control/gate.hpp"
#include "adapters/control/pages.hpp"
#include "adapters/control/publisher.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/control/registry_home.hpp"
#include "adapters/control/settings.hpp"
#include "adapters/control/watch.hpp"
#include "adapters/edge/listener.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/process/certificate_watch.hpp"
#include "adapters/process/drain.hpp"
#include "adapters/process/local_socket.hpp"
#include "adapters/process/log_writer.hpp"

namespace cellroute::control {

/// What a control plane is started with, besides its settings.
struct control_options {
  std::string version;
  std::string commit;
  std::uint64_t seed = 0;      ///< for tables and salts; from a source that strangers cannot guess
  bool takes_signals = false;  ///< those of a daemon
};

/// Why it did not start: what is wrong, and what to do; a line each.
struct start_error {
  std::vector<std::string> lines;
};

/// The control plane as one object: its port, the sessions of its routers, the registry with its API, the followed
/// file, log and drain. One reactor, on the thread that calls `run`; beside it a thread that makes contents ready, some
/// that answer the API, and one while the file is read.
///
/// Threads: one owner.
class control_plane final : private push_observer,
                            private publish_observer,
                            private watch_listener,
                            private content_listener,
                            private page_source,
                            private edge::listener_observer,
                            private io::tick_listener {
 public:
  control_plane(settings wanted, control_options options);
  ~control_plane();
  control_plane(const control_plane&) = delete;
  control_plane& operator=(const control_plane&) = delete;

  [[nodiscard]] expected<void, start_error> start();
  void run();

 private:
  void on_session_opened(const push_session_facts& session) override;
  void on_session_ended(const push_session_facts& session, std::string_view why) override;
  void on_hub_event(const sync::hub_event& event) override;
  [[nodiscard]] bool may_stay(const push_session_facts& session) override;
  void on_published(const published_content& what, duration made_ready_in) override;
  void on_overtaken(const wire::content_id& id) override;
  void on_taken(std::uint64_t rows_quarantined) override;
  void on_next_content(published_content next) override;
  void on_refused(const std::vector<std::string>& mistakes) override;
  void on_unchanged(bool is_asked) override;
  [[nodiscard]] control_state state() const override;
  [[nodiscard]] std::string_view why_not_ready() const override { return api_->why_not_ready(); }
  [[nodiscard]] std::string metrics() const override;
  void on_opened(std::uint16_t) override {}
  void on_closed(std::uint16_t) override {}
  void on_dropped(std::uint16_t, edge::drop_reason) override { ++connections_dropped_; }
  void on_tick(time_point now) override;

  [[nodiscard]] expected<void, start_error> open_log();
  [[nodiscard]] expected<void, start_error> open_registry();
  [[nodiscard]] expected<void, start_error> open_api();
  [[nodiscard]] expected<void, start_error> open_listeners();
  [[nodiscard]] expected<void, start_error> open_break_glass();
  [[nodiscard]] expected<void, start_error> open_listener(const listener_settings& wished_listener,
                                                          edge::exchange_handler& handler, std::string_view name);
  /// Certificates that were replaced count for connections from now on; if they are not good, those of before do.
  void renew_certificates(time_point now);
  [[nodiscard]] std::vector<process::certificate_facts> certificates() const;
  void share_descriptors();
  void wait_for_signal();
  /// SIGINT, SIGTERM and SIGQUIT drain, the second one ends at once; SIGUSR1 opens the log file again; SIGHUP has the
  /// followed file read again.
  void on_signal(int number);
  void enter(process::drain_state state);
  [[nodiscard]] std::size_t open_connections() const;
  void event(process::log_level level, std::string_view name, std::string_view message,
             std::initializer_list<process::event_pair> pairs = {});

  settings settings_;
  control_options options_;
  io::reactor reactor_;
  asio::signal_set signals_;
  std::unique_ptr<process::log_writer> log_;
  std::optional<request_log> requests_;
  std::optional<gate> gate_;
  std::unique_ptr<registry_home> home_;
  std::optional<push_server> server_;
  std::optional<publisher> publisher_;
  std::optional<watched_file> watched_;  // where one is followed
  std::optional<api_home> api_;
  std::optional<control_pages> pages_;
  std::optional<front> front_;
  edge::connection_count connections_;
  edge::connection_room room_;
  std::optional<process::local_socket> break_glass_;
  std::list<edge::listener> listeners_;  // those of the settings first, in their order
  time_point renew_at_ = time_point::min();
  process::certificate_watch certificate_watch_;
  std::vector<std::string> renewal_mistakes_;
  process::drain drain_;
  wall_time started_at_;
  std::uint64_t published_count_ = 0;
  std::uint64_t refused_count_ = 0;
  std::uint64_t connections_dropped_ = 0;
  refusal_counts router_refusals_;
};

}  // namespace cellroute::control
