// The families of the router: what each call counts, under which labels, and that nobody outside can make series.
#include "adapters/proxy/metrics_page.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace cellroute::proxy {
namespace {

using namespace std::string_view_literals;

/// The one call site of the rendering.
std::string render(const label_names& names, std::vector<const reactor_metrics*> reactors,
                   const router_facts& facts = {}) {
  return render_metrics(reactors, names, facts);
}

/// The lines that begin so, without HELP and TYPE.
std::vector<std::string> lines_of(const std::string& text, std::string_view beginning) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (text.compare(at, beginning.size(), beginning) == 0) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::size_t count_series(const std::string& text, std::string_view family) {
  return lines_of(text, std::string(family) + '{').size();
}

using lines = std::vector<std::string>;

/// Names that the tests use, interned in this order.
struct known_names {
  label_names names;
  label_id listener = names.intern(label_kind::listener, "public");
  label_id route = names.intern(label_kind::route, "api");
  label_id placement = names.intern(label_kind::placement, "tier1");
  label_id cell = names.intern(label_kind::cell, "c1");
  label_id endpoint = names.intern(label_kind::endpoint, "c1-a");
  label_id reason = names.intern(label_kind::reason, "dedicated");
};

struct method_case {
  std::string_view method;
  std::string_view expected;
};

const method_case method_cases[] = {
    {"GET", "GET"},         {"HEAD", "HEAD"},   {"POST", "POST"},       {"PUT", "PUT"},     {"DELETE", "DELETE"},
    {"CONNECT", "CONNECT"}, {"TRACE", "TRACE"}, {"OPTIONS", "OPTIONS"}, {"PATCH", "PATCH"}, {"QUERY", "QUERY"},
    {"get", "_OTHER"},      {"GETT", "_OTHER"}, {"", "_OTHER"},         {"GE", "_OTHER"},   {"PROPFIND", "_OTHER"},
    {"_OTHER", "_OTHER"},   {"GET ", "_OTHER"}, {"FOO\"", "_OTHER"},
};

TEST_CASE("router metrics: a method is one of ten, letter by letter, or _OTHER") {
  for (const method_case& row : method_cases) {
    CAPTURE(row.method);
    CHECK(to_string(classify_method(row.method)) == row.expected);
  }
}

TEST_CASE("router metrics: 100,000 random methods make at most 11 series") {
  const known_names known;
  reactor_metrics reactor;
  std::mt19937 random(7);
  for (int i = 0; i < 100'000; ++i) {
    std::string method(1 + random() % 7, '\0');
    for (char& c : method) c = static_cast<char>('!' + random() % 94);
    reactor.request_finished({.method = classify_method(i % 50 == 0 ? "GET" : method), .status = 200});
  }
  const std::string text = render(known.names, {&reactor});
  CHECK(count_series(text, "gateway_requests_total") >= 2);
  CHECK(count_series(text, "gateway_requests_total") <= 11);
}

TEST_CASE("router metrics: a finished request is counted and timed") {
  const known_names known;
  reactor_metrics reactor;
  const finished_request request{.listener = known.listener,
                                 .route = known.route,
                                 .placement = known.placement,
                                 .method = classify_method("POST"),
                                 .status = 201,
                                 .outcome = request_outcome::forwarded,
                                 .elapsed = 30ms};
  reactor.request_finished(request);
  reactor.request_finished(request);
  const std::string text = render(known.names, {&reactor});
  CHECK(lines_of(text, "gateway_requests_total") ==
        lines{R"(gateway_requests_total{listener="public",route="api",placement="tier1",method="POST",code="201",)"
              R"(outcome="forwarded"} 2)"});
  CHECK(lines_of(text, "gateway_request_duration_seconds_sum") ==
        lines{R"(gateway_request_duration_seconds_sum{route="api",placement="tier1",outcome="forwarded"} 0.06)"});
  CHECK(lines_of(text, "gateway_request_duration_seconds_bucket").size() == 15);
}

TEST_CASE("router metrics: whether requests are logged is counted by reason, over all reactors") {
  const known_names known;
  reactor_metrics one;
  reactor_metrics two;
  one.access_sampled(sampling_decision::dropped);
  one.access_sampled(sampling_decision::dropped);
  two.access_sampled(sampling_decision::dropped);
  two.access_sampled(sampling_decision::slow);
  CHECK(lines_of(render(known.names, {&one, &two}), "gateway_access_log_sampled_total") ==
        lines{R"(gateway_access_log_sampled_total{decision="ratio"} 0)",
              R"(gateway_access_log_sampled_total{decision="status"} 0)",
              R"(gateway_access_log_sampled_total{decision="slow"} 1)",
              R"(gateway_access_log_sampled_total{decision="key"} 0)",
              R"(gateway_access_log_sampled_total{decision="dropped"} 3)"});
}

TEST_CASE("router metrics: a request that met no placement has empty labels") {
  const known_names known;
  reactor_metrics reactor;
  reactor.request_finished({.listener = known.listener,
                            .method = classify_method("GET"),
                            .status = 400,
                            .outcome = request_outcome::refused});
  CHECK(lines_of(render(known.names, {&reactor}), "gateway_requests_total") ==
        lines{R"(gateway_requests_total{listener="public",route="",placement="",method="GET",code="400",)"
              R"(outcome="refused"} 1)"});
}

TEST_CASE(
    "router metrics: an attempt is counted by endpoint, its error by cell, its latency only if there was an answer") {
  const known_names known;
  reactor_metrics reactor;
  reactor.attempt_finished(
      {.placement = known.placement, .cell = known.cell, .endpoint = known.endpoint, .status = 503, .latency = 20ms});
  reactor.attempt_finished({.placement = known.placement,
                            .cell = known.cell,
                            .endpoint = known.endpoint,
                            .outcome = attempt_outcome::failed,
                            .error = upstream_error::connection_refused});
  reactor.attempt_finished({.placement = known.placement,
                            .cell = known.cell,
                            .endpoint = known.endpoint,
                            .outcome = attempt_outcome::cancelled});
  const std::string text = render(known.names, {&reactor});
  const std::string labels = R"(gateway_upstream_requests_total{placement="tier1",cell="c1",endpoint="c1-a",)";
  CHECK(lines_of(text, "gateway_upstream_requests_total") ==
        lines{labels + R"(code_class="none",outcome="failed"} 1)",
              labels + R"(code_class="none",outcome="cancelled"} 1)",
              labels + R"(code_class="5xx",outcome="answered"} 1)"});
  CHECK(lines_of(text, "gateway_upstream_errors_total") ==
        lines{R"(gateway_upstream_errors_total{placement="tier1",cell="c1",reason="connection_refused"} 1)"});
  CHECK(lines_of(text, "gateway_upstream_latency_seconds_count") ==
        lines{R"(gateway_upstream_latency_seconds_count{placement="tier1",cell="c1"} 1)"});
  CHECK(lines_of(text, "gateway_upstream_latency_seconds_sum") ==
        lines{R"(gateway_upstream_latency_seconds_sum{placement="tier1",cell="c1"} 0.02)"});
}

struct class_case {
  std::uint16_t status;
  std::string_view expected;
};

const class_case class_cases[] = {{0, "none"},  {99, "none"}, {100, "1xx"}, {199, "1xx"}, {200, "2xx"},
                                  {304, "3xx"}, {404, "4xx"}, {599, "5xx"}, {999, "5xx"}, {65535, "5xx"}};

TEST_CASE("router metrics: an attempt's code is only told by its class") {
  for (const class_case& row : class_cases) {
    const known_names known;
    reactor_metrics reactor;
    reactor.attempt_finished({.status = row.status});
    CAPTURE(row.status);
    CHECK(render(known.names, {&reactor}).find("code_class=\"" + std::string(row.expected) + '"') != std::string::npos);
  }
}

TEST_CASE("router metrics: gauges come back to what is there now") {
  const known_names known;
  reactor_metrics reactor;
  reactor.connection_opened(known.listener, protocol_label::http1);
  reactor.connection_opened(known.listener, protocol_label::http1);
  reactor.connection_closed(known.listener, protocol_label::http1);
  reactor.connection_dropped(known.listener, drop_reason::connection_limit);
  reactor.accept_paused(known.listener);
  reactor.request_started(known.placement);
  reactor.request_started(known.placement);
  reactor.request_ended(known.placement);
  reactor.upstream_connections_are(known.placement, upstream_state::active, 7);
  reactor.upstream_connections_are(known.placement, upstream_state::active, 1);
  reactor.upstream_connections_are(known.placement, upstream_state::idle, 0);
  const std::string text = render(known.names, {&reactor});
  CHECK(lines_of(text, "gateway_active_connections") ==
        lines{R"(gateway_active_connections{listener="public",protocol="http1"} 1)"});
  CHECK(lines_of(text, "gateway_connections_opened_total") ==
        lines{R"(gateway_connections_opened_total{listener="public"} 2)"});
  CHECK(lines_of(text, "gateway_connections_dropped_total") ==
        lines{R"(gateway_connections_dropped_total{listener="public",reason="connection_limit"} 1)"});
  CHECK(lines_of(text, "gateway_accept_pauses_total") == lines{R"(gateway_accept_pauses_total{listener="public"} 1)"});
  CHECK(lines_of(text, "gateway_active_requests") == lines{R"(gateway_active_requests{placement="tier1"} 1)"});
  CHECK(lines_of(text, "gateway_upstream_connections") ==
        lines{R"(gateway_upstream_connections{placement="tier1",state="active"} 1)",
              R"(gateway_upstream_connections{placement="tier1",state="idle"} 0)"});
}

TEST_CASE("router metrics: decisions and retries") {
  const known_names known;
  reactor_metrics reactor;
  reactor.route_hit(known.route, known.reason);
  reactor.route_hit(0, known.reason);
  reactor.retried(known.placement, retry_reason::connect_failed, retry_result::answered);
  reactor.retried(known.placement, retry_reason::reused_connection_ended, retry_result::failed);
  const std::string text = render(known.names, {&reactor});
  CHECK(lines_of(text, "gateway_route_hits_total") ==
        lines{R"(gateway_route_hits_total{route="",reason="dedicated"} 1)",
              R"(gateway_route_hits_total{route="api",reason="dedicated"} 1)"});
  CHECK(lines_of(text, "gateway_retries_total") ==
        lines{R"(gateway_retries_total{placement="tier1",reason="connect_failed",result="answered"} 1)",
              R"(gateway_retries_total{placement="tier1",reason="reused_connection_ended",result="failed"} 1)"});
}

TEST_CASE("router metrics: a series is the sum over the reactors, also where one has never seen it") {
  const known_names known;
  reactor_metrics one;
  reactor_metrics two;
  reactor_metrics idle;
  one.route_hit(known.route, known.reason);
  two.route_hit(known.route, known.reason);
  two.route_hit(known.route, 0);
  one.connection_opened(known.listener, protocol_label::http1);
  one.upstream_connections_are(known.placement, upstream_state::idle, 2);
  two.upstream_connections_are(known.placement, upstream_state::idle, 3);
  one.request_finished({.elapsed = 1s});
  two.request_finished({.elapsed = 2s});
  const std::string text = render(known.names, {&one, &two, &idle});
  CHECK(lines_of(text, "gateway_route_hits_total") ==
        lines{R"(gateway_route_hits_total{route="api",reason=""} 1)",
              R"(gateway_route_hits_total{route="api",reason="dedicated"} 2)"});
  CHECK(lines_of(text, "gateway_upstream_connections") ==
        lines{R"(gateway_upstream_connections{placement="tier1",state="idle"} 5)"});
  CHECK(lines_of(text, "gateway_request_duration_seconds_sum") ==
        lines{R"(gateway_request_duration_seconds_sum{route="",placement="",outcome="forwarded"} 3)"});
}

TEST_CASE("router metrics: beyond the bound of series, requests are counted under _overflow") {
  const known_names known;
  reactor_metrics reactor({.requests = 2, .attempts = 2, .placements = 2, .listeners = 2});
  for (std::uint16_t status = 200; status < 210; ++status) reactor.request_finished({.status = status});
  const lines series = lines_of(render(known.names, {&reactor}), "gateway_requests_total");
  REQUIRE(series.size() == 3);
  CHECK(series[2] ==
        R"(gateway_requests_total{listener="_overflow",route="_overflow",placement="_overflow",method="_overflow",)"
        R"(code="_overflow",outcome="_overflow"} 8)");
}

TEST_CASE("label names: an id keeps its name, and the empty name has none") {
  label_names names;
  CHECK(names.intern(label_kind::cell, "") == 0);
  const label_id c1 = names.intern(label_kind::cell, "c1");
  const label_id c2 = names.intern(label_kind::cell, "c2");
  CHECK(c1 != 0);
  CHECK(c1 != c2);
  CHECK(names.intern(label_kind::cell, "c1") == c1);
  CHECK(names.intern(label_kind::placement, "c2") == c1);  // ids are dense within a kind
  CHECK((names.names(label_kind::cell) == std::vector<std::string>{"", "c1", "c2"}));
}

TEST_CASE("label names: names beyond the bound of their kind share one id, which prints as _overflow") {
  label_names names;
  const label_id max = label_max(label_kind::reason);
  for (label_id i = 1; i < max; ++i) CHECK(names.intern(label_kind::reason, "r" + std::to_string(i)) == i);
  CHECK(names.intern(label_kind::reason, "one more") == max);
  CHECK(names.intern(label_kind::reason, "and another") == max);
  CHECK(names.intern(label_kind::reason, "r1") == 1);
  CHECK(names.names(label_kind::reason).size() == max);

  reactor_metrics reactor;
  reactor.route_hit(0, max);
  reactor.route_hit(0, max - 1);
  CHECK(lines_of(render(names, {&reactor}), "gateway_route_hits_total") ==
        lines{R"(gateway_route_hits_total{route="",reason="r)" + std::to_string(max - 1) + "\"} 1",
              R"(gateway_route_hits_total{route="",reason="_overflow"} 1)"});
}

