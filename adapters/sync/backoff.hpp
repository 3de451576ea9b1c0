#pragma once

#include <algorithm>
#include <cstdint>

#include "cellroute/base/random.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::sync {

/// How long to wait before another try.
struct backoff_policy {
  duration first = 250ms;
  duration longest = 30s;
  friend bool operator==(const backoff_policy&, const backoff_policy&) = default;
};

/// Waits that grow, each chosen anew from all of its range, so that thousands that failed at once do not come back at
/// once.
///
/// Source: "full jitter" of Brooker, Exponential Backoff And Jitter (2015). Threads: one owner.
class backoff {
 public:
  /// Range: 0 < `first` <= `longest`.
  explicit backoff(backoff_policy policy) : policy_(policy), bound_(policy.first) {}

  /// The next wait: from nothing to the bound, which doubles each time.
  [[nodiscard]] duration next(random_numbers& rng) {
    const auto range = static_cast<std::uint64_t>(bound_.count()) + 1;
    bound_ = std::min(2 * bound_, policy_.longest);
    return duration(static_cast<std::int64_t>(rng.below(range)));
  }
  /// From now on by other bounds; how often it has failed is kept where they are the same.
  void use(backoff_policy policy) {
    if (policy == policy_) return;
    policy_ = policy;
    reset();
  }
  /// What was tried has held: the next failure is a first one.
  void reset() { bound_ = policy_.first; }
  /// The longest that the next wait can be.
  [[nodiscard]] duration bound() const { return bound_; }

 private:
  backoff_policy policy_;
  duration bound_;
};

}  // namespace cellroute::sync
