// Whoever is bound to some placements or keys sees the rows that are his, and nothing by which others could be guessed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/print.hpp"
#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

constexpr std::string_view shared_config = R"({
  "version": "one",
  "routing": {"default_placement": "theirs", "keys": {"inline": {
    "own-1": "mine", "own-2": "theirs", "other-1": "mine", "other-2": "theirs", "own-3": "mine"}}},
  "placements": {
    "mine": {"endpoints": [{"id": "a", "url": "http://127.0.0.1:9001"}]},
    "theirs": {"endpoints": [{"id": "b", "url": "http://127.0.0.1:9002"}]}
  }
})";

constexpr std::string_view to_both = R"(,"placements":["mine"],"key_prefix":"own-")";
constexpr std::string_view to_keys = R"(,"key_prefix":"own-")";
constexpr std::string_view to_placement = R"(,"placements":["mine"])";

constexpr std::string_view by_role = "403 forbidden";
constexpr std::string_view by_bounds = "403 out_of_bounds";

/// What is answered to a viewer and to a publisher who are bound to `own-` and to `mine`.
struct decision_row {
  std::string_view method;
  std::string_view pattern;
  std::string_view target;
  std::string_view body;
  std::string_view viewer;
  std::string_view publisher;
};

/// Those of the port itself, which tell neither keys nor placements.
constexpr std::string_view port_page = "";

constexpr std::string_view a_row = R"({"placement":"mine"})";
constexpr std::string_view an_endpoint = R"({"url":"http://127.0.0.1:9009"})";