TEST_CASE("label names: the highest id of every kind is kept apart from its neighbours in every family") {
  const auto last = [](label_kind kind) { return label_max(kind) - 1; };
  reactor_metrics reactor;
  const label_id listener = last(label_kind::listener);
  const label_id route = last(label_kind::route);
  const label_id placement = last(label_kind::placement);
  const label_id cell = last(label_kind::cell);
  const label_id endpoint = last(label_kind::endpoint);
  for (const label_id step : {0u, 1u}) {
    reactor.request_finished({.listener = listener - step, .status = 200});
    reactor.request_finished({.route = route - step, .status = 200});
    reactor.request_finished({.placement = placement - step, .status = 200});
    reactor.attempt_finished({.placement = placement - step});
    reactor.attempt_finished({.cell = cell - step});
    reactor.attempt_finished({.endpoint = endpoint - step});
  }
  const std::string text = render(label_names(), {&reactor});
  CHECK(count_series(text, "gateway_requests_total") == 6);
  CHECK(count_series(text, "gateway_upstream_requests_total") == 6);
}

TEST_CASE("label names: hostile names of an operator stay values") {
  label_names names;
  const label_id placement = names.intern(label_kind::placement, "a\"} 1\nb{c=\"\\\xFF"sv);
  reactor_metrics reactor;
  reactor.request_started(placement);
  CHECK(lines_of(render(names, {&reactor}), "gateway_active_requests") ==
        lines{"gateway_active_requests{placement=\"a\\\"} 1\\nb{c=\\\"\\\\\uFFFD\"} 1"});
}

