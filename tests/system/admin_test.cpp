// What an operator sees: the admin pages, the metrics, the access log.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct page_case {
  std::string_view path;
  int status;
  std::string_view type;
  std::string content;  ///< a regular expression for the whole of it
};

const page_case page_cases[] = {
    {"/health", 200, "application/json", R"(\{"status":"ok"\}\n)"},
    {"/ready", 200, "application/json", R"(\{"status":"ready"\}\n)"},
    {"/version", 200, "application/json", R"(\{"version":"[^"]+","commit":"[^"]*"\}\n)"},
    {"/debug/config", 200, "application/json",
     R"(\{"version":"","source":"file","file":"[^"]+cellroute.yaml","pushed":null,"last_reload_at":"[0-9TZ:.-]+","generation":1,"keys":2,"rows_quarantined":0,"age_seconds":[0-9.]+,"rejected":null\}\n)"},
    {"/v1/explain?key=acme", 200, "application/json", R"(\{[^]*"key":\s*"acme"[^]*"placement":\s*"tier1"[^]*\}\n)"},
    {"/v1/explain?key=a%22b%2Fc", 200, "application/json", R"(\{[^]*"a\\"b/c"[^]*"default"[^]*\}\n)"},
    {"/v1/explain", 400, "application/json", R"(\{"error":\{"code":"routing_key_missing",[^]*\}\}\n)"},
    {"/v1/explain?key=", 400, "application/json", R"(\{"error":\{"code":"routing_key_empty",[^]*\}\}\n)"},
    {"/v1/explain?key=%zz", 400, "application/json", R"(\{"error":\{"code":"malformed_request",[^]*\}\}\n)"},
    {"/nothing", 404, "application/json", R"(\{"error":\{"code":"not_found",[^]*\}\}\n)"},
    {"/", 404, "application/json", R"(\{"error":\{"code":"not_found",[^]*\}\}\n)"},
};

TEST_CASE("admin: the pages") {
  router_process router({.placements = {{"tier1", at(9)}, {"tier3", at(9)}}, .keys = "acme: tier1, visa: tier3"});
  for (const page_case& row : page_cases) {
    CAPTURE(row.path);
    const message page = router.admin(row.path);
    CAPTURE(page.content);
    CHECK(page.status() == row.status);
    CHECK(page.head.value("Content-Type") == row.type);
    CHECK(page.head.value("Cache-Control") == "no-store");
    CHECK(page.head.value("Date").ends_with(" GMT"));
    CHECK(std::regex_match(page.content, std::regex(row.content)));
  }
  const message head = client(router.admin_port()).ask(request("HEAD /metrics"));
  CHECK(head.status() == 200);
  const message post = ask(router.admin_port(), request("POST /ready", "Content-Length: 0\r\n"));
  CHECK(post.status() == 405);
  CHECK(post.head.value("Allow") == "GET, HEAD");
  CHECK(ask(router.port(), request("GET /metrics")).status() == 400);  // not on the public port
}

TEST_CASE("admin: explain says what a request then does") {
  fake_cell cell(echo_content{});
  router_process router(
      {.placements = {{"tier1", at(cell.port())}, {"tier3", at(cell.port())}}, .keys = "acme: tier1"});
  for (const std::string_view key : {"acme", "other"}) {
    const message answer = ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(key) + "\r\n"));
    const std::string explained = router.admin("/v1/explain?key=" + std::string(key)).content;
    CHECK(explained.find('"' + answer.head.value("X-Routed-To") + '"') != std::string::npos);
    CHECK(explained.find('"' + answer.head.value("X-Route-Reason") + '"') != std::string::npos);
  }
}

