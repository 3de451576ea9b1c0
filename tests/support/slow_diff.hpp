#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "cellroute/table/diff.hpp"

namespace cellroute::support {

/// Where each assigned key leads, by name.
using led_keys = std::map<std::string, std::string>;

/// The slow twin of `diff`: two maps, side by side.
inline table_diff slow_diff(const led_keys& from, const led_keys& to, std::size_t examples_max) {
  std::set<std::string> keys;
  for (const auto& [key, placement] : from) keys.insert(key);
  for (const auto& [key, placement] : to) keys.insert(key);
  const auto name = [](const led_keys& side, const std::string& key) {
    const auto at = side.find(key);
    return at == side.end() ? std::string() : at->second;
  };
  table_diff found;
  std::map<std::pair<std::string, std::string>, std::size_t> pairs;
  for (const std::string& key : keys) {
    const std::string before = name(from, key);
    const std::string after = name(to, key);
    if (before == after) continue;
    ++(before.empty() ? found.added : after.empty() ? found.removed : found.moved);
    ++pairs[{before, after}];
    if (found.examples.size() < examples_max) found.examples.push_back({key, before, after});
  }
  for (const auto& [names, count] : pairs) found.changes.push_back({names.first, names.second, count});
  return found;
}

}  // namespace cellroute::support
