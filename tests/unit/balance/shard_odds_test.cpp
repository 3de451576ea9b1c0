#include "cellroute/balance/shard_odds.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/balance/shuffle_shard.hpp"

using namespace cellroute;

namespace {

bool is_near(double a, double b) { return std::abs(a - b) < 1e-12; }

/// All sets of `size` out of `cells`, as bits.
std::vector<std::uint32_t> all_sets(shard_shape shape) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t set = 0; set < 1u << shape.cells; ++set) {
    if (std::popcount(set) == static_cast<int>(shape.size)) sets.push_back(set);
  }
  return sets;
}

}  // namespace

TEST_CASE("shard odds: as counted set by set") {
  for (std::uint32_t cells = 1; cells <= 9; ++cells) {
    for (std::uint32_t size = 1; size <= cells; ++size) {
      CAPTURE(cells);
      CAPTURE(size);
      const shard_shape shape{cells, size};
      const auto sets = all_sets(shape);
      const double count = static_cast<double>(sets.size());
      CHECK(combinations_of(shape) == sets.size());
      const std::vector<double> overlap = overlap_of_two(shape);
      REQUIRE(overlap.size() == size + 1);
      for (std::uint32_t shared = 0; shared <= size; ++shared) {
        double seen = 0;
        for (const std::uint32_t set : sets) seen += std::popcount(set & sets[0]) == static_cast<int>(shared) ? 1 : 0;
        CHECK(is_near(overlap[shared], seen / count));
      }
      for (std::uint32_t lost = 0; lost <= cells; ++lost) {
        const std::uint32_t gone = (1u << lost) - 1;
        double all = 0;
        double any = 0;
        for (const std::uint32_t set : sets) {
          all += (set & gone) == set ? 1 : 0;
          any += (set & gone) != 0 ? 1 : 0;
        }
        const loss_shares found = shares_of_loss(shape, lost);
        CHECK(is_near(found.all, all / count));
        CHECK(is_near(found.any, any / count));
        CHECK(is_near(found.first, static_cast<double>(lost) / cells));
      }
    }
  }
}

TEST_CASE("shard odds: as the real shard gives cells to keys") {
  struct shape_case {
    shard_shape shape;
    std::uint32_t lost;
  };
  const shape_case cases[] = {{{8, 2}, 1}, {{8, 2}, 3}, {{12, 3}, 2}, {{12, 3}, 6}, {{50, 4}, 10}, {{5, 5}, 2}};
  constexpr int keys = 100'000;
  for (const shape_case& row : cases) {
    CAPTURE(row.shape.cells);
    CAPTURE(row.lost);
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < row.shape.cells; ++i) names.push_back("cell-" + std::to_string(i));
    const std::vector<std::string_view> views(names.begin(), names.end());
    const shuffle_shard shard(views, 3);
    std::vector<std::uint16_t> list(row.shape.size);
    std::vector<std::uint16_t> before;
    loss_shares seen;
    std::vector<double> overlap(row.shape.size + 1);
    for (int i = 0; i < keys; ++i) {
      const auto cells = shard.list("key-" + std::to_string(i), list);
      std::uint32_t gone = 0;
      for (const std::uint16_t cell : cells) gone += cell < row.lost ? 1 : 0;
      seen.all += gone == row.shape.size ? 1.0 / keys : 0;
      seen.any += gone > 0 ? 1.0 / keys : 0;
      seen.first += cells[0] < row.lost ? 1.0 / keys : 0;
      std::size_t shared = 0;
      for (const std::uint16_t cell : before) shared += std::ranges::find(cells, cell) != cells.end() ? 1 : 0;
      if (i > 0) overlap[shared] += 1.0 / (keys - 1);
      before.assign(cells.begin(), cells.end());
    }
    const auto is_seen = [](double expected, double counted) {
      return std::abs(expected - counted) <= 5 * std::sqrt(expected * (1 - expected) / keys) + 1e-9;
    };
    const loss_shares expected = shares_of_loss(row.shape, row.lost);
    CHECK(is_seen(expected.all, seen.all));
    CHECK(is_seen(expected.first, seen.first));
    CHECK(is_seen(expected.any, seen.any));
    const std::vector<double> of_two = overlap_of_two(row.shape);
    for (std::size_t i = 0; i < overlap.size(); ++i) CHECK(is_seen(of_two[i], overlap[i]));
  }
}

TEST_CASE("shard odds: large numbers stay numbers") {
  CHECK(combinations_of({8, 2}) == 28);
  CHECK(combinations_of({100, 5}) == 75'287'520);
  CHECK(combinations_of({67, 33}) == 14'226'520'737'620'288'370u);
  CHECK_FALSE(combinations_of({68, 34}).has_value());
  CHECK_FALSE(combinations_of({65'535, 1'000}).has_value());
  CHECK(combinations_of({65'535, 65'535}) == 1);
  for (const shard_shape shape : {shard_shape{4096, 2048}, shard_shape{65'535, 3}, shard_shape{4096, 4000}}) {
    double sum = 0;
    for (const double each : overlap_of_two(shape)) sum += each;
    CHECK(is_near(sum, 1));
  }
  CHECK(shares_of_loss({4096, 2048}, 4096).all == 1);
  CHECK(shares_of_loss({4096, 2048}, 0).any == 0);
}
