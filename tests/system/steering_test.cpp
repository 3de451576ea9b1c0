// Where keys go by what stands beside the table, as a client, the log, the metrics and the explanations tell it.
#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>
#include <string_view>

#include "adapters/wire/timestamp.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct steered_case {
  std::string_view says;
  std::string_view key;
  std::string_view placement;
  std::string_view reason;
  std::string_view rule;
};

/// What every part of the router tells of one key.
void check_steered(router_process& router, const steered_case& row) {
  CAPTURE(row.says);
  const message answer = ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(row.key) + "\r\n"));
  CHECK(answer.status() == 200);
  CHECK(answer.content == row.placement);
  CHECK(answer.head.value("X-Routed-To") == row.placement);
  CHECK(answer.head.value("X-Route-Reason") == row.reason);
  const std::string rule = ";rule=" + std::string(row.rule) + ";placement=" + std::string(row.placement) + ";";
  CHECK(answer.head.value("X-Route-Decision").find(rule) != std::string::npos);
  const log_line line = router.access_line(answer.head.value("X-Request-Id"));
  CHECK(line["placement_key"] == row.placement);
  CHECK(line["route_reason"] == row.reason);
  const log_line explained(router.admin("/v1/explain?key=" + std::string(row.key)).content);
  CHECK(explained["placement"] == row.placement);
  CHECK(explained["reason"] == row.reason);
  CHECK(explained["rule"] == row.rule);
  program tool({tool_path(), "explain", std::string(row.key), "-c", router.config_file().string()}, {}, 0);
  CHECK(tool.whole_output().find("\nrule        " + std::string(row.rule) + "\n") != std::string::npos);
}

TEST_CASE("steering: rules place keys that the table does not have") {
  auto one = named_cell("tier1");
  auto two = named_cell("tier2");
  auto visa = named_cell("visa");
  auto three = named_cell("tier3");
  router_process router({.placements = {{"tier1", at(one.port())},
                                        {"tier2", at(two.port())},
                                        {"visa", "kind: dedicated, " + at(visa.port())},
                                        {"tier3", at(three.port())}},
                         .keys = "acme: tier1, trial-9: visa",
                         .routing = R"(, rules: [{match: {prefix: "trial-"}, hash: {tier1: 60, tier2: 40}}, )"
                                    R"({match: {regex: "^(?P<name>[a-z]+[0-9]*)[.]"}, placement: "{name}"}])",
                         .decision = "route_decision: true"});
  const steered_case rows[] = {
      {"the table comes first", "trial-9", "visa", "dedicated", "table"},
      {"a hash", "trial-1", "tier1", "hash", "rules[0]"},
      {"another key of the same hash", "trial-3", "tier2", "hash", "rules[0]"},
      {"a template", "tier2.x", "tier2", "tier", "rules[1]"},
      {"one that yields a placement of another kind", "visa.x", "visa", "dedicated", "rules[1]"},
      {"one that yields none", "gold.x", "tier3", "default", "default"},
  };
  for (const steered_case& row : rows) check_steered(router, row);
  CHECK(router.metric("gateway_route_hits_total", {"reason=\"hash\""}) == 2);
  CHECK(router.metric("gateway_requests_total", {"placement=\"tier2\""}) == 2);
}

TEST_CASE("steering: an override wins until it is over, without a reload") {
  auto one = named_cell("tier1");
  auto three = named_cell("tier3");
  const wall_time now = std::chrono::system_clock::now();
  const std::string soon = wire::to_string(wall_time(now + 6s));
  const std::string later = wire::to_string(wall_time(now + 1h));
  const std::string before = wire::to_string(wall_time(now - 1s));
  router_process router({.placements = {{"tier1", at(one.port())}, {"tier3", at(three.port())}},
                         .keys = "acme: tier1, visa: tier1, initech: tier1",
                         .routing = ", rules: [{match: {prefix: new}, placement: tier1}], override: ["
                                    "{keys: [acme, new-1], placement: tier3, until: \"" +
                                    later +
                                    "\"}, "
                                    "{keys: [visa], placement: tier3, until: \"" +
                                    before +
                                    "\"}, "
                                    "{keys: [initech], placement: tier3, until: \"" +
                                    soon +
                                    "\"}, "
                                    "{keys: [globex], placement: tier1}]",
                         .decision = "route_decision: true"});
  CHECK(ask(router.port(), request("GET /", "X-Routing-Key: initech\r\n")).content == "tier3");
  const steered_case rows[] = {
      {"a key of the table", "acme", "tier3", "override", "override[0]"},
      {"a key of a rule", "new-1", "tier3", "override", "override[0]"},
      {"another key of that rule", "new-2", "tier1", "tier", "rules[0]"},
      {"one that is over", "visa", "tier1", "tier", "table"},
      {"one that never ends, of an unknown key", "globex", "tier1", "override", "override[3]"},
  };
  for (const steered_case& row : rows) check_steered(router, row);
  const auto is_over = [&] {
    return ask(router.port(), request("GET /", "X-Routing-Key: initech\r\n")).content == "tier1";
  };
  CHECK(eventually(is_over, 20s));
  CHECK(std::chrono::system_clock::now() >= now + 6s);
  CHECK(router.metric("gateway_config_generation") == 1);
  CHECK(router.metric("gateway_route_hits_total", {"reason=\"override\""}) >= 4);
  program tool({tool_path(), "check", router.config_file().string()}, {}, 0);
  CHECK(tool.whole_output().find("routing.override[1].until: is over") != std::string::npos);
}