TEST_CASE("admin: the metrics tell what happened") {
  fake_cell cell(echo_content{});
  closed_port nobody;
  router_process router(
      {.placements = {{"dead", at(nobody.port())}, {"tier1", at(cell.port())}}, .keys = "acme: tier1, visa: dead"});
  client c(router.port());
  for (int i = 0; i < 3; ++i) CHECK(c.ask(keyed("GET /")).status() == 200);
  CHECK(c.ask(keyed("POST /", "Content-Length: 2\r\n") + "xx").status() == 200);
  CHECK(c.ask(request("GET /", "X-Routing-Key: visa\r\n")).status() == 502);
  CHECK(c.ask(request("GET /")).status() == 400);

  // A request is counted when all of it is over, a moment after its answer has come.
  REQUIRE(eventually([&] { return router.metric("gateway_requests_total") == 6; }));
  const std::string page = router.admin("/metrics").content;
  const auto sum = [&](std::string_view family, const std::vector<std::string>& labels) {
    return sum_of(page, family, labels);
  };
  CHECK(sum("gateway_requests_total", {"method=\"GET\"", "code=\"200\"", "placement=\"tier1\"", "outcome=\"forwarded\"",
                                       "listener=\"web\""}) == 3);
  CHECK(sum("gateway_requests_total", {"method=\"POST\"", "code=\"200\""}) == 1);
  CHECK(sum("gateway_requests_total", {"code=\"502\"", "placement=\"dead\"", "outcome=\"upstream_error\""}) == 1);
  CHECK(sum("gateway_requests_total", {"code=\"400\"", "placement=\"\"", "outcome=\"refused\""}) == 1);
  CHECK(sum("gateway_upstream_errors_total", {}) == 1);
  CHECK(sum("gateway_upstream_errors_total", {"placement=\"dead\"", "reason=\"connection_refused\""}) == 1);
  CHECK(sum("gateway_request_duration_seconds_count", {}) == 6);
  CHECK(sum("gateway_upstream_latency_seconds_count", {"placement=\"tier1\""}) == 4);
  CHECK(sum("gateway_route_hits_total", {"reason=\"tier\""}) == 5);
  CHECK(sum("gateway_active_connections", {"listener=\"web\""}) == 1);
  CHECK(sum("gateway_connections_opened_total", {"listener=\"web\""}) == 1);
  CHECK(sum("gateway_config_generation", {}) == 1);
  CHECK(sum("gateway_config_keys", {}) == 2);
  CHECK(sum("gateway_build_info", {}) == 1);
  CHECK(sum("process_resident_memory_bytes", {}) > 0);
}

/// What promtool says about the metrics, a remark a line; nothing when there is no promtool.
std::optional<std::string> promtool_remarks(const router_process& router) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    skip("promtool is not installed");
    return std::nullopt;
  }
  const std::filesystem::path page = router.folder() / "metrics.txt";
  std::ofstream(page) << router.admin("/metrics").content;
  const std::string said = (router.folder() / "promtool.txt").string();
  const int status = std::system(("promtool check metrics <" + page.string() + " >" + said + " 2>&1").c_str());
  const std::string remarks = read_text(said);
  CHECK((status == 0) == remarks.empty());
  return remarks;
}

TEST_CASE("admin: promtool finds nothing to say about the metrics") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", "endpoints: [" + endpoint(cell.port(), ", id: a") + "]"}}});
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(promtool_remarks(router).value_or("") == "");
}

