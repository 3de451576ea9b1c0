#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cellroute/base/time.hpp"

namespace cellroute::sync {

/// How many routers may say hello in a second; who comes beyond that is told when it is its turn.
///
/// A second's worth may come at once. Those that were turned away are given turns one after another, so that thousands
/// that lost their control plane at once are all back as fast as it takes them, and no faster.
///
/// Time: passed in. Threads: one owner.
class hello_gate {
 public:
  /// Range: 0: all may come.
  explicit hello_gate(std::uint32_t per_second)
      : each_(per_second > 0 ? duration(1s) / per_second : duration(0)), burst_(1s - each_) {}

  /// Nothing: it may come in. Else: after how long to come again.
  [[nodiscard]] std::optional<duration> admit(time_point now) {
    if (each_ == duration(0)) return std::nullopt;
    taken_until_ = std::max(taken_until_, now);
    if (taken_until_ - now <= burst_) {
      taken_until_ += each_;
      return std::nullopt;
    }
    promised_until_ = std::min(std::max(promised_until_, now) + each_, now + longest_wait);
    return promised_until_ - now;
  }

 private:
  static constexpr duration longest_wait = 30s;

  duration each_;
  duration burst_;
  time_point taken_until_ = time_point::min();     // as far as room was given away
  time_point promised_until_ = time_point::min();  // the last turn that was promised
};

}  // namespace cellroute::sync
