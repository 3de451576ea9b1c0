// A part of a placement's keys goes to another.
#include "cellroute/table/canaries.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

canary part(std::string from, std::string to, double percent, std::vector<std::string> keys = {}) {
  return {placement_id(std::move(from)), placement_id(std::move(to)), percent, std::move(keys)};
}

table_spec spec_of(std::vector<canary> rows) {
  table_spec spec = support::good_spec();
  spec.rules = {{"trial-", {}, "tier1", {}}};
  spec.overrides = {{{"trial-over"}, placement_id("tier1"), {}}};
  spec.canaries = std::move(rows);
  return spec;
}

std::string told_of_canary(const routing_table& table, std::string_view key) {
  const auto made = table.route(key);
  if (!made) return std::string(to_string(made.error()));
  CHECK(made->cell == table.fleet().cell_of(made->placement));
  std::string out = table.placements()[made->placement].id.value + " " + std::string(route_reason(*made)) + " ";
  write_decider(out, *made);
  return out;
}

struct canary_case {
  std::string_view says;
  std::vector<canary> rows;
  std::string_view key;
  std::string_view expected;
};

const canary_case canary_cases[] = {
    {"a listed key of the table", {part("tier1", "tier3", 0, {"acme"})}, "acme", "tier3 canary canary[0]"},
    {"one of a rule", {part("tier1", "tier3", 0, {"trial-1"})}, "trial-1", "tier3 canary canary[0]"},
    {"one of the default", {part("tier3", "visa", 0, {"nobody"})}, "nobody", "visa canary canary[0]"},
    {"one of another placement stays", {part("tier3", "visa", 0, {"acme"})}, "acme", "tier1 tier table"},
    {"no key is listed, none is taken", {part("tier1", "tier3", 0)}, "acme", "tier1 tier table"},
    {"every key is taken", {part("tier1", "tier3", 100)}, "acme", "tier3 canary canary[0]"},
    {"the first that takes it counts",
     {part("tier1", "tier3", 0), part("tier1", "visa", 100), part("tier1", "tier3", 100)},
     "acme",
     "visa canary canary[1]"},
    {"none follows another",
     {part("tier1", "tier3", 100), part("tier3", "visa", 100)},
     "acme",
     "tier3 canary canary[0]"},
    {"an override wins", {part("tier1", "tier3", 100)}, "trial-over", "tier1 override override[0]"},
};

std::vector<bool> taken_by(double percent, std::string to = "tier3") {
  const routing_table table = support::compiled(spec_of({part("tier1", std::move(to), percent)}));
  std::vector<bool> taken;
  for (int i = 0; i < 100'000; ++i) {
    taken.push_back(table.route("trial-" + std::to_string(i))->why == reason::canary);
  }
  return taken;
}

}  // namespace

TEST_CASE("canaries: asked once it is known where a key leads") {
  for (const canary_case& row : canary_cases) {
    CAPTURE(row.says);
    CHECK(told_of_canary(support::compiled(spec_of(row.rows)), row.key) == row.expected);
  }
}

TEST_CASE("canaries: a percentage is kept, and a growing one only adds keys") {
  std::vector<bool> before(100'000);
  for (const double percent : {0.0, 0.1, 0.5, 5.0, 50.0, 99.5, 100.0}) {
    CAPTURE(percent);
    const std::vector<bool> now = taken_by(percent);
    std::size_t count = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
      count += now[i] ? 1 : 0;
      if (before[i] && !now[i]) FAIL_CHECK("a key went back");
    }
    CHECK(std::abs(static_cast<double>(count) - percent * 1000) <= 500 + (percent > 1 ? 100 : -400));
    before = now;
  }
}

TEST_CASE("canaries: two of them take different parts") {
  const std::vector<bool> one = taken_by(10, "tier3");
  const std::vector<bool> other = taken_by(10, "visa");
  std::size_t both = 0;
  for (std::size_t i = 0; i < one.size(); ++i) both += one[i] && other[i] ? 1 : 0;
  CHECK(both > 800);  // a tenth of a tenth
  CHECK(both < 1200);
}

TEST_CASE("canaries: which keys those are, for ever") {
  // Routers of all hosts and releases agree on these.
  const routing_table table = support::compiled(spec_of({part("tier1", "tier3", 5)}));
  std::string taken;
  for (int i = 0; i < 100; ++i) {
    if (table.route("trial-" + std::to_string(i))->why == reason::canary) taken += std::to_string(i) + " ";
  }
  CHECK(taken == "60 89 ");
}

namespace {

struct broken_canary {
  std::string_view says;
  std::vector<canary> rows;
  violations expected;
};

const broken_canary broken_canaries[] = {
    {"placements that nobody defined",
     {part("gold", "silver", 5)},
     {{"routing.canary[0].placement", "no placement is named \"gold\"; add it or name another"},
      {"routing.canary[0].to", "no placement is named \"silver\"; add it or name another"}}},
    {"to itself",
     {part("tier1", "tier1", 5)},
     {{"routing.canary[0].to", "is the placement itself; name the one to try"}}},
    {"more than all",
     {part("tier1", "tier3", 100.5)},
     {{"routing.canary[0].percent", "is no percentage; write 0 to 100"}}},
    {"less than none",
     {part("tier1", "tier3", -1)},
     {{"routing.canary[0].percent", "is no percentage; write 0 to 100"}}},
    {"a key twice",
     {part("tier1", "tier3", 0, {"a", "a"})},
     {{"routing.canary[0].keys[1]", "is listed already; keep one of the two"}}},
    {"a key of no byte",
     {part("tier1", "tier3", 0, {""})},
     {{"routing.canary[0].keys[0]", "the key is empty; a request without a key is answered 400"}}},
};

}  // namespace

TEST_CASE("canaries: what is wrong with them, and where") {
  for (const broken_canary& row : broken_canaries) {
    CAPTURE(row.says);
    CHECK((support::check(spec_of(row.rows)) == row.expected));
  }
}

TEST_CASE("canaries: as many as there may be, and one more") {
  std::vector<canary> rows(rules::canaries_max, part("tier1", "tier3", 5));
  for (std::size_t i = 0; i < rules::canary_keys_max; ++i) rows[0].keys.push_back("k" + std::to_string(i));
  CHECK(support::check(spec_of(rows)).empty());
  rows[0].keys.push_back("one more");
  CHECK((support::check(spec_of(rows)) ==
         violations{{"routing.canary[0].keys", "has 10001 entries; 10000 is the most"}}));
  rows[0].keys.clear();
  rows.push_back(rows[0]);
  CHECK((support::check(spec_of(rows)) == violations{{"routing.canary", "has 257 entries; 256 is the most"}}));
}
