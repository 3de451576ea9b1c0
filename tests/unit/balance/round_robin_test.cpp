#include "cellroute/balance/round_robin.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"
#include "tests/support/slow_round_robin.hpp"

using namespace cellroute;
using weights = std::vector<std::uint32_t>;

namespace {

/// The picks as letters, `-` for none.
std::string picks(round_robin& balancer, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto picked = balancer.pick();
    out += picked ? static_cast<char>('a' + *picked) : '-';
  }
  return out;
}

struct sequence_case {
  std::string_view says;
  weights given;
  std::string_view expected;
};

const sequence_case sequence_cases[] = {
    {"equal weights take turns", {1, 1, 1}, "abcabc"},
    {"equal weights of any size take turns", {7, 7}, "abababab"},
    {"3:1 spreads the one", {3, 1}, "aabaaaba"},
    {"5:1:1 is nginx's own example", {5, 1, 1}, "aabacaaaabacaa"},
    {"the order of endpoints does not matter to their share", {1, 5, 1}, "bbabcbb"},
    {"2:3", {2, 3}, "babab"},
    {"weight 0 takes none", {0, 2, 0, 1}, "bdbbdb"},
    {"one endpoint takes all", {9}, "aaaa"},
    {"no endpoint, no pick", {}, "--"},
    {"weights of 0 only, no pick", {0, 0}, "--"},
    {"weights that sum to nearly 2^31", {2'147'483'646, 1}, "aaaaaaaa"},
};

}  // namespace

TEST_CASE("round robin: the exact sequences") {
  for (const sequence_case& row : sequence_cases) {
    CAPTURE(row.says);
    round_robin balancer(row.given);
    CHECK(picks(balancer, row.expected.size()) == row.expected);
  }
}

TEST_CASE("round robin: the same weights again keep the place, others start anew") {
  round_robin balancer(weights{3, 1});
  CHECK(picks(balancer, 2) == "aa");
  balancer.rebuild(weights{3, 1});
  CHECK(picks(balancer, 2) == "ba");
  balancer.rebuild(weights{3, 1, 1});
  CHECK(picks(balancer, 5) == "abaca");
  balancer.rebuild(weights{3});
  CHECK(balancer.size() == 1);
  CHECK(picks(balancer, 1) == "a");
}

TEST_CASE("round robin: a further attempt goes to another endpoint, or nowhere") {
  round_robin balancer(weights{3, 1, 0});
  CHECK(balancer.pick_other_than(0) == std::optional<std::size_t>(1));
  CHECK(balancer.pick_other_than(1) == std::optional<std::size_t>(0));
  CHECK(balancer.pick_other_than(7) == std::optional<std::size_t>(0));
  round_robin alone(weights{4});
  CHECK_FALSE(alone.pick_other_than(0).has_value());
  round_robin without_weight(weights{4, 0});
  CHECK_FALSE(without_weight.pick_other_than(0).has_value());
}

TEST_CASE("round robin: who may not be picked neither gains nor loses its turn") {
  round_robin balancer(weights{1, 1, 1});
  CHECK(picks(balancer, 1) == "a");
  for (int i = 0; i < 10; ++i) CHECK(balancer.pick_other_than(1).has_value());
  std::map<char, int> seen;
  for (const char c : picks(balancer, 30)) ++seen[c];
  CHECK(seen['a'] == 10);
  CHECK(seen['b'] == 10);
  CHECK(seen['c'] == 10);
}

TEST_CASE("round robin: picks what its slow twin picks") {
  random_numbers random(20);
  for (int round = 0; round < 300; ++round) {
    weights given;
    std::uint32_t total = 0;
    for (std::size_t i = 1 + random.below(6); i > 0; --i) given.push_back(static_cast<std::uint32_t>(random.below(9)));
    for (const std::uint32_t each : given) total += each;
    if (total == 0) continue;
    round_robin balancer(given);
    support::slow_round_robin twin(given);
    for (std::uint32_t i = 0; i < 2 * total; ++i) {
      CAPTURE(round);
      CAPTURE(i);
      REQUIRE(balancer.pick() == twin.pick());
    }
  }
}

/// Calls `f(digits)` for every list of `count` digits below `base`.
template <class F>
void for_each_list(std::size_t count, std::uint32_t base, F&& f) {
  weights digits(count);
  for (;;) {
    f(digits);
    std::size_t at = 0;
    while (at < count && ++digits[at] == base) digits[at++] = 0;
    if (at == count) return;
  }
}

TEST_CASE("round robin: picks what its slow twin picks, whichever may be picked in each of four turns") {
  std::size_t runs = 0;
  for (std::size_t count = 0; count <= 3; ++count) {
    for_each_list(count, 3, [&](const weights& given) {
      for_each_list(4, 1u << count, [&](const weights& masks) {
        ++runs;
        round_robin balancer(given);
        support::slow_round_robin twin(given);
        for (const std::uint32_t mask : masks) {
          std::vector<bool> usable;
          for (std::size_t i = 0; i < count; ++i) usable.push_back((mask >> i & 1) != 0);
          REQUIRE(balancer.pick([&usable](std::size_t i) { return usable[i]; }) == twin.pick(usable));
        }
      });
    });
  }
  CHECK(runs > 100'000);
}

TEST_CASE("round robin: further attempts go where those of its slow twin go, in each of five turns") {
  for (std::size_t count = 1; count <= 3; ++count) {
    for_each_list(count, 4, [&](const weights& given) {
      for_each_list(5, static_cast<std::uint32_t>(count), [&](const weights& excluded) {
        round_robin balancer(given);
        support::slow_round_robin twin(given);
        for (const std::uint32_t each : excluded) {
          std::vector<bool> usable(count, true);
          usable[each] = false;
          REQUIRE(balancer.pick_other_than(each) == twin.pick(usable));
        }
      });
    });
  }
}
