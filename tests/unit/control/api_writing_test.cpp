#include "adapters/control/api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

TEST_CASE("api: guards refuse, and are lifted by name, once") {
  registry_settings settings;
  settings.guard.removed_percent_max = 1;
  settings.guard.keys_min = 10;
  api_here here(settings);
  const std::string one_row = "key,placement\nk1,tier1\n";
  tell(
      here,
      {
          {"begin", "PUT", "/v1/config", config_of(2'000), {}, 200},
          {"too few", "PUT", "/v1/config", config_of(5), now_tag, 409, "guard.max_removed_percent"},
          {"both are told", "PUT", "/v1/config", config_of(5), now_tag, 409, "guard.min_keys"},
          {"and how", "PUT", "/v1/config", config_of(100), now_tag, 409, "PUT /v1/config?override=max_removed_percent"},
          {"how to lift both", "PUT", "/v1/config", config_of(5), now_tag, 409,
           "PUT /v1/config?override=max_removed_percent,min_keys"},
          {"a dry run tells all guards, broken or not",
           "PUT",
           "/v1/config?dry_run=1",
           config_of(100),
           {},
           200,
           R"("guards":[{"name":"max_moved_percent","value":0,"limit":null,"ok":true},{"name":"max_removed_percent",)"
           R"("value":95,"limit":1,"ok":false,"detail":"1900 of 2000 keys would be removed, which is 95.00 % and not at )"
           R"(most 1 %; check the change; to let it pass once, PUT /v1/config?override=max_removed_percent"},)"
           R"({"name":"min_keys","value":100,"limit":10,"ok":true}])"},
          {"lifted", "PUT", "/v1/config?override=max_removed_percent&message=we%20mean%20it", config_of(100), now_tag,
           200, "\"override\":\"max_removed_percent\""},
          {"one lifted, the other not", "PUT", "/v1/config?override=max_removed_percent", config_of(5), now_tag, 409,
           "min_keys"},
          {"which says how to lift both", "PUT", "/v1/config?message=m%20n&override=max_removed_percent", config_of(5),
           now_tag, 409, "PUT /v1/config?message=m%20n&override=max_removed_percent,min_keys\""},
          {"a dry run, too, and it says so",
           "PUT",
           "/v1/config?dry_run=1&override=max_removed_percent",
           config_of(5),
           {},
           200,
           "PUT /v1/config?override=max_removed_percent,min_keys\"",
           "dry_run=1"},
          {"rows come as they came", "POST", "/v1/keys:import?format=csv&mode=replace", one_row, now_tag, 409,
           "POST /v1/keys:import?format=csv&mode=replace&override=min_keys\""},
          {"lifted twice over", "POST",
           "/v1/keys:import?dry_run=1&format=csv&mode=replace&override=min_keys,max_removed_percent", one_row, now_tag,
           200, R"({"name":"min_keys","value":1,"limit":10,"ok":true,"detail":"it is lifted, and does not count"})"},
          {"in two", "POST", "/v1/keys:import?format=csv&mode=replace&override=min_keys&override=max_removed_percent",
           one_row, now_tag, 200, "\"override\":\"max_removed_percent,min_keys\""},
          {"a guard that is none", "PUT", "/v1/config?override=all", config_of(5), now_tag, 400},
          {"one of two", "PUT", "/v1/config?override=min_keys,all", config_of(5), now_tag, 400, "must be one of"},
          {"one and nothing", "PUT", "/v1/config?override=min_keys,", config_of(5), now_tag, 400},
          {"a rollback lifts none", "POST", "/v1/versions/1:rollback?override=min_keys", "", now_tag, 400,
           "\\\"override\\\" is no parameter of this page"},
          {"a dry run of a rollback says that it is not asked",
           "POST",
           "/v1/versions/3:rollback?dry_run=1",
           "",
           {},
           200,
           R"("value":1,"limit":10,"ok":true,"detail":"a rollback asks no guards"})"},
          {"a rollback is not asked", "POST", "/v1/versions/1:rollback", "", now_tag, 200, "\"rollback_of\":1"},
          {"it is in the audit", "GET", "/v1/audit", "", {}, 200, "\\\"override\\\":\\\"max_removed_percent\\\""},
      });
}

