// What an access line looks like. These lines are a promise: log parsers of users depend on every byte.
#include "adapters/process/access_log.hpp"

#include <doctest/doctest.h>

#include <string>

namespace cellroute::process {
namespace {

using namespace std::string_view_literals;

std::string line(const access_record& record, const access_layout& layout = {}) {
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
  record.bytes_in = 0;
  record.bytes_out = 1024;
  record.user_agent = "curl/7.88.1";
  record.upstream_elapsed = 900us;
  record.ttfb = 1100us;
  return record;
}

TEST_CASE("access log: preset m1 has exactly the ten fields of the first milestone, in order") {
  CHECK(line(usual_record(), {.preset = access_preset::m1}) ==
        R"({"timestamp":"2026-01-04T12:00:00.123Z","request_id":"4bf92f3577b34da6a3ce929d0e0e4736","method":"GET",)"
        R"("path":"/orders/7","routing_key":"acme","placement_key":"tier1","route_reason":"tier",)"
        R"("upstream_url":"http://127.0.0.1:9001","status_code":200,"duration_ms":1.235})"
        "\n");
}

TEST_CASE("access log: preset m1 knows no query, even if asked") {
  CHECK(line(usual_record(), {.preset = access_preset::m1, .query = true}) ==
        line(usual_record(), {.preset = access_preset::m1}));
}

TEST_CASE("access log: the default preset goes on where m1 ends") {
  const std::string m1 = line(usual_record(), {.preset = access_preset::m1});
  const std::string further =
      R"(,"failover_reason":"","cell":"c1","endpoint":"c1-a","attempts":1,"generation":7,"key_source":"header",)"
      R"("route":"","listener":"public","protocol":"HTTP/1.1","host":"app.example.com","client_ip":"192.0.2.7",)"
      R"("bytes_in":0,"bytes_out":1024,"user_agent":"curl/7.88.1","referer":"","upstream_ms":0.900,"ttfb_ms":1.100,)"
      R"("queue_ms":null,"proxy_error":""})"
      "\n";
  CHECK(line(usual_record()) == m1.substr(0, m1.size() - 2) + further);
}

TEST_CASE("access log: a refused request has the same shape, with nothing in it") {
  access_record record;
  record.timestamp = wall_time(1'767'528'000'000ms);
  record.method = "GET";
  record.path = "/";
  record.status_code = 400;
  record.proxy_error = "http_request_error";
  CHECK(line(record) ==
        R"({"timestamp":"2026-01-04T12:00:00.000Z","request_id":"","method":"GET","path":"/","routing_key":"",)"
        R"("placement_key":"","route_reason":"","upstream_url":"","status_code":400,"duration_ms":0.000,)"
        R"("failover_reason":"","cell":"","endpoint":"","attempts":0,"generation":0,"key_source":"","route":"",)"
        R"("listener":"","protocol":"","host":"","client_ip":"","bytes_in":0,"bytes_out":0,"user_agent":"",)"
        R"("referer":"","upstream_ms":null,"ttfb_ms":null,"queue_ms":null,"proxy_error":"http_request_error"})"
        "\n");
}

TEST_CASE("access log: the query stands behind the host, only when asked for") {
  CHECK(line(usual_record()).find("secret") == std::string::npos);
  CHECK(line(usual_record(), {.query = true}).find(R"("host":"app.example.com","query":"token=secret","client_ip")") !=
        std::string::npos);
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
