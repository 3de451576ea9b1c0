#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

TEST_CASE("api: a configuration is put, seen, changed, and kept from being overwritten unseen") {
  api_here here;
  tell(
      here,
      {
          {"there is none", "GET", "/v1/config", "", {}, 404, "nothing is published"},
          {"the first needs no tag", "PUT", "/v1/config", first_config, {}, 200, "\"version\":1,"},
          {"it is there, rows and all", "GET", "/v1/config", "", {}, 200, "\"acme\": \"tier1\""},
          {"who knows it is told so", "GET", "/v1/config", "", {{"If-None-Match", "@"}}, 304},
          {"the second needs one", "PUT", "/v1/config", first_config, {}, 428, "If-Match"},
          {"and the right one",
           "PUT",
           "/v1/config",
           first_config,
           {{"If-Match", "\"1.7\""}},
           412,
           "\"current\":\"1.1\""},
          {"a weak one is none", "PUT", "/v1/config", first_config, {{"If-Match", "W/\"1.1\""}}, 412},
          {"one without quotes is a mistake", "PUT", "/v1/config", first_config, {{"If-Match", "1.1"}}, 400},
          {"the same again is no new version", "PUT", "/v1/config", first_config, now_tag, 200, "\"version\":1,"},
          {"whatever there is", "PUT", "/v1/config", config_of(3), {{"If-Match", "*"}}, 200, "\"version\":2,"},
          {"only if there is none", "PUT", "/v1/config", config_of(4), {{"If-None-Match", "*"}}, 412},
          {"a tag that it must not have names no version",
           "PUT",
           "/v1/config",
           config_of(4),
           {{"If-None-Match", "\"old\""}},
           400,
           "If-None-Match must be *"},
          {"also beside one that it must have",
           "PUT",
           "/v1/config",
           config_of(4),
           {{"If-Match", "@"}, {"If-None-Match", "*, \"old\""}},
           400},
          {"a dry run needs none", "PUT", "/v1/config?dry_run=1", config_of(9), {}, 200, "\"added\":6"},
          {"and changes nothing", "GET", "/v1/versions", "", {}, 200, "\"version\":2,", "\"version\":3,"},
          {"every mistake at once", "PUT", "/v1/config",
           R"({"routing":{"default_placement":"x"},"placements":{"t":{"kind":"odd","endpoints":[{"url":"ftp://h"}]}}})",
           now_tag, 422, "\"mistakes\":3"},
          {"no JSON", "PUT", "/v1/config", "{", now_tag, 422, "\"line\":1"},
          {"YAML", "PUT", "/v1/config",
           "routing: {default_placement: t}\nplacements: {t: {endpoints: [{url: \"http://h:1\"}]}}", now_tag, 200,
           "\"removed\":3"},
          {"a reference system's shape", "PUT", "/v1/config",
           R"({"type":"config_update","version":42,"config":{"default_placement":"tier3",
                  "customer_to_placement":{"acme":"tier3"},"placement_to_endpoint":{"tier3":"http://127.0.0.1:9003"}}})",
           now_tag, 200, "\"label\":\"42\""},
      });
}

TEST_CASE("api: what comes out of GET goes into PUT and changes nothing") {
  api_here here;
  const std::string_view texts[] = {
      first_config, R"({"key":{"on_unknown":"reject"},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})",
      R"({"routing":{"keys":{"inline":{"a\"b\\c":"t"}},"default_placement":"t"},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})"};
  for (const std::string_view text : texts) {
    CAPTURE(text);
    CHECK(here.ask("PUT", "/v1/config", text, {{"If-Match", "*"}, {"X-None", ""}}).status ==
          (here.tag() == "1.0" ? 412 : 200));
    if (here.tag() == "1.0") CHECK(here.ask("PUT", "/v1/config", text).status == 200);
    const std::string before = here.tag();
    const told got = here.ask("GET", "/v1/config");
    const told again = here.change("PUT", "/v1/config", got.body);
    CHECK_MESSAGE(again.status == 200, again.body);
    CHECK(here.ask("GET", "/v1/config").body == got.body);
    CHECK(current_rows(*here.made).size() == (text == first_config ? 2 : text.find("inline") == text.npos ? 0 : 1));
  }
}

TEST_CASE("api: where a file is followed, nothing is written here") {
  api_settings how;
  how.is_following_file = true;
  api_here here({}, how);
  put(*here.made, first_config);
  tell(here, {
                 {"no PUT", "PUT", "/v1/config", first_config, now_tag, 409, "follows a file"},
                 {"no row", "PUT", "/v1/keys/a", R"({"placement":"tier1"})", now_tag, 409},
                 {"no import", "POST", "/v1/keys:import", "", now_tag, 409},
                 {"no rollback", "POST", "/v1/versions/1:rollback", "", now_tag, 409},
                 {"no placement", "DELETE", "/v1/placements/visa", "", now_tag, 409},
                 {"but everything is seen", "GET", "/v1/keys/acme", "", {}, 200},
             });
}

