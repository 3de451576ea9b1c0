#include "cellroute/table/routing_table.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/table/diff.hpp"
#include "tests/support/slow_diff.hpp"
#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

routing_table compiled(const table_spec& spec, std::uint64_t generation = 7) {
  auto table = routing_table::compile(spec, generation_number(generation), 1);
  REQUIRE(table);
  return *std::move(table);
}

/// The decision in the words of the documents.
std::string told(const routing_table& table, std::string_view key) {
  const auto made = table.route(key);
  if (!made) return std::string(to_string(made.error()));
  CHECK((table.route(table.prepare(key)) == made));
  std::string out = "placement=";
  out += routed_to(*made, table.fleet());
  out += " cell=" + table.cells()[made->cell].id.value;
  out += " reason=" + std::string(route_reason(*made));
  return out + " generation=" + std::to_string(made->generation.value);
}

struct route_case {
  std::string_view says;
  std::string_view key;
  std::string_view expected;
};

const route_case route_cases[] = {
    {"an assigned key goes to its placement", "acme", "placement=tier1 cell=c1 reason=tier generation=7"},
    {"one with a placement of its own says so", "visa", "placement=visa cell=visa reason=dedicated generation=7"},
    {"any other goes to the default", "nobody", "placement=tier3 cell=c3 reason=default generation=7"},
    {"letters of another case are another key", "Acme", "placement=tier3 cell=c3 reason=default generation=7"},
    {"a name of a placement is not a key", "tier1", "placement=tier3 cell=c3 reason=default generation=7"},
};

}  // namespace

TEST_CASE("routing table: where keys lead, and why") {
  const routing_table table = compiled(support::good_spec());
  for (const route_case& row : route_cases) {
    CAPTURE(row.says);
    CHECK(told(table, row.key) == row.expected);
  }
}

TEST_CASE("routing table: an unknown key is rejected where the spec says so") {
  table_spec spec = support::good_spec();
  spec.on_unknown = unknown_key_policy::reject;
  const routing_table with_default = compiled(spec);
  CHECK(told(with_default, "nobody") == "unknown_key");
  CHECK(told(with_default, "acme") == "placement=tier1 cell=c1 reason=tier generation=7");
  spec.default_placement = {};
  CHECK(told(compiled(spec), "nobody") == "unknown_key");
  CHECK_FALSE(compiled(spec).default_placement().has_value());
}

TEST_CASE("routing table: a key assigned to the default placement is no default") {
  table_spec spec = support::good_spec();
  spec.assignments.push_back({"initech", placement_id("tier3")});
  CHECK(told(compiled(spec), "initech") == "placement=tier3 cell=c3 reason=tier generation=7");
}

TEST_CASE("routing table: a decision carries the key, its origin and the generation") {
  const routing_table table = compiled(support::good_spec(), 12);
  const std::string key = "acme";
  const auto made = table.route(key, {.source = key_source::header, .name = "X-Tenant"});
  REQUIRE(made);
  CHECK((*made == decision{.key = "acme",
                           .source = key_source::header,
                           .source_name = "X-Tenant",
                           .placement = 0,
                           .cell = 0,
                           .why = reason::tier,
                           .by = decider::table,
                           .generation = generation_number(12)}));
  CHECK(made->key.data() == key.data());
}

TEST_CASE("routing table: a spec with a mistake is no table, and every mistake is told") {
  table_spec spec = support::good_spec();
  spec.default_placement = {};
  spec.assignments[0].placement = placement_id("gold");
  spec.assignments.push_back(spec.assignments[1]);
  const auto table = routing_table::compile(spec, generation_number(1), 1);
  REQUIRE_FALSE(table);
  CHECK((table.error() == validate(spec)));
  CHECK(table.error().size() == 3);
}

TEST_CASE("routing table: what it was made from can be read") {
  const routing_table table = compiled(support::good_spec());
  CHECK(table.version() == "v1");
  CHECK(table.generation() == generation_number(7));
  CHECK(table.placements().size() == 3);
  CHECK(table.cells().size() == 3);
  CHECK(table.keys().size() == 2);
  CHECK(table.keys().outcomes()[2] == "visa");
  CHECK(table.default_placement() == std::optional<std::uint16_t>(1));
}

TEST_CASE("routing table: a copy of its fleet outlives it") {
  checked_fleet kept;
  {
    const routing_table table = compiled(support::good_spec());
    kept = table.fleet();
  }
  CHECK(kept.placements()[2].id.value == "visa");
  CHECK((kept == checked_fleet(support::good_spec())));
}

TEST_CASE("diff: two equal tables, of other seeds and generations, differ in nothing") {
  const auto other = routing_table::compile(support::good_spec(), generation_number(8), 99);
  REQUIRE(other);
  CHECK((diff(compiled(support::good_spec()), *other) == table_diff{}));
}

