#pragma once

#include <vector>

#include "cellroute/model/endpoint.hpp"
#include "cellroute/model/ids.hpp"

namespace cellroute {

/// One complete, isolated copy of the served system; its endpoints are one unit of failure.
struct cell {
  cell_id id;
  std::vector<endpoint> endpoints;
  friend bool operator==(const cell&, const cell&) = default;
};

}  // namespace cellroute
