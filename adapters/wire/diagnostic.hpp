#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

namespace cellroute::wire {

/// A place in a text, for people: both count from 1, columns in characters and not in bytes.
struct position {
  std::size_t line = 1;
  std::size_t column = 1;
  friend auto operator<=>(const position&, const position&) = default;
};

/// One mistake of the operator's: where it stands, and what to do.
struct diagnostic {
  std::string file;
  std::size_t line = 1;
  std::size_t column = 1;
  std::string path;  ///< as in `placements.tier1.endpoints[0].url`; empty where the text as a whole is meant
  std::string what;
  friend bool operator==(const diagnostic&, const diagnostic&) = default;
};

using diagnostics = std::vector<diagnostic>;

/// Brings mistakes into the order of the text.
void sort_by_place(diagnostics& found);

/// More than a person reads at once; what goes beyond is counted, not told.
inline constexpr std::size_t mistakes_max = 1000;

/// `file:line:column: path: what`, on one line whatever the operator wrote.
[[nodiscard]] std::string to_string(const diagnostic& d);

}  // namespace cellroute::wire
