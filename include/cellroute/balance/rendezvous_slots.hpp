#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cellroute/base/hash.hpp"

/// Divides all keys among a few names by weight: 65,536 slots, each given to one name by weighted rendezvous.
///
/// A name that comes, goes or grows takes or gives only its own share; no key moves between the others. A pick is one
/// hash and one load. Rejected: Maglev (evener by a hundredth, but a tenth of a share and more moves between names that
/// stay), a ring of points (a fifth of a share uneven), jump hashing (only the last name can go).
///
/// Which slot is whose is part of what routers agree on: the same names and weights give the same slots on every host
/// and in every release. Hence integers only; a logarithm of the C library may differ in its last bit.
/// Source: Thaler and Ravishankar, Using Name-Based Mappings to Increase Hit Rates, 1998; the weights by exponential
/// variates, as in Resch, New Hashing Algorithms for Data Storage, 2015.
namespace cellroute {

/// A name, and how much it takes in relation to the others.
struct weighted_name {
  std::string_view name;
  std::uint32_t weight = 1;  ///< 0 takes none
};

namespace slots_detail {

inline constexpr std::uint64_t key_seed = 0x6b657920736c6f74u;   // "key slot"
inline constexpr std::uint64_t name_seed = 0x6e616d6520736c6fu;  // "name slo"

/// -log2(u / 2^64), with 40 bits behind the point.
[[nodiscard]] constexpr std::uint64_t minus_log2(std::uint64_t u) {
  using hash_detail::product;
  constexpr int bits = 40;
  u = std::max<std::uint64_t>(u, 1);
  const int zeros = std::countl_zero(u);
  std::uint64_t m = u << zeros;  // u as 1.xxx, in units of 2^-63
  std::uint64_t log = 0;
  for (int bit = 0; bit < bits; ++bit) {  // squaring doubles the logarithm: what passes 2 is its next bit
    const product square = static_cast<product>(m) * m;
    const auto high = static_cast<std::uint64_t>(square >> 64);
    const auto low = static_cast<std::uint64_t>(square);
    const std::uint64_t passes_two = high >> 63;
    log = log << 1 | passes_two;
    const std::uint64_t left = 1 - passes_two;  // no branch here: nobody could predict it
    m = high << left | (low >> 63 & left);
  }
  return (static_cast<std::uint64_t>(zeros + 1) << bits) - log;
}

}  // namespace slots_detail

/// Threads: const from birth; any number may pick at once.
class rendezvous_slots {
 public:
  static constexpr std::size_t count = 65'536;

  /// Range: at most 65,535 names, each once, at least one of them with a weight.
  /// Cost:  about 2 ns for each name and slot, and 350 ns for each different weight and slot: 45 ms for two weights.
  explicit rendezvous_slots(std::span<const weighted_name> among) : slots_(count) {
    std::vector<contender> all;
    for (std::size_t i = 0; i < among.size(); ++i) {
      if (among[i].weight == 0) continue;
      const std::uint64_t name = hash_text(among[i].name, slots_detail::name_seed);
      all.push_back({name, among[i].weight, static_cast<std::uint16_t>(i)});
    }
    // In an order of their own, so that the order of the list means nothing; equal weights in one run.
    std::ranges::sort(all, [](const contender& a, const contender& b) {
      return a.weight != b.weight ? a.weight < b.weight : a.name < b.name;
    });
    for (std::size_t slot = 0; slot < count; ++slot) slots_[slot] = winner(all, slot);
  }

  /// The index of the name that the key belongs to. Cost: one hash, one load.
  [[nodiscard]] std::uint16_t pick(std::string_view key) const noexcept { return slots_[slot_of(key)]; }

  /// The slot of a key: the same for every set of names.
  [[nodiscard]] static std::size_t slot_of(std::string_view key) noexcept {
    static constexpr text_hasher hash(slots_detail::key_seed);
    return static_cast<std::size_t>(hash(key) >> 48);
  }

  /// The index of the name by slot: what changes between two of these is what moves.
  [[nodiscard]] std::span<const std::uint16_t> slots() const { return slots_; }

 private:
  struct contender {
    std::uint64_t name = 0;
    std::uint32_t weight = 0;
    std::uint16_t index = 0;
  };

  /// The name whose draw, -log(u) / weight, is the smallest. Among equal weights that is the largest u, so that there
  /// is one logarithm for each weight.
  [[nodiscard]] static std::uint16_t winner(std::span<const contender> all, std::size_t slot) {
    using hash_detail::product;
    const contender* best = nullptr;
    std::uint64_t best_log = 0;
    for (std::size_t i = 0; i < all.size();) {
      const contender* first = nullptr;
      std::uint64_t first_draw = 0;
      const std::uint32_t weight = all[i].weight;
      for (; i < all.size() && all[i].weight == weight; ++i) {
        const std::uint64_t draw = mix(all[i].name ^ slot);
        if (first != nullptr && draw <= first_draw) continue;
        first = &all[i];
        first_draw = draw;
      }
      const std::uint64_t log = slots_detail::minus_log2(first_draw);
      if (best != nullptr && static_cast<product>(log) * best->weight >= static_cast<product>(best_log) * weight) {
        continue;
      }
      best = first;
      best_log = log;
    }
    return best == nullptr ? std::uint16_t{0} : best->index;
  }

  std::vector<std::uint16_t> slots_;
};

}  // namespace cellroute
