#include "adapters/wire/print.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace cellroute::wire {
namespace {

configuration read(const std::string& text, std::string_view name) {
  auto result = read_configuration(text, name);
  if (!result) {
    for (const diagnostic& d : result.error()) FAIL_CHECK(to_string(d));
  }
  REQUIRE(result.has_value());
  return *std::move(result);
}

configuration read_example(const std::string& name) {
  const auto text = read_file("examples/config/" + name);
  REQUIRE(text.has_value());
  return read(*text, name);
}

bool is_same_row(const key_row& a, const key_row& b) { return a.key == b.key && a.outcome == b.outcome; }

/// The order of cells says nothing: it is that of the text, and printing may choose another.
void check_same_meaning(const configuration& a, const configuration& b) {
  table_spec spec_a = a.spec;
  table_spec spec_b = b.spec;
  for (table_spec* spec : {&spec_a, &spec_b}) std::ranges::sort(spec->cells, {}, &cell::id);
  CHECK((spec_a == spec_b));
  CHECK((a.key == b.key));
  CHECK(std::ranges::is_permutation(a.inline_keys.rows, b.inline_keys.rows, is_same_row));
  CHECK((a.key_files == b.key_files));
  CHECK((a.local == b.local));
}

void check_round_trip(const configuration& c) {
  const std::string yaml = write_yaml(to_tree(c));
  const std::string json = write_json(to_tree(c));
  check_same_meaning(c, read(yaml, "printed.yaml"));
  check_same_meaning(c, read(json, "printed.json"));
  CHECK(write_yaml(to_tree(read(yaml, "printed.yaml"))) == yaml);  // nothing is left to be filled in
}

TEST_CASE("wire print: what is printed is read back as the same configuration") {
  for (const char* name : {"smallest.yaml", "full.yaml", "full.json", "follows.yaml"}) {
    CAPTURE(name);
    check_round_trip(read_example(name));
  }
}

TEST_CASE("wire print: texts that look like something else stay text") {
  check_round_trip(read(R"(
version: "1.10"
key: {on_unknown: reject, sources: [{header: {name: "123"}}]}
routing:
  keys:
    files: ["a b.tsv", "off.csv"]
    inline: {"123": "true", "null": "true", "x": "x-y", "a: b": "true", "# c": "off", "é\"\\\n": "5s", "- x": "null"}
  rules:
    - {match: {prefix: "off"}, hash: {"true": 60, "null": 0, x-y: 1000000}}
    - {match: {regex: "^(?P<n>5s|x-y)\\.\"#"}, placement: "{n}"}
    - {placement: "off"}
  canary:
    - {placement: "off", to: 5s, percent: 0.125, by: key, keys: ["true", "1"]}
    - {placement: 5s, to: "off", percent: 100}
  override:
    - {keys: ["true", "123", "a b"], placement: "off", until: "2026-02-01T01:30:00.25+01:00"}
    - {keys: ["null"], placement: 5s}
placements:
  "true": {cell: "null"}
  "null": {cell: "null"}
  x-y: {endpoints: [{id: "1e3", url: "http://[::1]:1", weight: 2}, {url: "http://h:2", weight: 5, drain: true}]}
  off: {kind: dedicated, endpoints: [{url: "http://h"}], timeouts: {connect: off, total: 90s}, limits: {max_request_body: 1000}}
  5s: {endpoints: [{url: "http://h"}], host: upstream}
  pool: {kind: shard, cells: ["null", x-y, "true-cell"], shard: {size: 2, seed: 9007199254740991}, host: upstream}
cells:
  "null": {endpoints: [{url: "http://h"}]}
  true-cell: {endpoints: [{url: "http://h"}]}
listeners:
  - {name: "yes", address: "127.0.0.1:0", trusted_proxies: ["::/0", 192.0.2.7], half_close: on}
  - {name: b, address: "[::1]:0"}
http: {methods: [GET, POST]}
process: {privileges: {user: nobody, group: "off"}}
log: {access: {output: "#odd: name", fields: [query, method], sampling: {ratio: 0.000001, always: {status: [404, 1xx], slower_than: 1s, keys: ["12"]}}, routing_key: off}}
metrics: {compat: [gateway]}
)",
                        "odd.yaml"));
}

TEST_CASE("wire print: a name that other readers take for a boolean stands in quotes, a switch does not") {
  const configuration c = read(R"(
version: "on"
routing: {default_placement: "off", keys: {inline: {"yes": "off", "no": "true"}}}
placements:
  "off": {endpoints: [{url: "http://h"}], timeouts: {connect: off}, limits: {max_request_body: 1000}}
  "true": {cell: "off"}
log: {access: {output: off, routing_key: off}}
)",
                               "names.yaml");
  const std::string yaml = write_yaml(to_tree(c));
  constexpr std::string_view lines[] = {"version: \"on\"\n",
                                        "default_placement: \"off\"\n",
                                        "\"yes\": \"off\"\n",
                                        "\"no\": \"true\"\n",
                                        "  \"off\":\n",
                                        "  \"true\":\n",
                                        "cell: \"off\"\n",
                                        "connect: off\n",
                                        "max_request_body: 1000\n",
                                        "output: off\n",
                                        "routing_key: off\n"};
  for (const std::string_view line : lines) {
    CAPTURE(line);
    CHECK(yaml.find(line) != std::string::npos);
  }
  CHECK(write_json(to_tree(c)).find("\"connect\": \"off\"") != std::string::npos);
  check_round_trip(c);
}

TEST_CASE("wire print: the full example and its JSON twin are the same configuration") {
  check_same_meaning(read_example("full.yaml"), read_example("full.json"));
}

TEST_CASE("wire print: what the full example calls defaults are the defaults") {
  const settings defaults;
  const configuration full = read_example("full.yaml");
  settings local = full.local;
  CHECK((local.listeners.at(0).trusted_proxies.size() == 1));  // said to be an example there
  local.listeners.at(0).trusted_proxies.clear();
  CHECK((local == defaults));
  CHECK((full.key == key_settings{}));
  const auto tier3 = std::ranges::find(full.spec.placements, placement_id{"tier3"}, &placement::id);
  REQUIRE((tier3 != full.spec.placements.end()));
  CHECK((tier3->policy == upstream_policy{}));
}

TEST_CASE("wire print: the example of a router that follows has every key of that, and the defaults") {
  const configuration follows = read_example("follows.yaml");
  REQUIRE(follows.local.control_plane);
  const std::string written = *read_file("examples/config/follows.yaml");
  const node printed = to_tree(follows);
  const auto section = std::ranges::find(printed.children, "control_plane", &node::name);
  REQUIRE((section != printed.children.end()));
  for (const node& field : section->children) {
    CAPTURE(field.name);
    CHECK(written.find("\n  " + field.name + ": ") != std::string::npos);
  }
  settings local = follows.local;
  const control_plane_settings defaults;
  CHECK((local.control_plane->backoff == defaults.backoff));
  CHECK((local.control_plane->revert_on_5xx_percent == defaults.revert_on_5xx_percent));
  CHECK((local.control_plane->accept_version_reset == defaults.accept_version_reset));
  local.control_plane.reset();
  local.process.state_dir = settings().process.state_dir;
  CHECK((local == settings{}));
}

}  // namespace
}  // namespace cellroute::wire
