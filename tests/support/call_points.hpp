#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace cellroute::support {

/// What a test and the library that stands before a program's system calls share, in a file that both have in memory.
///
/// While it is armed, the names of calls are written down. Those of the wanted name are counted, and the one that
/// counts to zero fails, or is the last thing that the process does.
struct call_points {
  enum class outcome { none, count, error, kill };
  using call_name = std::array<char, 16>;
  static constexpr std::size_t names_max = 4096;

  std::atomic<outcome> armed{outcome::none};  ///< who takes it back decides whether the call is still the one
  call_name wanted{};                         ///< written while nothing is armed
  std::atomic<int> countdown{0};
  std::atomic<bool> has_come{false};
  std::atomic<int> seen{0};
  std::array<call_name, names_max> names{};  ///< of the calls, in their order
};

static_assert(std::atomic<int>::is_always_lock_free);

/// The variable of the environment that names the file.
inline constexpr const char* call_points_variable = "CELLROUTE_CALL_POINTS";

}  // namespace cellroute::support
