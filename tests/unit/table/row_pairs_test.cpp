#include "cellroute/table/row_pairs.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;

namespace {

using placed_keys = std::map<std::string, std::string>;  // key -> placement
using placement_pairs = std::map<std::string, std::pair<std::string, std::string>>;

/// The placements in the order of `names`, which need not be that in which another table has them.
key_table table_of(const placed_keys& all, const std::vector<std::string_view>& names, std::uint64_t seed) {
  std::vector<key_row> given;
  for (const auto& [key, placement] : all) {
    std::uint16_t number = 0;
    while (names[number] != placement) ++number;
    given.push_back({key, number});
  }
  auto made = key_table::build(given, seed, names);
  REQUIRE(made);
  return *std::move(made);
}

/// What differs, as the function tells it; `said` counts its calls.
placement_pairs told(const key_table& from, const key_table& to, std::size_t& said) {
  placement_pairs found;
  using outcome = std::optional<std::uint16_t>;
  for_each_row_pair(from, to, [&](std::string_view key, outcome before, outcome after) {
    ++said;
    const std::string old_name(before ? from.outcomes()[*before] : std::string_view("-"));
    const std::string new_name(after ? to.outcomes()[*after] : std::string_view("-"));
    CHECK((before || after));
    if (old_name != new_name) CHECK(found.emplace(key, std::pair(old_name, new_name)).second);
  });
  return found;
}

placement_pairs counted(const placed_keys& from, const placed_keys& to) {
  placement_pairs found;
  for (const auto& [key, placement] : from) {
    const auto other = to.find(key);
    const std::string after = other == to.end() ? "-" : other->second;
    if (after != placement) found[key] = {placement, after};
  }
  for (const auto& [key, placement] : to) {
    if (!from.contains(key)) found[key] = {"-", placement};
  }
  return found;
}

const std::vector<std::string_view> in_order{"a", "b", "c"};
const std::vector<std::string_view> longer{"a", "b", "c", "d"};
const std::vector<std::string_view> in_disorder{"c", "a", "b"};

}  // namespace

TEST_CASE("row pairs: what differs is told, once each, however alike the two tables are laid out") {
  random_numbers random(11);
  for (const std::size_t count : {0u, 1u, 40u, 3'000u}) {
    for (int round = 0; round < 6; ++round) {
      placed_keys from;
      for (std::size_t i = 0; i < count; ++i)
        from["key " + std::to_string(random.below(2 * count))] = in_order[random.below(3)];
      placed_keys to = from;
      for (std::size_t i = 0; i < count / 20 + 1; ++i) {
        const std::string key = "key " + std::to_string(random.below(2 * count + 1));
        if (random.below(3) == 0) {
          to.erase(key);
        } else {
          to[key] = in_order[random.below(3)];
        }
      }
      CAPTURE(count);
      const placement_pairs expected = counted(from, to);
      std::size_t said = 0;
      const key_table old = table_of(from, in_order, 5);
      CHECK((told(old, table_of(to, in_order, 5), said) == expected));
      CHECK((told(old, table_of(to, longer, 5), said) == expected));
      CHECK((told(old, table_of(to, in_disorder, 5), said) == expected));
      CHECK((told(old, table_of(to, in_order, 6), said) == expected));
      CHECK((told(table_of(from, in_disorder, 5), table_of(to, in_order, 5), said) == expected));
    }
  }
}

TEST_CASE("row pairs: of a table and what a few changes made of it only the changed buckets are told") {
  placed_keys all;
  for (int i = 0; i < 10'000; ++i) all["key " + std::to_string(i)] = "a";
  const key_table from = table_of(all, in_order, 5);
  const std::vector<key_change> changes{
      {"key 7", std::uint16_t{1}}, {"key 8", std::nullopt}, {"new", std::uint16_t{2}}};
  const auto to = from.merged(changes);
  REQUIRE(to);
  std::size_t said = 0;
  CHECK((told(from, *to, said) == placement_pairs{{"key 7", {"a", "b"}}, {"key 8", {"a", "-"}}, {"new", {"-", "c"}}}));
  CHECK(said <= 3 * 33);  // a bucket has 32 at most
  said = 0;
  CHECK(told(from, from, said).empty());
  CHECK(said == 0);
}
