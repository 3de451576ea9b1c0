#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cellroute/base/time.hpp"
#include "cellroute/model/ids.hpp"

namespace cellroute {

/// Keys that lead elsewhere for a while, whatever else says where: for an emergency.
struct key_override {
  std::vector<std::string> keys;
  placement_id placement;
  std::optional<wall_time> until;  ///< from then on it acts no longer; none: as long as it is written down
  friend bool operator==(const key_override&, const key_override&) = default;
};

}  // namespace cellroute
