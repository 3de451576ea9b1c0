// The API of the control plane as its users have it: over its port, and by `cellroute ctl`; with a router at the end.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/gzip.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/ctl.hpp"
#include "tests/system/support/native_double.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

message put(const control_process& control, std::string_view path, std::string_view body, std::string_view fields,
            std::string_view method = "PUT") {
  return ask(control.port(), std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
                                 std::string(fields) + "Content-Length: " + std::to_string(body.size()) +
                                 "\r\nConnection: close\r\n\r\n" + std::string(body));
}

/// Somebody who reads events.
struct listener {
  listener(std::uint16_t port, std::string_view fields) : from(port) {
    from.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n");
  }
  /// Reads until this has come.
  bool hears(std::string_view text) {
    while (seen.find(text) == std::string::npos) {
      const std::string more = from.read_some();
      if (more.empty()) return false;
      seen += more;
    }
    return true;
  }
  client from;
  std::string seen{};
};

TEST_CASE("control API: what is told to it reaches routers, and it goes on after a kill") {
  control_process control({.routes_name = ""});
  CHECK(control.page("/readyz").status() == 200);
  CHECK(control.page("/v1/config").status() == 404);
  native_double router(control.port(), "rt-1");
  const std::string file = written(control, "fleet.yaml", fleet);
  const told pushed = ctl(control, {"push", file, "-m", "the first"});
  CHECK(pushed.output == "version 1: 1 key; 1 added, 0 moved, 0 removed\n");
  CHECK(pushed.code == 0);
  REQUIRE(router.runs(1));
  CHECK(ctl(control, {"push", file}).output == "nothing changed: version 1\n");

  const told dry = ctl(control, {"keys", "set", "acme", "b", "--dry-run"});
  CHECK(dry.has("1 -> 1: 0 added, 1 moved (100 %)"));
  CHECK(ctl(control, {"keys", "set", "acme", "b"}).output == "version 2: 1 key; 0 added, 1 moved, 0 removed\n");
  CHECK(ctl(control, {"keys", "set", "umbra/1", "b", "-m", "a new one"}).code == 0);
  REQUIRE(router.runs(3));
  const told where = ctl(control, {"where", "acme"});
  CHECK(where.has("acme -> placement b, cell b (tier)"));
  CHECK(where.has("loopback"));
  CHECK(ctl(control, {"where", "nobody"}).has("nobody -> placement a, cell a (default)\nit has no row of its own\n"));
  CHECK(ctl(control, {"diff", "1"}).has("version 1 -> 3\nkeys        1 -> 2: 1 added, 1 moved (100 %)"));
  CHECK(ctl(control, {"history"}).has("a new one"));
  CHECK(ctl(control, {"keys", "list"}).has("umbra/1  b\n"));

  control.kill();
  control.start();
  CHECK(ctl(control, {"rollback", "1", "-m", "back"}).output == "version 4: 1 key; 0 added, 1 moved, 1 removed\n");
  REQUIRE(router.runs(4));
  CHECK(ctl(control, {"history", "--limit", "1"}).has("back to 1: back"));
  CHECK(eventually([&] { return ctl(control, {"routers"}).has("in_sync  4        yes"); }));
  CHECK(ctl(control, {"status"}).has("published      version 4 (v1) of epoch 1, 1 key\n"));
  CHECK(ctl(control, {"status"}).has("routers        1 connected, 1 on target, 0 refused it\n"));
  CHECK(control.page("/v1/audit:verify").content.find(R"("ok":true)") != std::string::npos);
}

