#pragma once

#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/rules.hpp"

namespace cellroute {

/// Everything that is wrong with a spec, all at once; empty if nothing is.
[[nodiscard]] inline violations validate(const table_spec& spec) {
  violations found;
  for (const rule check : all_rules) check(spec, found);
  return found;
}

}  // namespace cellroute
