#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cellroute/base/hash.hpp"

/// Gives each key an order of its own over all cells, of which it may use the first few: its shuffle shard.
///
/// Two keys rarely have the same few cells, so that what takes down the cells of one leaves most others something to
/// live on. The order is by rendezvous: each cell draws a number for the key, the highest comes first. Hence a cell
/// that comes or goes changes only the lists that it enters or leaves, and the others keep their order.
///
/// The draw is one multiplication, of the key's hash and two words made of the cell's name beforehand. Routers agree on
/// it: the same names, seed and key give the same list on every host and in every release.
///
/// Rejected: a shuffle seeded by the key (a cell more or less changes nearly every list), a precomputed list for each
/// of some slots (either few lists, or megabytes a shard). Source: Thaler and Ravishankar, 1998; the use of it:
/// MacCarthaigh, Workload isolation using shuffle-sharding, Amazon Builders' Library.
namespace cellroute {

/// Threads: const from birth; any number may ask at once.
class shuffle_shard {
 public:
  shuffle_shard() = default;

  /// Range: at most 65,535 names, each once.
  shuffle_shard(std::span<const std::string_view> names, std::uint64_t seed) : key_hash_seed_(mix(seed ^ key_seed)) {
    cells_.reserve(names.size());
    for (const std::string_view name : names)
      cells_.push_back({hash_text(name, first_seed), hash_text(name, second_seed)});
  }

  /// The index of the first cell of a key; 0 if there is no cell.
  /// Cost: a hash of the key and 1 ns a cell; nothing allocates.
  [[nodiscard]] std::size_t first(std::string_view key) const noexcept {
    const std::uint64_t word = hash_text(key, key_hash_seed_);
    std::size_t best = 0;
    std::uint64_t best_draw = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const std::uint64_t draw = draw_of(cells_[i], word);
      best = draw > best_draw ? i : best;
      best_draw = std::max(draw, best_draw);
    }
    return best;
  }

  /// The indices of the first cells of a key, in its order: as many as `out` holds, at most all.
  ///
  /// Returns the part of `out` that was written.
  /// Cost: as `first`, and for each cell that enters the list a walk along it; nothing allocates.
  [[nodiscard]] std::span<std::uint16_t> list(std::string_view key, std::span<std::uint16_t> out) const noexcept {
    const std::uint64_t word = hash_text(key, key_hash_seed_);
    std::size_t size = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const std::uint64_t draw = draw_of(cells_[i], word);
      std::size_t at = size;
      while (at > 0 && draw > draw_of(cells_[out[at - 1]], word)) --at;
      if (at == out.size()) continue;
      size = std::min(size + 1, out.size());
      for (std::size_t k = size - 1; k > at; --k) out[k] = out[k - 1];
      out[at] = static_cast<std::uint16_t>(i);
    }
    return out.first(size);
  }

  [[nodiscard]] std::size_t size() const { return cells_.size(); }

  friend bool operator==(const shuffle_shard&, const shuffle_shard&) = default;

 private:
  static constexpr std::uint64_t key_seed = 0x7368617264206b65u;     // "shard ke"
  static constexpr std::uint64_t first_seed = 0x73686172642063u;     // "shard c"
  static constexpr std::uint64_t second_seed = 0x736861726420632bu;  // "shard c+"

  struct cell_words {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    friend bool operator==(const cell_words&, const cell_words&) = default;
  };

  [[nodiscard]] static std::uint64_t draw_of(const cell_words& cell, std::uint64_t key) noexcept {
    return hash_detail::fold(cell.first ^ key, cell.second ^ std::rotl(key, 32));
  }

  std::uint64_t key_hash_seed_ = 0;
  std::vector<cell_words> cells_;
};

}  // namespace cellroute