TEST_CASE("router metrics: facts of the process") {
  router_facts facts;
  facts.version = "0.1.0";
  facts.commit = "abc1234";
  facts.started = wall_time(100s);
  facts.now = wall_time(260s);
  facts.config.source = "file";
  facts.config.generation = 7;
  facts.config.keys = 1000;
  facts.config.rows_quarantined = 3;
  facts.config.bytes = 21'000;
  facts.config.last_applied = wall_time(200'500ms);
  facts.config.last_apply_duration = 12ms;
  facts.config.applies = {{"applied", "file", 7}, {"rejected", "file", 2}};
  facts.log = {.lines_written = 10, .bytes_written = 2000, .lines_lost = 3, .events_dropped = 4, .records_dropped = 5};
  facts.usage = {.resident_bytes = 9'000'000, .open_fds = 12, .max_fds = 1024, .cpu_seconds = 0.25};
  const std::string text = render(label_names(), {}, facts);
  lines samples = lines_of(text, "gateway");
  std::erase_if(samples, [](const std::string& line) { return line.starts_with("gateway_access_log_sampled"); });
  for (std::string& line : lines_of(text, "process")) samples.push_back(std::move(line));
  CHECK(samples == lines{
                       R"(gateway_build_info{version="0.1.0",commit="abc1234"} 1)",
                       R"(gateway_config_generation{source="file"} 7)",
                       "gateway_config_keys 1000",
                       "gateway_config_rows_quarantined 3",
                       "gateway_config_bytes 21000",
                       "gateway_config_last_applied_timestamp_seconds 200.5",
                       "gateway_config_age_seconds 59.5",
                       "gateway_config_apply_duration_seconds 0.012",
                       R"(gateway_config_apply_total{result="applied",source="file"} 7)",
                       R"(gateway_config_apply_total{result="rejected",source="file"} 2)",
                       R"(gateway_access_log_lines_total{result="written"} 10)",
                       R"(gateway_access_log_lines_total{result="lost"} 3)",
                       R"(gateway_access_log_lines_total{result="dropped"} 5)",
                       "gateway_access_log_bytes_total 2000",
                       "gateway_log_events_dropped_total 4",
                       "process_start_time_seconds 100",
                       "process_resident_memory_bytes 9000000",
                       "process_open_fds 12",
                       "process_max_fds 1024",
                       "process_cpu_seconds_total 0.25",
                   });
}

TEST_CASE("router metrics: a wall clock that was set back makes no negative age") {
  router_facts facts;
  facts.now = wall_time(100s);
  facts.config.last_applied = wall_time(200s);
  CHECK(lines_of(render(label_names(), {}, facts), "gateway_config_age_seconds") ==
        lines{"gateway_config_age_seconds 0"});
}

TEST_CASE("router metrics: a scrape may run while the reactor counts") {
  known_names known;
  reactor_metrics reactor;
  std::thread owner([&] {
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      reactor.request_finished({.placement = i % 300, .status = static_cast<std::uint16_t>(200 + i % 5)});
      reactor.attempt_finished({.placement = i % 300, .status = 200, .latency = 1ms});
      reactor.request_started(i % 300);
    }
  });
  for (int i = 0; i < 20; ++i) {
    CHECK(known.names.intern(label_kind::placement, "p" + std::to_string(i)) != 0);
    CHECK_FALSE(render(known.names, {&reactor}).empty());
  }
  owner.join();
  std::uint64_t sum = 0;
  for (const std::string& line : lines_of(render(known.names, {&reactor}), "gateway_upstream_latency_seconds_count")) {
    sum += std::stoull(line.substr(line.rfind(' ') + 1));
  }
  CHECK(sum == 20'000);
}

router_facts facts_with_gateway_names() {
  router_facts facts;
  facts.has_gateway_names = true;
  return facts;
}

TEST_CASE("router metrics: names of the gateway dialect are only on the page that was asked for them") {
  const known_names known;
  reactor_metrics reactor;
  reactor.request_finished({.status = 200});
  reactor.attempt_finished({.latency = 1ms});
  const std::string plain = render(known.names, {&reactor});
  const std::string compatible = render(known.names, {&reactor}, facts_with_gateway_names());
  for (const std::string_view name :
       {"# TYPE gateway_rps gauge\n", "# TYPE gateway_active_conns gauge\n",
        "# TYPE gateway_upstream_latency_ms_hist histogram\n", "# TYPE reload_success_total counter\n",
        "# TYPE reload_failure_total counter\n", ",status=\""}) {
    CAPTURE(name);
    CHECK(plain.find(name) == std::string::npos);
    CHECK(compatible.find(name) != std::string::npos);
    CHECK(compatible.find(name) == compatible.rfind(name));
  }
  // And nothing is taken away: families and samples of the plain page are there, but for the added label.
  const auto without_status = [](std::string text) {
    const std::string_view added = R"(,status="200")";
    return text.erase(text.find(added), added.size());
  };
  CHECK(without_status(compatible).starts_with(plain));
}

TEST_CASE("router metrics: status says what code says (gateway names)") {
  const known_names known;
  reactor_metrics reactor({.requests = 2, .attempts = 2, .placements = 2, .listeners = 2});
  for (std::uint16_t status = 200; status < 203; ++status) reactor.request_finished({.status = status});
  const std::string begin = R"(gateway_requests_total{listener="",route="",placement="",method="GET",)";
  CHECK(lines_of(render(known.names, {&reactor}, facts_with_gateway_names()), "gateway_requests_total") ==
        lines{begin + R"(code="200",outcome="forwarded",status="200"} 1)",
              begin + R"(code="201",outcome="forwarded",status="201"} 1)",
              R"(gateway_requests_total{listener="_overflow",route="_overflow",placement="_overflow",)"
              R"(method="_overflow",code="_overflow",outcome="_overflow",status="_overflow"} 1)"});
}

TEST_CASE("router metrics: upstream latencies in milliseconds, summed over the reactors (gateway names)") {
  label_names names;
  const label_id placement = names.intern(label_kind::placement, "a\"\nb");
  reactor_metrics one;
  reactor_metrics two;
  one.attempt_finished({.placement = placement, .latency = 5ms});
  two.attempt_finished({.placement = placement, .latency = 5001us});
  two.attempt_finished({.placement = placement, .latency = 11s});
  const std::string text = render(names, {&one, &two}, facts_with_gateway_names());
  const auto line = [](std::string_view suffix, std::string_view bound, std::string_view value) {
    return "gateway_upstream_latency_ms_hist" + std::string(suffix) + R"({placement="a\"\nb",cell="")" +
           std::string(bound) + "} " + std::string(value);
  };
  lines expected = {line("_bucket", R"(,le="5")", "1")};
  for (const std::string bound :
       {"10", "25", "50", "75", "100", "250", "500", "750", "1000", "2500", "5000", "7500", "10000"}) {
    expected.push_back(line("_bucket", ",le=\"" + bound + '"', "2"));
  }
  expected.push_back(line("_bucket", R"(,le="+Inf")", "3"));
  expected.push_back(line("_sum", "", "11010.001"));
  expected.push_back(line("_count", "", "3"));
  CHECK(lines_of(text, "gateway_upstream_latency_ms_hist") == expected);
  CHECK(lines_of(text, "# HELP gateway_upstream_latency_ms_hist ").size() == 1);
}