TEST_CASE("control API: what is wrong is told with its place, and changes nothing") {
  control_process control({.routes_name = ""});
  const std::string file = written(control, "fleet.yaml", fleet);
  REQUIRE(ctl(control, {"push", file}).code == 0);
  const std::string wrong = written(control, "wrong.yaml", "routing: {default_placement: c}\nplacements: {}\n");
  const told refused = ctl(control, {"push", wrong});
  CHECK(refused.code == 1);
  CHECK(refused.has(wrong + ":1:11: routing.default_placement: "));
  const told nowhere = ctl(control, {"keys", "set", "acme", "nowhere"});
  CHECK(nowhere.code == 1);
  CHECK(nowhere.has("nowhere"));
  CHECK(ctl(control, {"rollback", "7"}).code == 4);
  CHECK(ctl(control, {"rollback", "1", "--override", "min_keys"}).code == 2);  // it asks no guards
  CHECK(ctl(control, {"push", "/nowhere.yaml"}).code == 2);
  CHECK(control.page("/v1/info").content.find(R"("version":1,)") != std::string::npos);
  // Whoever looked at something else is told so.
  CHECK(put(control, "/v1/keys/acme", R"({"placement":"b"})", "If-Match: \"1.7\"\r\n").status() == 412);
  CHECK(put(control, "/v1/keys/acme", R"({"placement":"b"})", "").status() == 428);
  CHECK(put(control, "/v1/keys/acme", R"({"placement":"b"})", "If-Match: \"1.1\"\r\n").status() == 200);
}

TEST_CASE("control API: a router that refused is offered it once more, or is sent away, as the operator says") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  router.refuse(true);
  REQUIRE(ctl(control, {"keys", "set", "acme", "b"}).code == 0);
  REQUIRE(eventually([&] { return ctl(control, {"routers"}).has("rejected"); }));
  const std::size_t offered = router.seen().transfers.size();
  CHECK(put(control, "/v1/routers/rt-1:resync", "", "", "POST").status() == 202);
  CHECK(eventually([&] { return router.seen().transfers.size() == offered + 1; }));
  REQUIRE(eventually([&] { return ctl(control, {"routers"}).has("rejected"); }));
  router.refuse(false);
  CHECK(put(control, "/v1/routers/rt-1:resync", "", "", "POST").status() == 202);
  CHECK(router.runs(2));
  CHECK(put(control, "/v1/routers/rt-1:goaway", "", "", "POST").status() == 202);
  CHECK(eventually([&] {
    const auto events = router.seen().events;
    return std::ranges::find(events, "goaway") != events.end();
  }));
  CHECK(put(control, "/v1/routers/rt-2:resync", "", "", "POST").status() == 404);
}

TEST_CASE("control API: of a way back to what a router runs it takes the number alone") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  router_process router(told_by(control.port(), "guard: {min_keys: 1}\n"));
  REQUIRE(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
  REQUIRE(ctl(control, {"keys", "rm", "acme"}).code == 0);
  REQUIRE(router.process().wait_line(R"("event":"config_rejected")"));
  CHECK(router.admin("/debug/config").content.find("push v1: guard.min_keys") != std::string::npos);
  const double generation = router.metric("gateway_config_generation");
  REQUIRE(ctl(control, {"rollback", "1"}).output.starts_with("version 3: "));
  const auto line = router.process().wait_line(R"("event":"config_unchanged")");
  REQUIRE(line);
  CHECK(line->find(R"("pushed_version":3)") != std::string::npos);
  const std::string shown = router.admin("/debug/config").content;
  CHECK(shown.find(R"("version":3)") != std::string::npos);
  CHECK(shown.find("guard.min_keys") == std::string::npos);
  CHECK(router.metric("gateway_config_generation") == generation);
  CHECK(pushes(router, "applied") == 1);
  CHECK(pushes(router, "rejected") == 1);
  CHECK(pushes(router, "unchanged") == 1);
  CHECK(eventually([&] { return control.metric("cellroute_control_routers_on_target") == 1; }));
}

TEST_CASE("control API: guards hold a change up, until it is said which of them does not count; old versions go") {
  control_process control({.routes_name = "", .settings = "guard: {min_keys: 1}\nhistory: {keep_versions: 2}\n"});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const told guarded = ctl(control, {"keys", "rm", "acme"});
  CHECK(guarded.code == 4);
  CHECK(guarded.has("guard.min_keys: 0 keys would be left, not at least 1"));
  CHECK(ctl(control, {"keys", "rm", "acme", "--override", "max_moved_percent", "--override", "min_keys"}).output ==
        "version 2: 0 keys; 0 added, 0 moved, 1 removed\n");
  REQUIRE(ctl(control, {"keys", "set", "acme", "b"}).code == 0);
  control.kill();
  control.start();
  CHECK(control.process().wait_line(R"("event":"history_purged")"));
  CHECK(control.page("/v1/versions/1").status() == 410);
  CHECK(control.page("/v1/versions/2").status() == 200);
}

