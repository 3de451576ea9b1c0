#pragma once

#include <string>
#include <vector>

#include "cellroute/model/canary.hpp"
#include "cellroute/model/cell.hpp"
#include "cellroute/model/key_override.hpp"
#include "cellroute/model/key_rule.hpp"
#include "cellroute/model/placement.hpp"

namespace cellroute {

/// A routing key led to a placement.
struct assignment {
  std::string key;  ///< 1 to 256 bytes of any value
  placement_id placement;
  friend bool operator==(const assignment&, const assignment&) = default;
};

/// What becomes of a key without an assignment.
enum class unknown_key_policy { use_default, reject };

/// The fleet sections as the operator wrote them: editable, not yet checked. `validate` tells what is wrong with it.
struct table_spec {
  std::string version;  ///< the operator's own label, opaque
  std::vector<cell> cells;
  std::vector<placement> placements;
  std::vector<assignment> assignments;
  std::vector<key_rule> rules;  ///< for keys without an assignment; the first that matches counts
  std::vector<canary>
      canaries;  ///< asked once table, rules or default have said where; the first that takes a key counts
  std::vector<key_override> overrides;  ///< stronger than all else
  placement_id default_placement;
  unknown_key_policy on_unknown = unknown_key_policy::use_default;
  friend bool operator==(const table_spec&, const table_spec&) = default;
};

}  // namespace cellroute