TEST_CASE("router metrics: without an attempt there is no histogram, and no head of one (gateway names)") {
  CHECK(render(label_names(), {}, facts_with_gateway_names()).find("_ms_hist") == std::string::npos);
}

TEST_CASE("router metrics: active connections are one number, also when there is none (gateway names)") {
  known_names known;
  const label_id other = known.names.intern(label_kind::listener, "other");
  reactor_metrics one;
  reactor_metrics two;
  const auto said = [&] {
    return lines_of(render(known.names, {&one, &two}, facts_with_gateway_names()), "gateway_active_conns");
  };
  CHECK(said() == lines{"gateway_active_conns 0"});
  one.connection_opened(known.listener, protocol_label::http1);
  one.connection_opened(other, protocol_label::http2);
  two.connection_opened(known.listener, protocol_label::http1);
  CHECK(said() == lines{"gateway_active_conns 3"});
  two.connection_closed(known.listener, protocol_label::http1);
  CHECK(said() == lines{"gateway_active_conns 2"});
}

TEST_CASE("router metrics: reloads are applies of every source, the rate is what was told (gateway names)") {
  router_facts facts = facts_with_gateway_names();
  facts.config.applies = {{"applied", "file", 7}, {"rejected", "file", 2}, {"applied", "push", 10}};
  facts.requests_per_second = 12.5;
  const std::string text = render(label_names(), {}, facts);
  CHECK(lines_of(text, "reload_") == lines{"reload_success_total 17", "reload_failure_total 2"});
  CHECK(lines_of(text, "gateway_rps") == lines{"gateway_rps 12.5"});
}