TEST_CASE("control API: a viewer's token that is bound sees its own rows, and the tool says what it may not see") {
  control_process control({.routes_name = "",
                           .settings = "auth: {loopback_without_token: false, admin_token_file: cp.token}\n",
                           .files = {{"cp.token", "a-long-secret-of-this-test\n"}}});
  const std::string admin = "Authorization: Bearer a-long-secret-of-this-test\r\n";
  const std::string rows =
      "version: \"v1\"\nrouting: {default_placement: b, keys: {inline: {own-1: a, own-2: b, other-1: a, other-2: b}}, "
      "canary: "
      "[{placement: a, to: b, keys: [other-1, own-3]}]}\n"
      "placements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}]}, b: {endpoints: [{url: "
      "\"http://127.0.0.1:2\"}]}}\n";
  REQUIRE(put(control, "/v1/config", rows, "Content-Type: application/yaml\r\n" + admin).status() == 200);
  const message made =
      put(control, "/v1/tokens", R"({"role":"viewer","expires_in":"1h","placements":["a"],"key_prefix":"own-"})",
          "Content-Type: application/json\r\n" + admin, "POST");
  REQUIRE(made.status() == 201);
  const std::size_t at = made.content.find(R"("secret":")") + 10;
  const std::string secret = made.content.substr(at, made.content.find('"', at) - at);
  const std::string file = written(control, "bound.token", secret + "\n");
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const auto by_viewer = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--token-file", file});
    return ctl(control, std::move(words));
  };

  CHECK(by_viewer({"keys", "list"}).output == "KEY    PLACEMENT\nown-1  a\n");
  CHECK(by_viewer({"where", "own-1"}).has("own-1 -> placement a, cell a (tier)"));
  REQUIRE(put(control, "/v1/keys/own-3", R"({"placement":"a"})", "If-None-Match: *\r\n" + admin).status() == 201);
  CHECK(by_viewer({"where", "own-3"}).has("own-3 -> elsewhere: a rule leads it to a placement that is not this"));
  const std::string_view bound = "this token is bound to some placements or keys, and ";
  const told foreign = by_viewer({"where", "own-2"});
  CHECK_MESSAGE(foreign.has(std::string(bound) + "no row of that key is among them"), foreign.output);
  CHECK(by_viewer({"where", "own-9"}).output == foreign.output);
  const told history = by_viewer({"history"});
  CHECK_MESSAGE(history.has(std::string(bound) + "this page is about those of others, too"), history.output);
  CHECK(history.code != 0);
  CHECK(by_viewer({"status"}).code == history.code);

  const std::string viewer = "Authorization: Bearer " + secret + "\r\n";
  CHECK(
      control.page("/v1/keys:export?format=csv", "GET", viewer).content.ends_with("key,placement\nown-1,a\nown-3,a\n"));
  CHECK(control.page("/v1/config", "GET", viewer).status() == 403);
  CHECK(control.page("/v1/events", "GET", viewer).status() == 403);
  CHECK(control.page("/v1/placements/b", "GET", viewer).status() == 404);
  websocket_double as_router(control.port());
  CHECK(as_router.open("/connect", {}, viewer).status() == 403);
}

