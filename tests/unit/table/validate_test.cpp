#include "cellroute/table/validate.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/spec_builder.hpp"

using namespace cellroute;

namespace {

using edit = void (*)(table_spec&);

struct broken_spec {
  std::string_view says;
  edit change;
  violations expected;
};

placement& tier1(table_spec& spec) { return spec.placements[0]; }
endpoint& first_endpoint(table_spec& spec) { return spec.cells[0].endpoints[0]; }

const broken_spec broken_specs[] = {
    {"a default placement that nobody defined",
     [](table_spec& s) { s.default_placement = placement_id("gold"); },
     {{"routing.default_placement", "no placement is named \"gold\"; add it or name another"}}},
    {"no default placement",
     [](table_spec& s) { s.default_placement = {}; },
     {{"routing.default_placement", "is missing; name the placement of keys that have no assignment"}}},
    {"a default placement that nobody defined, though unknown keys are rejected",
     [](table_spec& s) {
       s.on_unknown = unknown_key_policy::reject;
       s.default_placement = placement_id("gold");
     },
     {{"routing.default_placement", "no placement is named \"gold\"; add it or name another"}}},
    {"an assignment to a placement that nobody defined",
     [](table_spec& s) { s.assignments[0].placement = placement_id("gold"); },
     {{"routing.keys.inline.acme", "no placement is named \"gold\"; add it or name another"}}},
    {"a placement in a cell that nobody defined",
     [](table_spec& s) { tier1(s).cell = cell_id("c9"); },
     {{"placements.tier1.cell", "no cell is named \"c9\"; add it or name another"}}},
    {"a placement that leads nowhere",
     [](table_spec& s) { tier1(s).cell = {}; },
     {{"placements.tier1.cell", "leads nowhere; give it endpoints or a cell"}}},
    {"a cell without endpoints",
     [](table_spec& s) { s.cells[0].endpoints.clear(); },
     {{"cells.c1.endpoints", "there is none; add at least one endpoint"}}},
    {"a placement's own endpoints are told at the placement",
     [](table_spec& s) { s.cells[2].endpoints.clear(); },
     {{"placements.visa.endpoints", "there is none; add at least one endpoint"}}},
    {"a cell whose endpoints take nothing",
     [](table_spec& s) {
       for (endpoint& e : s.cells[0].endpoints) e.weight = 0;
     },
     {{"cells.c1.endpoints", "all weights are 0; give at least one endpoint a weight"}}},
    {"a placement of no name",
     [](table_spec& s) {
       tier1(s).id = {};
       s.assignments.clear();
     },
     {{"placements.", "the name is empty; give it a name"}}},
    {"a name that could end a header",
     [](table_spec& s) {
       tier1(s).id = placement_id("tier1\r\nX: y");
       s.assignments.clear();
     },
     {{"placements.tier1%0D%0AX:%20y",
       "the name has a byte that cannot stand in a header; use visible ASCII without space ; , \" % \\"}}},
    {"a name that could end a parameter of a header",
     [](table_spec& s) {
       s.cells[0].id = cell_id("c;1");
       tier1(s).cell = cell_id("c;1");
     },
     {{"cells.c%3B1",
       "the name has a byte that cannot stand in a header; use visible ASCII without space ; , \" % \\"}}},
    {"a name of 129 bytes",
     [](table_spec& s) {
       s.cells[0].id = cell_id(std::string(129, 'c'));
       tier1(s).cell = s.cells[0].id;
     },
     {{"cells." + std::string(129, 'c'), "the name has 129 bytes; use 128 at most"}}},
    {"an endpoint's id that could end a label",
     [](table_spec& s) { first_endpoint(s).id = "a\"b"; },
     {{"cells.c1.endpoints[0].id",
       "the id has a byte that cannot stand in a header; use visible ASCII without space ; , \" % \\"}}},
    {"two placements of one name",
     [](table_spec& s) { s.placements.push_back(s.placements[1]); },
     {{"placements.tier3", "there are two placements of this name; rename or remove one"}}},
    {"two cells of one name",
     [](table_spec& s) { s.cells.push_back(s.cells[1]); },
     {{"cells.c3", "there are two cells of this name; rename or remove one"}}},
    {"two endpoints of one id in a cell",
     [](table_spec& s) { s.cells[0].endpoints[1].id = "a"; },
     {{"cells.c1.endpoints[1].id", "the id \"a\" is that of another endpoint of the cell; give each its own"}}},
    {"two endpoints of one address, neither with an id",
     [](table_spec& s) { s.cells[1].endpoints.push_back(s.cells[1].endpoints[0]); },
     {{"cells.c3.endpoints[1].id",
       "the id \"cell-tier3:9003\" is that of another endpoint of the cell; give each its own"}}},
    {"port 0",
     [](table_spec& s) { first_endpoint(s).port = 0; },
     {{"cells.c1.endpoints[0].port", "is 0; write a port from 1 to 65535"}}},
    {"a host that is none",
     [](table_spec& s) { first_endpoint(s).host = "http://a"; },
     {{"cells.c1.endpoints[0].host",
       "\"http://a\" is no host; write a name, an IPv4 address or an IPv6 address without brackets"}}},
    {"weights whose sum does not fit",
     [](table_spec& s) {
       s.cells[0].endpoints[0].weight = 2'147'483'647;
       s.cells[0].endpoints[1].weight = 1;
     },
     {{"cells.c1.endpoints", "the weights sum to 2147483648; stay below 2147483648"}}},
    {"an empty key",
     [](table_spec& s) { s.assignments[0].key.clear(); },
     {{"routing.keys.inline.", "the key is empty; a request without a key is answered 400"}}},
    {"a key of 257 bytes",
     [](table_spec& s) { s.assignments[0].key.assign(257, 'k'); },
     {{"routing.keys.inline." + std::string(257, 'k'), "the key has 257 bytes; 256 is the most"}}},
    {"a key assigned twice",
     [](table_spec& s) { s.assignments.push_back({"acme", placement_id("visa")}); },
     {{"routing.keys.inline.acme", "the key is already assigned, to \"tier1\"; remove one of the two"}}},
    {"a timeout of 0",
     [](table_spec& s) { tier1(s).policy.timeouts.connect = 0s; },
     {{"placements.tier1.timeouts.connect", "is not above 0; write a duration, or off for no limit"}}},
    {"a timeout below 0",
     [](table_spec& s) { tier1(s).policy.timeouts.response_header = -1ns; },
     {{"placements.tier1.timeouts.response_header", "is not above 0; write a duration, or off for no limit"}}},
    {"a stream idle of 0",
     [](table_spec& s) { tier1(s).policy.timeouts.stream_idle = 0s; },
     {{"placements.tier1.timeouts.stream_idle", "is not above 0; write a duration, or off for no limit"}}},
    {"a body idle of 0",
     [](table_spec& s) { tier1(s).policy.timeouts.request_body_idle = 0s; },
     {{"placements.tier1.timeouts.request_body_idle", "is not above 0; write a duration, or off for no limit"}}},
    {"a total of 0",
     [](table_spec& s) { tier1(s).policy.timeouts.total = 0s; },
     {{"placements.tier1.timeouts.total", "is not above 0; write a duration, or off for no limit"}}},
    {"a pool that keeps nothing",
     [](table_spec& s) { tier1(s).policy.pool.idle_timeout = 0s; },
     {{"placements.tier1.pool.idle_timeout", "is not above 0; write a duration, or off for no limit"}}},
    {"two retries",
     [](table_spec& s) { tier1(s).policy.retries.attempts = 2; },
     {{"placements.tier1.retries.attempts", "is above 1; write 1, or 0 for no retry"}}},
    {"several at once, all of them told",
     [](table_spec& s) {
       s.default_placement = {};
       first_endpoint(s).port = 0;
       s.assignments[1].placement = placement_id("gold");
     },
     {{"routing.default_placement", "is missing; name the placement of keys that have no assignment"},
      {"cells.c1.endpoints[0].port", "is 0; write a port from 1 to 65535"},
      {"routing.keys.inline.visa", "no placement is named \"gold\"; add it or name another"}}},
};

struct kept_case {
  std::string_view says;
  edit change;
};

const kept_case kept_cases[] = {
    {"the spec that all start from", [](table_spec&) {}},
    {"no assignment at all", [](table_spec& s) { s.assignments.clear(); }},
    {"no default placement, where unknown keys are rejected",
     [](table_spec& s) {
       s.default_placement = {};
       s.on_unknown = unknown_key_policy::reject;
     }},
    {"a cell that no placement uses",
     [](table_spec& s) { s.cells.push_back({cell_id("spare"), {{"", "spare", 1, 1}}}); }},
    {"two placements in one cell", [](table_spec& s) { s.placements[1].cell = cell_id("c1"); }},
    {"an endpoint that takes nothing beside one that does", [](table_spec& s) { first_endpoint(s).weight = 0; }},
    {"one id in two cells", [](table_spec& s) { s.cells[1].endpoints[0].id = "a"; }},
    {"one address under two ids", [](table_spec& s) { s.cells[0].endpoints[1].port = s.cells[0].endpoints[0].port; }},
    {"weights that just fit",
     [](table_spec& s) {
       s.cells[0].endpoints[0].weight = 2'147'483'646;
       s.cells[0].endpoints[1].weight = 1;
     }},
    {"port 65535", [](table_spec& s) { first_endpoint(s).port = 65'535; }},
    {"a name of 128 bytes",
     [](table_spec& s) {
       s.cells[0].id = cell_id(std::string(128, 'c'));
       tier1(s).cell = s.cells[0].id;
     }},
    {"a key of 256 bytes of any value", [](table_spec& s) { s.assignments[0].key.assign(256, '\n'); }},
    {"a key with a comma, which `check` warns of", [](table_spec& s) { s.assignments[0].key = "a,b"; }},
    {"keys that differ in case", [](table_spec& s) { s.assignments.push_back({"ACME", placement_id("visa")}); }},
    {"no limit on anything",
     [](table_spec& s) {
       timeout_policy& t = tier1(s).policy.timeouts;
       t.connect = t.response_header = t.stream_idle = t.request_body_idle = t.total = std::nullopt;
     }},
    {"a timeout of 1 ns", [](table_spec& s) { tier1(s).policy.timeouts.connect = 1ns; }},
    {"no retry", [](table_spec& s) { tier1(s).policy.retries.attempts = 0; }},
};

}  // namespace

TEST_CASE("validate: each rule, broken: where, and what to do") {
  for (const broken_spec& row : broken_specs) {
    CAPTURE(row.says);
    table_spec spec = support::good_spec();
    row.change(spec);
    const violations found = validate(spec);
    CHECK((found == row.expected));
    for (const violation& each : found) {
      if (found != row.expected) MESSAGE(each.path << ": " << each.what);
    }
  }
}

TEST_CASE("validate: each rule, just kept") {
  for (const kept_case& row : kept_cases) {
    CAPTURE(row.says);
    table_spec spec = support::good_spec();
    row.change(spec);
    const violations found = validate(spec);
    CHECK(found.empty());
    for (const violation& each : found) MESSAGE(each.path << ": " << each.what);
  }
}

TEST_CASE("validate: 10,000 violations are told, one more is counted, and so are a million") {
  for (const std::size_t more : {0u, 1u, 100'000u}) {
    table_spec spec = support::good_spec();
    spec.assignments.assign(violations_max - 1 + more, {"k", placement_id("gold")});
    for (std::size_t i = 0; i < spec.assignments.size(); ++i) spec.assignments[i].key += std::to_string(i);
    spec.cells[0].endpoints[0].port = 0;
    const violations found = validate(spec);
    CAPTURE(more);
    CHECK(found[0].path == "cells.c1.endpoints[0].port");
    CHECK(found[violations_max - 1].path == "routing.keys.inline.k" + std::to_string(violations_max - 2));
    CHECK(found.size() == violations_max + (more > 0 ? 1 : 0));
    if (more == 0) continue;
    CHECK((found.back() == violation{"", std::to_string(more) + " more mistakes follow; correct these first"}));
  }
}

TEST_CASE("validate: as many mistakes as there may be placements take no time that anybody would notice") {
  table_spec spec = support::good_spec();
  while (spec.placements.size() < 65'535) {
    const std::string name = "p" + std::to_string(spec.placements.size());
    placement next = spec.placements[0];
    next.id = placement_id(name);
    next.cell = cell_id(name);
    spec.placements.push_back(next);
    spec.cells.push_back({next.cell, {{"", "host", 0, 1}}});
  }
  const violations found = validate(spec);  // each a walk over all placements: a minute, and the test would time out
  CHECK(found.size() == violations_max + 1);
  CHECK(found[0].path == "placements.p3.endpoints[0].port");
}

TEST_CASE("validate: 65,535 placements, and one more") {
  table_spec spec = support::good_spec();
  while (spec.placements.size() < 65'535) {
    placement next = spec.placements[0];
    next.id = placement_id("p" + std::to_string(spec.placements.size()));
    spec.placements.push_back(next);
  }
  CHECK(validate(spec).empty());
  placement last = spec.placements[0];
  last.id = placement_id("last");
  spec.placements.push_back(last);
  CHECK((validate(spec) == violations{{"placements", "has 65536 entries; 65535 is the most"}}));
}
