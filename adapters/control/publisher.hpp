#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "adapters/control/push_server.hpp"
#include "adapters/control/work_thread.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/base_messages.hpp"

namespace cellroute::control {

struct publisher_settings {
  wire::base_dialect base_dialect = wire::base_dialect::config_update;
  duration coalesce = 50ms;       ///< changes that come faster are published together
  duration coalesce_max = 1s;     ///< also where making a change ready takes longer
  std::size_t contents_kept = 8;  ///< for changes from them; those that no router has go first
};

/// A content that is published, or was, and that some router may still have.
struct published_content {
  sync::content content;
  wire::content_id id{};
  std::string label{};
};

/// Told when a content is what routers should run.
class publish_observer {
 public:
  virtual void on_published(const published_content& what, duration made_ready_in) = 0;
  /// Nobody runs it any more, or it was replaced before anybody was told of it.
  virtual void on_overtaken(const wire::content_id& id) = 0;

 protected:
  ~publish_observer() = default;
};

/// Makes of each content what its routers need: the change from the one before, at once; changes from others, all of
/// it, and the text of the base protocol only where some router needs them. All of that on a thread beside the reactor,
/// once for all routers.
///
/// A content that comes while another is made ready waits, the latest of them; the others are never told.
///
/// Threads: the reactor's. Outlives the reactor's run; outlived by all that it is given.
class publisher final : private io::tick_listener {
 public:
  publisher(io::reactor& reactor, push_server& server, const publisher_settings& settings, publish_observer& observer);
  publisher(const publisher&) = delete;
  publisher& operator=(const publisher&) = delete;
  ~publisher();

  /// This is what routers should run from now on. Range: its number is higher than that of all before.
  void publish(published_content what);
  /// Routers have come, or refused something: what they need is looked for.
  void look() { is_looking_ = true; }

  /// What routers should run; null: nothing yet.
  [[nodiscard]] const published_content* current() const { return current_ != nullptr ? &current_->what : nullptr; }
  [[nodiscard]] std::size_t contents_held() const { return contents_.size(); }
  /// Bytes of what is made ready for sending, also what is only being sent still.
  [[nodiscard]] std::size_t artifact_bytes() const;

 private:
  /// A content, and how many jobs read it now.
  struct held {
    published_content what;
    std::size_t readers = 0;
  };
  class pack_job;
  class repair_job;
  class base_job;

  void on_tick(time_point now) override;
  void begin(time_point now);
  void announce();
  void told(pack_job& made);
  void told(repair_job& made);
  void told(base_job& made);
  void add_ways();
  void add_repair(const sync::repair_need& need);
  void add_base_text();
  void make(held& to, held* from);
  void forget_contents();
  void sweep_artifacts();
  [[nodiscard]] held* find(const wire::digest& sum);

  io::reactor& reactor_;
  push_server& server_;
  publisher_settings settings_;
  publish_observer& observer_;
  std::list<held> contents_;  // the newest last
  held* current_ = nullptr;   // of these, as the next
  held* preparing_ = nullptr;
  std::optional<published_content> next_;
  time_point begun_{};
  time_point earliest_ = time_point::min();  // of the next change
  sync::publication said_;
  std::list<sync::artifact_use::counted> artifacts_;  // those that `said_` names, and those that are still being sent
  std::set<wire::digest> being_made_;                 // or made: changes to the current content, by where they start
  std::set<sync::repair_need> repairs_made_;          // or being made, to the current content
  bool is_snapshot_made_ = false;                     // or being made, as the next
  bool is_base_made_ = false;
  bool is_looking_ = false;
  work_thread thread_;  // last: it waits for its job
};

}  // namespace cellroute::control
