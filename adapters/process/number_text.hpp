#pragma once

#include <array>
#include <charconv>
#include <string>

namespace cellroute::process {

/// Appends a number in decimal; a double as the shortest text that gives the same double again.
template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace cellroute::process
