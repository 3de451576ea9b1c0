#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/proxy/last_known_good.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/unit/proxy/pushed_history.hpp"

namespace cellroute::proxy {

inline const sync::unpacking how{0, 5};
inline constexpr log_limits tight{.percent_max = 25, .bytes_always = 0};
inline constexpr log_limits roomy{.percent_max = 25, .bytes_always = 100'000};

inline const pushed_history& history() {
  static const pushed_history all(12);
  return all;
}

/// A router, from its start on.
struct kept_router {
  last_known_good kept;
  found_contents found;

  explicit kept_router(process::disk& on, log_limits limits = roomy) : kept(on, limits), found(kept.load(how)) {}

  [[nodiscard]] std::uint64_t version() const { return found.newest ? history().version_of(found.newest->content) : 0; }
  [[nodiscard]] std::string told() const {
    std::string all;
    for (const std::string& line : found.told) all += line + "\n";
    return all;
  }
  bool delta(std::uint64_t version) {
    return kept.keep(history().whole(version), history().delta(version)).has_value();
  }
  bool snapshot(std::uint64_t version) {
    return kept.keep(history().whole(version), history().snapshot(version)).has_value();
  }
  bool begin(std::uint64_t version) { return kept.begin(history().whole(version).sum).has_value(); }
};

inline std::vector<std::string> names_on(support::simulated_disk& disk) {
  std::vector<std::string> names;
  for (const auto& [name, content] : disk.content()) names.push_back(name);
  return names;
}

inline std::size_t count_of(const std::vector<std::string>& names, std::string_view prefix) {
  return static_cast<std::size_t>(
      std::ranges::count_if(names, [prefix](const std::string& name) { return name.starts_with(prefix); }));
}

}  // namespace cellroute::proxy
