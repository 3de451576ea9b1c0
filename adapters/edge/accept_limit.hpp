// How many connections a listener takes in a time, all reactors together: the generic cell rate algorithm.
//
// One number says it all: the time at which the next connection would be due if they came evenly. Rejected: a token
// bucket (two numbers that have to change together), and a share of the rate for each reactor (the kernel does not
// spread connections evenly, and a rate below the number of reactors has no share).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "cellroute/base/time.hpp"

namespace cellroute::edge {

/// Admits `burst` connections at once, then `rate` a second.
///
/// Range:   both from 1 to 10,000,000. The rate is kept as whole nanoseconds between two connections, rounded up.
/// Time:    passed in. Reactors read their clocks once a turn, so they differ: the latest that any of them told is now.
/// Threads: any.
/// Source:  ITU-T I.371, annex A, virtual scheduling.
class accept_limit {
 public:
  accept_limit(std::uint32_t rate, std::uint32_t burst) { set(rate, burst); }

  /// From now on; what was admitted counts on.
  void set(std::uint32_t rate, std::uint32_t burst) {
    const std::int64_t interval = (duration(1s).count() + rate - 1) / rate;
    interval_.store(interval, std::memory_order_relaxed);
    tolerance_.store(interval * (std::int64_t{burst} - 1), std::memory_order_relaxed);
  }

  [[nodiscard]] bool admit(time_point now) {
    // Whoever sees a due time sees the clock that made it: each tells its clock first.
    std::int64_t due = due_.load(std::memory_order_acquire);
    for (;;) {
      const std::int64_t latest = latest_with(now.time_since_epoch().count());
      if (due > latest + tolerance_.load(std::memory_order_relaxed)) return false;
      const std::int64_t next = std::max(due, latest) + interval_.load(std::memory_order_relaxed);
      if (due_.compare_exchange_weak(due, next, std::memory_order_acq_rel, std::memory_order_acquire)) return true;
    }
  }

 private:
  [[nodiscard]] std::int64_t latest_with(std::int64_t now) {
    std::int64_t latest = latest_.load(std::memory_order_acquire);
    while (latest < now) {
      if (latest_.compare_exchange_weak(latest, now, std::memory_order_acq_rel, std::memory_order_acquire)) return now;
    }
    return latest;
  }

  std::atomic<std::int64_t> interval_{0};   // ns
  std::atomic<std::int64_t> tolerance_{0};  // ns that a connection may be early
  alignas(64) std::atomic<std::int64_t> due_{0};
  std::atomic<std::int64_t> latest_{0};
};

}  // namespace cellroute::edge
