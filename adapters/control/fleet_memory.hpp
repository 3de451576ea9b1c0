#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/control/fleet_file.hpp"
#include "adapters/control/work_thread.hpp"
#include "adapters/sync/push_hub.hpp"

namespace cellroute::control {

/// Who was ever here, also before this process was started, until he is forgotten.
///
/// The reactor's thread only looks; a thread of chores writes, every few seconds what is new. Threads: the reactor's.
/// Outlives the reactor's run, and outlived by all that it is given.
class fleet_memory {
 public:
  /// Says why nothing is remembered for the next start; called on the reactor.
  class listener {
   public:
    virtual void on_fleet_not_kept(const std::string& why) = 0;

   protected:
    ~listener() = default;
  };

  /// Range: `forget_after` above 0.
  fleet_memory(io::reactor& reactor, const sync::push_hub& hub, duration forget_after, listener& hears);
  fleet_memory(const fleet_memory&) = delete;
  fleet_memory& operator=(const fleet_memory&) = delete;
  /// Writes once more what it knows.
  ~fleet_memory();

  /// Reads what there is, and waits for it. Without it nothing is kept.
  void open(const std::string& path, std::string_view cluster);
  void on_tick(time_point now);

  /// Routers of an earlier process that have not come to this one yet, by id.
  [[nodiscard]] const std::map<std::string, known_router>& missing() const { return missing_; }
  /// Whether somebody who was seen last then is still told of.
  [[nodiscard]] bool is_remembered(wall_time seen) const;

 private:
  class writing;

  /// What is new of those that are or were here, since it was written last.
  [[nodiscard]] std::vector<known_router> changes(bool is_all);
  void tell(const std::string& why);

  io::reactor& reactor_;
  const sync::push_hub& hub_;
  duration forget_after_;
  listener& hears_;
  std::map<std::string, known_router> missing_;
  std::map<std::string, known_router> written_;  // of those of this process
  std::optional<fleet_file> file_;               // the thread's, from `open` on
  std::string told_;
  time_point write_at_ = time_point::min();
  bool is_writing_ = false;
  std::optional<work_thread> chores_;  // last: it stops before anything above goes
};

}  // namespace cellroute::control
