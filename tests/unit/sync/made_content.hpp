#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "adapters/sync/content.hpp"
#include "cellroute/table/outcome_list.hpp"
#include "tests/support/compiled_table.hpp"

/// Contents as tests write them: rows are a map.
namespace cellroute::sync {

using rows = std::map<std::string, std::string>;

inline constexpr std::uint64_t test_salt = 77;

inline key_table table_of(const rows& all) {
  outcome_list names;
  std::vector<key_row> made;
  for (const auto& [key, placement] : all) made.push_back({key, *names.add(placement)});
  auto table = support::build_keys(made, 3, names.texts());
  REQUIRE(table);
  return *std::move(table);
}

inline content content_of(const rows& all, std::string document = "{}", std::uint64_t salt = test_salt) {
  return make_content(std::move(document), table_of(all), salt);
}

inline rows many(int count) {
  rows all;
  for (int i = 0; i < count; ++i) all["tenant-" + std::to_string(i)] = i % 3 == 0 ? "visa" : "tier1";
  return all;
}

}  // namespace cellroute::sync
