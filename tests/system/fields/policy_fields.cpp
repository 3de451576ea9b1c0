// What `defaults` and each placement have in common.
#include <algorithm>
#include <string>

#include "tests/system/fields/field_case.hpp"
#include "tests/system/fields/field_run.hpp"

namespace cellroute::system_test {
namespace {

std::string to_the_end_of_a_stream(field_run& run) {
  client c = run.connect();
  c.send(keyed("GET /stops"));
  if (!c.read_head()) return "no answer";
  return run.end_within_look(c);
}

std::string two_requests(field_run& run) {
  std::string statuses[] = {run.status_of(keyed("GET /")), run.status_of(keyed("GET /"))};
  std::ranges::sort(statuses);
  return statuses[0] + " " + statuses[1];
}

const field_case policy_cases[] = {
    {"policy.timeouts.connect", "100ms", "20s", [](field_run& run) { return run.status_of(keyed("GET /")); }, "504",
     "silence", R"(placements: {tier1: {endpoints: [{url: "http://127.0.0.1:$full"}]}})"},
    {"policy.timeouts.response_header", "100ms", "20s",
     [](field_run& run) { return run.status_of(keyed("GET /silent")); }, "504", "silence"},
    {"policy.timeouts.stream_idle", "100ms", "20s", to_the_end_of_a_stream, "ended", "open"},
    {"policy.timeouts.request_body_idle", "100ms", "20s",
     [](field_run& run) { return run.status_of(keyed("POST /", "Content-Length: 10\r\n") + "half"); }, "408",
     "silence"},
    {"policy.timeouts.total", "100ms", "off", [](field_run& run) { return run.status_of(keyed("GET /silent")); }, "504",
     "silence"},

    {"policy.pool.max_idle", "1", "0", [](field_run& run) { return run.connections_of_three_requests(); }, "1", "3"},
    {"policy.pool.idle_timeout", "50ms", "20s",
     [](field_run& run) {
       if (run.get().status() != 200) return std::string("an error");
       const auto sweep = 1s;  // how often the pools are looked through
       const bool is_closed = eventually([&] { return run.first_cell().finished() == 1; }, sweep + look);
       return std::string(is_closed ? "closed" : "kept");
     },
     "closed", "kept"},
    {"policy.pool.max_requests", "0", "1", [](field_run& run) { return run.connections_of_three_requests(); }, "1",
     "3"},

    {"policy.lb.policy", "wrr", "random", nullptr, "", "random is not supported yet; use wrr"},
    {"policy.host", "preserve", "upstream",
     [](field_run& run) {
       const message_head seen{run.get().content};
       return std::string(seen.value("Host") == "shop.example" ? "the client's" : "the endpoint's");
     },
     "the client's", "the endpoint's"},
    {"policy.retries.attempts", "1", "0", two_requests, "200 200", "200 502",
     R"(placements: {tier1: {endpoints: [{url: "http://127.0.0.1:$closed"}, {url: "http://127.0.0.1:$one"}]}})"},
    {"policy.limits.max_request_body", "off", "1",
     [](field_run& run) { return run.status_of(keyed("POST /", "Content-Length: 2\r\n") + "ab"); }, "200", "413"},
};

}  // namespace

std::span<const field_case> policy_field_cases() { return policy_cases; }

}  // namespace cellroute::system_test
