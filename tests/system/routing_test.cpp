// What a key leads to, as a client, a cell and the log see it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct key_case {
  std::string_view says;
  std::string_view key;
  std::string_view cell;
  std::string_view placement;
  std::string_view reason;
};

const std::string longest_key(256, 'k');

const key_case key_cases[] = {
    {"a key with a dedicated placement", "visa", "cell-visa", "visa", "dedicated"},
    {"a key on a shared placement", "acme", "cell-1", "tier1", "tier"},
    {"two keys on one placement reach one cell", "globex", "cell-1", "tier1", "tier"},
    {"a placement is dedicated by its kind and not by its name", "initech", "cell-2", "tier2", "dedicated"},
    {"an unknown key goes to the default placement", "nobody", "cell-3", "tier3", "default"},
    {"keys compare byte by byte", "ACME", "cell-3", "tier3", "default"},
    {"space around a key is not part of it", " \tacme \t", "cell-1", "tier1", "tier"},
    {"256 bytes are a key", longest_key, "cell-3", "tier3", "default"},
};

TEST_CASE("routing: which cell a key reaches, and why") {
  auto visa = named_cell("cell-visa");
  auto one = named_cell("cell-1");
  auto two = named_cell("cell-2");
  auto three = named_cell("cell-3");
  router_process router({.placements = {{"visa", "kind: dedicated, " + at(visa.port())},
                                        {"tier1", at(one.port())},
                                        {"tier2", "kind: dedicated, " + at(two.port())},
                                        {"tier3", at(three.port())}},
                         .keys = "visa: visa, acme: tier1, globex: tier1, initech: tier2"});
  for (const key_case& row : key_cases) {
    CAPTURE(row.says);
    const message answer = ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(row.key) + "\r\n"));
    CHECK(answer.status() == 200);
    CHECK(answer.content == row.cell);
    CHECK(answer.head.value("X-Routed-To") == row.placement);
    CHECK(answer.head.value("X-Route-Reason") == row.reason);
    const log_line line = router.access_line(answer.head.value("X-Request-Id"));
    CHECK(line["placement_key"] == row.placement);
    CHECK(line["route_reason"] == row.reason);
    CHECK(line["cell"] == row.placement);
    CHECK(line["key_source"] == "header");
  }
}

struct bad_key_case {
  std::string_view says;
  std::string fields;
  std::string_view code;
};

const bad_key_case bad_key_cases[] = {
    {"no key", "", "routing_key_missing"},
    {"an empty key", "X-Routing-Key:\r\n", "routing_key_empty"},
    {"a key of nothing but space", "X-Routing-Key:  \t \r\n", "routing_key_empty"},
    {"257 bytes are no key", "X-Routing-Key: " + std::string(257, 'k') + "\r\n", "routing_key_too_long"},
    {"the key twice", "X-Routing-Key: acme\r\nX-Routing-Key: acme\r\n", "routing_key_repeated"},
    {"two keys in two fields", "X-Routing-Key: acme\r\nx-routing-key: visa\r\n", "routing_key_repeated"},
    {"a list of keys", "X-Routing-Key: acme, visa\r\n", "routing_key_list"},
};

TEST_CASE("routing: a request without one usable key is answered 400 and reaches no cell") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const bad_key_case& row : bad_key_cases) {
    CAPTURE(row.says);
    client c(router.port());
    const message answer = c.ask(request("GET /", row.fields + "Accept: application/json\r\n"));
    CHECK(answer.status() == 400);
    CHECK(answer.content.find("\"code\":\"" + std::string(row.code) + '"') != std::string::npos);
    CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=http_request_error; details=\""));
    CHECK_FALSE(answer.head.has("X-Routed-To"));
    const log_line line = router.access_line(answer.head.value("X-Request-Id"));
    CHECK(line["status_code"] == "400");
    CHECK(line["proxy_error"] == "http_request_error");
    CHECK(c.ask(keyed("GET /")).status() == 200);  // a bad key breaks no framing: the connection goes on
  }
  CHECK(cell.requests().size() == std::size(bad_key_cases));
}

TEST_CASE("routing: on_unknown reject answers 404, and names no placement") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .key = "on_unknown: reject"});
  const message answer = ask(router.port(), request("GET /", "X-Routing-Key: nobody\r\n"));
  CHECK(answer.status() == 404);
  CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=destination_not_found"));
  CHECK_FALSE(answer.head.has("X-Routed-To"));
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
}

TEST_CASE("routing: the key's header has another name where the configuration says so") {
  fake_cell cell(echo_head{});
  // A name that heads are classified by is found by its class, any other by its letters.
  for (const std::string name : {"X-Tenant", "Cookie", "User-Agent"}) {
    CAPTURE(name);
    router_process router(
        {.placements = {{"tier1", at(cell.port())}}, .key = "sources: [{header: {name: " + name + "}}]"});
    CHECK(ask(router.port(), request("GET /", name + ": acme\r\n")).status() == 200);
    CHECK(ask(router.port(), request("GET /", "X-Routing-Key: acme\r\n")).status() == 400);
  }
}

