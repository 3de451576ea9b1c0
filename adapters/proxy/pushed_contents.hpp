#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
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
#include "adapters/proxy/kept_place.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/sync/content_scrub.hpp"
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
  /// What came runs already, maybe under another number.
  virtual void on_push_unchanged(const wire::content_id& content) = 0;
  /// One was refused; what ran keeps running.
  virtual void on_push_refused(const std::string& label, const std::string& why) = 0;
  /// A start would not find what runs now; all else works.
  virtual void on_not_kept(const std::string& why) = 0;
  /// What runs is not what was pushed any more: its memory is at fault, or a program. Told once of each content.
  virtual void on_damaged(const std::string& label) = 0;
  /// What did harm is left for what ran before, and refused from now on.
  virtual void on_reverted(const std::string& label, const std::string& why) = 0;
  /// Nothing is there that could take its place: it stays.
  virtual void on_not_reverted(const std::string& label, const std::string& why) = 0;
  /// Of what an earlier process left this is not taken, a line each.
  virtual void on_not_taken(const std::vector<std::string>& told) = 0;
  /// What `prepare` came to: `why_not` is empty where what runs is in the other folder.
  virtual void on_prepared(const std::string& why_not) = 0;
  /// The folder that was asked for is in use, and nothing uses the one before any more.
  virtual void on_folder_changed() = 0;
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
/// its own; kept for the next start, and handed over to be made current. The link to the control plane may be replaced,
/// and so may the folder in which they are kept; what runs stays.
///
/// What comes of an earlier link once another one was asked for is let go, wherever it is then: a number (`turn`)
/// tells.
///
/// Threads: the reactor's, but where it says otherwise. Outlived by all that it is given, and outlives the reactor's
/// run.
class pushed_contents final {
 public:
  /// Each `scrub_period` a sixtieth of the rows that run is looked at: are they still those that came?
  pushed_contents(io::reactor& reactor, published<active_configuration>& current, std::pmr::memory_resource& memory,
                  std::uint64_t seed, pushed_listener& listener, duration scrub_period = 1min);
  pushed_contents(const pushed_contents&) = delete;
  pushed_contents& operator=(const pushed_contents&) = delete;
  ~pushed_contents();

  /// From now on. `kept`: none where nothing is to be kept. `running` is what an earlier process left, and what is
  /// current; none: something else is.
  void start(local_part local, std::unique_ptr<kept_place> kept, std::optional<kept_content> running);
  /// The local file has changed.
  void set_local(local_part local);

  /// Opens a link, in the place of the one that there is. `is_elsewhere`: to others than that one, whose numbers of
  /// contents say nothing there. What was handed over and is not current yet is not to become it.
  void connect(control_link_options link, bool is_elsewhere);
  /// Ends the link; the same.
  void disconnect();
  /// What was handed over is not current any more, and not because of another.
  void left();

  /// Writes what runs into another folder; `on_prepared` tells what came of it.
  void prepare(std::unique_ptr<kept_place> other);
  /// From now on the folder that was prepared is used.
  void use_prepared();
  /// Or none.
  void use_no_folder();
  /// It is not wanted after all.
  void forget_prepared();

  /// What runs does harm, in these words: what was pushed before takes its place, and it is refused from now on.
  /// Nothing happens where another is about to take it.
  void revert(std::string why);

  /// What the next beats are answered with, but for what is known here.
  void report(wire::pong counts);

  /// What was handed over is current.
  void applied();
  /// It is not, for a reason that is not in it.
  void refused(std::string why);

  /// Any thread.
  [[nodiscard]] const link_figures& figures() const { return figures_; }
  /// What the last look at the rows came to; nothing before the first one. Any thread.
  [[nodiscard]] std::optional<wire::scrub_result> scrubbed() const;

 private:
  using turn_number = std::uint64_t;

  /// A link, and whose words they are.
  class port final : private content_handler {
   public:
    port(pushed_contents& of, turn_number turn, control_link_options options)
        : of_(of), turn_(turn), link_(std::move(options), *this, of.figures_) {}
    [[nodiscard]] control_link& link() { return link_; }

   private:
    void check(sync::check_content what, std::uint64_t salt) override;
    void check(sync::check_base_content what) override;
    void activate(const wire::content_id& content) override;
    void unchanged(const wire::content_id& content) override;
    void drop(const wire::content_id& content) override;
    void sum_up(sync::sum_up_rows what, std::uint64_t salt) override;
    void on_refused(const std::string& label, const std::string& why) override;
    void on_link_event(const std::string& event, const std::string& message) override;
    [[nodiscard]] wire::pong status() override { return of_.status(); }

    pushed_contents& of_;
    turn_number turn_;
    control_link link_;
  };
  /// The bytes of a content as they came, until it is kept.
  struct arrival {
    wire::config_begin what{};
    std::vector<std::byte> bytes{};
  };
  struct held_content {
    sync::content content;
    std::string label{};
    std::optional<arrival> came{};
    bool is_let_go = false;   ///< by the link: it stays as long as it is `proven_`
    bool is_damaged = false;  ///< its digest is that of its rows as they are, its sum that of what came
  };
  /// While one lives, the process that ends does so by that check.
  class noted_check {
   public:
    noted_check(pushed_contents& of, const wire::digest& sum) : of_(of) {
      if (of_.kept_) of_.kept_->contents().check_begins(sum);
    }
    noted_check(const noted_check&) = delete;
    noted_check& operator=(const noted_check&) = delete;
    ~noted_check() {
      if (of_.kept_) of_.kept_->contents().check_ends();
    }

