#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "cellroute/balance/rendezvous_slots.hpp"

namespace cellroute::support {

/// The slow twin of `rendezvous_slots`: for each slot, the name with the smallest -ln(u) / weight.
inline std::vector<std::uint16_t> slow_slots(std::span<const weighted_name> among) {
  std::vector<std::uint16_t> slots;
  for (std::size_t slot = 0; slot < rendezvous_slots::count; ++slot) {
    double best = std::numeric_limits<double>::infinity();
    std::uint16_t winner = 0;
    for (std::size_t i = 0; i < among.size(); ++i) {
      const std::uint64_t draw = mix(hash_text(among[i].name, slots_detail::name_seed) ^ slot);
      const double u = std::ldexp(static_cast<double>(draw), -64);
      const double score =
          among[i].weight == 0 ? std::numeric_limits<double>::infinity() : -std::log(u) / among[i].weight;
      if (score >= best) continue;
      best = score;
      winner = static_cast<std::uint16_t>(i);
    }
    slots.push_back(winner);
  }
  return slots;
}

}  // namespace cellroute::support