TEST_CASE("diff: keys moved, added and removed, counted for each pair of placements") {
  table_spec before = support::good_spec();
  table_spec after = before;
  before.assignments = {{"a", placement_id("tier1")},
                        {"b", placement_id("tier1")},
                        {"c", placement_id("tier3")},
                        {"d", placement_id("visa")},
                        {"e", placement_id("visa")}};
  after.assignments = {{"a", placement_id("tier3")},
                       {"b", placement_id("tier3")},
                       {"c", placement_id("tier3")},
                       {"e", placement_id("tier1")},
                       {"f", placement_id("tier1")}};
  const table_diff found = diff(compiled(before), compiled(after), 2);
  CHECK(found.moved == 3);
  CHECK(found.added == 1);
  CHECK(found.removed == 1);
  CHECK((found.changes == std::vector<placement_change>{
                              {"", "tier1", 1}, {"tier1", "tier3", 2}, {"visa", "", 1}, {"visa", "tier1", 1}}));
  CHECK((found.examples == std::vector<key_example>{{"a", "tier1", "tier3"}, {"b", "tier1", "tier3"}}));
  CHECK(diff(compiled(before), compiled(after), 0).examples.empty());
  CHECK(diff(compiled(before), compiled(after)).examples.size() == 5);
}

TEST_CASE("diff: tells what its slow twin tells, for every two tables of three keys") {
  const std::string_view keys[] = {"a", "ab", "b"};
  const std::string_view placements[] = {"", "tier1", "tier3", "visa"};
  std::vector<support::led_keys> led;
  std::vector<routing_table> tables;
  for (std::size_t number = 0; number < 64; ++number) {
    table_spec spec = support::good_spec();
    spec.assignments.clear();
    led.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string_view to = placements[number >> (2 * i) & 3];
      if (to.empty()) continue;
      led.back().emplace(keys[i], to);
      spec.assignments.push_back({std::string(keys[i]), placement_id(std::string(to))});
    }
    tables.push_back(compiled(spec));
  }
  for (std::size_t from = 0; from < tables.size(); ++from) {
    for (std::size_t to = 0; to < tables.size(); ++to) {
      for (const std::size_t examples_max : {0u, 1u, 2u, 10u}) {
        CAPTURE(from);
        CAPTURE(to);
        CAPTURE(examples_max);
        REQUIRE((diff(tables[from], tables[to], examples_max) == support::slow_diff(led[from], led[to], examples_max)));
      }
    }
  }
}

TEST_CASE("diff: the examples are the first keys by their bytes, in whichever order the table has them") {
  table_spec after = support::good_spec();
  support::led_keys led{{"acme", "tier1"}, {"visa", "visa"}};
  const support::led_keys before = led;
  for (int i = 0; i < 500; ++i) {
    led.emplace("key-" + std::to_string(i), "tier1");
    after.assignments.push_back({"key-" + std::to_string(i), placement_id("tier1")});
  }
  const routing_table from = compiled(support::good_spec());
  const routing_table to = compiled(after);
  for (const std::size_t examples_max : {1u, 10u, 499u, 500u, 501u}) {
    CAPTURE(examples_max);
    CHECK((diff(from, to, examples_max) == support::slow_diff(before, led, examples_max)));
  }
}

TEST_CASE("diff: placements are compared by name, wherever they stand in the list") {
  table_spec before = support::good_spec();
  table_spec after = before;
  std::swap(after.placements[0], after.placements[2]);
  after.placements[0].kind = placement_kind::shared;
  CHECK((diff(compiled(before), compiled(after)) == table_diff{}));
}

TEST_CASE("routing table: keys that are a table already are bound to placements by name") {
  const std::string_view names[] = {"tier3", "tier1"};  // in an order of their own
  const key_row rows[] = {{"acme", 1}, {"visa", 0}};
  table_spec spec = support::good_spec();
  spec.assignments.clear();
  auto keys = key_table::build(rows, 5, names);
  REQUIRE(keys.has_value());
  const auto table = routing_table::compile(spec, generation_number{3}, 1, *std::move(keys));
  REQUIRE(table.has_value());
  CHECK(table->placements()[table->route("acme")->placement].id.value == "tier1");
  CHECK(table->placements()[table->route("visa")->placement].id.value == "tier3");

  const std::string_view others[] = {"tier3", "gold"};
  const auto refused = routing_table::compile(spec, generation_number{3}, 1, *key_table::build(rows, 5, others));
  REQUIRE_FALSE(refused.has_value());
  CHECK((refused.error() == violations{{"routing.keys", "no placement is named \"gold\"; add it"}}));
  const auto nameless = routing_table::compile(spec, generation_number{3}, 1, *key_table::build(rows, 5));
  REQUIRE_FALSE(nameless.has_value());
  CHECK((nameless.error() == violations{{"routing.keys", "the outcomes have no names"}}));
}
