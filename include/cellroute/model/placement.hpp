#pragma once

#include <cstdint>
#include <vector>

#include "cellroute/model/ids.hpp"
#include "cellroute/model/policy.hpp"

namespace cellroute {

/// What a placement is to its keys: `shared` by many, `dedicated` to one, or a `shard`, which gives each key a few of
/// its cells.
enum class placement_kind { shared, dedicated, shard };

/// How a shard gives cells to keys.
struct shard_policy {
  std::uint32_t size = 0;  ///< cells of one key
  std::uint64_t seed = 0;  ///< another seed gives other cells
  friend bool operator==(const shard_policy&, const shard_policy&) = default;
};

/// A named destination of the table.
struct placement {
  placement_id id;
  placement_kind kind = placement_kind::shared;
  cell_id cell;  ///< where its requests go; a placement with endpoints of its own is a cell of the same name
  upstream_policy policy;
  std::vector<cell_id> cells{};  ///< of a shard, instead of `cell`
  shard_policy shard{};          ///< of a shard, too
  friend bool operator==(const placement&, const placement&) = default;
};

}  // namespace cellroute
