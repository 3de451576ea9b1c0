// Where keys go by what stands beside the table, as a client, the log, the metrics and the explanations tell it.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// A cell that answers with its name.
fake_cell<play> named_cell(std::string_view name) {
  return fake_cell(
      play{"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name.size()) + "\r\n\r\n" + std::string(name)});
}

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
  program tool({CELLROUTE_TOOL_PATH, "explain", std::string(row.key), "-c", router.config_file().string()}, {}, 0);
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

}  // namespace
}  // namespace cellroute::system_test
