#pragma once

#include <algorithm>
#include <string_view>

namespace cellroute::control {

/// Names of fields, media types, schemes: letters of ASCII in any case.
[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace cellroute::control