TEST_CASE("admin: the names that other dashboards expect, when metrics.compat lists them") {
  fake_cell cell(echo_content{});
  router_process router(
      {.placements = {{"tier1", at(cell.port())}}, .log = "level: info}\nmetrics: {compat: [gateway]"});
  client c(router.port());
  for (int i = 0; i < 5; ++i) CHECK(c.ask(keyed("GET /")).status() == 200);
  CHECK(c.ask(request("GET /")).status() == 400);
  REQUIRE(eventually([&] { return router.metric("gateway_requests_total") == 6; }));
  CHECK(router.metric("gateway_requests_total", {"code=\"200\"", "status=\"200\""}) == 5);
  CHECK(router.metric("gateway_requests_total", {"code=\"400\"", "status=\"400\""}) == 1);
  CHECK(router.metric("gateway_upstream_latency_ms_hist_count", {"placement=\"tier1\""}) == 5);
  CHECK(router.metric("gateway_upstream_latency_ms_hist_bucket", {"le=\"+Inf\""}) == 5);
  CHECK(router.metric("gateway_active_conns") == 1);
  CHECK(router.metric("gateway_route_hits_total") == 5);
  CHECK(router.metric("reload_success_total") == 1);
  CHECK(router.metric("reload_failure_total") == 0);
  // A second passes between two samples; requests go on until one is seen.
  CHECK(eventually([&] {
    CHECK(c.ask(keyed("GET /")).status() == 200);
    return router.metric("gateway_rps") > 0;
  }));

  // The price of that name; about the others promtool has nothing to say.
  if (const auto remarks = promtool_remarks(router)) {
    CHECK(remarks->starts_with("gateway_upstream_latency_ms_hist "));
    CHECK(std::ranges::count(*remarks, '\n') == 1);
  }
}

TEST_CASE("admin: 100,000 invented methods make at most eleven series") {
  fake_cell cell(play{"HTTP/1.1 204 No Content\r\n\r\n"});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .log = "access: {output: \"off\"}"});
  client c(router.port());
  constexpr std::uint32_t count = 100'000;
  constexpr std::uint32_t together = 100;
  std::uint32_t state = 1;
  for (std::uint32_t i = 0; i < count; i += together) {
    std::string bytes;
    for (std::uint32_t j = 0; j < together; ++j) {
      state = state * 1664525 + 1013904223;
      // Without a key: what is counted is the same, and no cell is needed for it.
      bytes += request("M" + std::to_string(state) + " /");
    }
    c.send(bytes);
    for (std::uint32_t j = 0; j < together; ++j) {
      if (c.read_answer().status() != 400) FAIL("request " << i + j << " was answered otherwise");
    }
  }
  for (const std::string_view method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "get"}) {
    CHECK(c.ask(keyed(std::string(method) + " /")).status() == 204);
  }
  REQUIRE(eventually([&] { return router.metric("gateway_requests_total") == count + 10; }));
  const std::string page = router.admin("/metrics").content;
  std::set<std::string> methods;
  const std::regex label("method=\"([^\"]*)\"");
  for (std::sregex_iterator found(page.begin(), page.end(), label), end; found != end; ++found)
    methods.insert((*found)[1]);
  CHECK(methods.size() == 10);  // the nine known ones, and
  CHECK(methods.count("_OTHER") == 1);
  CHECK(sum_of(page, "gateway_requests_total", {"method=\"_OTHER\""}) == count + 1);
}

const std::string_view m1_line =
    R"(\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","request_id":"golden-1","method":"POST","path":"/a%2Fb//c",)"
    R"("routing_key":"acme","placement_key":"tier1","route_reason":"tier","upstream_url":"http://127\.0\.0\.1:\d+",)"
    R"("status_code":200,"duration_ms":\d+\.\d{3})";
const std::string_view further =
    R"(,"failover_reason":"","cell":"tier1","endpoint":"a","attempts":1,"generation":1,"key_source":"header","route":"",)"
    R"("listener":"web","protocol":"HTTP/1\.1","host":"shop\.example","client_ip":"127\.0\.0\.1","bytes_in":5,"bytes_out":5,)"
    R"("user_agent":"test \\"1\\"","referer":"http://ref\.example/","upstream_ms":\d+\.\d{3},"ttfb_ms":\d+\.\d{3},)"
    R"("queue_ms":null,"proxy_error":"","sampled":"ratio")";

struct golden_line {
  std::string preset;
  std::string line;
};

const golden_line golden_lines[] = {
    {"default", std::string(m1_line) + std::string(further) + "\\}"},
    {"m1", std::string(m1_line) + "\\}"},
};