TEST_CASE("api: where a file is followed, it is read again as somebody says, and that is in the audit") {
  api_settings how;
  how.is_following_file = true;
  api_here here({}, how);
  tell(here, {
                 {"as it is", "POST", "/v1/watch:retry", "", {}, 202, "accepted"},
                 {"without a guard", "POST", "/v1/watch:retry?override=min_keys", "", {}, 202},
                 {"without two", "POST", "/v1/watch:retry?override=min_keys,max_moved_percent", "", {}, 202},
                 {"a guard that is none", "POST", "/v1/watch:retry?override=all", "", {}, 400, "must be one of"},
                 {"it is in the audit", "GET", "/v1/audit", "", {}, 200, "{\\\"override\\\":\\\"min_keys\\\"}"},
             });
  CHECK(here.routers.commands ==
        std::vector<std::string>{"retry ", "retry min_keys", "retry max_moved_percent,min_keys"});
  api_here writes;
  CHECK(writes.ask("POST", "/v1/watch:retry").status == 409);
  CHECK(writes.routers.commands.empty());
}

TEST_CASE("api: the configuration in the shape of the base protocol, where that can say it") {
  const headers base{{"Accept", "application/vnd.cellroute.base+json"}};
  api_here here;
  CHECK(here.ask("GET", "/v1/config", {}, base).status == 404);
  here.ask("PUT", "/v1/config", config_of(5'000));
  const told got = here.ask("GET", "/v1/config", {}, base);
  CHECK(got.status == 200);
  CHECK(got.field("Content-Type") == "application/vnd.cellroute.base+json");
  CHECK(got.field("ETag") == "\"1.1\"");
  CHECK(got.field("Vary") == "Accept");
  CHECK(got.body.starts_with(
      R"({"type":"config_update","version":1,"config":{"default_placement":"tier3","customer_to_placement":{"tenant-000000":"tier1")"));
  CHECK(got.body.ends_with(R"("tier3":"http://127.0.0.1:9003"}}})"));
  CHECK(here.change("PUT", "/v1/config", got.body).has("\"added\":0,\"moved\":0,\"removed\":0"));
  for (const std::string_view other : {"*/*", "application/json", "", "text/plain"})
    CHECK(here.ask("GET", "/v1/config", {}, {{"Accept", std::string(other)}}).field("Content-Type") ==
          "application/json");
  here.ask("PUT", "/v1/config", first_config, {{"If-Match", "*"}});  // a placement with two endpoints
  const told cannot = here.ask("GET", "/v1/config", {}, base);
  CHECK(cannot.status == 406);
  CHECK(cannot.has("placements.tier1 has not exactly one endpoint"));

  api_settings how;
  how.base_dialect = "config_snapshot";
  api_here other({}, how);
  other.ask("PUT", "/v1/config", config_of(1));
  CHECK(other.ask("GET", "/v1/config", {}, base).body.starts_with(R"({"type":"config_snapshot","version":"1",)"));
}

TEST_CASE("api: what is streamed is what was current when it was asked for") {
  api_here here;
  here.ask("PUT", "/v1/config", config_of(5'000));
  request asked;
  asked.method = "GET";
  asked.target = "/v1/config";
  asked.peer.is_local = true;
  for (const std::string_view shape : {"application/json", "application/vnd.cellroute.base+json"}) {
    CAPTURE(shape);
    here.ask("PUT", "/v1/config", config_of(5'000), {{"If-Match", "*"}});
    asked.headers = {{"Accept", std::string(shape)}};
    answer got = here.of_registry->handle(asked, here.now);
    here.ask("PUT", "/v1/config", config_of(1), {{"If-Match", "*"}});
    std::string all;
    std::string piece;
    while (got.stream->next(piece)) all += piece;
    CHECK(all.find("tenant-004999") != std::string::npos);
  }
}

TEST_CASE("api: without preconditions it takes what comes") {
  api_settings how;
  how.require_preconditions = false;
  api_here here({}, how);
  CHECK(here.ask("PUT", "/v1/config", first_config).status == 200);
  CHECK(here.ask("PUT", "/v1/config", config_of(3)).status == 200);
  CHECK(here.ask("PUT", "/v1/config", config_of(4), {{"If-Match", "\"1.1\""}}).status == 412);
}

}  // namespace
}  // namespace cellroute::control
