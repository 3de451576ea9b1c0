#include "cellroute/balance/rendezvous_slots.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/slow_rendezvous.hpp"

using namespace cellroute;

namespace {

std::vector<double> shares_of(const rendezvous_slots& slots, std::size_t names) {
  std::vector<double> shares(names);
  for (const std::uint16_t name : slots.slots()) shares[name] += 1.0 / rendezvous_slots::count;
  return shares;
}

/// How many slots lead to another name than before; `between` counts those that neither left nor joined.
struct movement {
  std::size_t all = 0;
  std::size_t between = 0;
};

movement moved(const std::vector<weighted_name>& before, const std::vector<weighted_name>& after,
               std::string_view changed) {
  const rendezvous_slots old_slots(before);
  const rendezvous_slots new_slots(after);
  movement found;
  for (std::size_t i = 0; i < rendezvous_slots::count; ++i) {
    const std::string_view from = before[old_slots.slots()[i]].name;
    const std::string_view to = after[new_slots.slots()[i]].name;
    if (from == to) continue;
    ++found.all;
    if (from != changed && to != changed) ++found.between;
  }
  return found;
}

const std::vector<weighted_name> two = {{"tier1", 60}, {"tier2", 40}};

struct pick_case {
  std::string_view key;
  std::size_t slot;
  std::string_view name;
};

// Routers of all hosts and releases agree on these. Whoever changes one moves the keys of every fleet.
const pick_case pick_cases[] = {
    {"acme", 1819, "tier1"},     {"trial-1", 51423, "tier1"}, {"trial-2", 42342, "tier1"},
    {"trial-3", 59708, "tier2"}, {"", 36491, "tier1"},        {"\xff", 40684, "tier1"},
};

}  // namespace

TEST_CASE("rendezvous slots: which key belongs to whom, for ever") {
  const rendezvous_slots slots(two);
  for (const pick_case& row : pick_cases) {
    CAPTURE(row.key);
    CHECK(rendezvous_slots::slot_of(row.key) == row.slot);
    CHECK(two[slots.pick(row.key)].name == row.name);
  }
  std::uint64_t all = 0;
  for (const std::uint16_t name : slots.slots()) all = mix(all ^ name);
  CHECK(all == 3674552558891042509u);
}

TEST_CASE("rendezvous slots: the logarithm in integers is the logarithm") {
  for (const std::uint64_t u : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1} << 63,
                                std::uint64_t{0x123456789abcdef}, ~std::uint64_t{0}, ~std::uint64_t{0} - 1000000}) {
    CAPTURE(u);
    const double exact = 64.0 - std::log2(static_cast<double>(u));
    CHECK(std::abs(std::ldexp(static_cast<double>(slots_detail::minus_log2(u)), -40) - exact) < 1e-11);
  }
}

TEST_CASE("rendezvous slots: as the slow twin fills them") {
  const std::vector<std::vector<weighted_name>> sets = {
      two,
      {{"a", 1}},
      {{"a", 0}, {"b", 7}},
      {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}},
      {{"a", 999'999}, {"b", 1}, {"c", 500'000}},
  };
  for (const auto& among : sets) {
    const rendezvous_slots slots(among);
    const std::vector<std::uint16_t> slow = support::slow_slots(among);
    std::size_t different = 0;
    for (std::size_t i = 0; i < slow.size(); ++i) different += slots.slots()[i] != slow[i] ? 1 : 0;
    CHECK(different <= 1);  // two draws that are equal to the last digit of a double
  }
}

TEST_CASE("rendezvous slots: each name has its share") {
  const auto shares = shares_of(rendezvous_slots(two), 2);
  CHECK(std::abs(shares[0] - 0.6) < 0.006);
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("cell" + std::to_string(i));
  std::vector<weighted_name> hundred;
  for (const std::string& name : names) hundred.push_back({name, 1});
  const auto even = shares_of(rendezvous_slots(hundred), 100);
  CHECK(*std::ranges::max_element(even) < 0.01 * 1.12);
}

TEST_CASE("rendezvous slots: who comes, goes or grows moves only what is his") {
  struct change_case {
    std::string_view says;
    std::vector<weighted_name> after;
    std::string_view changed;
    double share;
  };
  const change_case cases[] = {
      {"a third name", {{"tier1", 60}, {"tier2", 40}, {"tier3", 25}}, "tier3", 0.2},
      {"one goes", {{"tier1", 60}}, "tier2", 0.4},
      {"one grows", {{"tier1", 60}, {"tier2", 60}}, "tier2", 0.1},
      {"one shrinks to nothing", {{"tier1", 60}, {"tier2", 0}}, "tier2", 0.4},
      {"the order means nothing", {{"tier2", 40}, {"tier1", 60}}, "", 0},
      {"nor does the unit", {{"tier1", 6}, {"tier2", 4}}, "", 0},
  };
  for (const change_case& row : cases) {
    CAPTURE(row.says);
    const movement found = moved(two, row.after, row.changed);
    CHECK(found.between == 0);
    CHECK(std::abs(static_cast<double>(found.all) / rendezvous_slots::count - row.share) < 0.01);
  }
}

TEST_CASE("rendezvous slots: keys fall evenly into the slots") {
  std::vector<std::size_t> seen(256);
  for (int i = 0; i < 256'000; ++i) ++seen[rendezvous_slots::slot_of("key-" + std::to_string(i)) >> 8];
  CHECK(*std::ranges::max_element(seen) < 1150);  // 1,000 on average, five sigmas
  CHECK(*std::ranges::min_element(seen) > 850);
}
