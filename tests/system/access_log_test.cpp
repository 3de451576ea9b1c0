// The access log as a user has it: whose names it has, and which of them.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// The line of one request to `/a?b=c`, under these settings of the access log.
std::string line_with(const std::string& access) {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .log = "access: {" + access + "}"});
  const std::string head = "GET /a?b=c HTTP/1.1\r\nHost: app.example.com:81\r\n";
  CHECK(ask(router.port(), head + std::string(acme) + "\r\n").status() == 200);
  return router.process().wait_line("/a\"").value_or("{}");
}

struct preset_case {
  std::string_view says;
  std::string access;
  std::string_view begins;  ///< the line
  std::string_view holds;
};

const preset_case preset_cases[] = {
    {"homebrew", "preset: homebrew", R"({"time":"2)", R"("service":"tier1","upstream":"http://127.0.0.1:)"},
    {"its address has a port", "preset: homebrew", R"({"time":"2)", R"("remote_ip":"127.0.0.1:)"},
    {"spec", "preset: spec", R"({"timestamp":"2)", R"("cluster":"tier1","upstreamURL":"http://127.0.0.1:)"},
    {"ecs", "preset: ecs", R"({"@timestamp":"2)", R"("url.domain":"app.example.com","url.port":81,"url.path":"/a",)"},
    {"otel", "preset: otel", R"({"timestamp":"2)", R"("network.peer.address":"127.0.0.1","network.peer.port":)"},
    {"a key of otel", "preset: otel", R"({"timestamp":"2)", R"("cellroute.key":"acme","cellroute.key.hash":"",)"},
    {"that is hashed", "preset: otel, routing_key: hash", R"({"timestamp":"2)",
     R"("cellroute.key":"","cellroute.key.hash":")"},
    {"chosen fields, in their order", "fields: [query, path, status_code]",
     R"({"query":"b=c","path":"/a","status_code":200})", ""},
    {"chosen ones of another's names", "preset: otel, fields: [url.path, cellroute.placement]",
     R"({"url.path":"/a","cellroute.placement":"tier1"})", ""},
    {"the query is not there unasked", "preset: default", R"({"timestamp":"2)", R"("path":"/a","routing_key")"},
};

TEST_CASE("access log: presets and chosen fields") {
  for (const preset_case& row : preset_cases) {
    CAPTURE(row.says);
    const std::string line = line_with(row.access);
    CAPTURE(line);
    CHECK(line.starts_with(row.begins));
    CHECK(line.find(row.holds) != std::string::npos);
    CHECK((line.find("b=c") != std::string::npos) == (row.access.find("query") != std::string::npos));
  }
}

std::size_t lines_that_hold(router_process& router, std::string_view text) {
  std::size_t count = 0;
  for (const std::string& line : router.process().lines()) count += line.find(text) != std::string::npos;
  return count;
}

TEST_CASE("access log: a tenth of the requests is logged, each failure, and each change of that by an edit") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      c.answer(request.head.target() == "/fails" ? "503 Service Unavailable" : "200 OK", "x");
    }
  });
  router_config config{.placements = {{"tier1", at(cell.port())}},
                       .log = "access: {sampling: {ratio: 0.1, always: {status: [5xx]}}}"};
  router_process router(config);
  client c(router.port());
  constexpr int requests = 5000;
  constexpr int failures = 50;
  for (int i = 0; i < requests; ++i) REQUIRE(c.ask(keyed("GET /fine")).status() == 200);
  for (int i = 0; i < failures; ++i) REQUIRE(c.ask(keyed("GET /fails")).status() == 503);
  const auto sampled = [&router](const std::string& decision) {
    return router.metric("gateway_access_log_sampled_total", {"decision=\"" + decision + "\""});
  };
  CHECK(eventually([&] { return sampled("status") == failures; }));
  CHECK(eventually([&] { return sampled("ratio") + sampled("dropped") == requests; }));
  MESSAGE(sampled("ratio") << " of " << requests << " by chance");
  CHECK(sampled("ratio") > 0.08 * requests);
  CHECK(sampled("ratio") < 0.12 * requests);
  CHECK(eventually([&] { return lines_that_hold(router, R"("sampled":"status")") == failures; }));
  CHECK(eventually(
      [&] { return lines_that_hold(router, R"("sampled":"ratio")") == static_cast<std::size_t>(sampled("ratio")); }));

  const double before = sampled("dropped");
  config.log = "access: {sampling: {ratio: 0, always: {keys: [acme]}}}";
  router.edit(config);
  REQUIRE(router.reaches_generation(2));
  CHECK(c.ask(keyed("GET /fails")).status() == 503);
  CHECK(c.ask(request("GET /nobodys", "X-Routing-Key: visa\r\n")).status() == 200);
  CHECK(eventually([&] { return sampled("key") == 1; }));
  CHECK(eventually([&] { return sampled("dropped") == before + 1; }));
  CHECK(router.process().wait_line(R"("sampled":"key")"));
  CHECK(lines_that_hold(router, "/nobodys") == 0);
}

}  // namespace
}  // namespace cellroute::system_test
