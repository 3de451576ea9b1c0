// Where keys go that are not in the table.
#include "cellroute/table/key_rules.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/spec_builder.hpp"
#include "tests/support/star_patterns.hpp"

using namespace cellroute;

namespace {

const support::star_patterns stars;

key_rule by_prefix(std::string prefix, std::string placement) {
  return {std::move(prefix), {}, std::move(placement), {}};
}
key_rule by_regex(std::string regex, std::string placement) { return {{}, std::move(regex), std::move(placement), {}}; }
key_rule by_hash(std::optional<std::string> prefix, std::vector<placement_share> shares) {
  return {std::move(prefix), {}, "", std::move(shares)};
}

routing_table compiled(std::vector<key_rule> rules, unknown_key_policy on_unknown = unknown_key_policy::use_default) {
  table_spec spec = support::good_spec();
  spec.rules = std::move(rules);
  spec.on_unknown = on_unknown;
  return support::compiled(spec, 1, stars);
}

/// `tier1 tier rules[0]`
std::string told_by_rules(const routing_table& table, std::string_view key) {
  const auto made = table.route(key);
  if (!made) return std::string(to_string(made.error()));
  CHECK((table.route(table.prepare(key)) == made));
  CHECK(made->cell == table.fleet().cell_of(made->placement));
  std::string out = table.placements()[made->placement].id.value + " " + std::string(route_reason(*made)) + " ";
  write_decider(out, *made);
  return out;
}

struct rule_case {
  std::string_view says;
  std::string_view key;
  std::string_view expected;
};

const rule_case rule_cases[] = {
    {"the table decides before any rule", "acme", "tier1 tier table"},
    {"a prefix", "trial-1", "visa dedicated rules[1]"},
    {"the prefix alone", "trial-", "visa dedicated rules[1]"},
    {"one byte less is no match", "trial", "tier3 default default"},
    {"the first rule that matches counts", "trial-x", "tier3 tier rules[0]"},
    {"a group names the placement", "to-tier1.", "tier1 tier rules[2]"},
    {"of any kind", "to-visa.", "visa dedicated rules[2]"},
    {"a template that yields no placement does not match: the next rule does", "to-gold.", "tier1 tier rules[3]"},
    {"nor does one that yields a name longer than any", "to-LONG.", "tier1 tier rules[3]"},
    {"a group twice", "2x3z", "tier3 tier rules[4]"},
    {"no rule matches", "nobody", "tier3 default default"},
};

std::vector<key_rule> many_rules() {
  return {by_prefix("trial-x", "tier3"), by_prefix("trial-", "visa"), by_regex("to-(name).", "{name}"),
          by_prefix("to-", "tier1"), by_regex("2x(a)z", "tier{a}")};
}

}  // namespace

TEST_CASE("key rules: the first that matches and yields a placement decides, and says so") {
  const routing_table table = compiled(many_rules());
  for (const rule_case& row : rule_cases) {
    CAPTURE(row.says);
    std::string key(row.key);
    if (const auto at = key.find("LONG"); at != std::string::npos) key.replace(at, 4, std::string(240, 'x'));
    CHECK(told_by_rules(table, key) == row.expected);
  }
}

TEST_CASE("key rules: keys that no rule takes are rejected where the spec says so") {
  const routing_table table = compiled(many_rules(), unknown_key_policy::reject);
  CHECK(told_by_rules(table, "nobody") == "unknown_key");
  CHECK(told_by_rules(table, "trial-1") == "visa dedicated rules[1]");
  CHECK(told_by_rules(table, "acme") == "tier1 tier table");
}

