#pragma once

#include <asio/signal_set.hpp>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/edge/listener.hpp"
#include "adapters/io/huge_pages.hpp"
#include "adapters/process/log_writer.hpp"
#include "adapters/proxy/admin.hpp"
#include "adapters/proxy/drain.hpp"
#include "adapters/proxy/name_table.hpp"
#include "adapters/proxy/worker.hpp"
#include "adapters/wire/configuration.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/snapshot/published.hpp"

namespace cellroute::proxy {

/// What a router is started with, besides its configuration.
struct router_options {
  std::string version;
  std::string commit;
  std::uint64_t seed = 0;      ///< for request ids and key tables; from a source that strangers cannot guess
  bool takes_signals = false;  ///< those of a daemon: see `on_signal`
  std::vector<std::string> unused_variables{};  ///< of the environment: set, and without effect yet
};

/// Why a router did not start: what is wrong, and what to do.
struct start_error {
  std::string what;
};

/// The data plane as one object: workers, the table that they share, log, admin listener, drain.
///
/// `start` opens everything; `run` serves the admin pages on the calling thread until the drain is over.
/// Threads: one owner; `begin_drain` and `stop` may be called by any thread.
class router final : private admin_source, private name_listener, private io::tick_listener {
 public:
  router(wire::configuration configuration, router_options options);
  ~router();
  router(const router&) = delete;
  router& operator=(const router&) = delete;

  [[nodiscard]] expected<void, start_error> start();
  void run();

  /// Readiness says no, then no new request is taken, then what still runs is cut: as `process.drain` says.
  void begin_drain();
  /// Ends at once.
  void stop();

  /// Makes a newer table current. Any thread.
  expected<void, publish_error> publish(routing_table table);
  /// Frees tables that no worker borrows any more; returns how many are still borrowed besides the current one.
  std::size_t collect_tables() { return tables_->collect(); }

  /// Where listeners listen, in configured order; for port 0.
  [[nodiscard]] const std::vector<io::socket_address>& addresses() const { return addresses_; }
  [[nodiscard]] const io::socket_address& admin_address() const { return admin_address_; }
  [[nodiscard]] std::string metrics() const override;

 private:
  class null_observer;

  [[nodiscard]] readiness ready() const override { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string_view config_source() const override { return "file"; }
  [[nodiscard]] std::string config_file() const override { return configuration_.file; }
  [[nodiscard]] wall_time config_applied_at() const override { return applied_at_; }
  void on_address(const std::string& host, const io::socket_address& address) override;
  void on_unresolved(const std::string& host, const std::string& why) override;
  void on_tick(time_point now) override;

  [[nodiscard]] expected<void, start_error> compile_table();
  [[nodiscard]] expected<void, start_error> open_log();
  [[nodiscard]] expected<void, start_error> open_listeners();
  [[nodiscard]] expected<void, start_error> open_admin();
  /// Once all is open that stays open: what is left of the descriptors is for connections.
  void share_descriptors();
  void resolve_names();
  void sample_rate(time_point now);
  [[nodiscard]] bool has_gateway_names() const;
  void wait_for_signal();
  /// SIGINT, SIGTERM and SIGQUIT drain, the second one ends at once; SIGUSR1 opens the log file again; the others that
  /// people send to a daemon are told of and change nothing.
  void on_signal(int number);
  /// Does what a state of the drain that was entered asks for.
  void enter(drain_state state, std::size_t open_connections);
  void event(process::log_level level, std::string_view name, std::string_view message,
             std::initializer_list<process::event_pair> pairs = {});

  wire::configuration configuration_;
  router_options options_;
  io::reactor reactor_;  // of the admin listener, signals and names
  asio::signal_set signals_;
  label_names names_;
  name_table name_table_;
  name_resolver resolver_;
  io::huge_page_resource table_memory_;
  std::optional<published<routing_table>> tables_;
  forward_settings forward_settings_;
  std::vector<std::unique_ptr<edge::connection_count>> counts_;  // of each listener, as the next
  std::vector<std::unique_ptr<edge::accept_limit>> accepts_;
  edge::connection_room room_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<process::log_writer> log_;
  std::optional<admin_pages> admin_;
  std::unique_ptr<null_observer> admin_observer_;
  edge::connection_count admin_count_;
  std::optional<edge::listener> admin_listener_;
  std::vector<io::socket_address> addresses_;
  io::socket_address admin_address_;
  request_rate rate_;  // of the admin's reactor, only kept when it is shown
  drain drain_;
  std::atomic<readiness> state_{readiness::starting};
  wall_time started_at_;
  wall_time applied_at_;
  duration apply_elapsed_{};
};

}  // namespace cellroute::proxy
