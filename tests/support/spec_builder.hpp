#pragma once

#include "cellroute/model/table_spec.hpp"

namespace cellroute::support {

/// A spec that keeps all rules: placements tier1 (cell c1, two endpoints), tier3 (cell c3) and visa (dedicated, a cell
/// of its own name); acme leads to tier1, visa to visa, all others to tier3. Tests change what they are about.
[[nodiscard]] table_spec good_spec();

}  // namespace cellroute::support