const decision_row decisions[] = {
    {"GET", "/health", "/health", "", port_page, port_page},
    {"GET", "/livez", "/livez", "", port_page, port_page},
    {"GET", "/readyz", "/readyz", "", port_page, port_page},
    {"GET", "/metrics", "/metrics", "", port_page, port_page},
    {"GET", "/v1/openapi.json", "/v1/openapi.json", "", "200", "200"},
    {"GET", "/v1/info", "/v1/info", "", "200", "200"},
    {"GET", "/v1/config", "/v1/config", "", by_bounds, by_bounds},
    {"PUT", "/v1/config", "/v1/config", shared_config, by_role, by_bounds},
    {"PUT", "/v1/config", "/v1/config?dry_run=1", shared_config, by_role, by_bounds},
    {"GET", "/v1/placements", "/v1/placements", "", "200", "200"},
    {"GET", "/v1/placements/{placement}", "/v1/placements/mine", "", "200", "200"},
    {"GET", "/v1/placements/{placement}", "/v1/placements/theirs", "", "404 unknown", "404 unknown"},
    {"PUT", "/v1/placements/{placement}", "/v1/placements/mine", "{}", by_role, by_bounds},
    {"PATCH", "/v1/placements/{placement}", "/v1/placements/mine", "{}", by_role, by_bounds},
    {"DELETE", "/v1/placements/{placement}", "/v1/placements/mine", "", by_role, by_bounds},
    {"GET", "/v1/placements/{placement}/endpoints/{endpoint}", "/v1/placements/mine/endpoints/a", "", "200", "200"},
    {"GET", "/v1/placements/{placement}/endpoints/{endpoint}", "/v1/placements/theirs/endpoints/b", "", "404 unknown",
     "404 unknown"},
    {"PUT", "/v1/placements/{placement}/endpoints/{endpoint}", "/v1/placements/mine/endpoints/a", an_endpoint, by_role,
     by_bounds},
    {"PATCH", "/v1/placements/{placement}/endpoints/{endpoint}", "/v1/placements/mine/endpoints/a", "{}", by_role,
     by_bounds},
    {"DELETE", "/v1/placements/{placement}/endpoints/{endpoint}", "/v1/placements/mine/endpoints/a", "", by_role,
     by_bounds},
    {"GET", "/v1/keys", "/v1/keys", "", "200", "200"},
    {"GET", "/v1/keys", "/v1/keys?changed_since=0", "", "200", "200"},
    {"PATCH", "/v1/keys", "/v1/keys", R"({"own-4":"mine"})", by_role, "200"},
    {"PATCH", "/v1/keys", "/v1/keys?dry_run=1", R"({"own-5":"mine"})", by_role, "200"},
    {"PATCH", "/v1/keys", "/v1/keys?dry_run=1", R"({"own-2":"mine"})", by_role, by_bounds},
    {"POST", "/v1/keys:import", "/v1/keys:import?format=json", R"({"own-4":"mine"})", by_role, by_bounds},
    {"GET", "/v1/keys:export", "/v1/keys:export", "", "200", "200"},
    {"GET", "/v1/keys:export", "/v1/keys:export?version=1", "", "200", "200"},
    {"GET", "/v1/keys/{key}", "/v1/keys/own-1", "", "200", "200"},
    {"GET", "/v1/keys/{key}", "/v1/keys/own-2", "", "404 unknown", "404 unknown"},
    {"GET", "/v1/keys/{key}", "/v1/keys/other-1", "", "404 unknown", "404 unknown"},
    {"PUT", "/v1/keys/{key}", "/v1/keys/own-5", a_row, by_role, "201"},
    {"PUT", "/v1/keys/{key}", "/v1/keys/other-1", a_row, by_role, by_bounds},
    {"DELETE", "/v1/keys/{key}", "/v1/keys/own-5", "", by_role, "200"},
    {"DELETE", "/v1/keys/{key}", "/v1/keys/other-1", "", by_role, by_bounds},
    {"GET", "/v1/keys/{key}/history", "/v1/keys/own-1/history?at=1", "", "200", "200"},
    {"GET", "/v1/keys/{key}/history", "/v1/keys/own-2/history?at=1", "", "200", "200"},
    {"GET", "/v1/keys/{key}/history", "/v1/keys/other-1/history", "", by_bounds, by_bounds},
    {"POST", "/v1/resolve", "/v1/resolve", R"({"keys":["own-1","own-2","own-9"],"version":1,"compare":2})", "200",
     "200"},
    {"POST", "/v1/resolve", "/v1/resolve", R"({"keys":["own-1","other-1"]})", by_bounds, by_bounds},
    {"GET", "/v1/versions", "/v1/versions", "", by_bounds, by_bounds},
    {"GET", "/v1/versions/{version}", "/v1/versions/1", "", by_bounds, by_bounds},
    {"GET", "/v1/versions/{from}/diff/{to}", "/v1/versions/1/diff/1", "", by_bounds, by_bounds},
    {"POST", "/v1/versions/{version}:rollback", "/v1/versions/1:rollback", "", by_role, by_role},
    {"POST", "/v1/watch:retry", "/v1/watch:retry", "", by_role, by_bounds},
    {"GET", "/v1/routers", "/v1/routers", "", by_bounds, by_bounds},  // what a router refused names keys
    {"GET", "/v1/routers/{router}", "/v1/routers/r1", "", by_bounds, by_bounds},
    {"POST", "/v1/routers/{router}:resync", "/v1/routers/r1:resync", "", by_role, by_role},
    {"POST", "/v1/routers/{router}:goaway", "/v1/routers/r1:goaway", "", by_role, by_role},
    {"GET", "/v1/fleet/drift", "/v1/fleet/drift", "", by_bounds, by_bounds},
    {"GET", "/v1/events", "/v1/events", "", by_bounds, by_bounds},
    {"GET", "/v1/backup", "/v1/backup", "", by_role, by_role},
    {"GET", "/v1/audit", "/v1/audit", "", by_bounds, by_bounds},
    {"GET", "/v1/audit:verify", "/v1/audit:verify", "", by_bounds, by_bounds},
    {"GET", "/v1/tokens", "/v1/tokens", "", by_role, by_role},
    {"POST", "/v1/tokens", "/v1/tokens", "{}", by_role, by_role},
    {"GET", "/v1/tokens/{token}", "/v1/tokens/1", "", by_role, by_role},
    {"DELETE", "/v1/tokens/{token}", "/v1/tokens/1", "", by_role, by_role},
};

/// The status, and the code of a problem.
std::string outcome_of(const told& got) {
  if (got.status < 400) return std::to_string(got.status);
  const auto tree = wire::read_json(got.body, "answer");
  REQUIRE_MESSAGE(tree, got.body);
  return fmt::format("{} {}", got.status, tree->find("code")->text);
}

