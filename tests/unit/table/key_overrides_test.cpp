// Keys that lead elsewhere for a while.
#include "cellroute/table/key_overrides.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

constexpr wall_time noon{12h};

table_spec spec_of(std::vector<key_override> overrides) {
  table_spec spec = support::good_spec();
  spec.rules = {{"trial-", {}, "tier1", {}}};
  spec.overrides = std::move(overrides);
  return spec;
}

const std::vector<key_override> overrides = {
    {{"acme", "trial-1"}, placement_id("visa"), noon},
    {{"stranger"}, placement_id("tier1"), {}},
};

std::string told(const routing_table& table, std::string_view key, wall_time now) {
  const auto made = table.route(key, {}, now);
  if (!made) return std::string(to_string(made.error()));
  CHECK((table.route(table.prepare(key), {}, now) == made));
  CHECK(made->cell == table.fleet().cell_of(made->placement));
  std::string out = table.placements()[made->placement].id.value + " " + std::string(route_reason(*made)) + " ";
  write_decider(out, *made);
  return out;
}

struct override_case {
  std::string_view says;
  std::string_view key;
  wall_time now;
  std::string_view expected;
};

const override_case override_cases[] = {
    {"before the table", "acme", noon - 1ns, "visa override override[0]"},
    {"until it is over", "acme", noon, "tier1 tier table"},
    {"before the rules", "trial-1", noon - 1h, "visa override override[0]"},
    {"until it is over, too", "trial-1", noon + 1h, "tier1 tier rules[0]"},
    {"another key of the rule", "trial-2", noon - 1h, "tier1 tier rules[0]"},
    {"without an end", "stranger", wall_time::max() - 1ns, "tier1 override override[1]"},
    {"no override", "nobody", noon - 1h, "tier3 default default"},
};

}  // namespace

TEST_CASE("key overrides: they win over all else, until they are over") {
  const routing_table moved = support::compiled(spec_of(overrides));
  for (const override_case& row : override_cases) {
    CAPTURE(row.says);
    CHECK(told(moved, row.key, row.now) == row.expected);
  }
  CHECK(moved.route("acme")->why == reason::override_);  // without a time none is over
}

TEST_CASE("key overrides: keys that are rejected otherwise are not") {
  table_spec spec = spec_of(overrides);
  spec.on_unknown = unknown_key_policy::reject;
  const routing_table table = support::compiled(spec);
  CHECK(told(table, "stranger", noon) == "tier1 override override[1]");
  CHECK(told(table, "nobody", noon) == "unknown_key");
}

namespace {

struct broken_override {
  std::string_view says;
  std::vector<key_override> overrides;
  violations expected;
};

const broken_override broken_overrides[] = {
    {"a placement that nobody defined",
     {{{"acme"}, placement_id("gold"), {}}},
     {{"routing.override[0].placement", "no placement is named \"gold\"; add it or name another"}}},
    {"no key",
     {{{}, placement_id("tier1"), {}}},
     {{"routing.override[0].keys", "there is none; name at least one key"}}},
    {"a key in two overrides",
     {{{"acme"}, placement_id("tier1"), {}}, {{"visa", "acme"}, placement_id("visa"), {}}},
     {{"routing.override[1].keys[1]", "\"acme\" stands at routing.override[0].keys[0], too; keep one of them"}}},
    {"a key twice in one",
     {{{"acme", "acme"}, placement_id("tier1"), {}}},
     {{"routing.override[0].keys[1]", "\"acme\" stands at routing.override[0].keys[0], too; keep one of them"}}},
    {"a key of 257 bytes",
     {{{std::string(257, 'k')}, placement_id("tier1"), {}}},
     {{"routing.override[0].keys[0]", "the key has 257 bytes; 256 is the most"}}},
    {"no key at all in the list",
     {{{""}, placement_id("tier1"), {}}},
     {{"routing.override[0].keys[0]", "the key is empty; a request without a key is answered 400"}}},
};

}  // namespace

TEST_CASE("key overrides: what is wrong with them, and where") {
  for (const broken_override& row : broken_overrides) {
    CAPTURE(row.says);
    CHECK((support::check(spec_of(row.overrides)) == row.expected));
  }
}

TEST_CASE("key overrides: as many as there may be, and one more") {
  std::vector<key_override> many;
  for (std::size_t i = 0; i < rules::overrides_max; ++i) {
    many.push_back({{"k" + std::to_string(i)}, placement_id("tier1"), {}});
  }
  for (std::size_t i = many.size(); i < rules::override_keys_max; ++i) many[0].keys.push_back("k" + std::to_string(i));
  CHECK(support::check(spec_of(many)).empty());
  many[255].keys.push_back("one more");
  CHECK((support::check(spec_of(many)) == violations{{"routing.override", "has 10001 entries; 10000 is the most"}}));
  many[255].keys.pop_back();
  many.push_back({{"one more"}, placement_id("tier1"), {}});
  CHECK((support::check(spec_of(many)) == violations{{"routing.override", "has 257 entries; 256 is the most"}}));
}
