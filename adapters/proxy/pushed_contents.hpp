#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "adapters/proxy/config_source.hpp"
#include "adapters/proxy/control_link.hpp"
#include "adapters/proxy/last_known_good.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/configuration.hpp"

namespace cellroute::proxy {

/// What of the local file counts for contents that are pushed.
struct local_part {
  table_spec spec{};           ///< of which the base protocol replaces `routing` and the endpoints of placements
  upstream_policy defaults{};  ///< of the placements that only the base protocol names
  wire::key_settings key{};
  wire::guard_settings guard{};
};

/// Makes a pushed configuration current, and tells people. Called on the router's own reactor.
class pushed_listener {
 public:
  /// The listener calls `pushed_contents::applied` or `refused` for it, now or later; until then no other comes.
  virtual void on_pushed(loaded_configuration loaded) = 0;
  /// One was refused; what ran keeps running.
  virtual void on_push_refused(const std::string& label, const std::string& why) = 0;
  /// A start would not find what runs now; all else works.
  virtual void on_not_kept(const std::string& why) = 0;
  virtual void on_link_event(const std::string& event, const std::string& message) = 0;

 protected:
  ~pushed_listener() = default;
};

/// A content as a configuration with its table, by the same rules as a file. The local sections have their defaults.
///
/// Errors: `schema`, `reference`. Cost: a copy of the keys: 3 ms a million.
[[nodiscard]] expected<loaded_configuration, sync::refusal> compile_content(const sync::content& content,
                                                                            generation_number generation,
                                                                            std::uint64_t seed);

/// The contents that a control plane pushes: unpacked, checked by the same rules as a file and compiled, on a thread of
/// its own; kept for the next start, and handed over to be made current.
///
/// Threads: the reactor's, but where it says otherwise. Outlived by all that it is given, and outlives the reactor's
/// run.
class pushed_contents final : private content_handler {
 public:
  pushed_contents(io::reactor& reactor, control_link_options link, published<active_configuration>& current,
                  std::pmr::memory_resource& memory, std::uint64_t seed, last_known_good* kept,
                  pushed_listener& listener);
  pushed_contents(const pushed_contents&) = delete;
  pushed_contents& operator=(const pushed_contents&) = delete;
  ~pushed_contents();

  /// From now on. `running` is what an earlier process left, and what is current; none: something else is.
  void start(local_part local, std::optional<kept_content> running);
  /// The local file has changed.
  void set_local(local_part local);

  /// What was handed over is current.
  void applied();
  /// It is not, for a reason that is not in it.
  void refused(std::string why);

  /// Any thread.
  [[nodiscard]] const control_link& link() const { return link_; }

 private:
  /// The bytes of a content as they came, until it is kept.
  struct arrival {
    wire::config_begin what{};
    std::vector<std::byte> bytes{};
  };
  struct held_content {
    sync::content content;
    std::string label{};
    std::optional<arrival> came{};
  };
  /// Compiled already, for the most likely next step.
  struct prepared_content {
    wire::digest sum{};
    loaded_configuration loaded;
  };
  /// Of a content, between the first question of a repair and the second one.
  struct summed_rows {
    wire::digest sum{};
    key_digest digest;
  };
  void check(sync::check_content what, std::uint64_t salt) override;
  void check(sync::check_base_content what) override;
  void activate(const wire::content_id& content) override;
  void drop(const wire::content_id& content) override;
  void sum_up(sync::sum_up_rows what, std::uint64_t salt) override;
  void on_link_event(const std::string& event, const std::string& message) override;

  // All of these on the thread of the checks.
  template <class Work>
  void run(Work job) {
    asio::post(context_, std::move(job));
  }
  void check_now(const sync::check_content& what, std::uint64_t salt);
  void check_base_now(const sync::check_base_content& what);
  void sum_up_now(const sync::sum_up_rows& what, std::uint64_t salt);
  void activate_now(const wire::content_id& id);
  void build_and_hand_over(const wire::content_id& id);
  void refuse_activation(const wire::content_id& id, sync::refusal why);
  [[nodiscard]] expected<sync::content, sync::refusal> read_base(const sync::check_base_content& what);
  void tell_ignored(const std::vector<std::string>& fields);
  [[nodiscard]] expected<loaded_configuration, sync::refusal> build(const held_content& held) const;
  [[nodiscard]] local_part local() const;
  void hold(held_content held, loaded_configuration loaded);
  /// Whether a restart finds it.
  [[nodiscard]] bool keep(const wire::content_id& id, held_content& held);
  void keep_quarantine(std::vector<wire::quarantined_content> all);
  void begin_probation();
  void tell_once(const std::string& why);
  void tell_refused(std::string label, std::string why);
  void ended(std::optional<std::string> why);

  io::reactor& reactor_;
  published<active_configuration>& current_;
  std::pmr::memory_resource& memory_;
  std::uint64_t seed_;
  pushed_listener& listener_;
  mutable std::mutex mutex_;  // of `local_`, which is written when the file changes
  local_part local_;
  std::map<wire::digest, held_content> held_;
  std::optional<prepared_content> prepared_;
  std::optional<summed_rows> summed_;
  std::optional<wire::content_id> activating_;
  bool is_durable_ = false;           ///< `activating_`
  last_known_good* kept_;             ///< null: there is no folder of state
  std::string told_;                  ///< what was last told of the disk
  std::vector<std::string> ignored_;  ///< fields of the last message that were not known
  int attempts_ = 0;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> stays_;
  asio::steady_timer probation_;
  control_link link_;
  std::thread thread_;
};

}  // namespace cellroute::proxy