TEST_CASE("api bound: each operation is decided for who is bound, and what it answers names nothing of others") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config?message=made+for+theirs", shared_config).status == 200);
  here.routers.wrong = {"routing.keys.inline.other-2: is wrong"};
  const headers viewer = bearer(here.token("viewer", to_both));
  const headers publisher = bearer(here.token("publisher", to_both));
  here.is_local = false;
  std::set<std::string> decided;
  for (const decision_row& row : decisions) {
    decided.insert(fmt::format("{} {}", row.method, row.pattern));
    if (row.viewer == port_page) continue;
    CAPTURE(row.method);
    CAPTURE(row.target);
    for (const bool is_viewer : {true, false}) {
      CAPTURE(is_viewer);
      const std::string target(row.target);
      const told got = here.change(row.method, target, row.body, is_viewer ? viewer : publisher);
      CHECK_MESSAGE(outcome_of(got) == (is_viewer ? row.viewer : row.publisher), got.body);
      const bool is_said_by_asker = target.find("theirs") != std::string::npos ||
                                    target.find("other") != std::string::npos ||
                                    row.body.find("other") != std::string_view::npos;
      const bool is_contract = target == "/v1/openapi.json";
      if (is_said_by_asker || is_contract) continue;
      CHECK_MESSAGE(!got.has("theirs"), got.body);
      CHECK_MESSAGE(!got.has("other-"), got.body);
    }
  }
  std::set<std::string> named;
  const auto contract = wire::read_json(openapi_document(), "openapi.json");
  REQUIRE(contract);
  for (const wire::node& path : contract->find("paths")->children) {
    for (const wire::node& method : path.children) {
      std::string verb = method.name;
      for (char& c : verb) c = static_cast<char>(c - 32);
      named.insert(fmt::format("{} {}", verb, path.name));
    }
  }
  CHECK(decided == named);
  here.check();
}

TEST_CASE("api bound: a route that nobody decided about is refused") {
  constexpr route_row fresh{"GET", "/v1/new", scope::read, body_kind::none, get_info};
  CHECK(fresh.bound == for_bound::refused);
}

TEST_CASE("api bound: pages of keys have what is his, and no page tells how many others there are") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", config_of(3'000)).status == 200);
  const std::string secret = here.token("viewer", R"(,"key_prefix":"tenant-00150")");
  here.is_local = false;
  for (const std::string_view which : {"", "&changed_since=0", "&prefix=tenant-0015"}) {
    CAPTURE(which);
    std::vector<std::string> keys;
    std::string cursor;
    for (int pages = 1;; ++pages) {
      REQUIRE(pages <= 4);
      const told got = here.ask("GET", fmt::format("/v1/keys?limit=3{}{}", which, cursor), "", bearer(secret));
      REQUIRE(got.status == 200);
      const auto tree = wire::read_json(got.body, "answer");
      REQUIRE(tree);
      for (const wire::node& row : tree->find("keys")->children) keys.push_back(row.find("key")->text);
      CHECK(keys.size() == std::min<std::size_t>(10, static_cast<std::size_t>(pages) * 3));
      const wire::node* const next = tree->find("next");
      CHECK((next != nullptr) == (pages < 4));
      if (next == nullptr) break;
      cursor = "&cursor=" + next->text;
    }
    CHECK(keys.size() == 10);
    CHECK(std::ranges::is_sorted(keys));
    CHECK(std::ranges::all_of(keys, [](const std::string& key) { return key.starts_with("tenant-00150"); }));
  }
  const told far = here.ask("GET", "/v1/keys?prefix=tenant-0010", "", bearer(secret));
  CHECK(far.body == "{\"keys\":[]}\n");
  // Of a placement just his rows are counted.
  CHECK(here.ask("GET", "/v1/placements/tier1", "", bearer(secret)).has(R"("keys":10,)"));
  CHECK(here.ask("GET", "/v1/placements", "", bearer(secret)).has(R"("name":"tier1","keys":10,)"));
}

