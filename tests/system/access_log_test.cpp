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

}  // namespace
}  // namespace cellroute::system_test
