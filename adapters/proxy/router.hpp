#pragma once

#include <asio/signal_set.hpp>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "adapters/process/certificate_watch.hpp"
#include "adapters/process/drain.hpp"
#include "adapters/process/log_writer.hpp"
#include "adapters/process/state_lock.hpp"
#include "adapters/proxy/admin.hpp"
#include "adapters/proxy/admin_port.hpp"
#include "adapters/proxy/config_source.hpp"
#include "adapters/proxy/content_watch.hpp"
#include "adapters/proxy/kept_place.hpp"
#include "adapters/proxy/metrics_page.hpp"
#include "adapters/proxy/name_table.hpp"
#include "adapters/proxy/pushed_contents.hpp"
#include "adapters/proxy/router_listeners.hpp"
#include "adapters/proxy/table_keeper.hpp"
#include "adapters/proxy/worker.hpp"
#include "adapters/wire/config_file.hpp"
#include "cellroute/snapshot/published.hpp"

namespace cellroute::proxy {

/// What a router is started with, besides its configuration.
struct router_options {
  std::string version;
  std::string commit;
  std::uint64_t seed = 0;      ///< for request ids and key tables; from a source that strangers cannot guess
  bool takes_signals = false;  ///< those of a daemon: see `on_signal`
  std::optional<wire::config_file> file{};  ///< followed from `start` on; none: the configuration stays as it is
  io::huge_page_resource* table_memory =
      nullptr;  ///< of tables that are loaded before; outlives the router; none: its own
  std::vector<std::string> unused_variables{};  ///< of the environment: set, and without effect yet
};

/// Why a router did not start: what is wrong, and what to do.
struct start_error {
  std::string what;
};

/// A router's way from one folder of state to another.
struct state_move {
  std::optional<std::string> folder;        ///< none: `off`
  std::optional<process::state_lock> lock;  ///< of that folder
  bool is_waiting = false;
  std::string why_not;
};

/// The data plane as one object: workers, the table that they share, log, admin listener, drain.
///
/// `start` opens everything; `run` serves the admin pages on the calling thread until the drain is over.
/// Threads: one owner; `begin_drain` and `stop` may be called by any thread.
class router final : private admin_source,
                     private config_listener,
                     private name_listener,
                     private pushed_listener,
                     private keeping_listener,
                     private io::tick_listener {
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

  /// Makes a newer table current, the rest of the configuration as it is. Any thread.
  expected<void, publish_error> publish(routing_table table);
  /// Frees tables that no worker borrows any more; returns how many are still borrowed besides the current one.
  std::size_t collect_tables() { return configurations_->collect(); }

  /// Where listeners listen, in configured order; for port 0.
  [[nodiscard]] std::vector<io::socket_address> addresses() const { return listeners_.addresses(); }
  [[nodiscard]] const io::socket_address& admin_address() const { return admin_port_->address(); }
  [[nodiscard]] std::string metrics() const override;

 private:
  [[nodiscard]] readiness ready() const override;
  [[nodiscard]] std::string_view config_origin() const override { return to_string(origin_); }
  [[nodiscard]] std::string config_file() const override { return configuration_.file; }
  [[nodiscard]] wall_time config_applied_at() const override { return applied_at_; }
  [[nodiscard]] std::optional<wire::content_id> pushed() const override { return content_; }
  [[nodiscard]] config_refusal last_refusal() const override;
  [[nodiscard]] const wire::quarantine& quarantined() const override { return configuration_.quarantined; }
  [[nodiscard]] bool may_reload() const override;
  [[nodiscard]] io::task<reload_report> reload(std::string lifted) override;
  void on_loaded(loaded_configuration loaded) override;
  void on_refused(const std::vector<std::string>& mistakes) override;
  void on_unchanged() override;
  void on_pushed(loaded_configuration loaded) override;
  void on_push_unchanged(const wire::content_id& content) override;
  void on_push_refused(const std::string& label, const std::string& why) override;
  void on_not_kept(const std::string& why) override;
  void on_damaged(const std::string& label) override;
  void on_reverted(const std::string& label, const std::string& why) override;
  void on_not_reverted(const std::string& label, const std::string& why) override;
  void on_not_taken(const std::vector<std::string>& told) override;
  void on_prepared(const std::string& why_not) override;
  void on_folder_changed() override;
  void on_link_event(const std::string& event, const std::string& message) override;
  void on_address(const std::string& host, const io::socket_address& address) override;
  void on_unresolved(const std::string& host, const std::string& why) override;
  void on_kept(const std::string& error) override;
  void on_tick(time_point now) override;

  [[nodiscard]] expected<void, start_error> compile_table();
  /// What a control plane pushed to an earlier process, if it was kept.
  void load_known_good();
  void take_known_good();
  /// Returns what is taken.
  std::optional<kept_content> tell_not_taken(found_contents found);
  /// What the link is opened with.
  [[nodiscard]] control_link_options link_options() const;
  /// Makes what contents are pushed to, and kept by, where it is not there yet.
  void make_pushed();
  /// The folder of state, as contents are kept in it; null where it cannot be used, which is told, or there is none.
  [[nodiscard]] std::unique_ptr<kept_place> open_place(std::optional<process::identity> later);
  /// The link follows the settings that count now, those `before` did until now.
  void follow_control_plane(const std::optional<wire::control_plane_settings>& before);
  /// The folder of state that the file names is made ready, where it is another. False: that takes a while yet.
  [[nodiscard]] bool is_state_ready(const wire::configuration& wanted);
  void begin_state_move(const wire::configuration& wanted);
  void use_moved_state();
  [[nodiscard]] std::string router_id() const;
  [[nodiscard]] control_plane_facts facts_of_control_plane() const;
  [[nodiscard]] static local_part local_part_of(const wire::configuration& c);
  /// The local sections of a file that has changed, around the fleet sections that are current: pushed ones, or those
  /// of the file before where it has no routing any more.
  [[nodiscard]] loaded_configuration around_current(loaded_configuration file);
  [[nodiscard]] bool has_table() const;
  /// `moved`: against what was current before.
  void tell_applied(const routing_table& table, std::string_view source, const table_diff* moved);
  /// Whoever brought it is told that it cannot be made current now.
  void refuse_for_now(const loaded_configuration& loaded, std::string why);
  void wait_for_names(loaded_configuration loaded);
  /// Makes what was loaded current once the names in it have had their time.
  void apply_when_named(time_point now);
  void apply(loaded_configuration loaded);
  void apply_local(const wire::settings& local);
  void tell_of_health_checks(const wire::configuration& configuration);
  void apply_log(const wire::access_settings& access, std::unique_ptr<process::log_output> opened);
  [[nodiscard]] request_settings request_settings_of(const wire::configuration& configuration) const;
  [[nodiscard]] expected<void, start_error> open_log();
  [[nodiscard]] expected<void, start_error> open_state();
  /// Names the rows that are not served.
  void tell_quarantined();
  /// Says what was found in the folder of state, and has the table kept that is current now.
  void keep_table(const wire::configuration& c, bool was_kept);
  [[nodiscard]] expected<void, start_error> open_listeners();
  [[nodiscard]] expected<void, start_error> open_admin();
  /// Whom `process.privileges` names, if it is there.
  [[nodiscard]] expected<std::optional<process::identity>, start_error> later_identity() const;
  /// Once all is open that only root may open.
  [[nodiscard]] expected<void, start_error> drop_privileges();
  /// Once all is open that stays open: what is left of the descriptors is for connections.
  void share_descriptors();
  void resolve_names();
  /// Names of endpoints, without those that are addresses.
  [[nodiscard]] std::set<std::string> host_names(const table_spec& spec) const;
  struct opened_admin {
    io::socket_address address;
    int descriptor = -1;
  };
  [[nodiscard]] static expected<opened_admin, start_error> open_admin_socket(const wire::socket_address& wished);
  void move_admin(const opened_admin& opened, const wire::settings& local);
  /// What a configuration needs that is not open yet; what is empty stays as it is.
  struct new_parts {
    std::vector<router_listeners::opened> listeners;
    std::optional<opened_admin> admin;
    std::unique_ptr<process::log_output> log;
  };
  /// On failure nothing is left open.
  [[nodiscard]] expected<new_parts, start_error> open_new_parts(const wire::configuration& wanted);
  void drop_new_parts(const new_parts& parts);
  void announce(const router_listeners::entry& listener);
  void tell_closed(std::string_view listener, const io::socket_address& address);
  void sample_rate(time_point now);
  void report_to_control_plane(time_point now);
  /// What requests came to, by all workers.
  [[nodiscard]] reactor_metrics::traffic count_requests() const;
  /// Leaves what came last where it does harm, and the file says so.
  void watch_content(const reactor_metrics::traffic& counted, time_point now);
  void watch_from_now_on(bool is_way_back);
  /// As their files are now: they are renewed.
  [[nodiscard]] std::vector<process::certificate_facts> certificates() const;
  [[nodiscard]] bool has_gateway_names() const;
  void wait_for_signal();
  /// SIGINT, SIGTERM and SIGQUIT drain, the second one ends at once; SIGUSR1 opens the log file again; the others that
  /// people send to a daemon are told of and change nothing.
  void on_signal(int number);
  /// Does what a state of the drain that was entered asks for.
  void enter(process::drain_state state, std::size_t open_connections);
  void event(process::log_level level, std::string_view name, std::string_view message,
             std::initializer_list<process::event_pair> pairs = {});

  wire::configuration configuration_;
  router_options options_;
  io::reactor reactor_;  // of the admin listener, signals and names
  asio::signal_set signals_;
  label_names names_;
  name_table name_table_;
  name_resolver resolver_;
  io::huge_page_resource own_table_memory_;
  io::huge_page_resource& table_memory_;
  mutable std::optional<published<active_configuration>> configurations_;  // whoever reads it takes part
  router_listeners listeners_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<process::log_writer> log_;
  std::optional<admin_pages> admin_;
  std::optional<admin_port> admin_port_;
  bool admin_is_private_ = false;  // only this machine reaches it
  request_rate rate_;              // of the admin's reactor, only kept when it is shown
  process::drain drain_;
  process::certificate_watch certificate_watch_;
  std::atomic<readiness> state_{readiness::starting};
  wall_time started_at_;
  std::optional<process::state_lock> state_lock_;
  std::optional<table_keeper> keeper_;
  bool has_told_keeping_failed_ = false;
  std::optional<config_source> config_source_;
  std::deque<loaded_configuration> loaded_;  // the first waits for its names; one of the file, and one that was pushed
  std::optional<state_move> state_move_;
  std::unique_ptr<kept_place> known_good_;  // until the link starts
  std::optional<kept_content> found_;       // the same
  local_part local_part_;                   // of the file
  std::optional<pushed_contents> pushed_;
  content_watch watch_;
  std::string boot_id_;
  time_point report_at_ = time_point::min();
  label_id default_reason_;
  std::string linked_as_;  // the id by which the link says hello
  time_point linked_since_{};
  fleet_source origin_ = fleet_source::file;  // of what is current
  std::optional<wire::content_id> content_;   // of a control plane that is current
  std::optional<std::string> push_refusal_;   // of what it sent last
  time_point named_at_latest_;
  time_point trim_at_ = time_point::max();
  std::uint64_t applied_count_ = 1;  // the start's
  std::uint64_t refused_count_ = 0;
  std::uint64_t pushed_count_ = 0;
  std::uint64_t push_unchanged_count_ = 0;
  std::uint64_t push_refused_count_ = 0;
  std::optional<wall_time> refused_at_;
  wall_time applied_at_;
  duration apply_elapsed_{};
};

}  // namespace cellroute::proxy