TEST_CASE("router metrics: finished requests are counted over all series, the overflow included") {
  reactor_metrics reactor({.requests = 2, .attempts = 2, .placements = 2, .listeners = 2});
  CHECK(reactor.requests_finished() == 0);
  for (std::uint16_t status = 200; status < 210; ++status) reactor.request_finished({.status = status});
  CHECK(reactor.requests_finished() == 10);
}

TEST_CASE("router metrics: what a control plane is told: errors by kind, times, decisions for one reason") {
  reactor_metrics reactor;
  const auto request = [&](request_outcome outcome, std::uint16_t status, duration elapsed) {
    reactor.request_finished({.status = status, .outcome = outcome, .elapsed = elapsed});
  };
  request(request_outcome::forwarded, 200, 1ms);
  request(request_outcome::forwarded, 503, 7ms);  // a cell's own
  request(request_outcome::forwarded, 404, 7ms);
  request(request_outcome::refused, 404, 1ms);
  request(request_outcome::refused, 400, 1ms);
  request(request_outcome::refused, 503, 1ms);
  request(request_outcome::upstream_error, 502, 20s);
  request(request_outcome::cut, 200, 1ms);
  const auto attempts = [&](std::initializer_list<upstream_error> errors) {
    for (const upstream_error error : errors)
      reactor.attempt_finished({.outcome = attempt_outcome::failed, .latency = std::nullopt, .error = error});
  };
  attempts({upstream_error::dns_error, upstream_error::connection_refused, upstream_error::connection_timeout,
            upstream_error::tls_protocol_error, upstream_error::tls_certificate_error});
  attempts({upstream_error::connection_read_timeout, upstream_error::http_response_timeout});
  attempts({upstream_error::connection_terminated, upstream_error::http_protocol_error});
  reactor.route_hit(0, 1);
  reactor.route_hit(0, 2);
  reactor.route_hit(3, 2);
  const reactor_metrics::traffic told = reactor.traffic_by(2);
  CHECK(told.finished == 8);
  CHECK(told.own_5xx == 2);
  CHECK(told.no_route == 1);
  CHECK(told.connect == 5);
  CHECK(told.timeout == 2);
  CHECK(told.hits == 2);
  CHECK(told.latency.buckets.front() == 5);
  CHECK(told.latency.buckets[1] == 2);
  CHECK(told.latency.buckets.back() == 1);
}

