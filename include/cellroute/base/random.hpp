#pragma once

#include <cassert>
#include <cstdint>

#include "cellroute/base/hash.hpp"

namespace cellroute {

/// A small seeded generator: the same seed gives the same numbers on every host. Chance is an input: whoever needs it
/// gets one by reference, and a failing random test prints its seed. Not for secrets.
///
/// Source: SplitMix64 (Steele, Lea, Flood, 2014). Threads: one owner.
class random_numbers {
 public:
  using result_type = std::uint64_t;

  explicit constexpr random_numbers(std::uint64_t seed) : state_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  constexpr result_type operator()() {
    const result_type number = mix(state_);
    state_ += 0x9e3779b97f4a7c15u;
    return number;
  }

  /// Evenly one of 0 .. `range` - 1.
  ///
  /// Range:  `range` >= 1.
  /// Source: Lemire, Fast Random Integer Generation in an Interval (2019); the few numbers that would favour some
  ///         results are drawn again.
  constexpr std::uint64_t below(std::uint64_t range) {
    assert(range > 0);
    const std::uint64_t unfair = (0 - range) % range;
    for (;;) {
      const std::uint64_t number = (*this)();
      if (number * range >= unfair) return scale(number, range);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace cellroute
