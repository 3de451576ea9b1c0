#pragma once

#include "cellroute/base/time.hpp"

namespace cellroute::io {

/// The time of one turn of a reactor's loop, read once a turn and handed to whoever decides by it.
struct loop_clock {
  time_point now;
  wall_time wall;

  /// Reads both clocks. The only place of a data plane where that happens.
  void read() {
    now = std::chrono::steady_clock::now();
    wall = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  }
};

/// Both clocks now, for what has no turn of a loop whose time it could take.
[[nodiscard]] inline loop_clock read_clock() {
  loop_clock clock;
  clock.read();
  return clock;
}

[[nodiscard]] inline wall_time read_wall_clock() { return read_clock().wall; }

}  // namespace cellroute::io