TEST_CASE("admin: the access line, golden; its first ten fields are those of the first milestone") {
  for (const golden_line& row : golden_lines) {
    CAPTURE(row.preset);
    fake_cell cell(echo_content{});
    router_process router({.placements = {{"tier1", "endpoints: [" + endpoint(cell.port(), ", id: a") + "]"}},
                           .log = "access: {preset: " + row.preset + "}"});
    const message answer = ask(router.port(), keyed("POST /a%2Fb//c?token=secret",
                                                    "X-Request-Id: golden-1\r\nContent-Length: 5\r\n"
                                                    "User-Agent: test \"1\"\r\nReferer: http://ref.example/\r\n") +
                                                  "hello");
    CHECK(answer.content == "hello");
    const std::string line = router.access_line("golden-1").text();
    CAPTURE(line);
    CHECK(std::regex_match(line, std::regex(row.line)));
  }
}

TEST_CASE("admin: what a client writes cannot break a line of the log") {
  fake_cell cell(echo_content{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const std::string nasty = "a\"b\\c\x01\xff";
  const message answer =
      ask(router.port(), request("GET /", "X-Routing-Key: k\"\\\xc3\xa9\r\nUser-Agent: " + nasty.substr(0, 5) +
                                              "\xff\r\nX-Request-Id: r1\r\n"));
  CHECK(answer.status() == 200);
  const log_line line = router.access_line("r1");
  CHECK(line["routing_key"] == "k\"\\\xc3\xa9");
  CHECK(line["user_agent"].starts_with("a\"b\\c"));
  CHECK(line["status_code"] == "200");
}

TEST_CASE("admin: duration_ms tells how long it took") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      std::this_thread::sleep_for(100ms);  // what is measured here is this time
      c.answer("200 OK", "");
    }
  });
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const std::string_view id : {"r1", "r2", "r3"}) {
    const stopwatch time;
    CHECK(ask(router.port(), keyed("GET /", "X-Request-Id: " + std::string(id) + "\r\n")).status() == 200);
    const double longest_ms = time.ms();  // the router is within that
    const log_line line = router.access_line(id);
    for (const std::string_view name : {"duration_ms", "ttfb_ms", "upstream_ms"}) {
      CAPTURE(name);
      CHECK(line.number(name) >= 100);
      CHECK(line.number(name) <= longest_ms);
    }
  }
}

TEST_CASE("admin: the access log goes to a file, or nowhere") {
  fake_cell cell(echo_content{});
  const scratch_folder folder;
  const std::string file = (folder.path() / "access.log").string();
  {
    // Where it listens is told in the same file.
    const std::uint16_t port = unused_port();
    const std::filesystem::path config = folder.path() / "cellroute.yaml";
    std::ofstream(config) << router_config{.placements = {{"tier1", at(cell.port())}},
                                           .log = "access: {output: access.log}"}  // beside the configuration
                                 .yaml();
    program router({router_path(), "--config", config.string(), "--listen", "127.0.0.1:" + std::to_string(port)}, {},
                   0);
    REQUIRE(eventually([&] { return static_cast<bool>(connect_to(port)); }));
    CHECK(ask(port, keyed("GET /", "X-Request-Id: in-file\r\n")).status() == 200);
    CHECK(eventually([&] { return read_text(file).find("\"request_id\":\"in-file\"") != std::string::npos; }));
    router.signal(SIGTERM);
    CHECK(router.wait_exit() == 0);
    CHECK(router.output().empty());
  }
  router_process router({.placements = {{"tier1", at(cell.port())}}, .log = "access: {output: \"off\"}"});
  CHECK(ask(router.port(), keyed("GET /", "X-Request-Id: nowhere\r\n")).status() == 200);
  router.process().signal(SIGTERM);
  CHECK(router.process().wait_exit() == 0);
  CHECK_FALSE(router.process().find_line("nowhere"));
}

}  // namespace
}  // namespace cellroute::system_test
