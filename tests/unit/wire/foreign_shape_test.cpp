// Files of other systems, as they are. Broken ones stand among the cases: tests/unit/wire/cases/foreign_*.
#include "adapters/wire/foreign_shape.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/print.hpp"

namespace cellroute::wire {
namespace {

configuration read_foreign(const std::string& file) {
  const auto text = read_file("tests/unit/wire/foreign/" + file);
  REQUIRE(text.has_value());
  auto read = read_configuration(*text, file);
  if (!read) {
    for (const diagnostic& d : read.error()) FAIL_CHECK(to_string(d));
  }
  REQUIRE(read.has_value());
  return *std::move(read);
}

const placement& placement_of(const configuration& c, std::string_view name) {
  for (const placement& p : c.spec.placements) {
    if (p.id.value == name) return p;
  }
  FAIL("no placement " << name);
  return c.spec.placements.front();
}

std::string placement_of_key(const configuration& c, std::string_view key) {
  for (const key_row& row : c.inline_keys.rows) {
    if (row.key == key) return c.spec.placements[row.outcome].id.value;
  }
  return "none";
}

const cell& cell_of(const configuration& c, std::string_view name) {
  for (const cell& one : c.spec.cells) {
    if (one.id.value == name) return one;
  }
  FAIL("no cell " << name);
  return c.spec.cells.front();
}

/// What all of these files say, each in its own words.
struct foreign_file {
  std::string file;
  std::string_view version;
  duration response_header;
  std::optional<std::uint64_t> body_max;
  bool expects_health_checks;
};

const foreign_file foreign_files[] = {
    {"cell_endpoints.json", "1.4.0", 30s, std::nullopt, true},
    {"pushed_snapshot.json", "1.4.0", 30s, std::nullopt, true},
    {"placements.json", "3", 10s, 10 << 20, false},
    {"draft.yaml", "42", 30s, std::nullopt, false},
    {"draft.json", "42", 30s, std::nullopt, false},
    {"push.json", "42", 30s, std::nullopt, false},
    {"draft_placements.yaml", "42", 30s, std::nullopt, false},
};

TEST_CASE("foreign shapes: each file leads its keys where it led them before, and behaves as it did") {
  for (const foreign_file& row : foreign_files) {
    CAPTURE(row.file);
    const configuration c = read_foreign(row.file);
    CHECK(c.spec.version == row.version);
    CHECK(c.spec.default_placement.value == "tier3");
    CHECK(c.spec.on_unknown == unknown_key_policy::use_default);
    CHECK(placement_of_key(c, "hooli") == "tier1");
    CHECK(placement_of_key(c, "acme") == "acme");
    CHECK((cell_of(c, "tier1").endpoints == std::vector<endpoint>{{"127.0.0.1:9001", "127.0.0.1", 9001, 1}}));
    CHECK((cell_of(c, "acme").endpoints == std::vector<endpoint>{{"acme.example:80", "acme.example", 80, 1}}));
    CHECK(placement_of(c, "tier3").kind == placement_kind::shared);
    const placement& own = placement_of(c, "acme");
    CHECK(own.kind == placement_kind::dedicated);
    CHECK(own.policy.host == host_policy::upstream);
    CHECK((own.policy.timeouts.response_header == row.response_header));
    CHECK((own.policy.request_body_max == row.body_max));
    CHECK((c.local == settings{}));
    CHECK(expects_health_checks(c) == row.expects_health_checks);
    CHECK(find_warnings(c, {}).size() == (row.expects_health_checks ? 1 : 0));
  }
  CHECK((placement_of(read_foreign("placements.json"), "tier1").policy.request_body_max == 5'242'880));
}

TEST_CASE("foreign shapes: a row of JSON takes no node, and is told with its place when it is wrong") {
  const std::string before =
      R"({"version": "1", "defaultPlacement": "a", "cellEndpoints": {"a": "http://127.0.0.1:9001"},)";
  const auto good = read_configuration(before + R"( "routingTable": {"k1": "a", "k2": "a"}})", "f.json");
  REQUIRE(good);
  CHECK(good->inline_keys.rows.size() == 2);
  CHECK(good->inline_keys.places.empty());  // those that are nodes have one
  CHECK(good->source.find("routingTable")->children.empty());
  const auto bad = read_configuration(before + "\n \"routingTable\": {\"k1\": \"a\",\n  \"k2\": \"b\"}}", "f.json");
  REQUIRE_FALSE(bad);
  CHECK(to_string(bad.error().front()) ==
        "f.json:3:3: routingTable.k2: no placement is named \"b\"; add it or name another");
  const auto map = read_configuration(before + R"( "routingTable": {"k1": {"placement": "a"}}})", "f.json");
  REQUIRE_FALSE(map);
  CHECK(map.error().front().what == "must be the name of a placement");
}

TEST_CASE("foreign shapes: the warning of what is not active stands where the endpoints do") {
  CHECK(to_string(find_warnings(read_foreign("cell_endpoints.json"), {}).at(0)) ==
        "cell_endpoints.json:4:3: cellEndpoints: each endpoint of such a file is asked for /health every 10s where it "
        "comes from; health checks are not active here yet");
}

TEST_CASE("foreign shapes: printed, they are the canonical form, which reads the same") {
  for (const foreign_file& row : foreign_files) {
    CAPTURE(row.file);
    const configuration c = read_foreign(row.file);
    const auto printed = read_configuration(write_yaml(to_tree(c)), "printed.yaml");
    REQUIRE(printed.has_value());
    CHECK((printed->spec == c.spec));
    CHECK(placement_of_key(*printed, "hooli") == "tier1");
    CHECK(placement_of_key(*printed, "acme") == "acme");
    CHECK(printed->shape == nullptr);
  }
}

struct map_message_case {
  std::string_view says;
  std::string_view text;
  std::string_view ignored;  ///< names, each with a space behind it
  std::string_view refused;  ///< empty: it is taken
};

const map_message_case map_message_cases[] = {
    {"as it is known",
     R"({"type":"config_update","version":1,"config":{"default_placement":"a","placement_to_endpoint":{"a":"http://a:1"}}})",
     "", ""},
    {"more beside the maps",
     R"({"type":"config_update","version":1,"epoch":3,"digest":"9f","config":{"default_placement":"a","placement_to_endpoint":{"a":"http://a:1"}}})",
     "epoch digest ", ""},
    {"the other dialect",
     R"({"type":"config_snapshot","version":"1","at":{"x":[1]},"defaultPlacement":"a","cellEndpoints":{"a":"http://a:1"}})",
     "at ", ""},
    {"more among the maps",
     R"({"type":"config_update","version":1,"config":{"more":1,"default_placement":"a","placement_to_endpoint":{"a":"http://a:1"}}})",
     "", "config.more"},
    {"what another shape says of placements",
     R"({"type":"config_snapshot","version":"1","placements":{},"defaultPlacement":"a","cellEndpoints":{"a":"http://a:1"}})",
     "", "placements"},
    {"the kind of a placement that there is not",
     R"({"type":"config_snapshot","version":"1","placement_kinds":{"b":"shared"},"defaultPlacement":"a","cellEndpoints":{"a":"http://a:1"}})",
     "", "placement_kinds.b"},
};

TEST_CASE("foreign shapes: what a message has around its maps and nobody knows is ignored; of a file it is refused") {
  for (const map_message_case& row : map_message_cases) {
    CAPTURE(row.says);
    const auto read = read_message_of_maps(row.text, "message");
    CHECK((read ? "" : read.error().front().path) == row.refused);
    std::string ignored;
    if (read) {
      for (const std::string& name : read->ignored) ignored += name + " ";
    }
    CHECK(ignored == row.ignored);
    CHECK(read_configuration(row.text, "file").has_value() == (row.refused.empty() && row.ignored.empty()));
  }
}

struct shape_case {
  std::string_view says;
  std::string_view text;
  std::string_view inside;  // of the shape that is found
  std::string_view table;   // empty: none
  std::string_view placements;
};

const shape_case shape_cases[] = {
    {"ours", "{routing: {}, placements: {}}", "", "", ""},
    {"ours, with a name of theirs by mistake", "{routing: {}, placements: {}, routingTable: {}}", "", "", ""},
    {"an empty map is ours", "{}", "", "", ""},
    {"a list is nothing", "[routingTable]", "", "", ""},
    {"a table and endpoints", "{routingTable: {}, cellEndpoints: {}}", "", "routingTable", "cellEndpoints"},
    {"a table and placements", "{routingTable: {}, placements: {}}", "", "routingTable", "placements"},
    {"both: the endpoints decide", "{routingTable: {}, placements: {}, cellEndpoints: {}}", "", "routingTable",
     "cellEndpoints"},
    {"one name of theirs is enough", "{defaultPlacement: a}", "", "routingTable", "cellEndpoints"},
    {"the draft", "{customer_to_placement: {}}", "", "customer_to_placement", "placement_to_endpoint"},
    {"the draft's other names", "{customer_to_placement: {}, placements: {}}", "", "customer_to_placement",
     "placements"},
    {"as it is pushed", "{config: {customer_to_placement: {}}}", "config", "customer_to_placement",
     "placement_to_endpoint"},
    {"an envelope around something else is ours, and refused as such", "{config: {x: 1}}", "", "", ""},
};

TEST_CASE("foreign shapes: a file is known by the names that it has") {
  for (const shape_case& row : shape_cases) {
    CAPTURE(row.says);
    const auto tree = read_yaml(row.text, "shape.yaml");
    REQUIRE(tree.has_value());
    const foreign_shape* const shape = shape_of(*tree);
    CHECK((shape != nullptr ? shape->inside : "") == row.inside);
    CHECK((shape != nullptr ? shape->table : "") == row.table);
    CHECK((shape != nullptr ? shape->placements : "") == row.placements);
  }
}

struct path_case {
  std::string_view text;  // of the shape
  std::string_view ours;
  std::string_view theirs;
};

const path_case path_cases[] = {
    {"{cellEndpoints: {}}", "routing.keys.inline.a.b", "routingTable.a.b"},
    {"{cellEndpoints: {}}", "routing.default_placement", "defaultPlacement"},
    {"{cellEndpoints: {}}", "placements.a.endpoints[0].url", "cellEndpoints.a"},
    {"{cellEndpoints: {}}", "placements.a", "cellEndpoints.a"},
    {"{cellEndpoints: {}}", "placements", "cellEndpoints"},
    {"{cellEndpoints: {}}", "version", "version"},
    {"{routingTable: {}, placements: {}}", "placements.a.endpoints[0].url", "placements.a.url"},
    {"{routingTable: {}, placements: {}}", "placements.a", "placements.a"},
    {"{customer_to_placement: {}, placements: {}}", "placements.a.endpoints", "placements.a.primary"},
    {"{config: {customer_to_placement: {}}}", "routing.keys.inline.a", "config.customer_to_placement.a"},
    {"{config: {customer_to_placement: {}}}", "placements.a.endpoints", "config.placement_to_endpoint.a"},
};

TEST_CASE("foreign shapes: a path of ours is told in the words of the file") {
  for (const path_case& row : path_cases) {
    CAPTURE(row.ours);
    const auto tree = read_yaml(row.text, "shape.yaml");
    REQUIRE(tree.has_value());
    REQUIRE(shape_of(*tree) != nullptr);
    CHECK(path_in(*shape_of(*tree), std::string(row.ours)) == row.theirs);
  }
}

}  // namespace
}  // namespace cellroute::wire
