#pragma once

#include <coroutine>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/io/reactor.hpp"
#include "adapters/process/file_follower.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "adapters/wire/config_file.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/snapshot/published.hpp"
#include "cellroute/table/diff.hpp"

namespace cellroute::proxy {

/// Where the fleet sections of a configuration come from: the local file, a control plane, or what one sent before.
enum class fleet_source : std::uint8_t { file, push, state };
[[nodiscard]] std::string_view to_string(fleet_source source);

/// A configuration that was read, checked and compiled: good to be made current.
struct loaded_configuration {
  wire::configuration configuration;  ///< without its text, and without the keys, which are in the table
  routing_table table;
  table_diff moved;       ///< against the table that was current
  bool was_kept = false;  ///< the table comes out of the folder of state
  duration elapsed{};
  fleet_source origin = fleet_source::file;
  bool is_local_only = false;                ///< of a file of which only the local sections count
  std::optional<wire::content_id> pushed{};  ///< where a control plane sent it: its number and digest there
  bool is_way_back = false;                  ///< to what ran before: the one behind it did harm

  [[nodiscard]] bool is_of_file() const { return origin == fleet_source::file || is_local_only; }
};

/// What came of a reading.
enum class reload_result : std::uint8_t { applied, unchanged, refused };
[[nodiscard]] std::string_view to_string(reload_result result);

struct reload_report {
  reload_result result = reload_result::unchanged;
  std::uint64_t generation = 0;       ///< the current one, behind it
  std::vector<std::string> mistakes;  ///< where it was refused: where, what, and what to do
};

/// Makes a configuration current, or not, and tells people what came of it. Called on the source's reactor.
class config_listener {
 public:
  /// The listener calls `config_source::applied` or `refuse` for it, now or later; until then nothing else is read.
  virtual void on_loaded(loaded_configuration loaded) = 0;
  virtual void on_refused(const std::vector<std::string>& mistakes) = 0;
  /// Somebody asked, and it is what is current.
  virtual void on_unchanged() = 0;

 protected:
  ~config_listener() = default;
};

/// Follows a configuration file: notices that it may have changed, reads it on a thread of its own, and hands over what
/// is new. While somebody writes one of the files nothing of it counts, for ten seconds at most. What was refused is
/// not told again until it changes or somebody asks; where the reason was not in it (no memory, a port that another
/// program has) each poll tries again.
///
/// Threads: the reactor's. Outlived by all that it is given, and outlives the reactor's run.
class config_source final : private process::file_reader {
 public:
  config_source(io::reactor& reactor, wire::config_file file, published<active_configuration>& current,
                std::pmr::memory_resource& memory, std::uint64_t seed, config_listener& listener);
  config_source(const config_source&) = delete;
  config_source& operator=(const config_source&) = delete;
  /// From now on; `in_use` is what is current.
  void start(const wire::configuration& in_use);
  /// Reads it now. `lifted` names the guards that do not count this time.
  void demand(std::string lifted = {});
  /// As `demand`, and waits for what comes of it.
  [[nodiscard]] io::task<reload_report> reload(std::string lifted);

  /// Where the fleet sections come from that are current. Those of the file are guarded only while it is the file, or
  /// comes to be it: beside pushed ones they lead nowhere.
  void set_fleet_source(fleet_source source);
  /// What was handed over is current; its settings count from now on.
  void applied(const wire::configuration& in_use);
  /// What was handed over cannot be made current now, for a reason that is not in it: it is tried again.
  void refuse_for_now(std::string why);

  /// Why the file as it is now is not what is current; empty where it is.
  [[nodiscard]] const std::vector<std::string>& mistakes() const { return mistakes_; }

 private:
  struct unchanged {};
  struct unsettled {};  ///< somebody writes it now
  struct still_refused {};
  struct refused {
    std::vector<std::string> mistakes;
    bool may_pass = false;  ///< the reason is not in the files: the same content may be good later
  };
  using outcome = std::variant<unchanged, unsettled, still_refused, refused, loaded_configuration>;
  /// What a reading is made with; a copy of its own, for its thread.
  struct reading {
    wire::config_file file;
    std::vector<std::string> files_in_use;
    std::uint64_t content_in_use = 0;
    std::optional<std::uint64_t> content_refused;
    wire::guard_settings guard;
    bool is_file_in_use = true;  ///< its fleet sections
    std::string lifted;
    process::follow_reading how;
  };
  struct read_result {
    std::uint64_t content = 0;
    outcome what;
    std::vector<std::string> files{};  ///< that were read, where it is refused
  };
  struct waiter {
    explicit waiter(config_source& owner) : of(owner) {}
    config_source& of;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { of.waiting_.push_back(waiting); }
    void await_resume() const noexcept {}
  };

  void begin(const process::follow_reading& how) override;
  void read() override;
  void take(const std::string& why_not) override;
  void use(const wire::configuration& c);
  [[nodiscard]] bool has_table() const;
  void follow();
  [[nodiscard]] read_result read_all() const;
  [[nodiscard]] std::uint64_t demand_reading(std::string lifted);
  void refuse(refused refusal);
  void end(reload_result result);
  void report(reload_result result);

  wire::config_file file_;
  published<active_configuration>& current_;
  std::pmr::memory_resource& memory_;
  std::uint64_t seed_;
  config_listener& listener_;
  wire::reload_settings policy_;
  wire::guard_settings guard_;
  bool is_told_ = false;  ///< a control plane is named
  bool has_routing_ = true;
  fleet_source fleet_source_ = fleet_source::file;
  std::vector<std::string> files_in_use_;
  std::vector<std::string> files_refused_;  ///< whose change may mend it
  std::uint64_t content_in_use_ = 0;
  std::uint64_t content_loading_ = 0;
  std::optional<std::uint64_t> content_refused_;
  std::vector<std::string> mistakes_;
  std::string lifted_;
  reload_report report_;
  std::vector<std::coroutine_handle<>> waiting_;
  reading reading_;                    // of what is being read
  std::optional<read_result> result_;  // written by the thread, read when it has ended
  process::file_follower follower_;    // last: it waits for its thread
};

}  // namespace cellroute::proxy
