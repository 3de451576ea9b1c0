#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/model/canary.hpp"
#include "cellroute/table/checked_fleet.hpp"

namespace cellroute {

/// The canaries of a spec, compiled.
///
/// Which keys a percentage takes is a hash of the key and of the two placements: the same on every host and in every
/// release, and another part of the keys for another pair of placements.
///
/// Threads: const from birth; any number may ask at once.
class canaries {
 public:
  canaries() = default;

  /// Range: the canaries keep all rules about them.
  canaries(std::span<const canary> from, const checked_fleet& fleet) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      const canary& each = from[i];
      compiled made;
      made.placement = fleet.find_placement(each.placement.value).value_or(0);
      made.to = fleet.find_placement(each.to.value).value_or(0);
      made.row = static_cast<std::uint16_t>(i);
      made.share = share_of(each.percent);
      made.hash = text_hasher(hash_text(each.placement.value, seed) ^ mix(hash_text(each.to.value, seed)));
      made.keys = each.keys;
      std::ranges::sort(made.keys);
      rows_.push_back(std::move(made));
    }
    std::ranges::sort(rows_, {}, [](const compiled& c) { return std::pair(c.placement, c.row); });
    first_.resize(fleet.placements().size() + 1);
    for (std::size_t p = 0; p < first_.size(); ++p) {
      const auto at = std::ranges::lower_bound(rows_, p, {}, &compiled::placement);
      first_[p] = static_cast<std::uint16_t>(at - rows_.begin());
    }
  }

  struct outcome {
    std::uint16_t to = 0;
    std::uint16_t row = 0;  ///< its place in the list
    friend bool operator==(const outcome&, const outcome&) = default;
  };

  /// Where a key of that placement goes instead; none if it stays. Of several canaries the first that takes it counts.
  /// Cost: a hash, and a search among its listed keys, for each canary of the placement; nothing allocates.
  [[nodiscard]] std::optional<outcome> find(std::uint16_t placement, std::string_view key) const noexcept {
    if (rows_.empty()) return std::nullopt;
    for (std::size_t i = first_[placement]; i < first_[placement + 1u]; ++i) {
      const compiled& row = rows_[i];
      const bool is_taken =
          scale(row.hash(key), shares) < row.share || std::ranges::binary_search(row.keys, key, std::less<>());
      if (is_taken) return outcome{row.to, row.row};
    }
    return std::nullopt;
  }

  [[nodiscard]] bool is_empty() const { return rows_.empty(); }

 private:
  static constexpr std::uint64_t seed = 0x63616e617279u;  // "canary"
  static constexpr std::uint64_t shares = 100'000;        // a percentage has three digits behind the point

  [[nodiscard]] static std::uint64_t share_of(double percent) {
    return static_cast<std::uint64_t>(percent * 1000 + 0.5);
  }

  struct compiled {
    std::uint16_t placement = 0;
    std::uint16_t to = 0;
    std::uint16_t row = 0;
    std::uint64_t share = 0;
    text_hasher hash{0};
    std::vector<std::string> keys;
  };
  std::vector<compiled> rows_;        // by placement
  std::vector<std::uint16_t> first_;  // row of each placement, and one past the last
};

}  // namespace cellroute
