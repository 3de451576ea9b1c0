// What the router takes out of heads and puts into them, on the way up and on the way back.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::string_view gone = "<gone>";

/// What a cell sees of a field.
struct upward_case {
  std::string_view says;
  std::string sent;
  std::string_view name;
  std::string_view seen;
};

const upward_case upward_cases[] = {
    {"a field of the application", "X-App: a, b\r\nX-App: c\r\n", "X-App", "a, b, c"},
    {"Host stays the client's", "", "Host", "shop.example"},
    {"the routing key reaches the cell", "", "X-Routing-Key", "acme"},
    {"Connection is between two hops", "Connection: keep-alive\r\n", "Connection", gone},
    {"what Connection names goes with it", "Connection: X-Secret\r\nX-Secret: 1\r\n", "X-Secret", gone},
    {"in any case of letters", "connection: foo, x-SECRET\r\nX-Secret: 1\r\n", "X-Secret", gone},
    {"but not the key", "Connection: X-Routing-Key\r\n", "X-Routing-Key", "acme"},
    {"nor the fields that are ours", "Connection: X-Request-Id\r\nX-Request-Id: mine\r\n", "X-Request-Id", "mine"},
    {"Keep-Alive", "Keep-Alive: timeout=5\r\n", "Keep-Alive", gone},
    {"Proxy-Connection", "Proxy-Connection: keep-alive\r\n", "Proxy-Connection", gone},
    {"TE without trailers", "TE: gzip\r\nConnection: TE\r\n", "TE", gone},
    {"an Upgrade that nobody asked for", "Upgrade: foo\r\n", "Upgrade", gone},
    {"X-Cell-Key is ours (a client cannot forge it)", "X-Cell-Key: visa\r\n", "X-Cell-Key", "acme"},
    {"X-Cell-Placement is ours", "X-Cell-Placement: visa\r\n", "X-Cell-Placement", "tier1"},
    {"X-Cell-Generation is ours, and off", "X-Cell-Generation: 9\r\n", "X-Cell-Generation", gone},
    {"a stranger's X-Forwarded-For is overwritten", "X-Forwarded-For: 1.2.3.4\r\n", "X-Forwarded-For", "127.0.0.1"},
    {"X-Forwarded-Host too", "X-Forwarded-Host: evil.example\r\n", "X-Forwarded-Host", "shop.example"},
    {"X-Forwarded-Proto too", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Proto", "http"},
    {"a stranger's Forwarded goes", "Forwarded: for=1.2.3.4\r\n", "Forwarded", gone},
    {"a request id that a client chose is passed", "X-Request-Id: abc-123\r\n", "X-Request-Id", "abc-123"},
    {"a look-alike of X-Cell-Key, which CGI would take for it", "X_Cell_Key: visa\r\n", "X_Cell_Key", gone},
    {"one of the routing key", "x_routing-key: visa\r\n", "x_routing-key", gone},
    {"other names may have such bytes", "X_App: a\r\n", "X_App", "a"},
    {"trace context passes", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", "traceparent",
     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
};

void check_upward(router_process& router, const upward_case& row) {
  CAPTURE(row.says);
  const message answer = ask(router.port(), keyed("GET /", row.sent));
  REQUIRE(answer.status() == 200);
  const message_head seen{answer.content};
  CHECK((seen.has(row.name) ? seen.value(row.name) : std::string(gone)) == row.seen);
}

TEST_CASE("headers: what a cell sees") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const upward_case& row : upward_cases) check_upward(router, row);
  const message_head seen{ask(router.port(), keyed("GET /")).content};
  CHECK(seen.value("X-Forwarded-Port") == std::to_string(router.port()));
}

const upward_case behind_proxy_cases[] = {
    {"a trusted proxy's list is appended to", "X-Forwarded-For: 1.2.3.4\r\n", "X-Forwarded-For", "1.2.3.4, 127.0.0.1"},
    {"two lines become one", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n", "X-Forwarded-For",
     "1.2.3.4, 5.6.7.8, 127.0.0.1"},
    {"without a list it begins with the peer", "", "X-Forwarded-For", "127.0.0.1"},
    {"its word on the host stands", "X-Forwarded-Host: public.example\r\n", "X-Forwarded-Host", "public.example"},
    {"its word on the scheme stands", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Proto", "https"},
    {"Forwarded passes", "Forwarded: for=1.2.3.4\r\n", "Forwarded", "for=1.2.3.4"},
    {"X-Cell-Key is ours even so", "X-Cell-Key: visa\r\n", "X-Cell-Key", "acme"},
};

TEST_CASE("headers: what a cell sees of a request through a trusted proxy") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .listener = ", trusted_proxies: [127.0.0.0/8]"});
  for (const upward_case& row : behind_proxy_cases) check_upward(router, row);
  const message answer =
      ask(router.port(), keyed("GET /", "X-Forwarded-For: 9.9.9.9, 1.2.3.4\r\nX-Request-Id: far\r\n"));
  CHECK(answer.status() == 200);
  CHECK(router.access_line("far")["client_ip"] == "1.2.3.4");
}