TEST_CASE("routing: a key's header of another name reaches the cell, whatever Connection says") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .key = "sources: [{header: {name: X-Tenant}}]"});
  const message answer = ask(router.port(), request("GET /", "X-Tenant: acme\r\nConnection: X-Tenant\r\n"));
  CHECK(message_head{answer.content}.value("X-Tenant") == "acme");
}

const std::string_view targets[] = {"/",       "/a/b",        "/a%2Fb", "/a%2fb",    "//",
                                    "//a//b/", "/a/../b/./c", "/?",     "/?a=1&a=2", "/p?q=/../%00&x=%zz+y",
                                    "/a;b=c,d"};

TEST_CASE("routing: the target reaches the cell byte by byte, with any method") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  for (const std::string_view target : targets) {
    CAPTURE(target);
    const message answer = c.ask(keyed("GET " + std::string(target)));
    CHECK(answer.content.starts_with("GET " + std::string(target) + " HTTP/1.1\r\n"));
  }
  for (const std::string_view method : {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"}) {
    CAPTURE(method);
    const message answer = c.ask(keyed(std::string(method) + " /", "Content-Length: 0\r\n"));
    CHECK(answer.content.starts_with(std::string(method) + " / HTTP/1.1\r\n"));
  }
  const message whole = c.ask(keyed("OPTIONS *"));
  CHECK(whole.content.starts_with("OPTIONS * HTTP/1.1\r\n"));
  const message absolute = c.ask(keyed("GET http://other.example/a%2Fb?c"));
  CHECK(absolute.content.starts_with("GET /a%2Fb?c HTTP/1.1\r\n"));
  CHECK(message_head{absolute.content}.value("Host") == "other.example");
}

struct refused_case {
  std::string_view says;
  std::string head;
  int status;
};

const refused_case refused_cases[] = {
    {"no Host", "GET / HTTP/1.1\r\nX-Routing-Key: acme\r\n\r\n", 400},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\nX-Routing-Key: acme\r\n\r\n", 400},
    {"two framings", keyed("POST /", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
    {"a coding that is not chunked", keyed("POST /", "Transfer-Encoding: gzip\r\n"), 501},
    {"space before the colon", keyed("GET /", "X-A : b\r\n"), 400},
    {"a folded line", keyed("GET /", "X-A: b\r\n c\r\n"), 400},
    {"a broken escape in the path", keyed("GET /a%2"), 400},
    {"CONNECT", "CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\nX-Routing-Key: acme\r\n\r\n", 405},
    {"a target of one byte too many", keyed("GET /" + std::string(16 * 1024, 'a')), 414},
    {"a field that is too long", keyed("GET /", "X-A: " + std::string(16 * 1024, 'a') + "\r\n"), 431},
    {"a version that is not ours", "GET / HTTP/2.0\r\nHost: a.example\r\nX-Routing-Key: acme\r\n\r\n", 505},
};

TEST_CASE("routing: what breaks the protocol is answered by the router, and the connection ends") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  for (const refused_case& row : refused_cases) {
    CAPTURE(row.says);
    client c(router.port());
    const message answer = c.ask(row.head);
    CHECK(answer.status() == row.status);
    CHECK(answer.complete);
    CHECK(answer.head.value("Connection") == "close");
    CHECK(answer.head.value("Proxy-Status").starts_with("cellroute; error=http_request_"));
    CHECK(c.wait_end() == ending::closed);
  }
  std::string many;
  for (int i = 0; i < 126; ++i) many += "X-A: b\r\n";  // with Host and key 128
  CHECK(ask(router.port(), keyed("GET /", many)).status() == 200);
  CHECK(ask(router.port(), keyed("GET /", many + "X-A: b\r\n")).status() == 431);
  CHECK(ask(router.port(), keyed("GET /" + std::string(16 * 1024 - 1, 'a'))).status() == 200);
  CHECK(cell.requests().size() == 2);
}

TEST_CASE("routing: methods that the configuration leaves out are answered 405, with those that it allows") {
  fake_cell cell(echo_head{});
  router_process router({.placements = {{"tier1", at(cell.port())}}, .http = "methods: [GET, POST]"});
  const message answer = ask(router.port(), keyed("PUT /", "Content-Length: 0\r\n"));
  CHECK(answer.status() == 405);
  CHECK(answer.head.value("Allow") == "GET, POST");
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
}

TEST_CASE("routing: weights share the requests of a placement, and 0 takes none") {
  auto a = named_cell("a");
  auto b = named_cell("b");
  auto never = named_cell("never");
  router_process router({.placements = {{"tier1", "endpoints: [" + endpoint(a.port(), ", id: a, weight: 3") + ", " +
                                                      endpoint(b.port(), ", id: b, weight: 1") + ", " +
                                                      endpoint(never.port(), ", id: c, weight: 0") + "]"}}});
  std::string sequence;
  client c(router.port());
  for (int i = 0; i < 8; ++i) sequence += c.ask(keyed("GET /")).content;
  CHECK(sequence == "aabaaaba");
}

}  // namespace
}  // namespace cellroute::system_test