TEST_CASE("steering: a canary takes its part of a placement's keys, and the listed ones") {
  auto one = named_cell("tier1");
  auto next = named_cell("tier1-next");
  auto three = named_cell("tier3");
  router_process router(
      {.placements = {{"tier1", at(one.port())}, {"tier1-next", at(next.port())}, {"tier3", at(three.port())}},
       .keys = "acme: tier1, acme-test: tier1, visa: tier3",
       .routing = R"(, rules: [{match: {prefix: k}, placement: tier1}], )"
                  R"(canary: [{placement: tier1, to: tier1-next, percent: 20, keys: [acme-test, visa]}], )"
                  R"(override: [{keys: [k-over], placement: tier1}])",
       .decision = "route_decision: true"});
  const steered_case rows[] = {
      {"a listed key", "acme-test", "tier1-next", "canary", "canary[0]"},
      {"a listed key of another placement", "visa", "tier3", "tier", "table"},
      {"an override wins over it", "k-over", "tier1", "override", "override[0]"},
  };
  for (const steered_case& row : rows) check_steered(router, row);
  client c(router.port());
  int taken = 0;
  for (int i = 0; i < 500; ++i) {
    const message answer = c.ask(request("GET /", "X-Routing-Key: k" + std::to_string(i) + "\r\n"));
    taken += answer.content == "tier1-next" ? 1 : 0;
    CHECK((answer.content == "tier1-next") == (answer.head.value("X-Route-Reason") == "canary"));
  }
  CHECK(taken > 60);
  CHECK(taken < 140);
  CHECK(router.metric("gateway_route_hits_total", {"reason=\"canary\""}) == taken + 1);
}

TEST_CASE("steering: a shard gives each key its cell, and tells which") {
  auto one = named_cell("c1");
  auto two = named_cell("c2");
  auto three = named_cell("c3");
  const auto port_for = [&](std::string_view cell) {
    return cell == "c1" ? one.port() : cell == "c2" ? two.port() : three.port();
  };
  closed_port nobody;
  router_process router({.placements = {{"c1", at(one.port())},
                                        {"c2", at(two.port())},
                                        {"c3", at(three.port())},
                                        {"dead", at(nobody.port())},
                                        {"ruin", "kind: shard, cells: [dead], shard: {size: 1}"},
                                        {"pool", "kind: shard, cells: [c1, c2, c3], shard: {size: 2, seed: 7}"}},
                         .keys = "acme: pool, visa: pool, globex: pool, initech: ruin",
                         .decision = "route_decision: true"});
  std::set<std::string> seen;
  for (const std::string key : {"acme", "visa", "globex", "k1", "k2", "k3", "k4", "k5", "k6"}) {
    CAPTURE(key);
    const message answer = ask(router.port(), request("GET /", "X-Routing-Key: " + key + "\r\n"));
    CHECK(answer.status() == 200);
    const std::string cell = answer.content;
    seen.insert(cell);
    CHECK(answer.head.value("X-Routed-To") == "pool/" + cell);
    CHECK(answer.head.value("X-Route-Reason") == (key.starts_with("k") ? "default" : "shard"));
    CHECK(answer.head.value("X-Route-Decision").find(";placement=pool;cell=" + cell + ";") != std::string::npos);
    const log_line line = router.access_line(answer.head.value("X-Request-Id"));
    CHECK(line["placement_key"] == "pool");
    CHECK(line["cell"] == cell);
    CHECK(line["upstream_url"] == "http://127.0.0.1:" + std::to_string(port_for(cell)));
    const log_line explained(router.admin("/v1/explain?key=" + key).content);
    CHECK(explained["cell"] == cell);
    CHECK(explained.text().find(R"("shard":[")" + cell + R"(","c)") != std::string::npos);
    program tool({tool_path(), "explain", key, "-c", router.config_file().string()}, {}, 0);
    CHECK(tool.whole_output().find("\nshard       " + cell + ", c") != std::string::npos);
  }
  CHECK(seen.size() == 3);
  for (const std::string& cell : seen) {
    const std::string label = "cell=\"" + cell + "\"";
    CHECK(router.metric("gateway_upstream_requests_total", {"placement=\"pool\"", label}) > 0);
  }
  const message failed = ask(router.port(), request("GET /", "X-Routing-Key: initech\r\n"));
  CHECK(failed.status() == 502);
  CHECK(failed.head.value("X-Routed-To") == "ruin/dead");
}

}  // namespace
}  // namespace cellroute::system_test
