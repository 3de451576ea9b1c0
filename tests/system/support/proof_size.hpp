#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "tests/support/full_size.hpp"
#include "tests/system/support/waiting.hpp"

/// What the control plane promises in figures, tried as a user has it. Each proof has two sizes: the promised one,
/// which `scripts/soak control` runs, and a short one, which every change runs: facts are held in both, times in the
/// former.
namespace cellroute::system_test {

using support::is_full_size;

template <class T>
[[nodiscard]] T sized(T in_short, T in_full) {
  return is_full_size() ? in_full : in_short;
}

/// The value that this share of all is not above; 0 of none.
[[nodiscard]] inline double quantile(std::vector<double> all, double share) {
  if (all.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1) + 0.5);
  std::ranges::nth_element(all, all.begin() + rank);
  return all[static_cast<std::size_t>(rank)];
}
[[nodiscard]] inline double median(const std::vector<double>& all) { return quantile(all, 0.5); }

/// A bar on p99: at most `times` of quiet, or 3 ms more.
[[nodiscard]] inline bool is_within(double p99_ms, double quiet_ms, double times) {
  return p99_ms <= std::max(times * quiet_ms, quiet_ms + 3);
}

[[nodiscard]] inline double to_ms(steady::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

}  // namespace cellroute::system_test
