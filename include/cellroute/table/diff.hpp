#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "cellroute/table/row_pairs.hpp"

namespace cellroute {

/// A number of keys that go from one placement to another. An empty name: the key has no assignment on that side.
struct placement_change {
  std::string from;
  std::string to;
  std::size_t keys = 0;
  friend bool operator==(const placement_change&, const placement_change&) = default;
};

/// One key that changes, as an example.
struct key_example {
  std::string key;
  std::string from;
  std::string to;
  friend bool operator==(const key_example&, const key_example&) = default;
};

/// What changes for routing keys between two tables.
struct table_diff {
  std::size_t moved = 0;
  std::size_t added = 0;
  std::size_t removed = 0;
  std::vector<placement_change> changes;  ///< one for each pair of placements, by name
  std::vector<key_example> examples;      ///< the first of the changed keys in the order of their bytes
  friend bool operator==(const table_diff&, const table_diff&) = default;
};

/// Compares where two tables lead each key that is assigned in either.
///
/// Placements are compared by name: an edit of a placement moves no key.
/// Cost:    as `for_each_row_pair`; memory for the pairs and for `examples_max` keys only.
/// Threads: any, as many as like at once; it reads the tables only.
[[nodiscard]] inline table_diff diff(const routing_table& from, const routing_table& to,
                                     std::size_t examples_max = 10) {
  using outcome = std::optional<std::uint16_t>;
  table_diff found;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> pairs;
  const auto name = [](const routing_table& table, outcome at) -> std::string_view {
    return at ? table.keys().outcomes()[*at] : std::string_view{};
  };
  const auto by_key = [](const key_example& a, const key_example& b) { return a.key < b.key; };
  const auto note = [&](std::string_view key, outcome before, outcome after) {
    const std::string_view old_name = name(from, before);
    const std::string_view new_name = name(to, after);
    if (old_name == new_name) return;
    ++(!before ? found.added : !after ? found.removed : found.moved);
    ++pairs[{old_name, new_name}];
    auto& examples = found.examples;  // a heap, the last key on top, until all are seen
    const bool is_full = examples.size() >= examples_max;
    if (is_full && (examples.empty() || key > examples.front().key)) return;
    if (is_full) {
      std::pop_heap(examples.begin(), examples.end(), by_key);
      examples.pop_back();
    }
    examples.push_back({std::string(key), std::string(old_name), std::string(new_name)});
    std::push_heap(examples.begin(), examples.end(), by_key);
  };
  for_each_row_pair(from.keys(), to.keys(), note);
  std::sort_heap(found.examples.begin(), found.examples.end(), by_key);
  for (const auto& [names, count] : pairs) {
    found.changes.push_back({std::string(names.first), std::string(names.second), count});
  }
  return found;
}

}  // namespace cellroute
