#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// How fast each principal may make versions: some at once, and from then on one an interval. A person never notices; a
/// script that has gone wild does not fill the history.
///
/// The generic cell rate algorithm: one instant a principal, until which his turns are taken. Source: ITU-T I.371 annex
/// A. Time: passed in; where the clock was set back, nobody waits longer than an interval for that. Threads: any.
class write_pace {
 public:
  /// Range: `burst` at least 1. Without an interval nobody waits.
  write_pace(std::optional<duration> interval, std::uint32_t burst) : interval_(interval), burst_(burst) {}

  /// Takes a turn; or how long it is until the next one, and none is taken.
  [[nodiscard]] std::optional<duration> take(std::string_view who, wall_time now);

 private:
  void forget_idle(wall_time now);

  std::optional<duration> interval_;
  std::uint32_t burst_;
  std::mutex lock_;                                       // guards the next
  std::map<std::string, wall_time, std::less<>> booked_;  // until when
};

}  // namespace cellroute::control
