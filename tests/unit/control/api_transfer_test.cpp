#include "adapters/control/api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

TEST_CASE("api: rows come in and go out in three formats, and come back as they were") {
  for (const std::string_view format : {"ndjson", "csv", "json"}) {
    CAPTURE(format);
    api_here here;
    here.ask("PUT", "/v1/config", first_config);
    here.change("PATCH", "/v1/keys", R"({"a,b":"tier1","q\"uote":"tier3","sp ace ":"visa","umlaut-ü":"tier1"})");
    const rows before = current_rows(*here.made);
    const told out = here.ask("GET", fmt::format("/v1/keys:export?format={}", format));
    REQUIRE(out.status == 200);
    here.change("PATCH", "/v1/keys", R"({"a,b":null,"acme":"tier3","more":"visa"})");
    const std::string target = fmt::format("/v1/keys:import?format={}", format);
    CHECK(here.change("POST", target + "&dry_run=1", out.body).has("\"added\":1"));
    const told merged = here.change("POST", target, out.body);
    CHECK_MESSAGE(merged.status == 200, merged.body);
    CHECK(merged.has("\"added\":1,\"moved\":1,\"removed\":0"));
    rows with_more = before;
    with_more["more"] = "visa";
    CHECK(current_rows(*here.made) == with_more);
    CHECK(here.change("POST", target + "&mode=replace", out.body).has("\"removed\":1"));
    CHECK(current_rows(*here.made) == before);
    const told past = here.ask("GET", fmt::format("/v1/keys:export?format={}&version=1", format));
    CHECK(past.has("acme"));
    CHECK(!past.has("umlaut"));
    here.check();
  }
}

TEST_CASE("api: rows that cannot be served are named, and none is taken") {
  api_here here;
  tell(here,
       {
           {"begin", "PUT", "/v1/config", first_config, {}, 200},
           {"nowhere", "POST", "/v1/keys:import", "{\"key\":\"a\",\"placement\":\"nowhere\"}\n", now_tag, 422,
            "\"path\":\"a\",\"detail\":\"no placement is named \\\"nowhere"},
           {"nowhere, instead of all", "POST", "/v1/keys:import?mode=replace&format=json",
            R"({"a":"nowhere","b":"tier1","c":"gold"})", now_tag, 422, "\"mistakes\":2,\"errors\":[{\"path\":\"a\""},
           {"no JSON in the second line", "POST", "/v1/keys:import", "{\"key\":\"a\",\"placement\":\"tier1\"}\n{",
            now_tag, 422, "\"line\":2"},
           {"a column too many", "POST", "/v1/keys:import?format=csv", "key,placement,colour\na,tier1,red\n", now_tag,
            422, "colour"},
           {"a key twice", "POST", "/v1/keys:import?format=csv", "key,placement\na,tier1\na,tier3\n", now_tag, 422,
            "stands in body.csv:2"},
           {"and where", "POST", "/v1/keys:import?format=csv", "key,placement\na,tier1\nb,tier1\nb,tier3\na,tier3\n",
            now_tag, 422, "\"mistakes\":2"},
           {"in JSON, too", "POST", "/v1/keys:import?format=json", "{\"a\":\"tier1\",\n\"a\":\"tier3\"}", now_tag, 422,
            "\"path\":\"a\",\"detail\":\"already given"},
           {"with its line", "POST", "/v1/keys:import?format=json", "{\"a\":\"tier1\",\n\"a\":\"tier3\"}", now_tag, 422,
            "\"line\":2"},
           {"a key that is too long", "POST", "/v1/keys:import?format=json",
            "{\"a\":\"tier1\",\n\"" + std::string(257, 'k') + "\":\"tier3\"}", now_tag, 422, "\"line\":2"},
           {"an empty key", "POST", "/v1/keys:import?format=json", R"({"":"tier1"})", now_tag, 422},
           {"a list", "POST", "/v1/keys:import?format=json", "[]", now_tag, 422, "must be a map"},
           {"a way out of the map", "POST", "/v1/keys:import?format=json", R"({"a":"tier1"}}},"x":{"y":{"z":{}})",
            now_tag, 422},
           {"a row with more than a placement", "POST", "/v1/keys:import?format=json",
            R"({"a":{"placement":"tier1","rate":"1/s"}})", now_tag, 422},
           {"a row as a map", "POST", "/v1/keys:import?format=json", R"({"a":{"placement":"tier1"}})", now_tag, 200},
           {"a format that is none", "POST", "/v1/keys:import?format=xml", "", now_tag, 400},
           {"a mode that is none", "POST", "/v1/keys:import?mode=both", "", now_tag, 400},
           {"nothing", "POST", "/v1/keys:import", "", now_tag, 200, "\"version\":2,"},
           {"nothing instead of all", "POST", "/v1/keys:import?mode=replace", "", now_tag, 422, "there is no row"},
           {"nor where it is tried", "POST", "/v1/keys:import?mode=replace&dry_run=1", "\n\n", now_tag, 422,
            "DELETE of each key"},
           {"nor of CSV", "POST", "/v1/keys:import?mode=replace&format=csv", "key,placement\n", now_tag, 422,
            "PUT /v1/config"},
           {"nor of JSON", "POST", "/v1/keys:import?mode=replace&format=json", "{}", now_tag, 422, "there is no row"},
           {"and one is enough", "POST", "/v1/keys:import?mode=replace", "{\"key\":\"a\",\"placement\":\"tier1\"}",
            now_tag, 200, "\"removed\":2"},
           {"a version that is none", "GET", "/v1/keys:export?version=99", "", {}, 404},
       });
}

TEST_CASE("api: an import is told all that is wrong with it, whatever kinds that is") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  const told json = here.change("POST", "/v1/keys:import?format=json",
                                "{\"a\":\"x1\",\n\"b\":1,\n\"\":\"tier1\",\n\"a\":\"tier1\",\n\"z\":{\"n\":1}}");
  CHECK(json.status == 422);
  CHECK(json.has("\"mistakes\":5"));
  for (const std::string_view one :
       {R"({"path":"a","detail":"no placement is named \"x1\"; add it or name another","line":1,)",
        R"({"path":"b","detail":"must be the name of a placement","line":2,)",
        R"({"path":"","detail":"a key has 1 to 256 bytes","line":3,)",
        R"({"path":"a","detail":"already given in line 1; remove one of them","line":4,)",
        R"({"path":"z","detail":"must be the name of a placement","line":5,)"}) {
    CAPTURE(one);
    CHECK_MESSAGE(json.has(one), json.body);
  }
  const told lines =
      here.change("POST", "/v1/keys:import",
                  "{\"key\":\"a\",\"placement\":\"x1\"}\n{\"key\":\"b\xff\",\"placement\":\"tier1\"}\n{\n"
                  "{\"key\":\"\",\"placement\":\"tier1\"}\n{\"key\":\"a\",\"placement\":\"tier1\"}\n");
  CHECK(lines.status == 422);
  CHECK(lines.has("\"mistakes\":5"));
  std::size_t at = 0;
  for (int line = 1; line <= 5; ++line) {
    CAPTURE(lines.body);
    at = lines.body.find(fmt::format("\"line\":{},", line), at);
    CHECK(at != std::string::npos);
  }
  here.check();
}

}  // namespace
}  // namespace cellroute::control