TEST_CASE("api bound: a row of somebody else is answered as one that is not there") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", shared_config).status == 200);
  const headers both = bearer(here.token("viewer", to_both));
  const headers keys = bearer(here.token("viewer", to_keys));
  const headers placement = bearer(here.token("viewer", to_placement));
  here.is_local = false;
  const auto of = [&](std::string key, const headers& who) {
    const told got = here.ask("GET", "/v1/keys/" + key, "", who);
    std::string body = got.body;
    while (body.find(key) != std::string::npos) body.replace(body.find(key), key.size(), "KEY");
    return std::to_string(got.status) + " " + body;
  };
  CHECK(of("own-2", both) == of("own-9", both));
  CHECK(of("other-1", both) == of("other-9", both));
  CHECK(of("other-1", keys) == of("other-9", keys));
  CHECK(of("own-2", placement) == of("own-9", placement));
  CHECK(of("own-2", both).find("404 ") == 0);
  CHECK(of("own-2", both).find("this token is bound") != std::string::npos);
  CHECK(of("own-2", both).find("resolved") == std::string::npos);
  // Whoever is bound to keys alone sees all that begin so, and where they lead without a row.
  CHECK(of("own-2", keys).find("200 ") == 0);
  CHECK(of("own-9", keys).find(R"("placement":"theirs")") != std::string::npos);
  CHECK(of("other-1", placement).find("200 ") == 0);

  const std::string_view some = R"({"keys":["own-1","own-2","own-9"]})";
  const told resolved = here.ask("POST", "/v1/resolve", some, both);
  CHECK(resolved.has(R"({"key":"own-2","to":null},{"key":"own-9","to":null}]})"));
  CHECK(resolved.has(R"("placement":"mine")"));
  const told by_keys = here.ask("POST", "/v1/resolve", some, keys);
  CHECK(!by_keys.has("null"));
  CHECK(by_keys.has(R"("placement":"theirs")"));
}

TEST_CASE(
    "api bound: where the default is his, a row of somebody else still looks as if there were none; nor is told where "
    "rules lead") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", R"({
    "version": "one",
    "routing": {"default_placement": "mine", "keys": {"inline": {"own-1": "mine", "own-2": "theirs", "own-3": "mine"}},
                "canary": [{"placement": "mine", "to": "theirs", "keys": ["own-3"]}]},
    "placements": {"mine": {"endpoints": [{"url": "http://127.0.0.1:9001"}]},
                   "theirs": {"endpoints": [{"url": "http://127.0.0.1:9002"}]}}})")
              .status == 200);
  const headers both = bearer(here.token("viewer", to_both));
  here.is_local = false;
  const told got = here.ask("POST", "/v1/resolve", R"({"keys":["own-2","own-9","own-3","own-1"]})", both);
  CHECK_MESSAGE(
      got.has(
          R"([{"key":"own-2","to":null},{"key":"own-9","to":null},{"key":"own-3","to":{"elsewhere":"a rule leads it to a placement that is not this token's"}},{"key":"own-1","to":{)"),
      got.body);
  CHECK(here.ask("GET", "/v1/keys/own-3", "", both).has(R"("placement":"mine",)"));
  CHECK(!here.ask("GET", "/v1/keys/own-3", "", both).has("theirs"));
  CHECK(here.ask("GET", "/v1/keys/own-9", "", both).status == 404);
}

TEST_CASE("api bound: an export has his rows alone, of now and of before") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", shared_config).status == 200);
  const headers both = bearer(here.token("viewer", to_both));
  REQUIRE(here.change("PATCH", "/v1/keys", R"({"own-1":"theirs","own-2":"mine"})").status == 200);
  here.is_local = false;
  const auto of = [&](std::string_view query) {
    return here.ask("GET", fmt::format("/v1/keys:export?{}", query), "", both).body;
  };
  CHECK(of("format=csv") == "key,placement\nown-2,mine\nown-3,mine\n");
  CHECK(of("format=json") == "{\n\"own-2\": \"mine\",\n\"own-3\": \"mine\"\n}\n");
  CHECK(of("format=csv&version=1") == "key,placement\nown-1,mine\nown-3,mine\n");
  CHECK(of("format=ndjson&version=1").find("theirs") == std::string::npos);
}