TEST_CASE("router metrics: series beyond the bound are no error of any kind") {
  reactor_metrics reactor({.requests = 1, .attempts = 1, .placements = 1, .listeners = 1});
  for (std::uint16_t status = 200; status < 210; ++status) reactor.request_finished({.status = status});
  for (const upstream_error error : {upstream_error::dns_error, upstream_error::http_response_timeout})
    reactor.attempt_finished({.outcome = attempt_outcome::failed, .latency = std::nullopt, .error = error});
  const reactor_metrics::traffic told = reactor.traffic_by(0);
  CHECK(told.finished == 10);
  CHECK(told.own_5xx == 0);
  CHECK(told.no_route == 0);
  CHECK(told.connect == 1);
  CHECK(told.timeout == 0);
}

struct rate_sample {
  duration at;
  std::uint64_t finished;
};
struct rate_case {
  std::string_view says;
  std::vector<rate_sample> samples;
  double expected;
};

/// A sample each second from 1 s on, 100 requests each.
std::vector<rate_sample> steady(int seconds) {
  std::vector<rate_sample> samples;
  for (int i = 1; i <= seconds; ++i) samples.push_back({i * 1s, static_cast<std::uint64_t>(i) * 100});
  return samples;
}
/// 500 requests in the first second and none after it.
std::vector<rate_sample> burst(int seconds) {
  std::vector<rate_sample> samples = {{0s, 0}};
  for (int i = 1; i <= seconds; ++i) samples.push_back({i * 1s, 500});
  return samples;
}