TEST_CASE("api: the same request with the same Idempotency-Key is done once") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  const std::string body = R"({"hooli":"tier1"})";
  const std::string target = "/v1/keys:import?format=json";
  const auto ask = [&](std::string_view key, std::string_view text, std::string_view tag) {
    return here.ask("POST", target, text, {{"Idempotency-Key", std::string(key)}, {"If-Match", std::string(tag)}});
  };
  const told first = ask("k1", body, "\"1.1\"");
  CHECK(first.status == 200);
  CHECK(first.field("Idempotency-Replayed").empty());
  const told again = ask("k1", body, "\"1.1\"");  // the tag is an old one by now
  CHECK(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(again.field("Idempotency-Replayed") == "true");
  CHECK(here.tag() == "1.2");
  CHECK(ask("k1", R"({"hooli":"tier3"})", "\"1.2\"").status == 422);
  CHECK(ask("k2", body, "\"1.1\"").status == 412);
  CHECK(ask("", body, "*").status == 400);
  CHECK(ask(std::string(256, 'k'), body, "*").status == 400);
  here.now += 25h;  // longer than answers are kept
  CHECK(ask("k1", R"({"hooli":"tier3"})", "\"1.2\"").status == 200);
  CHECK(here.tag() == "1.3");

  const headers once{{"Idempotency-Key", "t"}};
  const std::string asked = R"({"role":"viewer","expires_in":"1h"})";
  const told token = here.ask("POST", "/v1/tokens", asked, once);
  CHECK(token.status == 201);
  CHECK(token.has("secret"));
  const told token_again = here.ask("POST", "/v1/tokens", asked, once);
  CHECK(token_again.status == 201);
  CHECK(!token_again.has("secret"));
  const told all = here.ask("GET", "/v1/tokens");
  CHECK(all.body.find("\"id\"") == all.body.rfind("\"id\""));
  here.check();
}

TEST_CASE("api: what changed nothing is done once, too") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  const headers any{{"If-Match", "*"}, {"Idempotency-Key", "k2"}};
  const std::string row = "{\"key\":\"acme\",\"placement\":\"tier1\"}\n";
  const told first = here.ask("POST", "/v1/keys:import", row, any);
  CHECK(first.status == 200);
  CHECK(first.has("\"version\":1,"));
  CHECK(here.change("PUT", "/v1/keys/acme", R"({"placement":"tier3"})").status == 200);
  const told again = here.ask("POST", "/v1/keys:import", row, any);
  CHECK(again.field("Idempotency-Replayed") == "true");
  CHECK(again.field("ETag") == first.field("ETag"));
  CHECK(again.body == first.body);
  CHECK(current_rows(*here.made)["acme"] == "tier3");
  CHECK(here.tag() == "1.2");

  const headers back{{"If-Match", "*"}, {"Idempotency-Key", "k4"}};
  CHECK(here.ask("POST", "/v1/versions/2:rollback", R"({"reason":"a"})", back).has("\"version\":2,"));
  CHECK(here.ask("POST", "/v1/versions/2:rollback", R"({"reason":"b"})", back).status == 422);
  here.check();
}

TEST_CASE("api: who repeats himself while the first is under way gets its answer") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  std::atomic<int> made{0};
  std::atomic<int> replayed{0};
  std::vector<std::thread> askers;
  {
    const auto turn = here.made->begin();  // until all of them wait
    for (int i = 0; i < 8; ++i) {
      askers.emplace_back([&] {
        const told got = here.ask("POST", "/v1/keys:import", "{\"key\":\"hooli\",\"placement\":\"tier1\"}\n",
                                  {{"If-Match", "\"1.1\""}, {"Idempotency-Key", "k1"}});
        if (got.status == 200) ++(got.field("Idempotency-Replayed") == "true" ? replayed : made);
      });
    }
    std::this_thread::sleep_for(100ms);
  }
  for (std::thread& each : askers) each.join();
  CHECK(made == 1);
  CHECK(replayed == 7);
  CHECK(here.tag() == "1.2");
}

