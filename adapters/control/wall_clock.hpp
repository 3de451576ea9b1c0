#pragma once

#include "adapters/io/clock.hpp"

namespace cellroute::control {

/// The time of day now, for what has no turn of a loop whose time it could take.
[[nodiscard]] inline wall_time read_wall_clock() {
  io::loop_clock clock;
  clock.read();
  return clock.wall;
}

}  // namespace cellroute::control