TEST_CASE("control API: tokens that it gives out open what their role is for") {
  control_process control({.routes_name = "",
                           .settings = "auth: {loopback_without_token: false, admin_token_file: cp.token}\n",
                           .files = {{"cp.token", "a-long-secret-of-this-test\n"}}});
  const std::string admin = "Authorization: Bearer a-long-secret-of-this-test\r\n";
  CHECK(put(control, "/v1/config", fleet, "Content-Type: application/yaml\r\n" + admin).status() == 200);
  const auto token_of = [&](std::string_view role) {
    const message made = put(control, "/v1/tokens", R"({"role":")" + std::string(role) + R"(","expires_in":"1h"})",
                             "Content-Type: application/json\r\n" + admin, "POST");
    CHECK(made.status() == 201);
    const std::size_t at = made.content.find(R"("secret":")") + 10;
    return "Authorization: Bearer " + made.content.substr(at, made.content.find('"', at) - at) + "\r\n";
  };
  const std::string viewer = token_of("viewer");
  const std::string of_router = token_of("router");
  CHECK(control.page("/v1/config", "GET", viewer).status() == 200);
  CHECK(control.page("/metrics", "GET", viewer).status() == 200);
  CHECK(control.page("/v1/config", "GET", of_router).status() == 403);
  CHECK(control.page("/v1/config").status() == 401);
  CHECK(control.page("/v1/config", "GET", "Authorization: Bearer unknown-0123456789abcdef\r\n").status() == 401);
  CHECK(control.page("/v1/openapi.json").status() == 200);
  CHECK(put(control, "/v1/keys/acme", R"({"placement":"b"})", "If-Match: *\r\n" + viewer).status() == 403);
  websocket_double as_router(control.port());
  CHECK(as_router.open("/connect", {}, of_router).status() == 101);
  websocket_double as_viewer(control.port());
  CHECK(as_viewer.open("/connect", {}, viewer).status() == 403);

  // What a token has opened ends with it.
  listener watching(control.port(), viewer + "Connection: close\r\n");
  CHECK(watching.hears(": watching"));
  const auto remove = [&](std::string_view role) {
    const std::string tokens = control.page("/v1/tokens", "GET", admin).content;
    const std::size_t before = tokens.rfind(R"("id":")", tokens.find(R"("role":")" + std::string(role))) + 6;
    const std::string id = tokens.substr(before, tokens.find('"', before) - before);
    CHECK(control.page("/v1/tokens/" + id, "DELETE", admin).status() == 204);
  };
  remove("router");
  while (as_router.read_text()) {
  }
  CHECK(as_router.close_code() == 1008);
  CHECK(control.process().wait_line(R"("reason":"its token was removed, or is over")"));
  remove("viewer");
  CHECK(put(control, "/v1/keys/acme", R"({"placement":"b"})", "If-Match: *\r\n" + admin).status() == 200);
  CHECK_FALSE(watching.hears("config.published"));
  CHECK(watching.from.how_it_ended() == ending::closed);
}