   private:
    pushed_contents& of_;
  };
  /// Compiled already, for the most likely next step.
  struct prepared_content {
    wire::digest sum{};
    loaded_configuration loaded;
  };
  /// What is about to be left, and why: for people.
  struct reverting {
    std::string label{};
    std::string why{};
  };
  /// Of a content, between the first question of a repair and the second one.
  struct summed_rows {
    wire::digest sum{};
    key_digest digest;
  };

  // All of these on the thread of the checks.
  template <class Work>
  void run(Work job) {
    asio::post(context_, std::move(job));
  }
  /// Only while that link is the one.
  template <class Work>
  void run(turn_number turn, Work job) {
    asio::post(context_, [this, turn, job = std::move(job)]() mutable {
      if (turn == turn_) job();
    });
  }
  /// Has `f(link, now)` run on the link's thread, where there is a link.
  template <class F>
  void post(F f) {
    if (port_) port_->link().post(std::move(f));
  }
  // Both on any thread.
  [[nodiscard]] wire::pong counts() const;
  [[nodiscard]] wire::pong status() const;
  void note_boots();
  // What is late was answered meanwhile: nothing comes of it.
  void check_now(const sync::check_content& what, std::uint64_t salt, time_point asked_at);
  void check_base_now(const sync::check_base_content& what, time_point asked_at);
  void sum_up_now(const sync::sum_up_rows& what, std::uint64_t salt);
  void activate_now(const wire::content_id& id);
  void revert_now(std::string why);
  void end_revert(std::optional<std::string> why_not);
  [[nodiscard]] bool is_way_back(const wire::content_id& id) const;
  void note_running(const wire::content_id& id);
  void trust(std::optional<wire::content_id> id);
  void build_and_hand_over(const wire::content_id& id);
  void refuse_activation(const wire::content_id& id, sync::refusal why);
  [[nodiscard]] bool has_ended_processes(const wire::digest& sum) const;
  [[nodiscard]] expected<sync::content, sync::refusal> read_base(const sync::check_base_content& what);
  void tell_ignored(const std::vector<std::string>& fields);
  /// The guards have no say on the way back: that way was come already.
  [[nodiscard]] expected<loaded_configuration, sync::refusal> build(const held_content& held,
                                                                    bool is_back = false) const;
  [[nodiscard]] local_part local() const;
  void hold(held_content held, loaded_configuration loaded);
  /// Whether a restart finds it.
  [[nodiscard]] bool keep(const wire::content_id& id, held_content& held);
  void keep_quarantine(std::vector<wire::quarantined_content> all);
  void begin_probation();
  void begin_scrub();
  void scrub();
  void tell_once(const std::string& why);
  void ended(std::optional<std::string> why);
  void end_link(turn_number next);
  void let_go_of_others();
  [[nodiscard]] expected<void, std::string> write_what_runs(kept_place& to);
  void load_others(kept_place& from);
  void prepare_now(std::unique_ptr<kept_place> other);
  void change_folder(std::unique_ptr<kept_place> to);
  void drop_prepared();

  /// On the reactor: the thread of a link is as urgent as the one that makes it.
  void open_link(turn_number turn, control_link_options options);

  io::reactor& reactor_;
  published<active_configuration>& current_;
  std::pmr::memory_resource& memory_;
  std::uint64_t seed_;
  pushed_listener& listener_;
  link_figures figures_;
  // Of the status, for the link's thread.
  const time_point started_at_;
  std::atomic<fleet_source> source_{fleet_source::file};  ///< of what is current
  std::atomic<std::uint64_t> boots_{0};
  std::atomic<std::int64_t> kept_at_{-1};      ///< as `confirmed_at`
  std::atomic<bool> is_sound_{true};           ///< what runs, as far as its rows were looked at
  std::atomic<std::int64_t> scrubbed_at_{-1};  ///< in seconds since 1970; -1: not yet
  mutable std::mutex counts_mutex_;            // of `counts_`
  wire::pong counts_;
  turn_number wanted_turn_ = 0;  ///< of the reactor
  mutable std::mutex mutex_;     // of `local_`, which is written when the file changes
  local_part local_;
  // Of the thread of the checks.
  turn_number turn_ = 0;
  std::map<wire::digest, held_content> held_;
  std::optional<prepared_content> prepared_;
  std::optional<summed_rows> summed_;
  std::optional<wire::content_id> activating_;
  std::optional<wire::content_id> running_;  ///< what is current, where it was pushed
  time_point running_since_{};
  std::optional<wire::content_id> proven_;          ///< what to go back to, of the same link: see `note_running`
  std::optional<reverting> reverting_;              ///< `proven_` is about to take the place of `running_`
  bool is_number_foreign_ = false;                  ///< of `running_`: others than those of the link gave it
  bool is_durable_ = false;                         ///< `activating_`
  std::unique_ptr<kept_place> kept_;                ///< null: there is no folder of state
  std::unique_ptr<kept_place> prepared_place_;      ///< about to take its place
  std::vector<wire::quarantined_content> refused_;  ///< as the links before knew it
  std::string told_;                                ///< what was last told of the disk
  std::vector<std::string> ignored_;                ///< fields of the last message that were not known
  int attempts_ = 0;
  time_point activation_began_at_{};
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> stays_;
  asio::steady_timer probation_;
  const duration scrub_period_;
  asio::steady_timer scrub_timer_;
  sync::content_scrub scrub_;
  std::optional<time_point> asked_again_at_;  ///< for a content that was damaged
  std::unique_ptr<port> port_;
  std::thread thread_;
};

}  // namespace cellroute::proxy
