#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "cellroute/base/ascii.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::control {

[[nodiscard]] inline bool has_field(std::span<const field> fields, std::string_view name) {
  return std::ranges::any_of(fields, [name](const field& f) { return equal_ignoring_case(f.name, name); });
}

}  // namespace cellroute::control
