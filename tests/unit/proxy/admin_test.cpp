#include "adapters/proxy/admin.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "adapters/edge/reason_phrase.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/socket_pair.hpp"
#include "tests/support/spec_builder.hpp"

namespace cellroute::proxy {
namespace {

/// A request without a connection; keeps the answer.
struct fake_exchange final : edge::exchange {
  fake_exchange(std::string_view method, std::string_view target, bool whole = true) : whole_(whole) {
    request.method = method;
    request.target = target;
  }
  edge::body_piece first_body() override { return {}; }
  io::task<edge::body_piece> read_body(time_point) override { co_return edge::body_piece(); }
  void stop_reading() override {}
  std::span<field> trailers() override { return {}; }
  bool settle_body() override { return whole_; }
  io::task<edge::stream_fault> send_interim(const edge::outgoing_response&, time_point) override {
    co_return edge::stream_fault::none;
  }
  io::task<edge::stream_fault> send_head(const edge::outgoing_response& head, edge::body_piece first,
                                         std::span<const field>, time_point) override {
    ++heads;
    status = head.view->status;
    reason = head.view->reason;
    length_bytes = head.view->body.length_bytes;
    close = head.close;
    for (const field& f : head.added) fields += std::string(f.name) + ": " + std::string(f.value) + "\n";
    body.assign(first.data, first.size_bytes);
    CHECK(first.end);
    co_return fault;
  }
  io::task<edge::stream_fault> send_body(edge::body_piece, std::span<const field>, time_point) override {
    co_return edge::stream_fault::none;
  }
  void become_tunnel() override {}
  bool has_left() const override { return false; }
  void watch_leaving(edge::leaving_watcher*) override {}
  void abort() override { aborted = true; }

  int heads = 0;
  std::uint16_t status = 0;
  std::string reason;
  std::optional<std::uint64_t> length_bytes;
  bool close = false;
  bool aborted = false;
  std::string fields;
  std::string body;
  edge::stream_fault fault = edge::stream_fault::none;

