#pragma once

#include <string>
#include <vector>

#include "cellroute/model/ids.hpp"

namespace cellroute {

/// A part of the keys of one placement goes to another, to try it.
struct canary {
  placement_id placement;
  placement_id to;
  double percent = 0;             ///< of the keys; the same ones, and more of them as it grows
  std::vector<std::string> keys;  ///< these go in any case
  friend bool operator==(const canary&, const canary&) = default;
};

}  // namespace cellroute
