#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/store.hpp"
#include "tests/support/scratch_folder.hpp"

/// The store as its tests use it: rows are a map, and what was published is remembered beside it.
namespace cellroute::control {

using rows = std::map<std::string, std::string>;

inline constexpr std::uint64_t test_salt = 77;
inline constexpr std::uint64_t test_seed = 5;
inline const wall_time test_now{std::chrono::hours(24 * 365 * 56)};

/// What a store says is looked at in each test.
template <class T>
T must(stored<T> got) {
  REQUIRE_MESSAGE(got, got.error().detail);
  return *std::move(got);
}
inline void must(const stored<void>& got) { REQUIRE_MESSAGE(got, got.error().detail); }

inline rows many(int count, std::string_view placement = "tier1") {
  rows all;
  for (int i = 0; i < count; ++i) all[fmt::format("tenant-{:06}", i)] = placement;
  return all;
}

inline key_table table_of(const rows& all) {
  std::map<std::string_view, std::uint16_t> numbers;
  std::vector<std::string_view> names;
  std::vector<key_row> made;
  for (const auto& [key, placement] : all) {
    const auto [at, is_new] = numbers.emplace(placement, static_cast<std::uint16_t>(names.size()));
    if (is_new) names.push_back(placement);
    made.push_back({key, at->second});
  }
  auto table = key_table::build(made, test_seed, names);
  REQUIRE(table);
  return *std::move(table);
}

inline rows rows_in(const key_table& table) {
  rows found;
  table.for_each([&](std::string_view key, std::uint16_t outcome) { found.emplace(key, table.outcomes()[outcome]); });
  return found;
}

inline store create_store(const std::string& path) { return must(store::create(path, {"test", test_salt}, test_now)); }

/// Publishes rows as the head's next version.
inline stored<version_record> publish(store& to, const rows& all, std::string document = "{}",
                                      std::string author = "ann") {
  const store_head head = must(to.reading().head());
  const key_table before = must(to.reading().rows_at(head.version, test_seed));
  const sync::content made = sync::make_content(std::move(document), table_of(all), test_salt);
  const row_changes changes = changes_between(before, made.keys);
  publication what{head.version, made, changes};
  what.author = std::move(author);
  what.at = test_now + std::chrono::seconds(head.version);
  return to.publish(what);
}

}  // namespace cellroute::control
