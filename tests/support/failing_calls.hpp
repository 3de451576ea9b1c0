#pragma once

#include <array>
#include <atomic>

namespace cellroute::support {

/// What a test and the library that fails calls for it share, in a file that both have in memory.
///
/// Armed, calls of the kind are counted, and the one that counts to zero fails; then nothing else does.
struct failing_calls {
  enum class kind { none, system, memory };

  std::atomic<kind> armed{kind::none};
  std::atomic<int> countdown{0};
  std::atomic<bool> has_failed{false};
  std::array<char, 32> failed_name{};  ///< of the function; written before `has_failed`
};

static_assert(std::atomic<int>::is_always_lock_free);

/// The variable of the environment that names the file.
inline constexpr const char* failing_calls_variable = "CELLROUTE_FAILING_CALLS";

}  // namespace cellroute::support
