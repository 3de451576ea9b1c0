#include "cellroute/table/decision.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

const checked_fleet fleet(support::good_spec());

decision made(std::string_view key, std::uint16_t placement, reason why) {
  return {.key = key,
          .source = key_source::header,
          .source_name = "X-Routing-Key",
          .placement = placement,
          .cell = fleet.cell_of(placement),
          .why = why,
          .by = why == reason::default_ ? decider::default_ : decider::table,
          .generation = generation_number(4711)};
}

std::string in_header(const decision& d) {
  std::string out;
  write_route_decision(out, d, fleet);
  return out;
}

struct printed_case {
  std::string_view says;
  decision made;
  std::string_view expected;
};

const printed_case header_cases[] = {
    {"a shared placement", made("acme", 0, reason::tier),
     "key=acme;src=header.X-Routing-Key;gen=4711;rule=table;placement=tier1;cell=c1"},
    {"a dedicated one", made("visa", 2, reason::dedicated),
     "key=visa;src=header.X-Routing-Key;gen=4711;rule=table;placement=visa;cell=visa"},
    {"no assignment", made("nobody", 1, reason::default_),
     "key=nobody;src=header.X-Routing-Key;gen=4711;rule=default;placement=tier3;cell=c3"},
    {"a key that tries to add a parameter and a header", made("a;cell=c9\r\nX: y", 1, reason::default_),
     "key=a%3Bcell=c9%0D%0AX:%20y;src=header.X-Routing-Key;gen=4711;rule=default;placement=tier3;cell=c3"},
};

struct word_case {
  reason why;
  std::string_view word;
};

const word_case word_cases[] = {
    {reason::dedicated, "dedicated"}, {reason::tier, "tier"},     {reason::default_, "default"},
    {reason::shard, "shard"},         {reason::hash, "hash"},     {reason::canary, "canary"},
    {reason::override_, "override"},  {reason::replay, "replay"}, {reason::route, "route"},
};

struct decider_case {
  decider by;
  std::uint16_t row;
  std::string_view expected;
};

const decider_case decider_cases[] = {
    {decider::table, 0, "table"},           {decider::default_, 0, "default"}, {decider::rule, 1, "rules[1]"},
    {decider::rule, 65535, "rules[65535]"}, {decider::canary, 0, "canary[0]"}, {decider::override_, 2, "override[2]"},
};

}  // namespace

TEST_CASE("decision: the words of the wire") {
  for (const word_case& row : word_cases) {
    CHECK(to_string(row.why) == row.word);
    CHECK(route_reason(made("acme", 0, row.why)) == row.word);
  }
  for (const decider_case& row : decider_cases) {
    decision d = made("acme", 0, reason::tier);
    d.by = row.by;
    d.row = row.row;
    std::string out;
    write_decider(out, d);
    CHECK(out == row.expected);
    CHECK(in_header(d).find(";rule=" + out + ";") != std::string::npos);
  }
  CHECK(to_string(key_source::header) == "header");
  CHECK(routed_to(made("visa", 2, reason::dedicated), fleet) == "visa");
}

TEST_CASE("decision: the whole story in a header") {
  for (const printed_case& row : header_cases) {
    CAPTURE(row.says);
    CHECK(in_header(row.made) == row.expected);
  }
}

TEST_CASE("decision: explained to a person") {
  std::string out;
  write_explanation(out, made("acme", 0, reason::tier), fleet, "2026-01-04");
  CHECK(out ==
        "key         acme\n"
        "source      header X-Routing-Key\n"
        "rule        table\n"
        "placement   tier1, shared\n"
        "reason      tier\n"
        "cell        c1\n"
        "endpoint    127.0.0.1:9001 weight 3\n"
        "endpoint    127.0.0.1:9002 weight 1\n"
        "version     2026-01-04\n"
        "generation  4711\n");
}

TEST_CASE("decision: explained to a program") {
  std::string out;
  write_explanation_json(out, made("a\"b\n", 0, reason::tier), fleet, "v1");
  CHECK(out ==
        R"({"key":"a\"b\u000a","source":"header","source_name":"X-Routing-Key","rule":"table","placement":"tier1",)"
        R"("kind":"shared","reason":"tier","cell":"c1","endpoints":[)"
        R"({"id":"a","host":"127.0.0.1","port":9001,"weight":3},{"id":"b","host":"127.0.0.1","port":9002,"weight":1}],)"
        R"("version":"v1","generation":4711})");
}

TEST_CASE("fleet: an endpoint without an id is named by its address") {
  CHECK(fleet.cells()[1].endpoints[0].id == "cell-tier3:9003");
  CHECK(fleet.cells()[2].endpoints[0].id == "[::1]:9004");
  CHECK(fleet.cells()[0].endpoints[0].id == "a");
}

TEST_CASE("fleet: placements know their cells, and names their placements") {
  CHECK(fleet.cell_of(0) == 0);
  CHECK(fleet.cell_of(2) == 2);
  CHECK(fleet.find_placement("visa") == std::optional<std::uint16_t>(2));
  CHECK_FALSE(fleet.find_placement("gold").has_value());
}
