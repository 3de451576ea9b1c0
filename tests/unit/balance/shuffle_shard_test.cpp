#include "cellroute/balance/shuffle_shard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;

namespace {

std::vector<std::string> cell_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back("c" + std::to_string(i));
  return names;
}

shuffle_shard shard_of(const std::vector<std::string>& names, std::uint64_t seed) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return {views, seed};
}

std::vector<std::uint16_t> list_of(const shuffle_shard& shard, std::string_view key, std::size_t size) {
  std::vector<std::uint16_t> out(size);
  const auto written = shard.list(key, out);
  return {written.begin(), written.end()};
}

/// The names of a key's cells: `c3 c1`.
std::string told(const std::vector<std::string>& names, std::uint64_t seed, std::string_view key, std::size_t size) {
  const shuffle_shard shard = shard_of(names, seed);
  std::string out;
  for (const std::uint16_t i : list_of(shard, key, size)) out += (out.empty() ? "" : " ") + names[i];
  return out;
}

struct list_case {
  std::string_view key;
  std::uint64_t seed;
  std::string_view expected;
};

// Routers of all hosts and releases agree on these. Whoever changes one moves the keys of every fleet.
const list_case list_cases[] = {
    {"acme", 0, "c3 c5 c2 c7"}, {"acme", 7, "c4 c7 c8 c5"}, {"globex", 7, "c2 c1 c5 c7"},
    {"visa", 7, "c5 c7 c8 c3"}, {"", 7, "c1 c4 c7 c6"},     {"\xff", 7, "c7 c5 c6 c1"},
};

const std::string long_key(256, 'k');

}  // namespace

TEST_CASE("shuffle shard: which cells a key has, for ever") {
  const auto names = cell_names(8);
  for (const list_case& row : list_cases) {
    CAPTURE(row.key);
    CHECK(told(names, row.seed, row.key, 4) == row.expected);
  }
  CHECK(told(names, 7, long_key, 4) == "c7 c4 c3 c8");
}

TEST_CASE("shuffle shard: the list begins with the first cell, has each cell once, and is no longer than asked for") {
  random_numbers rng(1);
  for (std::size_t count = 0; count <= 12; ++count) {
    const auto names = cell_names(count);
    const shuffle_shard shard = shard_of(names, rng());
    CHECK(shard.size() == count);
    for (std::size_t size = 0; size <= count + 2; ++size) {
      for (int i = 0; i < 50; ++i) {
        const std::string key = "k" + std::to_string(rng());
        std::vector<std::uint16_t> list = list_of(shard, key, size);
        REQUIRE(list.size() == std::min(size, count));
        if (!list.empty()) CHECK(list.front() == shard.first(key));
        // A shorter list is the beginning of a longer one.
        const std::vector<std::uint16_t> all = list_of(shard, key, count);
        CHECK(std::equal(list.begin(), list.end(), all.begin()));
        std::ranges::sort(list);
        CHECK((std::ranges::adjacent_find(list) == list.end()));
      }
    }
  }
}

TEST_CASE("shuffle shard: the order of the configuration means nothing, the seed a great deal") {
  const auto names = cell_names(20);
  std::vector<std::string> turned(names.rbegin(), names.rend());
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "k" + std::to_string(i);
    CHECK(told(names, 3, key, 5) == told(turned, 3, key, 5));
    same += told(names, 3, key, 2) == told(names, 4, key, 2) ? 1 : 0;
  }
  CHECK(same < 20);  // one of 380 by chance
}

TEST_CASE("shuffle shard: a cell more changes only the lists that it enters") {
  constexpr std::size_t before = 50;
  constexpr std::size_t size = 4;
  constexpr int keys = 100'000;
  const shuffle_shard old_shard = shard_of(cell_names(before), 7);
  const shuffle_shard new_shard = shard_of(cell_names(before + 1), 7);
  int lists = 0;
  int firsts = 0;
  for (int i = 0; i < keys; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const auto was = list_of(old_shard, key, size);
    const auto is = list_of(new_shard, key, size);
    if (was.front() != is.front()) ++firsts;
    if (was == is) continue;
    ++lists;
    // The others keep their order, and only the last of them leaves.
    std::vector<std::uint16_t> rest = is;
    REQUIRE(std::erase(rest, std::uint16_t{before}) == 1);
    REQUIRE(std::equal(rest.begin(), rest.end(), was.begin()));
  }
  CHECK(lists <= 1.1 * size / before * keys);
  CHECK(lists >= 0.9 * size / (before + 1) * keys);
  CHECK(firsts <= 1.1 / before * keys);
  CHECK(firsts >= 0.9 / (before + 1) * keys);
}

TEST_CASE("shuffle shard: cells and pairs of cells are used alike") {
  constexpr std::size_t count = 12;
  constexpr int keys = 264'000;
  const shuffle_shard shard = shard_of(cell_names(count), 1);
  std::vector<int> firsts(count);
  std::map<std::pair<std::uint16_t, std::uint16_t>, int> pairs;
  for (int i = 0; i < keys; ++i) {
    const auto list = list_of(shard, std::to_string(i), 2);
    ++firsts[list[0]];
    ++pairs[{list[0], list[1]}];
  }
  CHECK(*std::ranges::max_element(firsts) < 22'000 * 1.035);  // five sigmas
  CHECK(*std::ranges::min_element(firsts) > 22'000 * 0.965);
  CHECK(pairs.size() == count * (count - 1));
  for (const auto& [pair, seen] : pairs) {
    CHECK(seen > 1'750);  // 2,000 on average
    CHECK(seen < 2'250);
  }
}
