#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "cellroute/match/request_view.hpp"

namespace cellroute::control {

/// Names of fields, media types, schemes: letters of ASCII in any case.
[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

[[nodiscard]] inline bool has_field(std::span<const field> fields, std::string_view name) {
  return std::ranges::any_of(fields, [name](const field& f) { return equal_ignoring_case(f.name, name); });
}

}  // namespace cellroute::control
