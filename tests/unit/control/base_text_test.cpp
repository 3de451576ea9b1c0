#include "adapters/control/base_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/wire/config_file.hpp"
#include "adapters/wire/print.hpp"

namespace cellroute::control {
namespace {

/// As a followed file becomes one.
sync::content content_of(std::string_view text) {
  auto c = wire::read_configuration(text, "cellroute.yaml");
  if (!c) MESSAGE(to_string(c.error().front()));
  REQUIRE(c);
  auto table = wire::compile(*c, generation_number{1}, 7);
  REQUIRE(table);
  return sync::make_content(wire::write_fleet(*c), (*std::move(table)).keys(), 9);
}

constexpr std::string_view draft =
    "routing: {default_placement: tier3, keys: {inline: {umbra: tier1, mastera: mastera}}}\n"
    "placements:\n"
    "  tier1: {endpoints: [{url: \"http://127.0.0.1:9001\"}]}\n"
    "  tier3: {endpoints: [{url: \"http://127.0.0.1:9003\"}]}\n"
    "  mastera: {kind: dedicated, endpoints: [{url: \"http://127.0.0.1:9004\"}]}\n";

TEST_CASE("base text: the two dialects, keys in order") {
  const sync::content c = content_of(draft);
  const auto update = write_base_content(c, 42, wire::base_dialect::config_update);
  CHECK(update.version == 42);
  CHECK(update.why_not.empty());
  CHECK(update.text == R"({"type":"config_update","version":42,"config":{"default_placement":"tier3",)"
                       R"("customer_to_placement":{"mastera":"mastera","umbra":"tier1"},)"
                       R"("placement_to_endpoint":{"tier1":"http://127.0.0.1:9001","tier3":"http://127.0.0.1:9003",)"
                       R"("mastera":"http://127.0.0.1:9004"}}})");
  CHECK(write_base_content(c, 42, wire::base_dialect::config_snapshot).text ==
        R"({"type":"config_snapshot","version":"42","defaultPlacement":"tier3",)"
        R"("routingTable":{"mastera":"mastera","umbra":"tier1"},)"
        R"("cellEndpoints":{"tier1":"http://127.0.0.1:9001","tier3":"http://127.0.0.1:9003",)"
        R"("mastera":"http://127.0.0.1:9004"}})");
}

struct fit_case {
  std::string_view says;
  std::string text;
  std::string_view cannot_say;  ///< empty: it fits
};

std::string file(std::string_view placement, std::string_view routing = "", std::string_view top = "") {
  return "routing: {default_placement: tier1" + std::string(routing) + "}\n" + std::string(top) +
         "placements: {tier1: {" + std::string(placement) + "}}\n";
}
const std::string one = R"(endpoints: [{url: "http://a:1"}])";

const fit_case fit_cases[] = {
    {"one endpoint", file(one), ""},
    {"its id is a name, and each router has its own", file(R"(endpoints: [{id: e1, url: "http://a:1"}])"), ""},
    {"a kind that the name does not say", file("kind: dedicated, " + one), ""},
    {"one host for all", file("host: upstream, " + one), ""},
    {"a host for each",
     "routing: {default_placement: a}\nplacements: {a: {" + one + "}, b: {host: upstream, " + one + "}}\n",
     "placements.b has another host than a"},
    {"a cell that has a name of its own",
     file("cell: c1", "",
          R"(cells: {c1: {endpoints: [{url: "http://a:1"}]}})"
          "\n"),
     ""},
    {"a file of the origin, and what such a file means unasked",
     R"({"routingTable": {"acme": "tier1"}, "defaultPlacement": "tier1", "cellEndpoints": {"tier1": "http://a:1"}})",
     ""},
    {"the one with placements has limits unasked",
     R"({"routingTable": {"acme": "tier1"}, "defaultPlacement": "tier1", "placements": {"tier1": {"url": "http://a:1"}}})",
     "placements.tier1 has timeouts, limits or other settings of its own"},
    {"the same, written",
     file("host: upstream, timeouts: {response_header: 10s}, limits: {max_request_body: 10MiB}, " + one),
     "placements.tier1 has timeouts, limits or other settings of its own"},
    {"two endpoints", file(R"(endpoints: [{url: "http://a:1"}, {url: "http://b:1"}])"),
     "placements.tier1 has not exactly one endpoint of weight 1"},
    {"an endpoint that takes nothing", file(R"(endpoints: [{url: "http://a:1", weight: 2}])"),
     "placements.tier1 has not exactly one endpoint of weight 1"},
    {"a timeout", file(one + ", timeouts: {connect: 1s}"),
     "placements.tier1 has timeouts, limits or other settings of its own"},
    {"a limit of the origin's", R"({"defaultPlacement": "tier1", "placements": {"tier1": {"url": "http://a:1",
     "max_request_body_bytes": 5}}})",
     "placements.tier1 has timeouts, limits or other settings of its own"},
    {"a shard",
     file("kind: shard, cells: [c1, c2], shard: {size: 1}", "",
          R"(cells: {c1: {endpoints: [{url: "http://a:1"}]}, c2: {endpoints: [{url: "http://b:1"}]}})"
          "\n"),
     "placements.tier1 is a shard"},
    {"a rule", file(one, ", rules: [{match: {prefix: a}, placement: tier1}]"), "routing.rules"},
    {"a canary",
     "routing: {default_placement: a, canary: [{placement: a, to: b, percent: 1}]}\n"
     "placements: {a: {" +
         one + "}, b: {" + one + "}}\n",
     "routing.canary"},
    {"an override", file(one, ", override: [{keys: [acme], placement: tier1}]"), "routing.override"},
    {"unknown keys are refused", file(one, "", "key: {on_unknown: reject}\n"), "key.on_unknown: reject"},
    {"keys of another header", file(one, "", "key: {sources: [{header: {name: X-Tenant}}]}\n"),
     "key.sources, of another header"},
};

TEST_CASE("base text: what does not fit into three maps is not said, and why") {
  for (const fit_case& row : fit_cases) {
    CAPTURE(row.says);
    const auto made = write_base_content(content_of(row.text), 1, wire::base_dialect::config_update);
    CHECK(made.text.empty() == !row.cannot_say.empty());
    CHECK(made.why_not ==
          (row.cannot_say.empty() ? "" : "the base protocol cannot say: " + std::string(row.cannot_say)));
  }
}

TEST_CASE("base text: kinds that names do not say stand beside the maps, and are read again") {
  const sync::content c =
      content_of("routing: {default_placement: tier1}\nplacements: {tier1: {" + one + "}, gold: {" + one +
                 "}, visa: {kind: dedicated, " + one + "}, tier2: {kind: dedicated, " + one + "}}\n");
  for (const auto dialect : {wire::base_dialect::config_update, wire::base_dialect::config_snapshot}) {
    const std::string text = write_base_content(c, 1, dialect).text;
    CHECK(text.ends_with(R"(},"placement_kinds":{"gold":"shared","tier2":"dedicated"}})"));
    const auto read = wire::read_message_of_maps(text, "message");
    REQUIRE(read);
    std::string kinds;
    for (const placement& p : read->spec.placements) kinds += p.kind == placement_kind::shared ? 's' : 'd';
    CHECK(kinds == "ssdd");
    CHECK(wire::read_configuration(text, "file"));
  }
}

TEST_CASE("base text: keys are written so that each is read as it is") {
  const key_row rows[] = {{"a\"b", 0}, {"back\\slash", 0}, {"tab\t", 0}, {"\xc3\xa4", 0}};
  const std::string_view names[] = {"tier1"};
  auto keys = key_table::build(rows, 1, names);
  REQUIRE(keys);
  const sync::content c = sync::make_content(file(one), *std::move(keys), 9);
  const auto made = write_base_content(c, 1, wire::base_dialect::config_update);
  CHECK(made.text.find(R"({"a\"b":"tier1","back\\slash":"tier1","tab\u0009":"tier1","ä":"tier1"})") !=
        std::string::npos);
}

TEST_CASE("base text: a key that is no text cannot be said") {
  const key_row rows[] = {{"\xff", 0}};
  const std::string_view names[] = {"tier1"};
  auto keys = key_table::build(rows, 1, names);
  REQUIRE(keys);
  const auto made =
      write_base_content(sync::make_content(file(one), *std::move(keys), 9), 1, wire::base_dialect::config_update);
  CHECK(made.text.empty());
  CHECK(made.why_not == "the base protocol cannot say: keys that are no text in UTF-8");
}

TEST_CASE("base text: a document of a later version is not guessed at") {
  const auto made =
      write_base_content(sync::make_content("colour: red\n", key_table(), 9), 1, wire::base_dialect::config_update);
  CHECK(made.why_not == "what was published is no configuration that this version knows");
}

}  // namespace
}  // namespace cellroute::control