TEST_CASE("key rules: a hash divides what matches, and each key stays where it is") {
  const routing_table table = compiled({by_hash("trial-", {{placement_id("tier1"), 60}, {placement_id("visa"), 40}})});
  std::map<std::string, int> seen;
  for (int i = 0; i < 10'000; ++i) ++seen[told_by_rules(table, "trial-" + std::to_string(i))];
  CHECK(seen.size() == 2);
  CHECK(std::abs(seen["tier1 hash rules[0]"] - 6000) < 200);
  CHECK(std::abs(seen["visa hash rules[0]"] - 4000) < 200);
  CHECK(told_by_rules(table, "trial") == "tier3 default default");
  // Routers of all hosts and releases agree on these.
  CHECK(told_by_rules(table, "trial-1") == "tier1 hash rules[0]");
  CHECK(told_by_rules(table, "trial-2") == "tier1 hash rules[0]");
  CHECK(told_by_rules(table, "trial-3") == "visa hash rules[0]");
}

TEST_CASE("key rules: a rule without a condition takes every key that is left") {
  const routing_table table = compiled({by_prefix("a", "visa"), by_hash({}, {{placement_id("tier1"), 1}})});
  CHECK(told_by_rules(table, "nobody") == "tier1 hash rules[1]");
  CHECK(told_by_rules(table, "abc") == "visa dedicated rules[0]");
}

TEST_CASE("key rules: a table that was moved still knows its rules") {
  routing_table table = compiled(many_rules());
  const routing_table moved = std::move(table);
  for (const rule_case& row : rule_cases) {
    if (row.key.find("LONG") == std::string_view::npos) CHECK(told_by_rules(moved, row.key) == row.expected);
  }
}

namespace {

struct broken_rule {
  std::string_view says;
  std::vector<key_rule> rules;
  violations expected;
};

const broken_rule broken_rules[] = {
    {"a placement that nobody defined",
     {by_prefix("a", "gold")},
     {{"routing.rules[0].placement", "no placement is named \"gold\"; add it or name another"}}},
    {"a template that no placement can match",
     {by_regex("x(n)", "gold{n}")},
     {{"routing.rules[0].placement",
       "no placement has a name that \"gold{n}\" can become; add one or correct the template"}}},
    {"a brace too few",
     {by_regex("x(n)", "tier{n")},
     {{"routing.rules[0].placement", "has a brace without its other half; write a group as {name}"}}},
    {"a group that the regex does not have",
     {by_prefix("a", "tier1"), by_regex("x(n)", "tier{m}")},
     {{"routing.rules[1].placement", "{m} is no named group of the regex; there are: n"}}},
    {"a group without a regex",
     {by_prefix("a", "tier{n}")},
     {{"routing.rules[0].placement", "{n} is no named group of the regex; write one there as (?P<n>...)"}}},
    {"a regex that is none", {by_regex("bad", "tier1")}, {{"routing.rules[0].match.regex", "has no group"}}},
    {"prefix and regex",
     {{"a", "x(n)", "tier1", {}}},
     {{"routing.rules[0].match.regex", "stands beside prefix; keep one of them"}}},
    {"placement and hash",
     {{"a", {}, "tier1", {{placement_id("visa"), 1}}}},
     {{"routing.rules[0].placement", "stands beside hash; keep one of them"}}},
    {"neither",
     {by_prefix("a", "")},
     {{"routing.rules[0]", "leads nowhere; give it a placement, or a hash over several"}}},
    {"a share of a placement that nobody defined",
     {by_hash("a", {{placement_id("tier1"), 1}, {placement_id("g,d"), 1}})},
     {{"routing.rules[0].hash.g%2Cd", "no placement is named \"g,d\"; add it or name another"}}},
    {"two shares of one placement",
     {by_hash("a", {{placement_id("tier1"), 1}, {placement_id("tier1"), 1}})},
     {{"routing.rules[0].hash.tier1", "has a share already; keep one of the two"}}},
    {"shares that take nothing",
     {by_hash("a", {{placement_id("tier1"), 0}})},
     {{"routing.rules[0].hash", "all weights are 0; give at least one placement a weight"}}},
    {"a weight that is too large",
     {by_hash("a", {{placement_id("tier1"), rules::share_weight_max + 1}})},
     {{"routing.rules[0].hash.tier1", "is above 1000000; write a smaller weight"}}},
    {"a regex of one byte too many",
     {by_regex("x(n)" + std::string(rules::regex_size_max - 3, 'x'), "tier1")},
     {{"routing.rules[0].match.regex", "has 1025 bytes; 1024 is the most"}}},
};

violations found_in(std::vector<key_rule> rules) {
  table_spec spec = support::good_spec();
  spec.rules = std::move(rules);
  return support::check(spec, stars);
}

}  // namespace

TEST_CASE("key rules: what is wrong with them, and where") {
  for (const broken_rule& row : broken_rules) {
    CAPTURE(row.says);
    CHECK((found_in(row.rules) == row.expected));
  }
  CHECK(found_in({by_regex("x(n)" + std::string(rules::regex_size_max - 4, 'x'), "tier1")}).empty());
  CHECK(found_in({by_hash("a", {{placement_id("tier1"), rules::share_weight_max}})}).empty());
}

TEST_CASE("key rules: as many as there may be, and one more") {
  std::vector<key_rule> rules(rules::key_rules_max, by_prefix("a", "tier1"));
  CHECK(found_in(rules).empty());
  rules.push_back(rules.front());
  CHECK((found_in(rules) == violations{{"routing.rules", "has 257 entries; 256 is the most"}}));

  table_spec spec = support::good_spec();
  std::vector<placement_share> shares;
  for (std::size_t i = 0; i <= rules::shares_max; ++i) {
    spec.placements.push_back(spec.placements[0]);
    spec.placements.back().id = placement_id("p" + std::to_string(i));
    if (i < rules::shares_max) shares.push_back({spec.placements.back().id, 1});
  }
  spec.rules = {by_hash("a", shares)};
  CHECK(support::check(spec).empty());
  spec.rules[0].hash.push_back({placement_id("p64"), 1});
  CHECK((support::check(spec) == violations{{"routing.rules[0].hash", "has 65 entries; 64 is the most"}}));
}

TEST_CASE("key rules: without a library of regular expressions there are none") {
  table_spec spec = support::good_spec();
  spec.rules = {by_regex("x(n)", "tier1")};
  CHECK((support::check(spec) ==
         violations{{"routing.rules[0].match.regex", "there are no regular expressions here; match by prefix"}}));
}
