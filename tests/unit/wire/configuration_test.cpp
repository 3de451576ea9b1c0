#include "adapters/wire/configuration.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/wire/timestamp.hpp"

namespace cellroute::wire {
namespace {

/// The smallest configuration; rows add to it. `tier1` is last, so that more of its keys can follow.
constexpr std::string_view base = R"(
routing: {default_placement: tier3, keys: {inline: {acme: tier1}}}
placements:
  tier3: {endpoints: [{url: "http://10.0.0.3"}]}
  tier1:
    endpoints: [{url: "http://10.0.0.1:9001"}]
)";

configuration read(std::string_view text) {
  auto result = read_configuration(text, "test.yaml");
  if (!result) {
    for (const diagnostic& d : result.error()) FAIL_CHECK(to_string(d));
  }
  REQUIRE(result.has_value());
  return *std::move(result);
}

/// `key>placement` of each row.
std::string rows_of(const configuration& c) {
  std::string rows;
  for (const key_row& row : c.inline_keys.rows) {
    rows += (rows.empty() ? "" : " ") + std::string(row.key) + ">" + c.spec.placements[row.outcome].id.value;
  }
  return rows;
}

void check_same(const configuration& a, const configuration& b) {
  CHECK((a.spec == b.spec));
  CHECK(rows_of(a) == rows_of(b));
  CHECK((a.key == b.key));
  CHECK((a.local == b.local));
}

TEST_CASE("wire configuration: the smallest one, with the documented defaults") {
  const configuration c = read(base);
  configuration expected;
  expected.spec.cells = {{cell_id{"tier3"}, {{"10.0.0.3:80", "10.0.0.3", 80, 1}}},
                         {cell_id{"tier1"}, {{"10.0.0.1:9001", "10.0.0.1", 9001, 1}}}};
  expected.spec.placements = {{placement_id{"tier3"}, placement_kind::shared, cell_id{"tier3"}, {}},
                              {placement_id{"tier1"}, placement_kind::shared, cell_id{"tier1"}, {}}};
  expected.inline_keys.rows = {{"acme", 1}};
  expected.spec.default_placement = placement_id{"tier3"};
  check_same(c, expected);
  // The defaults themselves are those of behaviour.md, sections 2 and 7; the structs only hold them.
  const timeout_policy& timeouts = c.spec.placements[0].policy.timeouts;
  CHECK((timeouts.connect == 5s));
  CHECK((timeouts.response_header == 30s));
  CHECK((timeouts.stream_idle == 5min));
  CHECK((timeouts.request_body_idle == 10s));
  CHECK_FALSE(timeouts.total.has_value());
  CHECK((c.spec.placements[0].policy.pool == pool_policy{128, 90s, 0}));
  CHECK_FALSE(c.spec.placements[0].policy.request_body_max.has_value());
  CHECK((c.local.listeners.at(0).address == socket_address{"", 8080}));
  CHECK((c.local.listeners.at(0).limits == listener_limits{100'000, 20'000, 2'000}));
  CHECK(c.local.http.fields_max == 128);
  CHECK(c.local.http.head_bytes_max == 65'536);
  CHECK(c.local.http.field_bytes_max == 16'384);
  CHECK(c.local.http.target_bytes_max == 16'384);
  CHECK((c.local.http.header_timeout == 10s));
  CHECK((c.local.http.keep_alive_timeout == 60s));
  CHECK((c.local.process.drain_unready_for == 5s));
  CHECK((c.local.process.drain_timeout == 30s));
  CHECK((c.local.decision.headers == decision_headers::always));
  CHECK(c.local.metrics.compat.empty());
  CHECK((c.local.admin.address == socket_address{"127.0.0.1", 9901}));
}

/// What a few more lines change, and nothing else.
struct field_case {
  std::string_view says;
  std::string_view more;
  void (*change)(configuration&);
};

placement& tier1(configuration& c) { return c.spec.placements[1]; }
upstream_policy& policy(configuration& c) { return tier1(c).policy; }
listener_settings& web(configuration& c) { return c.local.listeners[0]; }

const field_case field_cases[] = {
    {"version is text as written", "version: 1.10", [](configuration& c) { c.spec.version = "1.10"; }},
    {"the key's header", "key: {sources: [{header: {name: X-Tenant}}]}",
     [](configuration& c) { c.key.header = "X-Tenant"; }},
    {"unknown keys are refused", "key: {on_unknown: reject}",
     [](configuration& c) { c.spec.on_unknown = unknown_key_policy::reject; }},

    {"workers", "process: {workers: 3}", [](configuration& c) { c.local.process.workers = 3; }},
    {"drain: unready", "process: {drain: {unready_for: 0s}}",
     [](configuration& c) { c.local.process.drain_unready_for = 0s; }},
    {"drain: timeout", "process: {drain: {timeout: 1m}}",
     [](configuration& c) { c.local.process.drain_timeout = 1min; }},

    {"listener: name", "listeners: [{name: a, address: \":8080\"}]", [](configuration& c) { web(c).name = "a"; }},
    {"listener: address", "listeners: [{address: \"[::1]:81\"}]",
     [](configuration& c) { web(c).address = {"::1", 81}; }},
    {"listener: trusted proxies", "listeners: [{address: \":8080\", trusted_proxies: [10.0.0.0/8, \"::1\"]}]",
     [](configuration& c) {
       web(c).trusted_proxies = {*parse_network_prefix("10.0.0.0/8"), *parse_network_prefix("::1")};
     }},
    {"process: whom it becomes", "process: {privileges: {user: nobody, group: nogroup}}",
     [](configuration& c) { c.local.process.privileges = privilege_settings{"nobody", "nogroup"}; }},
    {"listener: connections", "listeners: [{address: \":8080\", limits: {max_connections: 7}}]",
     [](configuration& c) { web(c).limits.connections_max = 7; }},
    {"listener: rate", "listeners: [{address: \":8080\", limits: {accept_rate: 7}}]",
     [](configuration& c) { web(c).limits.accept_rate = 7; }},
    {"listener: burst", "listeners: [{address: \":8080\", limits: {accept_burst: 7}}]",
     [](configuration& c) { web(c).limits.accept_burst = 7; }},
    {"listener: half-closed clients stay", "listeners: [{address: \":8080\", half_close: true}]",
     [](configuration& c) { web(c).half_close = true; }},
    {"a second listener starts from the defaults",
     "listeners: [{address: \":8080\", half_close: true}, {name: b, address: \":81\"}]",
     [](configuration& c) {
       web(c).half_close = true;
       c.local.listeners.push_back({"b", {"", 81}, {}, {}, false});
     }},

    {"ports that the system chooses do not collide", "listeners: [{address: \":0\"}, {name: b, address: \":0\"}]",
     [](configuration& c) {
       web(c).address.port = 0;
       c.local.listeners.push_back({"b", {"", 0}, {}, {}, false});
     }},

    {"http: fields", "http: {max_headers: 1}", [](configuration& c) { c.local.http.fields_max = 1; }},
    {"http: head", "http: {max_header_bytes: 1MiB}", [](configuration& c) { c.local.http.head_bytes_max = 1 << 20; }},
    {"http: field", "http: {max_field_bytes: 300}", [](configuration& c) { c.local.http.field_bytes_max = 300; }},
    {"http: target", "http: {max_target_bytes: 256}", [](configuration& c) { c.local.http.target_bytes_max = 256; }},
    {"http: methods", "http: {methods: [GET, PURGE]}",
     [](configuration& c) { c.local.http.methods = {"GET", "PURGE"}; }},
    {"http: header timeout", "http: {timeouts: {header: 1s}}",
     [](configuration& c) { c.local.http.header_timeout = 1s; }},
    {"http: keep-alive", "http: {timeouts: {keep_alive: 1ms}}",
     [](configuration& c) { c.local.http.keep_alive_timeout = 1ms; }},
    {"http: request id header", "http: {request_id: {header: X-Trace}}",
     [](configuration& c) { c.local.http.request_id.header = "X-Trace"; }},
    {"http: request id of clients", "http: {request_id: {trust: off}}",
     [](configuration& c) { c.local.http.request_id.trust = false; }},

    {"decision headers: errors", "decision: {headers: errors}",
     [](configuration& c) { c.local.decision.headers = decision_headers::errors; }},
    {"decision headers: debug", "decision: {headers: debug}",
     [](configuration& c) { c.local.decision.headers = decision_headers::debug; }},
    {"decision headers: never", "decision: {headers: never}",
     [](configuration& c) { c.local.decision.headers = decision_headers::never; }},
    {"decision: the whole story", "decision: {route_decision: true}",
     [](configuration& c) { c.local.decision.route_decision = true; }},
    {"decision: not in the log", "decision: {log: false}", [](configuration& c) { c.local.decision.log = false; }},
    {"log: level", "log: {level: warn}", [](configuration& c) { c.local.log.level = log_level::warn; }},
    {"log: a file", "log: {access: {output: /tmp/a.log}}",
     [](configuration& c) { c.local.log.access.output = {access_sink::file, "/tmp/a.log"}; }},
    {"log: off, as a boolean", "log: {access: {output: false}}",
     [](configuration& c) { c.local.log.access.output = {access_sink::off, ""}; }},
    {"log: preset", "log: {access: {preset: m1}}",
     [](configuration& c) { c.local.log.access.preset = access_preset::m1; }},
    {"log: a share", "log: {access: {sampling: {ratio: 0.000001}}}",
     [](configuration& c) { c.local.log.access.sampling.ratio = 0.000001; }},
    {"log: a share, and what is always logged",
     "log: {access: {sampling: {ratio: 0, always: {status: [5xx, 404], slower_than: 1s, keys: [acme, 12]}}}}",
     [](configuration& c) { c.local.log.access.sampling = {0, {{{500, 599}, {404, 404}}, 1s, {"acme", "12"}}}; }},
    {"log: names of homebrew", "log: {access: {preset: homebrew}}",
     [](configuration& c) { c.local.log.access.preset = access_preset::homebrew; }},
    {"log: names of the specification", "log: {access: {preset: spec}}",
     [](configuration& c) { c.local.log.access.preset = access_preset::spec; }},
    {"log: names of Elastic", "log: {access: {preset: ecs, fields: default}}",
     [](configuration& c) { c.local.log.access.preset = access_preset::ecs; }},
    {"log: some names of OpenTelemetry", "log: {access: {fields: [url.query, url.path], preset: otel}}",
     [](configuration& c) {
       c.local.log.access.preset = access_preset::otel;
       c.local.log.access.fields = {"url.query", "url.path"};
     }},
    {"log: keys as hashes", "log: {access: {routing_key: hash}}",
     [](configuration& c) { c.local.log.access.routing_key = key_printing::hash; }},
    {"log: no keys, as a boolean", "log: {access: {routing_key: false}}",
     [](configuration& c) { c.local.log.access.routing_key = key_printing::off; }},
    {"metrics: path", "metrics: {path: /m}", [](configuration& c) { c.local.metrics.path = "/m"; }},
    {"metrics: names for other dashboards", "metrics: {compat: [gateway]}",
     [](configuration& c) { c.local.metrics.compat = {metrics_dialect::gateway}; }},
    {"admin: address", "admin: {address: \"127.0.0.1:0\"}",
     [](configuration& c) { c.local.admin.address = {"127.0.0.1", 0}; }},

    // These go on inside of `placements.tier1`.
    {"placement: kind", "    kind: dedicated", [](configuration& c) { tier1(c).kind = placement_kind::dedicated; }},
    {"placement: connect", "    timeouts: {connect: 1s}", [](configuration& c) { policy(c).timeouts.connect = 1s; }},
    {"placement: response header", "    timeouts: {response_header: 1s}",
     [](configuration& c) { policy(c).timeouts.response_header = 1s; }},
    {"placement: stream idle", "    timeouts: {stream_idle: off}",
     [](configuration& c) { policy(c).timeouts.stream_idle.reset(); }},
    {"placement: request body idle", "    timeouts: {request_body_idle: false}",
     [](configuration& c) { policy(c).timeouts.request_body_idle.reset(); }},
    {"placement: total", "    timeouts: {total: 1h}", [](configuration& c) { policy(c).timeouts.total = 1h; }},
    {"placement: pool size", "    pool: {max_idle: 0}", [](configuration& c) { policy(c).pool.idle_max = 0; }},
    {"placement: pool idle", "    pool: {idle_timeout: 1s}",
     [](configuration& c) { policy(c).pool.idle_timeout = 1s; }},
    {"placement: pool requests", "    pool: {max_requests: 9}",
     [](configuration& c) { policy(c).pool.requests_max = 9; }},
    {"placement: host", "    host: upstream", [](configuration& c) { policy(c).host = host_policy::upstream; }},
    {"placement: no retry", "    retries: {attempts: 0}", [](configuration& c) { policy(c).retries.attempts = 0; }},
    {"placement: body", "    limits: {max_request_body: 10MiB}",
     [](configuration& c) { policy(c).request_body_max = 10 << 20; }},
};

TEST_CASE("wire configuration: each key changes its field, and no other") {
  for (const field_case& row : field_cases) {
    CAPTURE(row.says);
    configuration expected = read(base);
    row.change(expected);
    const configuration c = read(std::string(base) + std::string(row.more));
    check_same(c, expected);
    const bool changes_something = c.spec != read(base).spec || c.key != read(base).key || c.local != read(base).local;
    CHECK(changes_something);
  }
}

TEST_CASE("wire configuration: defaults are for every placement that does not say otherwise") {
  const configuration c = read(std::string(base) + R"(
    timeouts: {connect: 2s}
    limits: {max_request_body: off}
defaults:
  timeouts: {connect: 1s, total: 1h}
  host: upstream
  limits: {max_request_body: 1KiB}
)");
  const upstream_policy& tier3 = c.spec.placements[0].policy;
  const upstream_policy& tier1 = c.spec.placements[1].policy;
  CHECK((tier3.timeouts.connect == 1s));
  CHECK((tier1.timeouts.connect == 2s));
  CHECK((tier1.timeouts.total == 1h));  // a section is merged key by key, not replaced
  CHECK((tier1.host == host_policy::upstream));
  CHECK((tier3.request_body_max == 1024));
  CHECK_FALSE(tier1.request_body_max.has_value());  // off is a value, too
}

TEST_CASE("wire configuration: a cell of several placements") {
  const configuration c = read(R"(
cells:
  c1: {endpoints: [{id: a, url: "http://a:1", weight: 3}, {id: b, url: "http://b:2", weight: 0}, {url: "http://d:4", weight: 5, drain: true}]}
placements:
  gold: {cell: c1, kind: dedicated}
  silver: {cell: c1}
  bronze: {cell: gold2}
  gold2: {endpoints: [{url: "http://c:3"}]}
routing: {default_placement: gold}
)");
  CHECK((c.spec.cells == std::vector<cell>{{cell_id{"c1"}, {{"a", "a", 1, 3}, {"b", "b", 2, 0}, {"d:4", "d", 4, 0}}},
                                           {cell_id{"gold2"}, {{"c:3", "c", 3, 1}}}}));
  CHECK(c.spec.placements[0].cell.value == "c1");
  CHECK(c.spec.placements[1].cell.value == "c1");
  CHECK(c.spec.placements[2].cell.value == "gold2");
}

TEST_CASE("wire configuration: routing keys are text, exactly as written") {
  const configuration c = read(std::string(base) + R"(
version: "x"
)");
  CHECK(rows_of(c) == "acme>tier1");
  const configuration keys = read(R"(
routing:
  default_placement: a
  keys:
    inline:
      123: a
      0x1F: a
      1.10: a
      true: a
      null: a
      ~: a
      "quoted, with a comma": a
      2026-01-04: a
      off: {placement: a}
      "tab\tand é": a
      'it''s': a
      "\u00e9\\": a
placements: {a: {endpoints: [{url: "http://h"}]}}
)");
  std::vector<std::string> seen;
  for (const key_row& row : keys.inline_keys.rows) {
    CHECK(row.outcome == 0);
    seen.emplace_back(row.key);
  }
  CHECK((seen == std::vector<std::string>{"123", "0x1F", "1.10", "true", "null", "~", "quoted, with a comma",
                                          "2026-01-04", "off", "tab\tand \xc3\xa9", "it's", "\xc3\xa9\\"}));
}

TEST_CASE("wire configuration: JSON is the same schema, whatever the file is called") {
  const auto json = read_configuration(R"({
  "routing": {"default_placement": "tier3", "keys": {"inline": {"acme": "tier1"}}},
  "placements": {
    "tier3": {"endpoints": [{"url": "http://10.0.0.3"}]},
    "tier1": {"endpoints": [{"url": "http://10.0.0.1:9001"}]}
  }
})",
                                       "test.conf");
  REQUIRE(json.has_value());
  check_same(*json, read(base));
}

TEST_CASE("wire configuration: a violation found later still has its place") {
  const configuration c = read(base);
  CHECK(to_string(locate(c, "placements.tier1.endpoints[0].url", "is gone")) ==
        "test.yaml:6:18: placements.tier1.endpoints[0].url: is gone");
  CHECK(to_string(locate(c, "placements.tier1.limits.concurrency", "x")) ==
        "test.yaml:5:3: placements.tier1.limits.concurrency: x");  // as deep as the text goes
  CHECK(to_string(locate(c, "nowhere", "x")) == "test.yaml:2:1: nowhere: x");
}

TEST_CASE("wire configuration: a file that is named counts from the folder of the file that names it") {
  struct path_case {
    std::string_view file;
    std::string_view written;
    std::string_view expected;
  };
  const path_case cases[] = {{"router.yaml", "a.log", "a.log"},
                             {"/etc/cellroute/router.yaml", "logs/a.log", "/etc/cellroute/logs/a.log"},
                             {"conf/router.yaml", "../a.log", "conf/../a.log"},
                             {"conf/router.yaml", "/var/log/a.log", "/var/log/a.log"}};
  for (const path_case& row : cases) {
    CAPTURE(row.written);
    configuration c;
    c.file = row.file;
    CHECK(path_from_file(c, std::string(row.written)) == row.expected);
  }
}

struct warning_case {
  std::string_view says;
  std::string_view more;
  std::string_view expected;  // the only warning, or none
};

const warning_case warning_cases[] = {
    {"nothing is doubtful", "", ""},
    {"a comma makes a list of it", "routing: {default_placement: a, keys: {inline: {\"x,y\": a}}}",
     "test.yaml:2:49: routing.keys.inline.x%2Cy: no request reaches a key with a comma: a header with a list is "
     "answered 400"},
    {"spaces around a header's value are not part of it",
     "routing: {default_placement: a, keys: {inline: {\" x\": a}}}",
     "test.yaml:2:49: routing.keys.inline.%20x: no request reaches a key with control characters or with spaces around "
     "it"},
    {"a line end cannot be sent", "routing: {default_placement: a, keys: {inline: {\"x\\n\": a}}}",
     "test.yaml:2:49: routing.keys.inline.x%0A: no request reaches a key with control characters or with spaces around "
     "it"},
    {"spaces inside are fine", "routing: {default_placement: a, keys: {inline: {\"x y\": a}}}", ""},
    {"an override that is over",
     "routing: {default_placement: a, override: [{keys: [x], placement: a, until: \"2026-01-01T00:00:00Z\"}]}",
     "test.yaml:2:70: routing.override[0].until: is over: the override acts no longer; remove it"},
    {"one that is not",
     "routing: {default_placement: a, override: [{keys: [x], placement: a, until: \"2026-01-01T00:00:01Z\"}]}", ""},
    {"admin for everybody", "routing: {default_placement: a}\nadmin: {address: \":9901\"}",
     "test.yaml:3:9: admin.address: more than this machine may reach it, and nobody is asked for a password"},
    {"admin for this machine, by IPv6", "routing: {default_placement: a}\nadmin: {address: \"[::1]:9901\"}", ""},
};

TEST_CASE("wire configuration: what is valid and yet doubtful") {
  for (const warning_case& row : warning_cases) {
    CAPTURE(row.says);
    std::string text = "placements: {a: {endpoints: [{url: \"http://h\"}]}}\n";
    text += row.more.empty() ? "routing: {default_placement: a}" : row.more;
    const diagnostics found = find_warnings(read(text), *parse_timestamp("2026-01-01T00:00:00Z"));
    REQUIRE(found.size() == (row.expected.empty() ? 0 : 1));
    if (!found.empty()) CHECK(to_string(found[0]) == row.expected);
  }
}

TEST_CASE("wire configuration: a canary that takes no key is doubtful") {
  const configuration c = read(R"(
routing:
  default_placement: a
  canary:
    - {placement: a, to: b, percent: 0.1}
    - {placement: a, to: b}
placements: {a: {endpoints: [{url: "http://h"}]}, b: {endpoints: [{url: "http://h"}]}}
)");
  const diagnostics found = find_warnings(c, {});
  REQUIRE(found.size() == 1);
  CHECK(to_string(found[0]) == "test.yaml:6:7: routing.canary[1]: takes no key: percent is 0, and no key is listed");
}

TEST_CASE("wire configuration: a thousand mistakes are told, the others counted") {
  std::string text =
      "placements: {a: {endpoints: [{url: \"http://h\"}]}}\nrouting:\n  default_placement: a\n  keys:\n    inline:\n";
  for (int i = 0; i < 1003; ++i) text += "      k" + std::to_string(i) + ": nowhere\n";
  const auto result = read_configuration(text, "t.yaml");
  REQUIRE_FALSE(result.has_value());
  REQUIRE(result.error().size() == mistakes_max + 1);
  CHECK(to_string(result.error().back()) == "t.yaml:1005:7: 3 more mistakes follow; correct these first");
}

TEST_CASE("wire configuration: a file that is missing is not one that cannot be read") {
  CHECK((read_file("tests/unit/wire/there-is-no-such-file").error() == file_error::missing));
  CHECK((read_file("tests/unit/main.cpp/below-a-file").error() == file_error::missing));
  CHECK((read_file("tests").error() == file_error::unreadable));
  CHECK(read_file("tests/unit/main.cpp").has_value());
}

}  // namespace
}  // namespace cellroute::wire