TEST_CASE("control API: large bodies, both ways, and one that is too large") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  std::string rows;
  for (int i = 0; i < 100'000; ++i) rows += "{\"key\":\"tenant-" + std::to_string(i) + "\",\"placement\":\"b\"}\n";
  const told imported = ctl(control, {"keys", "import", written(control, "keys.jsonl", rows)});
  CHECK(imported.output == "version 2: 100001 keys; 100000 added, 0 moved, 0 removed\n");
  const std::string out = (control.folder() / "out.jsonl").string();
  REQUIRE(ctl(control, {"keys", "export", "-o", out}).code == 0);
  std::ifstream lines(out);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.empty() ? 0 : 1;
  CHECK(count == 100'001);
  const message known = control.page("/v1/config", "GET", "If-None-Match: \"1.2\"\r\n");
  CHECK(known.status() == 304);
  CHECK(put(control, "/v1/keys/acme", std::string(9 << 20, ' '), "Content-Type: application/json\r\nIf-Match: *\r\n")
            .status() == 413);
  CHECK(control.page("/v1/config").content.size() > 2'000'000);
}

struct unread_case {
  std::string_view says;
  std::string_view fields;
  std::string body;
  int status;
  std::string_view told;
};

TEST_CASE("control API: a body that is not taken is told so, whoever noticed, and nothing is done") {
  control_process control({.routes_name = "", .settings = "api: {max_body: 1MiB}\n"});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const unread_case cases[] = {
      {"too large", "Content-Type: application/yaml\r\n", std::string((1 << 20) + 1, '#'), 413,
       "a body has at most 1048576 bytes here"},
      {"a form", "Content-Type: multipart/form-data; boundary=x\r\n", "--x--\r\n", 415, "this page takes JSON"},
      {"a coding that it is not in", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "no gzip", 400,
       "the content is damaged"},
      {"a coding that nobody asked for", "Content-Type: application/json\r\nContent-Encoding: br\r\n", "x", 415,
       "gzip, deflate"},
      {"two codings", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", support::packed("{}", ""), 415,
       "gzip, deflate"},
      {"more than may be, once it is unpacked", "Content-Encoding: gzip\r\n",
       support::packed(std::string((1 << 20) + 1, '#'), ""), 413, "a body has at most 1048576 bytes here"},
  };
  for (const unread_case& row : cases) {
    CAPTURE(row.says);
    const message answer = put(control, "/v1/config", row.body, std::string(row.fields) + "If-Match: *\r\n");
    CHECK(answer.status() == row.status);
    CHECK(answer.head.value("Content-Type") == "application/problem+json");
    CHECK(answer.content.find(row.told) != std::string::npos);
  }
  CHECK(control.page("/v1/info").content.find(R"("version":1,)") != std::string::npos);
}

TEST_CASE("control API: compressed content is taken whole, or not at all (issue 6, section 5.8)") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const auto rows = [](int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) text += "{\"key\":\"t-" + std::to_string(i) + "\",\"placement\":\"b\"}\n";
    return text;
  };
  const auto import = [&control](const std::string& body) {
    return put(control, "/v1/keys:import?mode=replace&override=max_removed_percent", body,
               "Content-Encoding: gzip\r\nIf-Match: *\r\n", "POST");
  };
  const std::string whole = support::packed(rows(0, 100), rows(100, 2'000));
  CHECK(import(whole).status() == 200);
  REQUIRE(control.page("/v1/info").content.find(R"("version":2,)") != std::string::npos);
  for (const std::string& cut : {support::packed(rows(0, 100), "", true), whole.substr(0, whole.size() - 4),
                                 whole.substr(0, whole.size() - 8), std::string()}) {
    CAPTURE(cut.size());
    const message answer = import(cut);
    CHECK(answer.status() == 400);
    CHECK(answer.content.find("the content is cut") != std::string::npos);
  }
  CHECK(import(whole + "more").content.find("the content is damaged") != std::string::npos);
  CHECK(control.page("/v1/info").content.find(R"("version":2,)") != std::string::npos);
  CHECK(import(support::packed(rows(0, 10), "") + support::packed(rows(10, 1'000), "")).status() == 200);
  CHECK(control.page("/v1/info").content.find(R"("keys":1000,)") != std::string::npos);
}

TEST_CASE("control API: what cannot be taken is refused before it comes") {
  control_process control({.routes_name = "", .settings = "api: {max_body: 1MiB}\n"});
  const message large =
      ask(control.port(), "PUT /v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n");
  CHECK(large.status() == 413);
  CHECK(large.content.find("a body has at most 1048576 bytes here") != std::string::npos);
  for (const std::string_view method : {"TRACE", "FOO"}) {
    CAPTURE(method);
    CHECK(control.page("/v1/config", std::string(method)).status() == 501);
  }
  const message line_end = control.page("/v1/keys/a%0ab");
  CHECK(line_end.status() == 404);
  CHECK(line_end.content.find("\"code\":\"unknown\"") != std::string::npos);
}

TEST_CASE("control API: a page of JSON has a limit of its own, before the body comes and while it does") {
  control_process control({.routes_name = ""});
  const std::string head = "PATCH /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const message announced = ask(control.port(), head + "Content-Length: 8388609\r\n\r\n");
  CHECK(announced.status() == 413);
  CHECK(announced.content.find("a body has at most 8388608 bytes here") != std::string::npos);
  client streaming(control.port());
  streaming.send(head + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
  for (int i = 0; i < 128; ++i) streaming.send(chunk);
  streaming.send("1\r\n \r\n");  // and no end
  const message told = streaming.read_answer();
  CHECK(told.status() == 413);
  CHECK(told.content.find("a body has at most 8388608 bytes here") != std::string::npos);
  const std::string rows = "{" + std::string((8 << 20) + 10, ' ') + "}";
  CHECK(put(control, "/v1/config", rows, "Content-Type: application/json\r\n").status() == 422);  // it may have more
}

TEST_CASE("control API: a request has an id, in its answer, in a problem, and in the log") {
  control_process control({.routes_name = ""});
  const auto with_id = [&control](std::string_view line, std::string_view id) {
    return ask(control.port(), std::string(line) + " HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + std::string(id) +
                                   "\r\nConnection: close\r\n\r\n");
  };
  const std::string_view lines[] = {"GET /v1/keys/acme", "GET /v1/nothing", "GET /nothing",    "GET /connect",
                                    "FOO /v1/info",      "PUT /v1/config",  "OPTIONS /v1/info"};
  int count = 0;
  for (const std::string_view line : lines) {
    CAPTURE(line);
    const std::string id = "op-" + std::to_string(++count) + "-";
    const message brought = with_id(line, id);
    CHECK(brought.status() >= 400);
    CHECK(brought.head.value("X-Request-Id") == id);
    CHECK(brought.content.find("\"trace\":\"" + id + "\"") != std::string::npos);
    const auto said = control.process().wait_line("\"trace\":\"" + id + "\"");
    REQUIRE(said);
    CHECK(said->find(R"("event":"request_refused")") != std::string::npos);
    CHECK(said->find("\"status\":" + std::to_string(brought.status())) != std::string::npos);
    const message unfit = with_id(line, "not fit");
    const std::string own = unfit.head.value("X-Request-Id");
    CHECK(own.size() == 32);
    CHECK(unfit.content.find("\"trace\":\"" + own + "\"") != std::string::npos);
  }
  CHECK(with_id("GET /v1/info", "good").head.value("X-Request-Id") == "good");
  CHECK(with_id("GET /health", "good").head.value("X-Request-Id") == "good");
  CHECK(control.page("/v1/info").head.value("X-Request-Id").size() == 32);
}

TEST_CASE("control API: an endpoint is drained at the routers, and takes requests again, by ctl") {
  control_process control({.routes_name = ""});
  const std::string two =
      "routing: {default_placement: a}\nplacements: {a: {endpoints: [{id: x, url: \"http://127.0.0.1:1\", weight: 3}, "
      "{id: y, url: \"http://127.0.0.1:2\"}]}}\n";
  REQUIRE(ctl(control, {"push", written(control, "two.yaml", two)}).code == 0);
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(1));
  CHECK(ctl(control, {"endpoints", "drain", "a", "x", "--dry-run"}).has("a/x changed"));
  CHECK(ctl(control, {"endpoints", "drain", "a", "x"}).code == 0);
  REQUIRE(router.runs(2));
  const told last = ctl(control, {"endpoints", "drain", "a", "y"});
  CHECK(last.code == 4);
  control.kill();
  control.start();
  CHECK(control.page("/v1/placements/a/endpoints/x").content.find("\"weight\": 3,\n  \"drain\": true") !=
        std::string::npos);
  CHECK(ctl(control, {"endpoints", "undrain", "a", "x"}).code == 0);
  REQUIRE(router.runs(3));
  CHECK(control.page("/v1/placements/a/endpoints/x").content.find("drain") == std::string::npos);
}

TEST_CASE("control API: a backup becomes a store in a new epoch, and routers take what it says for newer") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const std::string backup = (control.folder() / "backup.db").string();
  REQUIRE(ctl(control, {"backup", "-o", backup}).code == 0);
  CHECK((std::filesystem::status(backup).permissions() & std::filesystem::perms(077)) == std::filesystem::perms::none);
  REQUIRE(ctl(control, {"keys", "set", "acme", "b"}).code == 0);
  native_double router(control.port(), "rt-1");
  REQUIRE(router.runs(2));

  control.kill();
  std::filesystem::remove(control.folder() / "control.db");
  std::filesystem::remove(control.folder() / "control.db-wal");
  std::filesystem::remove(control.folder() / "control.db-shm");
  const std::string store = "sqlite:" + (control.folder() / "control.db").string();
  program restore({control_path(), "--restore", backup, "--store", store}, {}, 0);
  CHECK(restore.wait_exit() == 0);
  CHECK(restore.whole_output().starts_with("restored: version 1 in epoch "));
  program again({control_path(), "--restore", backup, "--store", store}, {}, 0);
  CHECK(again.wait_exit() == 1);  // nothing is overwritten
  control.start();
  CHECK(router.runs(1));
  CHECK(ctl(control, {"keys", "set", "acme", "b"}).output == "version 2: 1 key; 0 added, 1 moved, 0 removed\n");
  CHECK(router.runs(2));
  CHECK(control.page("/v1/audit:verify").content.find(R"("ok":true)") != std::string::npos);
}

TEST_CASE("control API: who watches hears what happens, and goes on where he was cut") {
  control_process control({.routes_name = "", .settings = "api: {max_watchers: 4}\n"});
  std::deque<listener> watchers;
  const auto watch = [&](std::string_view fields) -> listener& {
    return watchers.emplace_back(control.port(), fields);
  };
  listener& first = watch("");
  CHECK(first.hears(": watching"));
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  CHECK(first.hears("\nevent: config.published\ndata: {\"epoch\":1,\"version\":1,"));
  CHECK(first.hears("event: audit\ndata: {\"seq\":2,"));
  CHECK(first.seen.find(R"("action":"config.put","target":"version 1")") != std::string::npos);
  const std::size_t at = first.seen.rfind("id: ") + 4;
  const std::string id = first.seen.substr(at, first.seen.find('\n', at) - at);
  native_double router(control.port(), "rt-1");
  CHECK(first.hears("event: router.joined\ndata: {\"router\":\"rt-1\""));
  const std::string behind = "2." + std::to_string(std::stoull(id.substr(2)) + 1);
  CHECK(watch("Last-Event-ID: " + id + "\r\n").hears(": watching\n\nid: " + behind + "\nevent: router.joined"));
  listener& restarted = watch("Last-Event-ID: 1.99\r\n");  // of a process before this one
  CHECK(restarted.hears(": watching\n\nevent: lost\ndata: {}\n\n"));
  CHECK(restarted.hears("\"seq\":2,"));
  CHECK(watch("").hears(": watching"));
  CHECK(control.page("/v1/events").status() == 429);
  watchers.pop_back();
  REQUIRE(ctl(control, {"keys", "set", "acme", "b"}).code == 0);  // who is gone is noticed when he is told
  CHECK(first.hears("\"version\":2,"));
  CHECK(eventually([&] {
    listener& next = watch("");
    const bool is_watching = next.hears("\r\n\r\n") && next.seen.starts_with("HTTP/1.1 200");
    if (!is_watching) watchers.pop_back();
    return is_watching;
  }));
}

TEST_CASE("control API: a request whose end does not come holds nobody up, nor the end") {
  control_process control({.routes_name = ""});
  std::deque<client> idle;
  for (int i = 0; i < 6; ++i) {
    idle.emplace_back(control.port());
    idle.back().send("PUT /v1/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
  }
  CHECK(control.page("/v1/info").status() == 200);
  control.process().signal(SIGTERM);
  CHECK(control.process().wait_exit() == 0);
  control.start();
}

TEST_CASE("control API: it is ready as long as its store is there to be written, and healthy all the time") {
  control_process control({.routes_name = ""});
  CHECK(control.page("/readyz").status() == 200);
  const std::filesystem::path store = control.folder() / "control.db";
  std::filesystem::rename(store, control.folder() / "aside");
  CHECK(eventually([&] { return control.page("/readyz").status() == 503; }));
  CHECK(control.page("/readyz").head.value("Content-Type") == "application/problem+json");
  CHECK(control.page("/health").status() == 200);
  CHECK(control.page("/livez").status() == 200);
  std::filesystem::rename(control.folder() / "aside", store);
  CHECK(eventually([&] { return control.page("/readyz").status() == 200; }));
}

TEST_CASE("control API: no answer, and no way to ask") {
  const std::string nobody = "http://127.0.0.1:" + std::to_string(unused_port());
  program tool({tool_path(), "ctl", "--url", nobody, "status"}, {}, 0);
  CHECK(tool.wait_exit() == 5);
  CHECK(tool.whole_output().find("no answer from " + nobody) != std::string::npos);
  program wrong({tool_path(), "ctl", "--url", "ftp://x", "status"}, {}, 0);
  CHECK(wrong.wait_exit() == 2);
}

}  // namespace
}  // namespace cellroute::system_test