TEST_CASE("api bound: the history of a key is told as far as it led where he is") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", shared_config).status == 200);
  const auto move = [&](std::string_view to, std::string_view why) {
    REQUIRE(
        here.change("PUT", fmt::format("/v1/keys/own-1?message={}", why), fmt::format(R"({{"placement":"{}"}})", to))
            .status == 200);
    here.now += 1s;
  };
  REQUIRE(here.change("PUT", "/v1/placements/others", R"({"endpoints":[{"url":"http://127.0.0.1:9003"}]})").status ==
          201);
  move("theirs", "with-other-2");  // 3
  move("others", "a");             // 4
  move("theirs", "b");             // 5
  move("mine", "c");               // 6
  const headers both = bearer(here.token("viewer", to_both));
  const headers keys = bearer(here.token("viewer", to_keys));
  here.is_local = false;
  const told all = here.ask("GET", "/v1/keys/own-1/history", "", both);
  CHECK(all.has(R"("message":"","to":"mine"})"));
  CHECK(all.has(R"("message":"","from":"mine"})"));
  CHECK(!all.has("theirs"));
  CHECK(!all.has("others"));
  CHECK(!all.has("unknown"));
  CHECK(!all.has(R"("next")"));
  // A page is full of what is told: what is not is no reason for a short one.
  const told first = here.ask("GET", "/v1/keys/own-1/history?limit=1", "", both);
  CHECK(first.has(R"({"version":6,)"));
  const auto after = [&](const told& page_before) {
    const std::size_t at = page_before.body.find(R"("next":")") + 8;
    const std::string cursor = page_before.body.substr(at, page_before.body.find('"', at) - at);
    return here.ask("GET", "/v1/keys/own-1/history?limit=1&cursor=" + cursor, "", both);
  };
  const told second = after(first);
  CHECK(second.has(R"({"version":3,)"));
  const told third = after(second);
  CHECK(third.has(R"({"version":1,)"));
  CHECK(!third.has(R"("next")"));
  CHECK(here.ask("GET", "/v1/keys/own-1/history?at=4", "", both).has(R"("at":{"version":4,"placement":null})"));
  CHECK(here.ask("GET", "/v1/keys/own-1/history?at=6", "", both).has(R"("at":{"version":6,"placement":"mine"})"));
  CHECK(here.ask("GET", "/v1/keys/own-2/history", "", both).has(R"("history":[]})"));
  const told by_keys = here.ask("GET", "/v1/keys/own-1/history", "", keys);
  CHECK(by_keys.has(R"("from":"theirs","to":"others"})"));
  CHECK(!by_keys.has("with-other-2"));
}

TEST_CASE("api bound: a version that may have changed any key is told to those alone who may know of any placement") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config", config_of(11'000)).status == 200);  // so many that no row's change is kept
  const headers keys = bearer(here.token("viewer", R"(,"key_prefix":"tenant-")"));
  const headers placement = bearer(here.token("viewer", R"(,"placements":["tier1"])"));
  here.is_local = false;
  CHECK(here.ask("GET", "/v1/keys/tenant-000001/history", "", keys).has(R"("unknown":true)"));
  CHECK(here.ask("GET", "/v1/keys/tenant-000001/history", "", placement).has(R"("history":[]})"));
}

TEST_CASE("api bound: what a write answers is about his rows") {
  api_here here;
  REQUIRE(here.ask("PUT", "/v1/config?message=for+other-2", shared_config).status == 200);
  headers publisher = bearer(here.token("publisher", to_both));
  here.is_local = false;
  // Nothing changes: the version is somebody else's.
  const told same = here.change("PUT", "/v1/keys/own-1", a_row, publisher);
  CHECK(same.status == 200);
  CHECK(same.has(R"("version":1,)"));
  CHECK(!same.has("other-2"));
  CHECK(same.has(R"("author":"")"));
  // Whether a row of another is there is told by no precondition.
  publisher.emplace_back("If-None-Match", "*");
  for (const std::string_view key : {"other-1", "other-9"})
    CHECK(outcome_of(here.ask("PUT", fmt::format("/v1/keys/{}", key), a_row, publisher)) == by_bounds);
  CHECK(outcome_of(here.ask("PATCH", "/v1/keys", R"({"other-1":null})", publisher)) == by_bounds);
}

TEST_CASE("api bound: what is wrong in a followed file is not told, as it names rows") {
  api_here here;
  here.routers.wrong = {"routing.keys.inline.other-2: is wrong", "another"};
  const headers viewer = bearer(here.token("viewer", to_keys));
  CHECK(here.ask("GET", "/v1/info").has("other-2"));
  here.is_local = false;
  const told got = here.ask("GET", "/v1/info", "", viewer);
  CHECK(!got.has("other-2"));
  CHECK(got.has("a token that is not bound is told why"));
}

}  // namespace
}  // namespace cellroute::control
