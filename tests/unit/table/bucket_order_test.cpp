#include "cellroute/table/bucket_order.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace cellroute;

namespace {

struct change {
  std::string_view key;
  std::optional<std::uint16_t> outcome;
};

}  // namespace

TEST_CASE("bucket order: brings every row once, whole, and the buckets in turn, be they full, sparse or very many") {
  struct size_case {
    std::size_t rows;
    std::uint64_t groups;
  };
  for (const size_case& size : {size_case{0, 1},
                                {1, 1},
                                {3'000, 1},
                                {3'000, 60},
                                {3'000, 5'000},
                                {20, 300'000},
                                {20'000, 300'000},
                                {20, 10'000'000}}) {
    CAPTURE(size.rows);
    CAPTURE(size.groups);
    std::vector<std::string> keys;
    std::vector<change> given;
    for (std::size_t i = 0; i < size.rows; ++i) keys.push_back(std::string(i % 256, 'x') + std::to_string(i));
    for (std::string& key : keys) {
      if (key.size() > 256) key.erase(0, key.size() - 256);
      const bool is_gone = given.size() % 3 == 0;
      given.push_back({key, is_gone ? std::nullopt : std::optional(static_cast<std::uint16_t>(given.size()))});
    }
    const auto order = bucket_order::of(std::span<const change>(given), 9, size.groups, 0);
    REQUIRE(order);
    std::vector<int> seen(size.rows);
    std::size_t buckets = 0;
    std::uint64_t next = 0;  // the number of the first bucket that may come
    order->for_each_bucket([&](key_format::bucket_place place, std::span<nearby_row> found) {
      REQUIRE_FALSE(found.empty());
      REQUIRE(place.group * key_format::group_buckets + place.slot >= next);
      next = place.group * key_format::group_buckets + place.slot + 1;
      ++buckets;
      for (const nearby_row& each : found) {
        REQUIRE(each.row() < given.size());
        const change& row = given[each.row()];
        const std::uint64_t hash = hash_text(row.key, 9);
        ++seen[each.row()];
        REQUIRE(each.key() == row.key);
        REQUIRE(each.has_outcome() == row.outcome.has_value());
        REQUIRE(key_format::bucket_entry(each).outcome == row.outcome.value_or(0));
        REQUIRE(each.tag() == key_format::tag_of(hash));
        REQUIRE((place == key_format::place_of(hash, size.groups)));
      }
      return true;
    });
    CHECK(seen == std::vector<int>(size.rows, 1));
    if (buckets < 2) continue;
    std::size_t calls = 0;
    order->for_each_bucket([&calls](key_format::bucket_place, std::span<nearby_row>) { return ++calls < 2; });
    CHECK(calls == 2);
  }
}