TEST_CASE("api: 412 names the rows that were changed or taken away, of those that it is asked for") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  here.change("PATCH", "/v1/keys", R"({"y1":"tier1","y2":"tier1","y3":"tier1"})");  // 2
  here.change("DELETE", "/v1/keys/y1");                                             // 3
  here.change("PATCH", "/v1/keys", R"({"acme":"tier3","y2":null})");                // 4
  const headers old{{"If-Match", "\"1.2\""}};
  tell(here, {
                 {"a row that went", "PUT", "/v1/keys/y1", R"({"placement":"tier3"})", old, 412, "\"rows\":[\"y1\"]"},
                 {"some", "PATCH", "/v1/keys", R"({"y1":"tier3","y3":"tier3","acme":null})", old, 412,
                  "\"rows\":[\"y1\",\"acme\"]"},
                 {"all", "PUT", "/v1/config", first_config, old, 412, "\"rows\":[\"acme\",\"y1\",\"y2\"]"},
                 {"rows that nobody touched", "POST", "/v1/keys:import", "{\"key\":\"n9\",\"placement\":\"tier1\"}\n",
                  old, 412, "\"rows\":[]"},
                 {"one that somebody did", "POST", "/v1/keys:import?format=json", R"({"n9":"tier1","y2":"tier1"})", old,
                  412, "\"rows\":[\"y2\"]"},
                 {"instead of all", "POST", "/v1/keys:import?format=json&mode=replace", R"({"n9":"tier1"})", old, 412,
                  "\"rows\":[\"acme\",\"y1\",\"y2\"]"},
             });
  std::string many = "{\"y2\":\"tier1\"";
  for (int i = 0; i < 1'000; ++i) many += fmt::format(",\"m{}\":\"tier1\"", i);
  CHECK(here.ask("POST", "/v1/keys:import?format=json", many + "}", old).has("\"rows\":[\"y2\"]"));
  here.change("PUT", "/v1/config", config_of(12'000));  // 5, which has all rows: what went stands nowhere
  CHECK(here.ask("PUT", "/v1/keys/y3", R"({"placement":"tier3"})", {{"If-Match", "\"1.4\""}}).has("\"rows\":[\"y3\"]"));
  CHECK(here.ask("PUT", "/v1/keys/y9", R"({"placement":"tier3"})", {{"If-Match", "\"1.4\""}}).has("\"rows\":[]"));
  const told all = here.ask("PUT", "/v1/config", first_config, {{"If-Match", "\"1.4\""}});
  CHECK(all.has("\"acme\",\"tenant-000000\","));
}

TEST_CASE("api: who makes versions without end has to wait, each for himself (F25)") {
  api_settings how;
  how.version_interval = 50ms;
  how.version_burst = 3;
  api_here here({}, how);
  here.ask("PUT", "/v1/config", first_config);
  const auto move = [&here](std::string_view to, headers fields = {}) {
    return here.change("PUT", "/v1/keys/acme", fmt::format(R"({{"placement":"{}"}})", to), std::move(fields));
  };
  CHECK(move("tier3").status == 200);
  CHECK(move("tier1").status == 200);
  const told too_fast = move("tier3");
  CHECK(too_fast.status == 429);
  CHECK(too_fast.field("Retry-After") == "1");
  CHECK(too_fast.has("\"code\":\"too_fast\""));
  CHECK(here.tag() == "1.3");
  CHECK(move("tier1").status == 200);  // which is there already, and so no version
  CHECK(here.ask("PUT", "/v1/keys/acme?dry_run=1", R"({"placement":"tier3"})").status == 200);
  CHECK(move("tier3", bearer(here.token("publisher"))).status == 200);
  CHECK(move("tier1").status == 429);
  here.now += 50ms - 1ns;
  CHECK(move("tier1").status == 429);
  here.now += 1ns;
  CHECK(move("tier1").status == 200);
  CHECK(move("tier3").status == 429);
}

TEST_CASE("api: a dry run tells which endpoints change, and how many routers get something else") {
  api_here here;
  CHECK(here.ask("PUT", "/v1/config", first_config).status == 200);
  CHECK(here.change("PUT", "/v1/keys/umbra", R"({"placement":"tier1"})").status == 201);
  const wire::digest sum = here.sum();
  here.routers.runs = {7, {{{1, 2, sum}, 3, {}}, {{1, 1, {}}, 2, {}}, {{0, 2, {}}, 1, {}}}};  // and one of nothing
  const std::string none = R"("endpoints":{"added":[],"changed":[],"removed":[],"left_out":0})";
  tell(here, {
                 {"a weight",
                  "PATCH",
                  "/v1/placements/tier1/endpoints/a?dry_run=1",
                  R"({"weight":5})",
                  {},
                  200,
                  R"("endpoints":{"added":[],"changed":["tier1/a"],"removed":[],"left_out":0})"},
                 {"all of them get it",
                  "PATCH",
                  "/v1/placements/tier1/endpoints/a?dry_run=1",
                  R"({"weight":5})",
                  {},
                  200,
                  R"("routers":{"affected":7,"total":7})"},
                 {"one more, and one less",
                  "PATCH",
                  "/v1/placements/tier1?dry_run=1",
                  R"({"endpoints":[{"id":"a","url":"http://127.0.0.1:9001"},{"id":"n","url":"http://127.0.0.1:9"}]})",
                  {},
                  200,
                  R"("endpoints":{"added":["tier1/n"],"changed":[],"removed":["tier1/b"],"left_out":0})"},
                 {"rows change none", "PUT", "/v1/keys/acme?dry_run=1", R"({"placement":"tier3"})", {}, 200, none},
                 {"what changes nothing is for those who run something else",
                  "PUT",
                  "/v1/keys/umbra?dry_run=1",
                  R"({"placement":"tier1"})",
                  {},
                  200,
                  R"("routers":{"affected":3,"total":7})"},
                 {"so it is between versions", "GET", "/v1/versions/1/diff/2", "", {}, 200, none},
             });
  std::string many = R"({"endpoints":[)";
  for (int i = 0; i < 150; ++i)
    many += fmt::format(R"({}{{"url":"http://127.0.0.1:{}"}})", i > 0 ? "," : "", 10'000 + i);
  const told large = here.ask("PUT", "/v1/placements/large?dry_run=1", many + "]}");
  CHECK(large.has(R"("changed":[],"removed":[],"left_out":50})"));
  here.routers.runs.reset();
  CHECK(!here.ask("PUT", "/v1/keys/acme?dry_run=1", R"({"placement":"tier3"})").has("\"routers\""));
}

TEST_CASE("api: eight writers that look before they write lose nothing (T26)") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  std::atomic<int> refused{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&here, &refused, i] {
      for (int k = 0; k < 5;) {
        request asked;
        asked.method = "PATCH";
        asked.target = "/v1/keys";
        asked.peer.is_local = true;
        asked.body = fmt::format(R"({{"writer-{}-{}":"tier1"}})", i, k);
        asked.headers = {{"If-Match", "\"" + here.tag() + "\""}};
        const answer got = here.of_registry->handle(asked, here.now);
        if (got.status == 200) {
          ++k;
        } else {
          ++refused;
        }
      }
    });
  }
  for (std::thread& each : writers) each.join();
  CHECK(current_rows(*here.made).size() == 42);
  CHECK(here.tag() == "1.41");
  here.check();
}

}  // namespace
}  // namespace cellroute::control
