#pragma once

#include <memory>
#include <optional>
#include <string>

#include "adapters/control/api.hpp"
#include "adapters/control/api_carrier.hpp"
#include "adapters/control/api_server.hpp"
#include "adapters/control/event_log.hpp"
#include "adapters/control/fleet_directory.hpp"
#include "adapters/control/gate.hpp"
#include "adapters/control/readiness.hpp"
#include "adapters/control/request_log.hpp"
#include "adapters/control/settings.hpp"
#include "adapters/control/store_check.hpp"
#include "adapters/control/work_thread.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/process/log_writer.hpp"

namespace cellroute::control {

/// What the API is about. All of it outlives the API, but the sessions and the followed file: `api_home::end` comes
/// before their end.
struct api_surface {
  registry& of;
  push_server& server;
  const publisher& published;
  watched_file* watched = nullptr;  ///< null: none is followed
  gate& guard;                      ///< is told which tokens count
  process::log_writer& log;
  request_log& requests;
};

/// The API with all that it takes to be answered on a port: its threads, what happens as it happens, and what its store
/// wants done now and then, on a thread of its own.
///
/// Threads: the reactor's. Outlives the reactor's run.
class api_home final : private fleet_memory::listener, private store_check_listener {
 public:
  /// The settings outlive it.
  api_home(io::reactor& reactor, const settings& from, const api_surface& about);
  api_home(const api_home&) = delete;
  api_home& operator=(const api_home&) = delete;
  ~api_home();

  /// Before anything else; `build` is this program's name. Errors: those of the store, as a line for the operator.
  [[nodiscard]] expected<void, std::string> open(const std::string& build);

  /// Whoever asks comes here.
  [[nodiscard]] edge::exchange_handler& handler() { return *carrier_; }
  [[nodiscard]] event_log& events() { return events_; }

  void on_tick(time_point now);
  /// Why nothing can be published now; empty: it can.
  [[nodiscard]] std::string_view why_not_ready() const { return readiness_->why_not(reactor_.now()); }

  /// Whether the store was whole when that was last looked at; null: nobody looks.
  [[nodiscard]] const store_check* check() const { return check_ ? &*check_ : nullptr; }

  /// Ends what has no end; other requests are answered.
  void stop_watchers() { events_.close(); }
  /// Cuts what is not answered yet.
  void cut() { server_->stop(); }
  /// Nobody waits for the reactor any more, nor for what may happen.
  void stop_asking();
  /// The same, and waits for its threads.
  void end();

 private:
  class purge_job;

  void on_fleet_not_kept(const std::string& why) override;
  void on_store_checked(const stored<void>& found, duration took) override;
  [[nodiscard]] expected<void, std::string> open_memory();
  /// Says it once when nothing can be published any more, and when that is over.
  void tell_readiness();
  /// Lets old versions go, once an hour.
  void purge_history(time_point now);

  io::reactor& reactor_;
  const settings& settings_;
  api_surface about_;
  std::optional<fleet_memory> memory_;
  fleet_directory directory_;
  event_log events_;
  std::unique_ptr<api> api_;
  std::optional<api_server> server_;
  std::optional<api_carrier> carrier_;
  std::optional<readiness> readiness_;
  std::optional<store_check> check_;
  std::optional<work_thread> chores_;  // what the store takes long for
  time_point purge_at_ = time_point::min();
  std::string told_;  // why nothing can be published, as it was said last
};

}  // namespace cellroute::control
