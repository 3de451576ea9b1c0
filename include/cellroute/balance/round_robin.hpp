#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

/// Smooth weighted round robin, as nginx has it: each gets its share, and no one gets it in a row. Weights 5:1:1 give
/// a a b a c a a, where the plain form gives a a a a a b c and so overruns `a`.
///
/// Rejected: a precomputed sequence (its length is the sum of the weights); a heap of deadlines (the same order only up
/// to ties, and no faster below some fifty endpoints, which is what a cell has). Source: nginx,
/// ngx_http_upstream_get_peer, since 1.3.1.
namespace cellroute {

/// Deals requests to the endpoints of one cell, by weight.
///
/// Cost: a pick looks at each endpoint once; nothing allocates. Threads: one owner.
class round_robin {
 public:
  round_robin() = default;
  explicit round_robin(std::span<const std::uint32_t> weights) { rebuild(weights); }

  /// Takes a new list of weights, one for each endpoint; 0 takes none. The same list again keeps the place in the
  /// sequence, so that publishing a snapshot does not send every reactor back to the first endpoint.
  ///
  /// Range: the sum is below 2^31.
  void rebuild(std::span<const std::uint32_t> weights) {
    const auto weight_of = [](const share& s) { return static_cast<std::uint32_t>(s.weight); };
    if (std::ranges::equal(shares_, weights, {}, weight_of)) return;
    shares_.clear();
    for (const std::uint32_t weight : weights) shares_.push_back({.weight = weight, .credit = 0});
  }

  /// The next endpoint, by index; none if there is none with a weight.
  [[nodiscard]] std::optional<std::size_t> pick() {
    return pick([](std::size_t) { return true; });
  }

  /// The next endpoint other than `excluded`, for a further attempt; none if there is no other.
  [[nodiscard]] std::optional<std::size_t> pick_other_than(std::size_t excluded) {
    return pick([excluded](std::size_t index) { return index != excluded; });
  }

  /// The next endpoint of those for which `usable(index)` holds. The others neither gain nor lose their turn.
  template <class Usable>
  [[nodiscard]] std::optional<std::size_t> pick(Usable&& usable) {
    std::optional<std::size_t> best;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      share& s = shares_[i];
      if (s.weight == 0 || !usable(i)) continue;
      s.credit += s.weight;
      total += s.weight;
      if (!best || s.credit > shares_[*best].credit) best = i;
    }
    if (best) shares_[*best].credit -= total;
    return best;
  }

  /// How many endpoints there are, those without weight included.
  [[nodiscard]] std::size_t size() const { return shares_.size(); }

 private:
  struct share {
    std::int64_t weight;
    std::int64_t credit;  // grows by the weight at each pick; the richest is taken and pays the total
  };
  std::vector<share> shares_;
};

}  // namespace cellroute
