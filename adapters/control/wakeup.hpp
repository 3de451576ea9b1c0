#pragma once

#include <coroutine>
#include <utility>

#include "adapters/io/reactor.hpp"
#include "adapters/io/timer_wheel.hpp"

namespace cellroute::control {

/// Lets one coroutine sleep until somebody wakes it, or a deadline has come. Who wakes nobody is not forgotten: the
/// next sleep ends at once.
///
/// Threads: the reactor's.
class wakeup final : private io::deadline_entry {
 public:
  explicit wakeup(io::reactor& reactor) : deadline_entry(&wakeup::expired), reactor_(reactor) {}

  /// The sleeper goes on inside of this call.
  void wake() {
    is_wanted_ = true;
    if (!sleeping_) return;
    disarm();
    std::exchange(sleeping_, {}).resume();
  }

  struct sleep_awaiter {
    wakeup& of;
    time_point deadline;
    [[nodiscard]] bool await_ready() const noexcept { return of.is_wanted_; }
    void await_suspend(std::coroutine_handle<> sleeper) const {
      of.sleeping_ = sleeper;
      if (deadline != time_point::max()) of.reactor_.wheel().arm(of, deadline);
    }
    bool await_resume() const noexcept { return std::exchange(of.is_wanted_, false); }
  };
  /// False: nobody woke it until the deadline.
  [[nodiscard]] sleep_awaiter sleep(time_point deadline = time_point::max()) { return {*this, deadline}; }

 private:
  static void expired(io::deadline_entry& entry) {
    auto& self = static_cast<wakeup&>(entry);
    if (self.sleeping_) std::exchange(self.sleeping_, {}).resume();
  }

  io::reactor& reactor_;
  std::coroutine_handle<> sleeping_;
  bool is_wanted_ = false;
};

}  // namespace cellroute::control