bool is_made_id(const std::string& id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f'); });
}

TEST_CASE("headers: a request id is made, or taken from the client when it is fit") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const message made = ask(router.port(), keyed("GET /"));
  const std::string id = made.head.value("X-Request-Id");
  CHECK(is_made_id(id));
  CHECK(message_head{made.content}.value("X-Request-Id") == id);
  CHECK(router.access_line(id)["request_id"] == id);
  CHECK(ask(router.port(), keyed("GET /")).head.value("X-Request-Id") != id);

  const std::string longest(128, 'i');
  CHECK(ask(router.port(), keyed("GET /", "X-Request-Id: " + longest + "\r\n")).head.value("X-Request-Id") == longest);
  for (const std::string& unfit :
       {"X-Request-Id: " + longest + "i\r\n", std::string("X-Request-Id: a b\r\n"),
        std::string("X-Request-Id: a\r\nX-Request-Id: b\r\n"), std::string("X-Request-Id:\r\n")}) {
    CAPTURE(unfit);
    const message answer = ask(router.port(), keyed("GET /", unfit));
    CHECK(is_made_id(answer.head.value("X-Request-Id")));
    CHECK(message_head{answer.content}.values("X-Request-Id").size() == 1);
  }
  const message refused = ask(router.port(), request("GET /", "X-Request-Id: without-key\r\n"));
  CHECK(refused.status() == 400);
  CHECK(refused.head.value("X-Request-Id") == "without-key");
}

/// What a client sees of a field that a cell sent.
struct downward_case {
  std::string_view says;
  std::string sent;
  std::string_view name;
  std::string_view seen;
};

const downward_case downward_cases[] = {
    {"a field of the application", "X-App: a\r\nX-App: b\r\n", "X-App", "a, b"},
    {"cookies stay apart, and whole", "Set-Cookie: a=1; Path=/\r\n", "Set-Cookie", "a=1; Path=/"},
    {"X-Circuit-State is ours, and off", "X-Circuit-State: open\r\n", "X-Circuit-State", gone},
    {"Date is the cell's", "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", "Date", "Tue, 01 Jan 2030 00:00:00 GMT"},
    {"Keep-Alive is between two hops", "Keep-Alive: timeout=5\r\n", "Keep-Alive", gone},
    {"what Connection names", "Connection: X-Inner\r\nX-Inner: 1\r\n", "X-Inner", gone},
    {"the cell's own X-Routed-To is replaced", "X-Routed-To: elsewhere\r\n", "X-Routed-To", "tier1"},
    {"the cell's own X-Route-Reason is replaced", "X-Route-Reason: magic\r\n", "X-Route-Reason", "tier"},
    {"Connection cannot take our fields away", "Connection: X-Routed-To\r\n", "X-Routed-To", "tier1"},
    {"the cell's own X-Failover-Reason goes", "X-Failover-Reason: magic\r\n", "X-Failover-Reason", gone},
    {"Proxy-Status is appended to", "Proxy-Status: inner; error=dns_error\r\n", "Proxy-Status",
     "inner; error=dns_error, cellroute"},
    {"Proxy-Status is added", "", "Proxy-Status", "cellroute"},
    {"a redirect is passed on", "Location: http://other.example/x\r\n", "Location", "http://other.example/x"},
};

TEST_CASE("headers: what a client sees") {
  for (const downward_case& row : downward_cases) {
    CAPTURE(row.says);
    fake_cell cell(play{"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n" + row.sent + "\r\nok"});
    router_process router({.placements = {{"tier1", at(cell.port())}}});
    const message answer = ask(router.port(), keyed("GET /"));
    CHECK(answer.status() == 302);
    CHECK(answer.head.first_line() == "HTTP/1.1 302 Found");
    CHECK((answer.head.has(row.name) ? answer.head.value(row.name) : std::string(gone)) == row.seen);
    CHECK(answer.content == "ok");
  }
}

struct shown_case {
  std::string_view says;
  std::string decision;
  std::string_view target;
  std::string_view fields;
  bool shown;
};

const shown_case shown_cases[] = {
    {"always: a good answer", "headers: always", "/200", "", true},
    {"always: an error", "headers: always", "/503", "", true},
    {"errors: a good answer", "headers: errors", "/200", "", false},
    {"errors: an error", "headers: errors", "/503", "", true},
    {"debug: not asked for", "headers: debug", "/503", "", false},
    {"debug: asked for by a trusted peer", "headers: debug", "/200", "X-Debug-Route: 1\r\n", true},
    {"never: not even then", "headers: never", "/503", "X-Debug-Route: 1\r\n", false},
};

