#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace cellroute::support {

/// The slow twin of smooth weighted round robin: out of the usable endpoints the one that is furthest behind its share
/// of all picks in which it was usable, the first of them if several are. It counts from the whole history, so it keeps
/// no credit.
class slow_round_robin {
 public:
  explicit slow_round_robin(std::vector<std::uint32_t> weights) : weights_(std::move(weights)) {}

  std::optional<std::size_t> pick() { return pick(std::vector<bool>(weights_.size(), true)); }

  std::optional<std::size_t> pick(std::vector<bool> usable) {
    for (std::size_t i = 0; i < weights_.size(); ++i) usable[i] = usable[i] && weights_[i] > 0;
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (!usable[i]) continue;
      if (!best || behind(i) + weights_[i] > behind(*best) + weights_[*best]) best = i;
    }
    if (best) history_.push_back({std::move(usable), *best});
    return best;
  }

 private:
  struct turn {
    std::vector<bool> usable;
    std::size_t picked = 0;
  };

  /// What endpoint `i` should have had of the picks so far, less what it had; a pick counts as the sum of weights.
  [[nodiscard]] std::int64_t behind(std::size_t i) const {
    std::int64_t sum = 0;
    for (const turn& each : history_) {
      if (each.usable[i]) sum += weights_[i];
      if (each.picked != i) continue;
      for (std::size_t k = 0; k < weights_.size(); ++k) sum -= each.usable[k] ? weights_[k] : 0;
    }
    return sum;
  }

  std::vector<std::uint32_t> weights_;
  std::vector<turn> history_;
};

}  // namespace cellroute::support