 private:
  bool whole_;
};

struct fake_source final : admin_source {
  [[nodiscard]] readiness ready() const override { return state; }
  [[nodiscard]] std::string metrics() const override { return "gateway_build_info 1\n"; }
  [[nodiscard]] std::string_view config_origin() const override { return "file"; }
  [[nodiscard]] std::string config_file() const override { return "cellroute.yaml"; }
  [[nodiscard]] wall_time config_applied_at() const override { return wall_time(1'000s); }
  [[nodiscard]] std::optional<wire::content_id> pushed() const override { return content; }
  [[nodiscard]] config_refusal last_refusal() const override { return {wall_time(1'001s), mistakes}; }
  wire::quarantine bad_rows;
  [[nodiscard]] const wire::quarantine& quarantined() const override { return bad_rows; }
  [[nodiscard]] bool may_reload() const override { return is_private; }
  [[nodiscard]] io::task<reload_report> reload(std::string guard) override {
    ++reloads;
    lifted = std::move(guard);
    co_return report;
  }
  readiness state = readiness::ready;
  bool is_private = true;
  std::optional<wire::content_id> content;
  std::vector<std::string> mistakes;
  reload_report report;
  std::string lifted;
  int reloads = 0;
};

class pages {
 public:
  pages() : configurations_({3, {make_table(), {}}}), pages_(clock_, configurations_, source, options()) {}

  fake_exchange& ask(fake_exchange& x) {
    const auto serve = [](admin_pages& p, edge::exchange& e) -> io::task<int> {
      co_await p.serve(e);
      co_return 1;
    };
    const support::started<int> asked(serve(pages_, x));
    CHECK(asked.result == 1);
    return x;
  }

  fake_source source;

 private:
  static routing_table make_table() {
    table_spec spec = support::good_spec();
    spec.on_unknown = unknown_key_policy::reject;
    spec.assignments.push_back({"a b/\xc3\xa9", placement_id("tier1")});
    return support::compiled(spec, 3);
  }
  static admin_options options() { return {"/internal/metrics", "1.2.3", "abc123"}; }

  io::loop_clock clock_{time_point(1h), wall_time(1'012s)};
  published<active_configuration> configurations_;
  admin_pages pages_;
};

struct page_case {
  std::string_view says;
  std::string_view method;
  std::string_view target;
  std::uint16_t status;
  std::string_view body;  // the whole of it, or a part
};

const page_case page_cases[] = {
    {"health", "GET", "/health", 200, "{\"status\":\"ok\"}\n"},
    {"health with a query", "GET", "/health?x=1", 200, "{\"status\":\"ok\"}\n"},
    {"HEAD", "HEAD", "/health", 200, "{\"status\":\"ok\"}\n"},
    {"readiness", "GET", "/ready", 200, "{\"status\":\"ready\"}\n"},
    {"version", "GET", "/version", 200, "{\"version\":\"1.2.3\",\"commit\":\"abc123\"}\n"},
    {"metrics, where configured", "GET", "/internal/metrics", 200, "gateway_build_info 1\n"},
    {"configuration", "GET", "/debug/config", 200,
     "\"generation\":3,\"keys\":3,\"rows_quarantined\":0,\"age_seconds\":12"},
    {"configuration: version", "GET", "/debug/config", 200,
     "{\"version\":\"v1\",\"source\":\"file\",\"file\":\"cellroute.yaml\","},
    {"a key explained", "GET", "/v1/explain?key=acme", 200, "\"placement\":\"tier1\""},
    {"behind another value", "GET", "/v1/explain?x=y&key=visa&z", 200, "\"reason\":\"dedicated\""},
    {"with escapes", "GET", "/v1/explain?key=a+b%2F%c3%A9", 200, "\"placement\":\"tier1\""},
    {"no key", "GET", "/v1/explain", 400, "\"code\":\"routing_key_missing\""},
    {"no key, but one that ends so", "GET", "/v1/explain?monkey=acme", 400, "\"code\":\"routing_key_missing\""},
    {"an empty key", "GET", "/v1/explain?key=", 400, "\"code\":\"routing_key_empty\""},
    {"a key without a value", "GET", "/v1/explain?key", 400, "\"code\":\"routing_key_empty\""},
    {"a broken escape", "GET", "/v1/explain?key=%4", 400, "\"code\":\"malformed_request\""},
    {"space around it, as around a header's value", "GET", "/v1/explain?key=+acme%09", 200, "\"key\":\"acme\""},
    {"nothing but space", "GET", "/v1/explain?key=+", 400, "\"code\":\"routing_key_empty\""},
    {"a list", "GET", "/v1/explain?key=a,b", 400, "\"code\":\"routing_key_list\""},
    {"a byte that no header holds", "GET", "/v1/explain?key=a%00", 400, "\"code\":\"malformed_request\""},
    {"two keys", "GET", "/v1/explain?key=acme&key=visa", 400, "\"code\":\"routing_key_repeated\""},
    {"one key twice", "GET", "/v1/explain?key=acme&x&key=acme", 400, "\"code\":\"routing_key_repeated\""},
    {"an unknown key", "GET", "/v1/explain?key=nobody", 404, "\"code\":\"routing_key_unknown\""},
    {"no such page", "GET", "/", 404, "\"code\":\"not_found\""},
    {"metrics, where usually", "GET", "/metrics", 404, "\"code\":\"not_found\""},
    {"a page's name with more behind", "GET", "/health/", 404, "\"code\":\"not_found\""},
    {"another case", "GET", "/Health", 404, "\"code\":\"not_found\""},
    {"changing anything", "POST", "/debug/config", 405, "\"code\":\"method_refused\""},
    {"a method's name in small letters", "get", "/health", 405, "\"code\":\"method_refused\""},
};

TEST_CASE("admin: its pages, and what they refuse") {
  pages p;
  for (const page_case& row : page_cases) {
    CAPTURE(row.says);
    fake_exchange x(row.method, row.target);
    p.ask(x);
    CHECK(x.heads == 1);
    CHECK(x.status == row.status);
    CHECK(x.reason == edge::reason_phrase(row.status));
    CHECK(x.length_bytes == x.body.size());
    CHECK(x.body.find(row.body) != std::string::npos);
    CHECK(x.body.ends_with('\n'));
    CHECK(x.fields.find("Cache-Control: no-store\n") != std::string::npos);
    CHECK((x.fields.find("Allow: GET, HEAD\n") != std::string::npos) == (row.status == 405));
    const bool json = row.target != "/internal/metrics";
    CHECK((x.fields.find("Content-Type: application/json\n") != std::string::npos) == json);
    CHECK_FALSE(x.close);
  }
}

struct reload_case {
  std::string_view says;
  std::string_view method;
  std::string_view target;
  bool is_private;
  bool from_a_page;  // of a browser
  std::uint16_t status;
  std::string_view body;
};

const reload_case reload_cases[] = {
    {"what came of it", "POST", "/v1/reload", true, false, 200, "{\"result\":\"applied\",\"generation\":4}\n"},
    {"by the name that other gateways have for it", "POST", "/admin/runtime/reload", true, false, 200,
     "{\"result\":\"applied\",\"generation\":4}\n"},
    {"with a guard lifted", "POST", "/v1/reload?override=min_keys", true, false, 200, "\"result\":\"applied\""},
    {"no such guard", "POST", "/v1/reload?override=keys", true, false, 400, "\"code\":\"malformed_request\""},
    {"two guards", "POST", "/v1/reload?override=min_keys&override=max_moved_percent", true, false, 400,
     "\"code\":\"malformed_request\""},
    {"a guard without a name", "POST", "/v1/reload?override", true, false, 400, "\"code\":\"malformed_request\""},
    {"reading it", "GET", "/v1/reload", true, false, 405, "\"code\":\"method_refused\""},
    {"from another machine", "POST", "/v1/reload", false, false, 403, "\"code\":\"request_denied\""},
    {"from a page of a browser", "POST", "/v1/reload", true, true, 403, "\"code\":\"request_denied\""},
};

TEST_CASE("admin: who may have the configuration read again, and what is said of it") {
  for (const reload_case& row : reload_cases) {
    CAPTURE(row.says);
    pages p;
    p.source.is_private = row.is_private;
    p.source.report = {reload_result::applied, 4, {}};
    fake_exchange x(row.method, row.target);
    field origin{"Origin", "http://127.0.0.1", field_name::other, false};
    if (row.from_a_page) x.request.fields = {&origin, 1};
    p.ask(x);
    CHECK(x.status == row.status);
    CHECK(x.body.find(row.body) != std::string::npos);
    CHECK((x.fields.find("Allow: POST\n") != std::string::npos) == (row.status == 405));
    CHECK(p.source.reloads == (row.status == 200 ? 1 : 0));
    CHECK(p.source.lifted == (row.status == 200 && row.target.ends_with("min_keys") ? "min_keys" : ""));
  }
}

TEST_CASE("admin: a refused configuration is told with every mistake, there and in /debug/config") {
  pages p;
  fake_exchange before("GET", "/debug/config");
  CHECK(p.ask(before).body.find("\"rejected\":null") != std::string::npos);
  p.source.mistakes = {"a.yaml:1:2: x: is \"bad\"", "a.yaml:3:4: y: too"};
  p.source.report = {reload_result::refused, 3, p.source.mistakes};
  const std::string list = R"("mistakes":["a.yaml:1:2: x: is \"bad\"","a.yaml:3:4: y: too"])";
  fake_exchange asked("POST", "/v1/reload");
  CHECK(p.ask(asked).status == 422);
  CHECK(asked.body.find("\"code\":\"config_rejected\"") != std::string::npos);
  CHECK(asked.body.find("\"result\":\"refused\",\"generation\":3," + list) != std::string::npos);
  fake_exchange after("GET", "/debug/config");
  CHECK(p.ask(after).body.find("\"rejected\":{\"at\":\"1970-01-01T00:16:41.000Z\"," + list) != std::string::npos);
}

TEST_CASE("admin: what a control plane sent is known by its number and digest") {
  pages p;
  fake_exchange before("GET", "/debug/config");
  CHECK(p.ask(before).body.find("\"pushed\":null") != std::string::npos);
  p.source.content = wire::content_id{3, 42, {std::byte{0x9f}, std::byte{0x01}}};
  fake_exchange after("GET", "/debug/config");
  CHECK(p.ask(after).body.find(R"("pushed":{"epoch":3,"version":42,"digest":"9f010000"})") != std::string::npos);
}

TEST_CASE("admin: a key of 256 bytes is explained, one of 257 is not") {
  pages p;
  for (const std::size_t size_bytes : {key_size_max, key_size_max + 1}) {
    const std::string target = "/v1/explain?key=" + std::string(size_bytes, 'k');
    fake_exchange x("GET", target);
    CHECK(p.ask(x).status == (size_bytes == key_size_max ? 404 : 400));
  }
}

TEST_CASE("admin: not ready before it has started, nor while it drains; alive all the time") {
  pages p;
  for (const readiness state : {readiness::starting, readiness::unconfigured, readiness::stale, readiness::draining}) {
    p.source.state = state;
    fake_exchange ready("GET", "/ready");
    CHECK(p.ask(ready).status == 503);
    CHECK(ready.body == "{\"status\":\"" + std::string(to_string(state)) + "\"}\n");
    fake_exchange health("GET", "/health");
    CHECK(p.ask(health).status == 200);
  }
}

TEST_CASE(
    "admin: what the protocol refused gets its status; an unread body ends the connection; a lost client is cut off") {
  pages p;
  fake_exchange refused("GET", "/health");
  refused.refused = {431, "the head is too large"};
  CHECK(p.ask(refused).status == 431);
  CHECK(refused.body.find("the head is too large") != std::string::npos);
  fake_exchange unread("GET", "/health", false);
  CHECK(p.ask(unread).close);
  CHECK_FALSE(unread.aborted);
  fake_exchange lost("GET", "/health");
  lost.fault = edge::stream_fault::closed;
  CHECK(p.ask(lost).aborted);
}

}  // namespace
}  // namespace cellroute::proxy
