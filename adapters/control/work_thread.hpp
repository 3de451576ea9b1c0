#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "adapters/io/reactor.hpp"

namespace cellroute::control {

/// Something that takes too long for a reactor.
class job {
 public:
  virtual ~job() = default;
  /// On the work thread.
  virtual void work() = 0;
  /// Behind it, on the reactor's thread. Not called for what was still to be done when the thread ended.
  virtual void done() = 0;
};

/// One thread that does jobs, one after the other, for one reactor.
///
/// Threads: the reactor's. Outlives the reactor's run; outlived by all that its jobs refer to.
class work_thread {
 public:
  explicit work_thread(io::reactor& reactor);
  work_thread(const work_thread&) = delete;
  work_thread& operator=(const work_thread&) = delete;
  /// Waits for the job that runs; the others are not done.
  ~work_thread();

  void add(std::unique_ptr<job> next);

 private:
  void run(const std::stop_token& stop);

  io::reactor& reactor_;
  std::mutex mutex_;  // guards the next
  std::deque<std::unique_ptr<job>> jobs_;
  std::condition_variable_any something_;
  std::jthread thread_;  // last: it stops before anything above goes
};

}  // namespace cellroute::control
