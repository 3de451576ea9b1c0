#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"
#include "cellroute/model/key_override.hpp"
#include "cellroute/table/checked_fleet.hpp"
#include "cellroute/table/key_table.hpp"

namespace cellroute {

/// The keys that lead elsewhere for a while, compiled.
///
/// Threads: const from birth; any number may ask at once.
class key_overrides {
 public:
  key_overrides() = default;

  /// Range:  the overrides keep all rules about them.
  /// Errors: none but those of chance and memory.
  [[nodiscard]] static expected<key_overrides, build_error> build(std::span<const key_override> overrides,
                                                                  const checked_fleet& fleet, std::uint64_t seed) {
    key_overrides made;
    std::vector<key_row> rows;
    for (std::size_t i = 0; i < overrides.size(); ++i) {
      const key_override& from = overrides[i];
      for (const std::string& key : from.keys) rows.push_back({key, static_cast<std::uint16_t>(i)});
      made.targets_.push_back(
          {fleet.find_placement(from.placement.value).value_or(0), from.until.value_or(wall_time::max())});
    }
    auto keys = key_table::build(rows, seed);
    if (!keys) return unexpected(keys.error());
    made.keys_ = *std::move(keys);
    return made;
  }

  struct outcome {
    std::uint16_t placement = 0;
    std::uint16_t row = 0;  ///< its place in the list
    friend bool operator==(const outcome&, const outcome&) = default;
  };

  /// Where the key is led now; none if no override names it, or the one that does is over.
  /// Cost: one look-up in a small table; nothing allocates.
  [[nodiscard]] std::optional<outcome> find(std::string_view key, wall_time now) const noexcept {
    const auto row = keys_.find(key);
    if (!row || now >= targets_[*row].until) return std::nullopt;
    return outcome{targets_[*row].placement, *row};
  }

  [[nodiscard]] bool is_empty() const { return targets_.empty(); }

 private:
  struct target {
    std::uint16_t placement = 0;
    wall_time until = wall_time::max();
  };
  key_table keys_;  // by the number of the override
  std::vector<target> targets_;
};

}  // namespace cellroute
