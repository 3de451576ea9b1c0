// The fleet sections but for what `policy.` has: version, key, routing, cells, placements.
#include <algorithm>
#include <string>

#include "tests/system/fields/field_case.hpp"
#include "tests/system/fields/field_run.hpp"

namespace cellroute::system_test {
namespace {

std::string routed_to(field_run& run, std::string_view key) { return run.get_as(key).head.value("X-Routed-To"); }

const field_case fleet_cases[] = {
    {"apiVersion", "cellroute/v1", "cellroute/v2", nullptr, "", "must be cellroute/v1, not \"cellroute/v2\""},
    {"version", "\"7\"", "\"8\"",
     [](field_run& run) { return log_line(run.admin("GET /debug/config").content)["version"]; }, "7", "8"},

    {"key.sources[].header.name", "X-Routing-Key", "X-Tenant",
     [](field_run& run) { return run.status_of(request("GET /", "X-Routing-Key: acme\r\n")); }, "200", "400"},
    {"key.on_missing", "400", "default", nullptr, "", "default is not supported yet; use 400"},
    {"key.on_unknown", "default", "reject",
     [](field_run& run) { return run.status_of(request("GET /", "X-Routing-Key: nobody\r\n")); }, "200", "404"},

    {"routing.default_placement", "tier3", "tier1", [](field_run& run) { return routed_to(run, "nobody"); }, "tier3",
     "tier1"},
    {"routing.keys.inline.*", "tier1", "tier3", [](field_run& run) { return routed_to(run, "acme"); }, "tier1",
     "tier3"},
    {"routing.keys.inline.*.placement", "tier1", "tier3", [](field_run& run) { return routed_to(run, "acme"); },
     "tier1", "tier3"},
    {"routing.keys.files", "", "[keys.tsv]", [](field_run& run) { return routed_to(run, "filed"); }, "tier3", "tier1"},
    {"routing.on_invalid_row", "reject", "quarantine",
     [](field_run& run) {
       run.edit("routing: {keys: {inline: {more: nowhere}}}");
       return run.reload();
     },
     "refused", "applied", "reload: {watch: false, poll: off}"},

    {"routing.rules[].match.prefix", "new", "old", [](field_run& run) { return routed_to(run, "new-1"); }, "tier1",
     "tier3", "routing: {rules: [{match: {prefix: x}, placement: tier1}]}"},
    {"routing.rules[].match.regex", "new", "old", [](field_run& run) { return routed_to(run, "a-new-1"); }, "tier1",
     "tier3", "routing: {rules: [{match: {regex: x}, placement: tier1}]}"},
    {"routing.rules[].placement", "tier1", "celled", [](field_run& run) { return routed_to(run, "new-1"); }, "tier1",
     "celled", "routing: {rules: [{match: {prefix: new}, placement: tier1}]}"},
    {"routing.rules[].hash", "{tier1: 1, celled: 0}", "{tier1: 0, celled: 1}",
     [](field_run& run) { return routed_to(run, "new-1"); }, "tier1", "celled",
     "routing: {rules: [{match: {prefix: new}}]}"},

    {"routing.canary[].placement", "tier3", "celled", [](field_run& run) { return routed_to(run, "nobody"); }, "tier1",
     "tier3", "routing: {canary: [{to: tier1, percent: 100}]}"},
    {"routing.canary[].to", "tier1", "celled", [](field_run& run) { return routed_to(run, "nobody"); }, "tier1",
     "celled", "routing: {canary: [{placement: tier3, percent: 100}]}"},
    {"routing.canary[].percent", "100", "0", [](field_run& run) { return routed_to(run, "nobody"); }, "tier1", "tier3",
     "routing: {canary: [{placement: tier3, to: tier1}]}"},
    {"routing.canary[].by", "key", "request", nullptr, "", "request is not supported yet; use key",
     "routing: {canary: [{placement: tier3, to: tier1, percent: 5}]}"},
    {"routing.canary[].keys", "[nobody]", "[somebody]", [](field_run& run) { return routed_to(run, "nobody"); },
     "tier1", "tier3", "routing: {canary: [{placement: tier3, to: tier1}]}"},

    {"routing.override[].keys", "[nobody]", "[acme]", [](field_run& run) { return routed_to(run, "nobody"); }, "tier1",
     "tier3", "routing: {override: [{placement: tier1}]}"},
    {"routing.override[].placement", "tier1", "celled", [](field_run& run) { return routed_to(run, "nobody"); },
     "tier1", "celled", "routing: {override: [{keys: [nobody]}]}"},
    {"routing.override[].until", "\"2200-01-01T00:00:00Z\"", "\"2020-01-01T00:00:00Z\"",
     [](field_run& run) { return routed_to(run, "nobody"); }, "tier1", "tier3",
     "routing: {override: [{keys: [nobody], placement: tier1}]}"},

    {"cells.*.endpoints[].url", "\"http://127.0.0.1:$one\"", "\"http://127.0.0.1:$two\"",
     [](field_run& run) { return run.cells_of("celled"); }, "one", "two"},
    {"cells.*.endpoints[].id", "a", "b", [](field_run& run) { return run.access_field("endpoint", "celled"); }, "a",
     "b"},
    {"cells.*.endpoints[].weight", "1", "0", [](field_run& run) { return run.cells_of("celled"); }, "one, two", "two",
     R"(cells: {c1: {endpoints: [{url: "http://127.0.0.1:$one"}, {url: "http://127.0.0.1:$two"}]}})"},
    {"cells.*.endpoints[].drain", "false", "true", [](field_run& run) { return run.cells_of("celled"); }, "one, two",
     "two", R"(cells: {c1: {endpoints: [{url: "http://127.0.0.1:$one"}, {url: "http://127.0.0.1:$two"}]}})"},

    {"placements.*.kind", "shared", "dedicated", [](field_run& run) { return run.get().head.value("X-Route-Reason"); },
     "tier", "dedicated"},
    {"placements.*.cells", "[c1]", "[c2]", [](field_run& run) { return run.cells_of("acme"); }, "one", "two",
     "placements: {tier1: {endpoints: , kind: shard, shard: {size: 1}}}"},
    {"placements.*.shard.size", "1", "2",
     [](field_run& run) {
       const std::string told = run.admin("GET /v1/explain?key=acme").content;
       const std::string list = told.substr(told.find("\"shard\":["));
       return std::to_string(1 + std::ranges::count(list.substr(0, list.find(']')), ','));
     },
     "1", "2", "placements: {tier1: {endpoints: , kind: shard, cells: [c1, c2], shard: {}}}"},
    {"placements.*.shard.seed", "0", "1", [](field_run& run) { return run.cells_of("acme"); }, "two", "one",
     "placements: {tier1: {endpoints: , kind: shard, cells: [c1, c2], shard: {size: 1}}}"},
    {"placements.*.shard.order", "stable", "random", nullptr, "", "random is not supported yet; use stable",
     "placements: {tier1: {endpoints: , kind: shard, cells: [c1, c2], shard: {size: 1}}}"},
    {"placements.*.cell", "c1", "c2", [](field_run& run) { return run.cells_of("acme"); }, "one", "two",
     "placements: {tier1: {endpoints: }}"},
    {"placements.*.endpoints[].url", "\"http://127.0.0.1:$one\"", "\"http://127.0.0.1:$two\"",
     [](field_run& run) { return run.cells_of("acme"); }, "one", "two"},
    {"placements.*.endpoints[].id", "a", "b", [](field_run& run) { return run.access_field("endpoint"); }, "a", "b"},
    {"placements.*.endpoints[].weight", "1", "0", [](field_run& run) { return run.cells_of("acme"); }, "one, two",
     "two", R"(placements: {tier1: {endpoints: [{url: "http://127.0.0.1:$one"}, {url: "http://127.0.0.1:$two"}]}})"},
    {"placements.*.endpoints[].drain", "false", "true", [](field_run& run) { return run.cells_of("acme"); }, "one, two",
     "two", R"(placements: {tier1: {endpoints: [{url: "http://127.0.0.1:$one"}, {url: "http://127.0.0.1:$two"}]}})"},
};

}  // namespace

std::span<const field_case> fleet_field_cases() { return fleet_cases; }

}  // namespace cellroute::system_test
