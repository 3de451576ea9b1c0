#pragma once

#include <chrono>

namespace cellroute {

/// A length of time. The unit stays in the type; on the wire it is in the field's name.
using duration = std::chrono::nanoseconds;

/// An instant of the monotonic clock. The core never reads a clock: whoever calls passes the time in.
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// An instant of the calendar, for log lines and for what an operator wrote down.
using wall_time = std::chrono::time_point<std::chrono::system_clock, duration>;

using namespace std::chrono_literals;

}  // namespace cellroute
