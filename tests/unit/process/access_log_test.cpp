// What an access line looks like. These lines are a promise: log parsers of users depend on every byte.
#include "adapters/process/access_log.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace cellroute::process {
namespace {

using namespace std::string_view_literals;

std::string line(const access_record& record, const access_layout& layout = access_layout()) {
  std::string out;
  append_access_line(out, record, layout);
  return out;
}

access_record usual_record() {
  access_record record;
  record.timestamp = wall_time(1'767'528'000'123ms);
  record.request_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  record.method = "GET";
  record.path = "/orders/7";
  record.query = "token=secret";
  record.routing_key = "acme";
  record.placement_key = "tier1";
  record.route_reason = "tier";
  record.upstream_url = "http://127.0.0.1:9001";
  record.status_code = 200;
  record.elapsed = 1'234'567ns;
  record.cell = "c1";
  record.endpoint = "c1-a";
  record.attempts = 1;
  record.generation = 7;
  record.key_source = "header";
  record.listener = "public";
  record.protocol = "HTTP/1.1";
  record.host = "app.example.com";
  record.client_ip = "192.0.2.7";
  record.peer = *io::parse_address("198.51.100.4", 50123);  // a proxy that is trusted
  record.bytes_in = 0;
  record.bytes_out = 1024;
  record.user_agent = "curl/7.88.1";
  record.upstream_elapsed = 900us;
  record.ttfb = 1100us;
  record.sampled = "ratio";
  return record;
}

TEST_CASE("access log: preset m1 has exactly the ten fields of the first milestone, in order") {
  CHECK(line(usual_record(), access_layout(access_preset::m1)) ==
        R"({"timestamp":"2026-01-04T12:00:00.123Z","request_id":"4bf92f3577b34da6a3ce929d0e0e4736","method":"GET",)"
        R"("path":"/orders/7","routing_key":"acme","placement_key":"tier1","route_reason":"tier",)"
        R"("upstream_url":"http://127.0.0.1:9001","status_code":200,"duration_ms":1.235})"
        "\n");
}

TEST_CASE("access log: the default preset goes on where m1 ends") {
  const std::string m1 = line(usual_record(), access_layout(access_preset::m1));
  const std::string further =
      R"(,"failover_reason":"","cell":"c1","endpoint":"c1-a","attempts":1,"generation":7,"key_source":"header",)"
      R"("route":"","listener":"public","protocol":"HTTP/1.1","host":"app.example.com","client_ip":"192.0.2.7",)"
      R"("bytes_in":0,"bytes_out":1024,"user_agent":"curl/7.88.1","referer":"","upstream_ms":0.900,"ttfb_ms":1.100,)"
      R"("queue_ms":null,"proxy_error":"","sampled":"ratio"})"
      "\n";
  CHECK(line(usual_record()) == m1.substr(0, m1.size() - 2) + further);
}

TEST_CASE("access log: preset homebrew has twelve fields; the address has its port, the duration is a whole number") {
  access_record record = usual_record();
  record.elapsed = 1'999'999ns;
  CHECK(line(record, access_layout(access_preset::homebrew)) ==
        R"({"time":"2026-01-04T12:00:00.123Z","method":"GET","path":"/orders/7","protocol":"HTTP/1.1","status":200,)"
        R"("duration_ms":1,"remote_ip":"198.51.100.4:50123","user_agent":"curl/7.88.1","referer":"",)"
        R"("service":"tier1","upstream":"http://127.0.0.1:9001","bytes_written":1024})"
        "\n");
}

TEST_CASE("access log: preset spec has nine fields") {
  CHECK(line(usual_record(), access_layout(access_preset::spec)) ==
        R"({"timestamp":"2026-01-04T12:00:00.123Z","clientIP":"192.0.2.7","method":"GET","path":"/orders/7",)"
        R"("status":200,"durationMs":1,"route":"","cluster":"tier1","upstreamURL":"http://127.0.0.1:9001"})"
        "\n");
}

TEST_CASE("access log: preset ecs has the names of the Elastic Common Schema") {
  CHECK(line(usual_record(), access_layout(access_preset::ecs)) ==
        R"({"@timestamp":"2026-01-04T12:00:00.123Z","ecs.version":"8.11.0","event.dataset":"cellroute.access",)"
        R"("event.duration":1234567,"http.request.id":"4bf92f3577b34da6a3ce929d0e0e4736",)"
        R"("http.request.method":"GET","http.request.body.bytes":0,"http.request.referrer":"",)"
        R"("http.response.status_code":200,"http.response.body.bytes":1024,"http.version":"1.1","url.scheme":"http",)"
        R"("url.domain":"app.example.com","url.port":80,"url.path":"/orders/7","client.ip":"192.0.2.7",)"
        R"("source.ip":"198.51.100.4","source.port":50123,"user_agent.original":"curl/7.88.1","error.type":"",)"
        R"("cellroute.key":"acme","cellroute.key.hash":"","cellroute.key.source":"header",)"
        R"("cellroute.placement":"tier1","cellroute.cell":"c1","cellroute.endpoint":"c1-a",)"
        R"("cellroute.upstream.url":"http://127.0.0.1:9001","cellroute.reason":"tier",)"
        R"("cellroute.failover.reason":"","cellroute.attempts":1,"cellroute.config.generation":7,)"
        R"("cellroute.route":"","cellroute.listener":"public","cellroute.sampled":"ratio"})"
        "\n");
}

TEST_CASE("access log: preset otel has the names of OpenTelemetry; a duration is in seconds") {
  CHECK(line(usual_record(), access_layout(access_preset::otel)) ==
        R"({"timestamp":"2026-01-04T12:00:00.123Z","http.request.method":"GET","http.request.method_original":"",)"
        R"("url.scheme":"http","url.path":"/orders/7","http.route":"","http.response.status_code":200,)"
        R"("http.server.request.duration":0.001234567,"http.request.resend_count":0,)"
        R"("server.address":"app.example.com","server.port":80,"client.address":"192.0.2.7",)"
        R"("network.peer.address":"198.51.100.4","network.peer.port":50123,"network.protocol.name":"http",)"
        R"("network.protocol.version":"1.1","user_agent.original":"curl/7.88.1","error.type":"",)"
        R"("cellroute.request.id":"4bf92f3577b34da6a3ce929d0e0e4736","cellroute.key":"acme","cellroute.key.hash":"",)"
        R"("cellroute.key.source":"header","cellroute.placement":"tier1","cellroute.cell":"c1",)"
        R"("cellroute.endpoint":"c1-a","cellroute.upstream.url":"http://127.0.0.1:9001","cellroute.reason":"tier",)"
        R"("cellroute.failover.reason":"","cellroute.config.generation":7,"cellroute.listener":"public",)"
        R"("cellroute.bytes.in":0,"cellroute.bytes.out":1024,"cellroute.sampled":"ratio"})"
        "\n");
}

/// One member of a line, by a change of the usual record.
struct member_case {
  std::string_view says;
  access_preset preset;
  std::string name;
  void (*change)(access_record& record);
  std::string_view expected;
};

const member_case member_cases[] = {
    {"an IPv6 peer stands in brackets before its port", access_preset::homebrew, "remote_ip",
     [](access_record& r) { r.peer = *io::parse_address("2001:db8::7", 9); }, R"("[2001:db8::7]:9")"},
    {"the longest peer there is", access_preset::homebrew, "remote_ip",
     [](access_record& r) { r.peer = *io::parse_address("2001:db8:1111:2222:3333:4444:5555:6666", 65535); },
     R"("[2001:db8:1111:2222:3333:4444:5555:6666]:65535")"},
    {"a whole number of milliseconds is cut, as its readers know it", access_preset::spec, "durationMs",
     [](access_record& r) { r.elapsed = 999us; }, "0"},
    {"a port that the client named", access_preset::otel, "server.port",
     [](access_record& r) { r.host = "app.example.com:8080"; }, "8080"},
    {"is no part of the name", access_preset::otel, "server.address",
     [](access_record& r) { r.host = "app.example.com:8080"; }, R"("app.example.com")"},
    {"without a port it is that of the scheme", access_preset::ecs, "url.port",
     [](access_record& r) { r.is_secure = true; }, "443"},
    {"an IPv6 host stands without brackets", access_preset::ecs, "url.domain",
     [](access_record& r) { r.host = "[::1]:8080"; }, R"("::1")"},
    {"whose port is behind them", access_preset::ecs, "url.port", [](access_record& r) { r.host = "[::1]:8080"; },
     "8080"},
    {"brackets that do not close are no reason to read on", access_preset::ecs, "url.domain",
     [](access_record& r) { r.host = "[::1"; }, R"("::1")"},
    {"no host", access_preset::otel, "server.address", [](access_record& r) { r.host = ""; }, R"("")"},
    {"has no port", access_preset::otel, "server.port", [](access_record& r) { r.host = ""; }, "null"},
    {"a port that is none", access_preset::otel, "server.port", [](access_record& r) { r.host = "a:b"; }, "80"},
    {"an encrypted connection", access_preset::otel, "url.scheme", [](access_record& r) { r.is_secure = true; },
     R"("https")"},
    {"a protocol without a version", access_preset::otel, "network.protocol.version",
     [](access_record& r) { r.protocol = "tcp"; }, R"("")"},
    {"a method that OpenTelemetry does not know", access_preset::otel, "http.request.method",
     [](access_record& r) { r.method = "PURGE"; }, R"("_OTHER")"},
    {"stands beside", access_preset::otel, "http.request.method_original", [](access_record& r) { r.method = "PURGE"; },
     R"("PURGE")"},
    {"the second attempt is the first one sent again", access_preset::otel, "http.request.resend_count",
     [](access_record& r) { r.attempts = 2; }, "1"},
    {"a request that was sent nowhere was not sent again", access_preset::otel, "http.request.resend_count",
     [](access_record& r) { r.attempts = 0; }, "0"},
    {"our own error, whatever its status", access_preset::otel, "error.type",
     [](access_record& r) { r.proxy_error = "http_request_error", r.status_code = 400; }, R"("http_request_error")"},
    {"a cell's failure is named by its status", access_preset::ecs, "error.type",
     [](access_record& r) { r.status_code = 500; }, R"("500")"},
    {"a cell's refusal is none", access_preset::ecs, "error.type", [](access_record& r) { r.status_code = 499; },
     R"("")"},
    {"a hashed key is no plain one", access_preset::otel, "cellroute.key",
     [](access_record& r) { r.is_key_hashed = true; }, R"("")"},
    {"and has a name of its own", access_preset::otel, "cellroute.key.hash",
     [](access_record& r) { r.is_key_hashed = true; }, R"("acme")"},
};

TEST_CASE("access log: members that are made of the record's") {
  for (const member_case& row : member_cases) {
    CAPTURE(row.says);
    access_record record = usual_record();
    row.change(record);
    CHECK(line(record, access_layout(row.preset, std::array{row.name})) ==
          "{\"" + row.name + "\":" + std::string(row.expected) + "}\n");
  }
}

TEST_CASE("access log: chosen fields stand in the order in which they were chosen") {
  const std::string names[] = {"status_code", "method", "duration_ms"};
  CHECK(line(usual_record(), access_layout(access_preset::standard, names)) ==
        "{\"status_code\":200,\"method\":\"GET\",\"duration_ms\":1.235}\n");
}

TEST_CASE("access log: a name that the preset does not have is passed over") {
  const std::string names[] = {"status_code", "cell", "method"};
  CHECK(line(usual_record(), access_layout(access_preset::m1, names)) == "{\"status_code\":200,\"method\":\"GET\"}\n");
}

TEST_CASE("access log: a refused request has the same shape, with nothing in it") {
  access_record record;
  record.timestamp = wall_time(1'767'528'000'000ms);
  record.method = "GET";
  record.path = "/";
  record.status_code = 400;
  record.proxy_error = "http_request_error";
  CHECK(
      line(record) ==
      R"({"timestamp":"2026-01-04T12:00:00.000Z","request_id":"","method":"GET","path":"/","routing_key":"",)"
      R"("placement_key":"","route_reason":"","upstream_url":"","status_code":400,"duration_ms":0.000,)"
      R"("failover_reason":"","cell":"","endpoint":"","attempts":0,"generation":0,"key_source":"","route":"",)"
      R"("listener":"","protocol":"","host":"","client_ip":"","bytes_in":0,"bytes_out":0,"user_agent":"",)"
      R"("referer":"","upstream_ms":null,"ttfb_ms":null,"queue_ms":null,"proxy_error":"http_request_error","sampled":""})"
      "\n");
}

TEST_CASE("access log: the query is written only where it is chosen by name") {
  for (const auto& [preset, name] : {std::pair(access_preset::standard, "query"),
                                     {access_preset::ecs, "url.query"},
                                     {access_preset::otel, "url.query"}}) {
    CAPTURE(name);
    CHECK(line(usual_record(), access_layout(preset)).find("secret") == std::string::npos);
    CHECK(line(usual_record(), access_layout(preset, std::array{std::string(name)})) ==
          "{\"" + std::string(name) + "\":\"token=secret\"}\n");
  }
}

TEST_CASE("access log: whatever a client sends, a line stays one line and one object") {
  access_record record;
  record.method = "G\"T";
  record.path = "/\"},{\"admin\":true}";
  record.routing_key = "a\nb\0\xff"sv;
  record.user_agent = "\x1b]0;owned\x07";
  const std::string text = line(record);
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(text.find(R"("method":"G\"T","path":"/\"},{\"admin\":true}","routing_key":"a\nb\u0000\ufffd",)") !=
        std::string::npos);
  CHECK(text.find(R"("user_agent":"\u001b]0;owned\u0007")") != std::string::npos);
}

}  // namespace
}  // namespace cellroute::process