const rate_case rate_cases[] = {
    {"no sample, no rate", {}, 0},
    {"one sample is no rate, however high it is", {{1s, 1000}}, 0},
    {"two samples", {{1s, 1000}, {2s, 1007}}, 7},
    {"a late sample is divided by the time that did pass", {{1s, 0}, {5s, 8}}, 2},
    {"a sample that is not due is not taken", {{1s, 0}, {2s - 1ns, 50}}, 0},
    {"nor does it move the next one", {{1s, 0}, {1500ms, 50}, {2s, 60}, {2500ms, 1000}}, 60},
    {"a steady load, before the window is full", steady(10), 100},
    {"and when it is full", steady(11), 100},
    {"and long after", steady(1000), 100},
    {"a burst at the edge of the window is in it", burst(10), 50},
    {"one second later it is not", burst(11), 0},
    {"the clock may start anywhere", {{-5s, 10}, {-4s, 20}}, 10},
};

TEST_CASE("request rate: a window of ten seconds") {
  for (const rate_case& row : rate_cases) {
    CAPTURE(row.says);
    request_rate rate;
    for (const rate_sample& sample : row.samples) rate.sample(sample.finished, time_point(sample.at));
    CHECK(rate.per_second() == doctest::Approx(row.expected));
  }
}

/// Every word of an enum, up to the first number without one.
template <class Enum>
std::set<std::string_view> words() {
  std::set<std::string_view> found;
  for (unsigned value = 0; value < 16; ++value) {
    const std::string_view word = to_string(static_cast<Enum>(value));
    if (!word.empty()) CHECK(found.insert(word).second);
  }
  return found;
}

TEST_CASE("router metrics: the words that labels are made of, all of them") {
  using set = std::set<std::string_view>;
  CHECK((words<request_outcome>() == set{"forwarded", "refused", "upstream_error", "cut", "client_gone"}));
  CHECK((words<attempt_outcome>() == set{"answered", "failed", "cancelled"}));
  CHECK((words<upstream_error>() == set{"dns_error", "connection_refused", "connection_timeout",
                                        "connection_terminated", "connection_read_timeout", "http_protocol_error",
                                        "http_response_timeout", "tls_protocol_error", "tls_certificate_error"}));
  CHECK((words<drop_reason>() == set{"connection_limit", "accept_rate", "draining"}));
  CHECK((words<protocol_label>() == set{"http1", "http2", "http3", "tcp", "tunnel"}));
  CHECK((words<upstream_state>() == set{"active", "idle"}));
  CHECK((words<retry_reason>() == set{"connect_failed", "reused_connection_ended"}));
  CHECK((words<retry_result>() == set{"answered", "failed"}));
}

}  // namespace
}  // namespace cellroute::proxy
