#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cellroute::support {

/// The slow twin of smooth weighted round robin: out of all endpoints the one that is furthest behind its share of all
/// picks so far, the first of them if several are. It counts in fractions of the total, so it keeps no credit.
class slow_round_robin {
 public:
  explicit slow_round_robin(std::vector<std::uint32_t> weights)
      : weights_(std::move(weights)), taken_(weights_.size()) {}

  /// Range: some weight is not 0.
  std::size_t pick() {
    std::int64_t total = 0;
    for (const std::uint32_t weight : weights_) total += weight;
    ++picks_;
    std::size_t best = weights_.size();
    std::int64_t most_behind = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] == 0) continue;
      const std::int64_t behind = picks_ * weights_[i] - taken_[i] * total;  // times `total`
      if (best != weights_.size() && behind <= most_behind) continue;
      best = i;
      most_behind = behind;
    }
    ++taken_[best];
    return best;
  }

 private:
  std::vector<std::uint32_t> weights_;
  std::vector<std::int64_t> taken_;
  std::int64_t picks_ = 0;
};

}  // namespace cellroute::support
