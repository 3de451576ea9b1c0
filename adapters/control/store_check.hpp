#pragma once

#include <atomic>
#include <optional>

#include "adapters/control/registry.hpp"
#include "adapters/control/work_thread.hpp"
#include "adapters/io/reactor.hpp"

namespace cellroute::control {

/// Hears what a check of the store came to, on the reactor.
class store_check_listener {
 public:
  /// The fold of all changes, the rows and the digest of what is published say the same; or what differs, or why that
  /// cannot be found out now.
  virtual void on_store_checked(const stored<void>& found, duration took) = 0;

 protected:
  ~store_check_listener() = default;
};

/// Looks now and then, on a thread in the background, whether the store is still whole: a mistake in a program, or a
/// disk that changes what it was given, is told before anybody needs the history.
///
/// Cost: that of `store_reader::check_whole`, at a niceness that leaves the processor to whoever serves; who writes
/// does not wait for it. Threads: the reactor's. Outlives the reactor's run; outlived by the registry and the listener.
class store_check {
 public:
  /// The first time after ten minutes, or after `every` where that is less.
  store_check(io::reactor& reactor, registry& of, duration every, store_check_listener& hears);
  store_check(const store_check&) = delete;
  store_check& operator=(const store_check&) = delete;
  /// Gives up a check that runs.
  ~store_check() { is_given_up_ = true; }

  void on_tick(time_point now);

  /// Whether it was whole the last time that this could be found out, and when that was; nothing before the first time.
  [[nodiscard]] std::optional<bool> is_whole() const { return is_whole_; }
  [[nodiscard]] wall_time at() const { return at_; }

 private:
  class look;

  io::reactor& reactor_;
  registry& of_;
  duration every_;
  store_check_listener& hears_;
  time_point look_at_;
  bool is_looking_ = false;
  std::optional<bool> is_whole_;
  wall_time at_{};
  std::atomic<bool> is_given_up_ = false;
  work_thread thread_;  // last: it stops before anything above goes
};

}  // namespace cellroute::control
