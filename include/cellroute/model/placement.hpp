#pragma once

#include "cellroute/model/ids.hpp"
#include "cellroute/model/policy.hpp"

namespace cellroute {

/// What a placement is to its keys: `shared` by many, or `dedicated` to one.
enum class placement_kind { shared, dedicated };

/// A named destination of the table.
struct placement {
  placement_id id;
  placement_kind kind = placement_kind::shared;
  cell_id cell;  ///< where its requests go; a placement with endpoints of its own is a cell of the same name
  upstream_policy policy;
  friend bool operator==(const placement&, const placement&) = default;
};

}  // namespace cellroute
