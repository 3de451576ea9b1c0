// Listeners, and HTTP towards clients.
#include <string>

#include "tests/system/fields/field_case.hpp"
#include "tests/system/fields/field_run.hpp"

namespace cellroute::system_test {
namespace {

/// Whether each of three connections at once is served.
std::string three_at_once(field_run& run) {
  client clients[] = {run.connect(), run.connect(), run.connect()};
  for (client& c : clients) {
    if (!c.is_open() || c.ask(keyed("GET /")).status() != 200) return "not all";
  }
  return "all";
}

/// Whether each of three connections is served that come one after the other.
std::string three_in_turn(field_run& run) {
  for (int i = 0; i < 3; ++i) {
    if (run.get().status() != 200) return "not all";
  }
  return "all";
}

std::string with_a_field_of(field_run& run, std::size_t size_bytes, int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) {
    fields += "X-Long-" + std::to_string(i) + ": " + std::string(size_bytes, 'a') + "\r\n";
  }
  return run.status_of(keyed("GET /", fields));
}

/// What comes of half a head. A connection that has sent nothing for 100 ms is closed silently: then another one is
/// taken.
std::string half_a_head(field_run& run) {
  for (;;) {
    const stopwatch time;
    client c = run.connect();
    c.send("GET / HTTP/1.1\r\nHost: shop.exam");
    if (time.elapsed() < 100ms) return run.status_within_look(c);
  }
}

const field_case listener_cases[] = {
    {"listeners[].name", "web", "front", [](field_run& run) { return run.access_field("listener"); }, "web", "front"},
    {"listeners[].address", "\"127.0.0.1:$web\"", "\"127.0.0.2:$web\"",
     [](field_run& run) { return field_run::host_that_listens(run.web()); }, "127.0.0.1", "127.0.0.2"},
    {"listeners[].protocols", "[h1]", "[h2]", nullptr, "", "h2 is not supported yet; use h1"},
    {"listeners[].trusted_proxies", "[]", "[127.0.0.1]",
     [](field_run& run) {
       return message_head{run.get("/", "X-Forwarded-For: 192.0.2.7\r\n").content}.value("X-Forwarded-For");
     },
     "127.0.0.1", "192.0.2.7, 127.0.0.1"},
    {"listeners[].limits.max_connections", "2", "3", three_at_once, "not all", "all"},
    {"listeners[].limits.accept_rate", "1", "1000000", three_in_turn, "not all", "all",
     "listeners: [{name: web, address: \"127.0.0.1:$web\", limits: {accept_burst: 1}}]"},
    {"listeners[].limits.accept_burst", "1", "10", three_in_turn, "not all", "all",
     "listeners: [{name: web, address: \"127.0.0.1:$web\", limits: {accept_rate: 1}}]"},
    {"listeners[].half_close", "false", "true",
     [](field_run& run) {
       client c = run.connect();
       c.send(keyed("GET /late"));
       (void)eventually([&] { return run.first_cell().requests().size() == 1; });
       c.finish_sending();
       (void)c.fill();  // one of the two is sure to come
       return run.status_within_look(c);
     },
     "ended", "200"},

    {"http.max_headers", "10", "5", [](field_run& run) { return with_a_field_of(run, 1, 5); }, "200", "431"},
    {"http.max_header_bytes", "2KiB", "1KiB", [](field_run& run) { return with_a_field_of(run, 300, 4); }, "200", "431",
     "http: {max_field_bytes: 512}"},
    {"http.max_field_bytes", "512", "256", [](field_run& run) { return with_a_field_of(run, 300, 1); }, "200", "431"},
    {"http.max_target_bytes", "512", "256",
     [](field_run& run) { return run.status_of(keyed("GET /" + std::string(300, 'a'))); }, "200", "414"},
    {"http.methods", "any", "[POST]", [](field_run& run) { return run.status_of(keyed("GET /")); }, "200", "405"},
    {"http.timeouts.header", "100ms", "20s", half_a_head, "408", "silence"},
    {"http.timeouts.keep_alive", "100ms", "20s",
     [](field_run& run) {
       client c = run.connect();
       if (c.ask(keyed("GET /")).status() != 200) return std::string("an error");
       return run.end_within_look(c);
     },
     "ended", "open"},
    {"http.forwarded.mode", "append", "overwrite", nullptr, "", "overwrite is not supported yet; use append"},
    {"http.forwarded.rfc7239", "false", "true", nullptr, "", "true is not supported yet; use false"},
    {"http.request_id.header", "X-Request-Id", "X-Trace",
     [](field_run& run) { return std::string(run.get().head.has("X-Trace") ? "X-Trace" : "another"); }, "another",
     "X-Trace"},
    {"http.request_id.trust", "true", "false",
     [](field_run& run) {
       const bool is_kept = run.get("/", "X-Request-Id: mine\r\n").head.value("X-Request-Id") == "mine";
       return std::string(is_kept ? "the client's" : "ours");
     },
     "the client's", "ours"},
};

}  // namespace

std::span<const field_case> listener_field_cases() { return listener_cases; }

}  // namespace cellroute::system_test
