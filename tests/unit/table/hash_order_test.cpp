#include "cellroute/table/hash_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;

namespace {

std::vector<std::pair<std::uint64_t, std::uint32_t>> sorted_by_std(const std::vector<std::string>& keys) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> rows;
  for (std::size_t i = 0; i < keys.size(); ++i) rows.emplace_back(hash_text(keys[i], 3), static_cast<std::uint32_t>(i));
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::pair<std::uint64_t, std::uint32_t>> sorted_by_us(const std::vector<std::string>& keys) {
  const hash_order order(keys.size(), [&keys](std::size_t i) -> std::string_view { return keys[i]; }, 3);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> rows;
  for (const hashed_row& each : order.rows()) rows.emplace_back(each.hash, each.row);
  return rows;
}

using pairs = std::vector<std::pair<std::size_t, std::size_t>>;

pairs same_keys(const std::vector<std::string>& keys) {
  const auto key_of = [&keys](std::size_t i) -> std::string_view { return keys[i]; };
  const hash_order order(keys.size(), key_of, 3);
  pairs found;
  for_each_same_keys(order.rows(), key_of,
                     [&found](std::size_t row, std::size_t other) { found.emplace_back(row, other); });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("hash order: sorts as std::sort does, on both sides of every change in the number of passes") {
  random_numbers random(4);
  for (const std::size_t count : {0u, 1u, 2u, 3u, 255u, 256u, 257u, 65'535u, 65'536u, 100'000u}) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back(std::to_string(random()));
    CAPTURE(count);
    CHECK((sorted_by_us(keys) == sorted_by_std(keys)));
  }
}

TEST_CASE("hash order: rows of one key keep their order, few of them or many") {
  for (const std::size_t count : {2u, 16u, 17u, 5'000u}) {
    std::vector<std::string> keys(count, "acme");
    keys.emplace_back("visa");
    CAPTURE(count);
    CHECK((sorted_by_us(keys) == sorted_by_std(keys)));
  }
}

TEST_CASE("hash order: tells every row whose key an earlier one has, and which one that is") {
  CHECK((same_keys({}) == pairs{}));
  CHECK((same_keys({"a", "b", "c"}) == pairs{}));
  CHECK((same_keys({"a", "b", "a"}) == pairs{{0, 2}}));
  CHECK((same_keys({"a", "b", "b", "a", "b"}) == pairs{{0, 3}, {1, 2}, {1, 4}}));
}

TEST_CASE("hash order: keys of one hash are told apart by a look at them, for every four keys and three hashes") {
  const std::string_view names[] = {"a", "b", "c"};
  for (std::size_t number = 0; number < 81 * 27; ++number) {
    std::vector<std::string_view> keys;
    std::vector<std::uint64_t> hashes;  // of each name, made up: any of them may be those of others
    for (std::size_t i = 0, rest = number % 81; i < 4; ++i, rest /= 3) keys.push_back(names[rest % 3]);
    for (std::size_t i = 0, rest = number / 81; i < 3; ++i, rest /= 3) hashes.push_back(rest % 3);
    std::vector<hashed_row> sorted;
    for (std::uint32_t i = 0; i < 4; ++i) sorted.push_back({hashes[static_cast<std::size_t>(keys[i][0] - 'a')], i});
    std::sort(sorted.begin(), sorted.end(), [](const hashed_row& a, const hashed_row& b) {
      return a.hash != b.hash ? a.hash < b.hash : a.row < b.row;
    });
    pairs found;
    for_each_same_keys(
        std::span<const hashed_row>(sorted), [&keys](std::size_t i) { return keys[i]; },
        [&found](std::size_t row, std::size_t other) { found.emplace_back(row, other); });
    std::sort(found.begin(), found.end());
    pairs expected;
    for (std::size_t i = 1; i < 4; ++i) {
      const auto first = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), keys[i]) - keys.begin());
      if (first < i) expected.emplace_back(first, i);
    }
    std::sort(expected.begin(), expected.end());
    CAPTURE(number);
    REQUIRE((found == expected));
  }
}