TEST_CASE("headers: an answer without Date gets one, an answer of the router's own too") {
  fake_cell cell(play{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const std::string& bytes : {keyed("GET /"), request("GET /", "")}) {
    const message answer = ask(router.port(), bytes);
    CAPTURE(answer.status());
    const std::string date = answer.head.value("Date");
    CHECK(date.size() == 29);
    CHECK(date.ends_with(" GMT"));
  }
}

TEST_CASE("headers: Max-Forwards counts down, and ends at 0") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const auto left = [&](std::string_view method, std::string_view sent) {
    const message answer =
        ask(router.port(), keyed(std::string(method) + " /", "Max-Forwards: " + std::string(sent) + "\r\n"));
    return std::to_string(answer.status()) + ' ' + message_head{answer.content}.value("Max-Forwards");
  };
  CHECK(left("OPTIONS", "2") == "200 1");
  CHECK(left("TRACE", "1") == "200 0");
  CHECK(left("GET", "0") == "200 0");  // only OPTIONS and TRACE are bound by it
  CHECK(left("OPTIONS", "many") == "200 many");
  const message options = ask(router.port(), keyed("OPTIONS /", "Max-Forwards: 0\r\n"));
  CHECK(options.status() == 200);
  CHECK(options.head.value("Allow").find("GET") != std::string::npos);
  CHECK(options.head.value("Proxy-Status").starts_with("cellroute; error=proxy_internal_response"));
  CHECK(ask(router.port(), keyed("TRACE /", "Max-Forwards: 0\r\n")).status() == 405);
}

TEST_CASE("headers: when the decision is shown") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) c.answer(std::string(request.head.target().substr(1)) + " Word", "x");
  });
  for (const shown_case& row : shown_cases) {
    CAPTURE(row.says);
    router_process router({.placements = {{"tier1", at(cell.port())}},
                           .listener = ", trusted_proxies: [127.0.0.1]",
                           .decision = row.decision});
    const message answer = ask(router.port(), keyed("GET " + std::string(row.target), row.fields));
    CHECK(answer.head.has("X-Routed-To") == row.shown);
    CHECK(answer.head.has("X-Route-Reason") == row.shown);
    CHECK(answer.head.has("X-Request-Id"));
  }
}

TEST_CASE("headers: X-Route-Decision tells the whole story where it is on, and nobody outside may turn it on") {
  fake_cell cell(echo_head{});
  {
    router_process router({.placements = {{"tier1", at(cell.port())}}, .decision = "route_decision: true"});
    const std::string story = ask(router.port(), keyed("GET /")).head.value("X-Route-Decision");
    CHECK(story.find("key=acme") != std::string::npos);
    CHECK(story.find("placement=tier1") != std::string::npos);
    CHECK(story.find("gen=1") != std::string::npos);
  }
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  CHECK_FALSE(ask(router.port(), keyed("GET /", "X-Debug-Route: 1\r\n")).head.has("X-Route-Decision"));
}

struct accept_case {
  std::string_view accept;
  bool json;
};

const accept_case accept_cases[] = {
    {"application/json", true},      {"text/html, application/problem+json;q=0.5", true},
    {"APPLICATION/JSON", true},      {"text/html", false},
    {"application/json;q=0", false}, {"*/*", false},
    {"application/jsonp", false},
};

TEST_CASE("headers: a request that breaks the protocol is answered in the client's words, too") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const message answer =
      ask(router.port(), keyed("GET /", "Expect: magic\r\nAccept: application/json\r\nX-Request-Id: mine\r\n"));
  CHECK(answer.status() == 417);
  CHECK(answer.head.value("Content-Type") == "application/json");
  CHECK(answer.head.value("X-Request-Id") == "mine");
}

TEST_CASE("headers: CONNECT is refused with the methods that are not") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  const message answer = ask(router.port(), "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n");
  CHECK(answer.status() == 405);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=http_request_denied"));
  CHECK(answer.head.has("Allow"));
}

TEST_CASE("headers: an error speaks JSON to those who ask for it") {
  closed_port nobody;
  router_process router({.placements = {{"tier1", at(nobody.port())}}});
  for (const accept_case& row : accept_cases) {
    CAPTURE(row.accept);
    const message answer =
        ask(router.port(), keyed("GET /", "X-Request-Id: q\"7\r\nAccept: " + std::string(row.accept) + "\r\n"));
    CHECK(answer.status() == 502);
    CHECK(answer.head.value("Content-Type") == (row.json ? "application/json" : "text/plain; charset=utf-8"));
    if (!row.json) continue;
    CHECK(answer.content ==
          "{\"error\":{\"code\":\"connect_refused\",\"message\":\"the cell refused the connection\","
          "\"request_id\":\"q\\\"7\"}}\n");
  }
}

}  // namespace
}  // namespace cellroute::system_test
