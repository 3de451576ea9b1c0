#pragma once

#include <cstdint>
#include <string>

#include "cellroute/base/strong.hpp"

namespace cellroute {

/// The name of a cell, as the operator wrote it.
using cell_id = strong<struct cell_id_tag, std::string>;

/// The name of a placement, as the operator wrote it; `X-Routed-To` shows it.
using placement_id = strong<struct placement_id_tag, std::string>;

/// Orders published snapshots: strictly growing, 1 for the first. The operator's `version` cannot order anything.
using generation_number = strong<struct generation_tag, std::uint64_t>;

}  // namespace cellroute
