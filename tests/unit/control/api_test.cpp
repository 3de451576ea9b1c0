#include "adapters/control/api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "adapters/sync/push_session.hpp"
#include "tests/unit/control/api_script.hpp"
#include "tests/unit/control/faulty_disk.hpp"

namespace cellroute::control {
namespace {

/// A request, and what its answer must be and say, in the order of a story: each is asked of what those before left.
/// `@` stands for the current tag.
struct step {
  std::string_view says;
  std::string_view method;
  std::string target;
  std::string_view body;
  headers fields;
  std::uint16_t status;
  std::string has = "";
  std::string_view has_not = "\x01";
};

void tell(api_here& here, const std::vector<step>& steps) {
  for (const step& row : steps) {
    CAPTURE(row.says);
    headers fields = row.fields;
    for (auto& [name, value] : fields) {
      if (value == "@") value = "\"" + here.tag() + "\"";
    }
    const told got = here.ask(row.method, row.target, row.body, fields);
    CHECK_MESSAGE(got.status == row.status, got.body);
    CHECK_MESSAGE(got.has(row.has), got.body);
    CHECK_MESSAGE(!got.has(row.has_not), got.body);
    if (got.status >= 400) CHECK(got.field("Content-Type") == "application/problem+json");
  }
  here.check();
}

const headers now_tag{{"If-Match", "@"}};

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

TEST_CASE("api: rows, one by one") {
  api_here here;
  tell(here,
       {
           {"begin", "PUT", "/v1/config", first_config, {}, 200},
           {"a row, where it leads and why", "GET", "/v1/keys/acme", "", {}, 200, "\"reason\":\"tier\""},
           {"one that is not there tells its default", "GET", "/v1/keys/hooli", "", {}, 404, "\"reason\":\"default\""},
           {"a new row", "PUT", "/v1/keys/hooli", R"({"placement":"tier1"})", {{"If-None-Match", "*"}}, 201},
           {"not twice", "PUT", "/v1/keys/hooli", R"({"placement":"visa"})", {{"If-None-Match", "*"}}, 412},
           {"by its own tag", "PUT", "/v1/keys/acme", R"({"placement":"tier3"})", {{"If-Match", "\"1.1\""}}, 200},
           {"which is another one then",
            "PUT",
            "/v1/keys/acme",
            R"({"placement":"tier1"})",
            {{"If-Match", "\"1.1\""}},
            412,
            "\"rows\":[\"acme\"]"},
           {"one that others changed meanwhile is not in the way",
            "PUT",
            "/v1/keys/visa",
            R"({"placement":"tier3"})",
            {{"If-Match", "\"1.1\""}},
            200},
           {"without a tag", "PUT", "/v1/keys/acme", R"({"placement":"tier1"})", {}, 428},
           {"to nowhere", "PUT", "/v1/keys/acme", R"({"placement":"nowhere"})", now_tag, 422, "nowhere"},
           {"an attribute that is not built", "PUT", "/v1/keys/acme", R"({"placement":"tier1","rate":"1/s"})", now_tag,
            422, "not supported yet"},
           {"no placement", "PUT", "/v1/keys/acme", "{}", now_tag, 422, "placement"},
           {"a number", "PUT", "/v1/keys/acme", "7", now_tag, 422},
           {"a number as a name", "PUT", "/v1/keys/acme", R"({"placement":1})", now_tag, 422,
            "\"path\":\"placement\",\"detail\":\"must be the name of a placement"},
           {"where it is wrong", "PUT", "/v1/keys/acme", "{\n\"placement\":\"nowhere\"}", now_tag, 422,
            "\"path\":\"acme\",\"detail\":\"no placement is named \\\"nowhere\\\"; add it or name "
            "another\",\"line\":2,"},
           {"a key that is too long", "PUT", "/v1/keys/" + std::string(257, 'k'), R"({"placement":"tier1"})", now_tag,
            422, "257"},
           {"a key of any bytes", "PUT", "/v1/keys/a%2Fb%20%00", R"({"placement":"tier1"})", now_tag, 201},
           {"is found", "GET", "/v1/keys/a%2Fb%20%00", "", {}, 200, "a/b"},
           {"its end", "DELETE", "/v1/keys/a%2Fb%20%00", "", now_tag, 200, "\"removed\":1"},
           {"is not found", "DELETE", "/v1/keys/a%2Fb%20%00", "", now_tag, 404},
           {"some at once", "PATCH", "/v1/keys", R"({"acme":"tier1","hooli":null,"new":"visa"})", now_tag, 200,
            "\"added\":1,\"moved\":1,\"removed\":1"},
           {"each that is bad is named, where it stands", "PATCH", "/v1/keys",
            "{\"b\":\"x1\",\n\"a\":\"x1\",\n\"acme\":\"tier1\",\n\"c\":\"x2\"}", now_tag, 422,
            "\"mistakes\":3,\"errors\":[{\"path\":\"b\",\"detail\":\"no placement is named \\\"x1\\\"; add it or name "
            "another\",\"line\":1,\"column\":6},{\"path\":\"a\",\"detail\":\"no placement is named \\\"x1\\\"; add it "
            "or "
            "name another\",\"line\":2,\"column\":5},{\"path\":\"c\",\"detail\":\"no placement is named \\\"x2\\\"; "
            "add it "
            "or name another\",\"line\":4,\"column\":5}]"},
           {"some, one bad: none", "PATCH", "/v1/keys", R"({"acme":"tier3","x":"nowhere"})", now_tag, 422},
           {"no text", "PATCH", "/v1/keys", R"({"acme":7,"":"tier1"})", now_tag, 422, "\"mistakes\":2"},
           {"a key twice", "PATCH", "/v1/keys", R"({"acme":"tier3","acme":"tier1"})", now_tag, 400},
           {"where it was",
            "GET",
            "/v1/keys/acme/history?at=3",
            "",
            {},
            200,
            "\"at\":{\"version\":3,\"placement\":\"tier3\"}"},
           {"what became of it", "GET", "/v1/keys/acme/history", "", {}, 200, "\"from\":\"tier1\",\"to\":\"tier3\""},
           {"nobody's history", "GET", "/v1/keys/nobody/history", "", {}, 200, "\"history\":[]"},
       });
}

TEST_CASE("api: keys are listed by their bytes, a page at a time") {
  api_here here;
  here.ask("PUT", "/v1/config", config_of(25));
  here.change("PUT", "/v1/keys/tenant-000007", R"({"placement":"tier2"})");
  std::vector<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 10; ++page) {
    const told got = here.ask("GET", "/v1/keys?limit=10" + cursor);
    REQUIRE(got.status == 200);
    for (std::size_t at = got.body.find("tenant-"); at != std::string::npos; at = got.body.find("tenant-", at + 1))
      seen.push_back(got.body.substr(at, 13));
    const std::size_t next = got.body.find("\"next\":\"");
    if (next == std::string::npos) break;
    cursor = "&cursor=" + got.body.substr(next + 8, got.body.find('"', next + 8) - next - 8);
  }
  CHECK(seen.size() == 25);
  CHECK(std::ranges::is_sorted(seen));
  tell(here, {
                 {"by placement", "GET", "/v1/keys?placement=tier2", "", {}, 200, "000007", "000008"},
                 {"by prefix", "GET", "/v1/keys?prefix=tenant-00002", "", {}, 200, "000024", "000019"},
                 {"by when", "GET", "/v1/keys?changed_since=1", "", {}, 200, "000007", "000008"},
                 {"by all of these", "GET", "/v1/keys?changed_since=1&placement=tier1", "", {}, 200, "[]"},
                 {"none", "GET", "/v1/keys?prefix=x", "", {}, 200, "{\"keys\":[]}"},
                 {"a limit that is none", "GET", "/v1/keys?limit=0", "", {}, 400},
                 {"too large a limit", "GET", "/v1/keys?limit=10001", "", {}, 400},
                 {"a cursor of somebody's own", "GET", "/v1/keys?cursor=zz", "", {}, 400},
             });
}

TEST_CASE("api: placements and endpoints") {
  api_here here;
  tell(
      here,
      {
          {"begin", "PUT", "/v1/config", first_config, {}, 200},
          {"all", "GET", "/v1/placements", "", {}, 200, "{\"name\":\"tier1\",\"keys\":1,"},
          {"one", "GET", "/v1/placements/visa", "", {}, 200, "\"kind\": \"dedicated\""},
          {"none", "GET", "/v1/placements/gold", "", {}, 404},
          {"a new one", "PUT", "/v1/placements/gold", R"({"endpoints":[{"id":"x","url":"http://h:1"}]})", now_tag, 201},
          {"it is used at once", "PUT", "/v1/keys/acme", R"({"placement":"gold"})", now_tag, 200},
          {"and cannot go", "DELETE", "/v1/placements/gold", "", now_tag, 409, "keys lead to"},
          {"unless its keys do", "DELETE", "/v1/placements/gold?move_to=tier3", "", now_tag, 200, "\"moved\":1"},
          {"in one version", "GET", "/v1/versions", "", {}, 200, "\"version\":4,", "\"version\":5,"},
          {"nowhere to go", "DELETE", "/v1/placements/tier3?move_to=gold", "", now_tag, 400},
          {"nothing to end", "DELETE", "/v1/placements/gold", "", now_tag, 404},
          {"the default cannot go", "DELETE", "/v1/placements/tier3?move_to=tier1", "", now_tag, 422,
           "default_placement"},
          {"a member more", "PATCH", "/v1/placements/tier1", R"({"timeouts":{"connect":"2s"}})", now_tag, 200},
          {"is there", "GET", "/v1/placements/tier1", "", {}, 200, "\"connect\": \"2s\""},
          {"and gone", "PATCH", "/v1/placements/tier1", R"({"timeouts":null})", now_tag, 200},
          {"is not there", "GET", "/v1/placements/tier1", "", {}, 200, "", "\"connect\""},
          {"a member that nobody knows", "PATCH", "/v1/placements/tier1", R"({"colour":"red"})", now_tag, 422,
           "colour"},
          {"one that is not built", "PATCH", "/v1/placements/tier1", R"({"fallback":["tier3"]})", now_tag, 422},
          {"no map", "PUT", "/v1/placements/tier1", "[]", now_tag, 422},
          {"an endpoint", "GET", "/v1/placements/tier1/endpoints/a", "", {}, 200, "9001"},
          {"by its address, where it has no name",
           "GET",
           "/v1/placements/tier3/endpoints/127.0.0.1:9003",
           "",
           {},
           200,
           "9003"},
          {"none", "GET", "/v1/placements/tier1/endpoints/z", "", {}, 404},
          {"its weight", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"weight":7})", now_tag, 200},
          {"is there", "GET", "/v1/placements/tier1/endpoints/a", "", {}, 200, "\"weight\": 7"},
          {"a weight that is none", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"weight":-1})", now_tag, 422,
           "weight"},
          {"another name", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"id":"z"})", now_tag, 400, "of the path"},
          {"or none", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"id":null})", now_tag, 400, "of the path"},
          {"its own", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"id":"a","weight":3})", now_tag, 200},
          {"another address of one that has no name", "PATCH", "/v1/placements/tier3/endpoints/127.0.0.1:9003",
           R"({"url":"http://127.0.0.1:9005"})", now_tag, 200},
          {"which is its name from then on",
           "GET",
           "/v1/placements/tier3/endpoints/127.0.0.1:9003",
           "",
           {},
           200,
           "9005"},
          {"whatever there is: there is none",
           "PUT",
           "/v1/placements/tier1/endpoints/c",
           R"({"url":"http://127.0.0.1:9009"})",
           {{"If-Match", "*"}},
           412},
          {"only if there is none",
           "PUT",
           "/v1/placements/tier1/endpoints/c",
           R"({"url":"http://127.0.0.1:9009"})",
           {{"If-None-Match", "*"}},
           201},
          {"and then there is one",
           "PUT",
           "/v1/placements/tier1/endpoints/c",
           R"({"url":"http://127.0.0.1:9009"})",
           {{"If-None-Match", "*"}},
           412},
          {"it goes", "DELETE", "/v1/placements/tier1/endpoints/c", "", {{"If-Match", "*"}}, 200},
          {"one more", "PUT", "/v1/placements/tier1/endpoints/c", R"({"url":"http://127.0.0.1:9009"})", now_tag, 201},
          {"with another name than its own", "PUT", "/v1/placements/tier1/endpoints/c",
           R"({"id":"d","url":"http://h:1"})", now_tag, 400},
          {"it goes", "DELETE", "/v1/placements/tier1/endpoints/c", "", now_tag, 200},
          {"it is gone", "DELETE", "/v1/placements/tier1/endpoints/c", "", now_tag, 404},
          {"the last one stays", "DELETE", "/v1/placements/visa/endpoints/127.0.0.1:9004", "", now_tag, 409, "last"},
      });
}

TEST_CASE("api: an endpoint is drained, keeps its weight, and takes requests again") {
  api_here here;
  const std::string a = "/v1/placements/tier1/endpoints/a";
  const std::string b = "/v1/placements/tier1/endpoints/b";
  const auto weights = [&here] {
    reader<active_content> active(here.made->current());
    std::string told;
    for (const cell& each : active.current().value.doc.spec.cells) {
      if (each.id.value != "tier1") continue;
      for (const endpoint& e : each.endpoints) told += e.id + "=" + std::to_string(e.weight) + " ";
    }
    return told;
  };
  tell(here, {{"begin", "PUT", "/v1/config", first_config, {}, 200},
              {"a weight", "PATCH", a, R"({"weight":3})", now_tag, 200}});
  const wire::digest before = here.sum();
  tell(here, {{"it is changed as it is looked at", "PATCH", a, R"({"drain":true})", {}, 428},
              {"a dry run tells", "PATCH", a + "?dry_run=1", R"({"drain":true})", {}, 200, R"("changed":["tier1/a"])"},
              {"drained", "PATCH", a, R"({"drain":true})", now_tag, 200, R"("version":3)"}});
  CHECK(weights() == "a=0 b=1 ");
  tell(here, {{"once more makes no version", "PATCH", a, R"({"drain":true})", now_tag, 200, R"("version":3)"},
              {"it shows, and so does the weight", "GET", a, "", {}, 200, "\"weight\": 3,\n  \"drain\": true"},
              {"the other one is the last", "PATCH", b, R"({"drain":true})", now_tag, 409, "no other endpoint"},
              {"by its weight, too", "PATCH", b, R"({"weight":0})", now_tag, 409, R"("code":"in_use")"},
              {"and it cannot go", "DELETE", b, "", now_tag, 409, "no other endpoint"},
              {"nor the last of a placement", "PATCH", "/v1/placements/visa/endpoints/127.0.0.1:9004",
               R"({"drain":true})", now_tag, 409, "no other endpoint"},
              {"no truth", "PATCH", a, R"({"drain":"perhaps"})", now_tag, 422, "drain"},
              {"another weight, for later", "PATCH", a, R"({"weight":5})", now_tag, 200, R"("version":4)"}});
  CHECK(weights() == "a=0 b=1 ");
  tell(here, {{"it may go", "PATCH", a + "?dry_run=1", R"({"drain":false})", {}, 200},
              {"back", "PATCH", a, R"({"drain":false})", now_tag, 200, R"("version":5)"}});
  CHECK(weights() == "a=5 b=1 ");
  tell(here, {{"once more makes no version", "PATCH", a, R"({"drain":false})", now_tag, 200, R"("version":5)"},
              {"as it was", "PATCH", a, R"({"weight":3,"drain":false})", now_tag, 200}});
  CHECK(here.sum() == before);  // nothing of it is left
  tell(here, {{"at once", "PATCH", b, R"({"weight":9,"drain":true})", now_tag, 200},
              {"a version is drained, too", "POST", "/v1/versions/3:rollback", "", now_tag, 200}});
  CHECK(weights() == "a=0 b=1 ");
  // It outlives the process, and goes with the document.
  here.of_registry.reset();
  here.made.reset();
  here.made = open_registry(must(store::open(here.folder.file("control.db"))), {}, &here.listener);
  CHECK(weights() == "a=0 b=1 ");
}

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

TEST_CASE("api: a key is UTF-8, in each way that one comes in; what is there goes again") {
  api_here here;
  tell(here, {
                 {"begin", "PUT", "/v1/config", first_config, {}, 200},
                 {"in the path", "PUT", "/v1/keys/x%ff", R"({"placement":"tier1"})", now_tag, 422,
                  "byte 0xff is not text; write the key as UTF-8"},
                 {"in JSON", "PATCH", "/v1/keys", "{\"x\xff\":\"tier1\"}", now_tag, 400,
                  R"("detail":"byte 0xff is not text; write it as UTF-8","line":1,"column":4)"},
                 {"as rows", "POST", "/v1/keys:import", "\n{\"key\":\"x\xff\",\"placement\":\"tier1\"}\n", now_tag, 422,
                  R"("detail":"byte 0xff is not text; write the key as UTF-8","line":2)"},
                 {"as CSV", "POST", "/v1/keys:import?format=csv", "key,placement\nx\xc3,tier1\n", now_tag, 422,
                  R"("detail":"byte 0xc3 is not text; write the key as UTF-8","line":2)"},
                 {"as JSON", "POST", "/v1/keys:import?format=json", "{\n\"x\xff\":\"tier1\"}", now_tag, 422,
                  R"("detail":"byte 0xff is not text; write it as UTF-8","line":2,"column":3)"},
                 {"as a configuration", "PUT", "/v1/config", std::string(first_config) + "\n# \xff", now_tag, 422,
                  "byte 0xff is not text"},
                 {"UTF-8", "PUT", "/v1/keys/%c3%a9", R"({"placement":"tier1"})", now_tag, 201},
                 {"none is there", "DELETE", "/v1/keys/x%ff", "", now_tag, 404, "\"code\":\"unknown\""},
             });
}

TEST_CASE("api: of a key that no request has it is told so (issue 6, section 5.8)") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  for (const std::string_view key : {"a%2Cb", "a%0ab", "%20a", "a%09"}) {
    CAPTURE(key);
    const told one = here.ask("GET", fmt::format("/v1/keys/{}", key));
    CHECK(one.status == 404);
    CHECK(one.has("\"code\":\"unknown\""));
    CHECK(one.has("\"resolved\":{\"unreachable\":\""));
  }
  CHECK(here.ask("GET", "/v1/keys/" + std::string(257, 'k')).has("longer than 256 bytes"));
  CHECK(here.ask("GET", "/v1/keys/" + std::string(256, 'k')).has("\"placement\":\"tier3\""));
  CHECK(here.change("PUT", "/v1/keys/a%2Cb", R"({"placement":"tier3"})").status == 201);
  const told row = here.ask("GET", "/v1/keys/a%2Cb");
  CHECK(row.has("\"placement\":\"tier3\""));
  CHECK(row.has("the routing key is a list; one value is meant"));
}

TEST_CASE("api: a parameter that a page does not have is refused by name") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  tell(here, {
                 {"nearly a dry run", "PUT", "/v1/keys/b?dryrun=1", R"({"placement":"tier1"})", now_tag, 400,
                  R"(\"dryrun\" is no parameter of this page, which takes dry_run, override, message)"},
                 {"where there is none", "GET", "/v1/info?x=1", "", {}, 400, "which takes none"},
                 {"of another page", "GET", "/v1/versions?prefix=a", "", {}, 400, "limit, cursor"},
                 {"no name", "GET", "/v1/versions?=1", "", {}, 400},
                 {"nothing", "GET", "/v1/versions?&", "", {}, 200},
                 {"nothing was done", "GET", "/v1/info", "", {}, 200, "\"version\":1,"},
                 {"who may not hears that first", "GET", "/v1/nothing?x=1", "", {}, 404},
             });
}

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

TEST_CASE("api: versions, what differs, and the way back") {
  api_here here;
  tell(here, {
                 {"begin", "PUT", "/v1/config?message=first", first_config, {}, 200},
                 {"another", "PUT", "/v1/config", config_of(3), now_tag, 200},
                 {"one", "GET", "/v1/versions/1", "", {}, 200, "\"message\":\"first\""},
                 {"none", "GET", "/v1/versions/3", "", {}, 404},
                 {"no number", "GET", "/v1/versions/x", "", {}, 404},
                 {"what differs", "GET", "/v1/versions/1/diff/2", "", {}, 200, "\"added\":3,\"removed\":2"},
                 {"of placements, too",
                  "GET",
                  "/v1/versions/1/diff/2",
                  "",
                  {},
                  200,
                  "\"placements\":{\"added\":[\"tier2\"],\"changed\":[\"tier1\"],\"removed\":[\"visa\"]}"},
                 {"back", "POST", "/v1/versions/1:rollback", R"({"reason":"it was better"})", now_tag, 200,
                  "\"message\":\"it was better\""},
                 {"what is there already", "POST", "/v1/versions/1:rollback", "", now_tag, 200, "\"version\":3,"},
                 {"nowhere", "POST", "/v1/versions/9:rollback", "", now_tag, 404},
                 {"resolved in two versions",
                  "POST",
                  "/v1/resolve",
                  R"({"keys":["acme","x"],"version":2,"compare":3})",
                  {},
                  200,
                  "\"generation\":3"},
                 {"resolved now", "POST", "/v1/resolve", R"({"keys":["acme"]})", {}, 200, "\"placement\":\"tier1\""},
                 {"no keys", "POST", "/v1/resolve", "{}", {}, 422, "keys"},
                 {"no version", "POST", "/v1/resolve", R"({"keys":["a"],"version":99})", {}, 404},
                 {"the audit is whole", "GET", "/v1/audit:verify", "", {}, 200, "\"ok\":true,\"rows\":4"},
                 {"a part of it", "GET", "/v1/audit?from=3&actor=loopback&limit=1", "", {}, 200, "config.put"},
             });
  auto beside = must(database::open(here.folder.file("control.db"), database_use::write));
  must(beside.run("UPDATE audit SET actor = 'eve' WHERE seq = 2"));
  CHECK(here.ask("GET", "/v1/audit:verify").has("\"first_bad\":2"));
  must(beside.run("UPDATE audit SET actor = 'loopback' WHERE seq = 2"));
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

TEST_CASE("api: an answer is given again after its version went") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  const headers once{{"If-Match", "*"}, {"Idempotency-Key", "k1"}};
  const std::string row = "{\"key\":\"hooli\",\"placement\":\"tier1\"}\n";
  const told first = here.ask("POST", "/v1/keys:import", row, once);
  here.change("PUT", "/v1/keys/hooli", R"({"placement":"tier3"})");
  {
    auto turn = here.made->begin();
    CHECK(must(turn.stored().purge({1, {}}, here.now)) == 2);
  }
  CHECK(here.ask("GET", "/v1/versions/2").status == 410);
  const told again = here.ask("POST", "/v1/keys:import", row, once);
  CHECK(again.status == 200);
  CHECK(again.field("Idempotency-Replayed") == "true");
  CHECK(again.field("ETag") == "\"1.2\"");
  CHECK(again.body == first.body);
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

TEST_CASE("api: what routers and a followed file are told is done once, too") {
  api_settings how;
  how.is_following_file = true;
  api_here here({}, how);
  const auto key = [](std::string_view name) { return headers{{"Idempotency-Key", std::string(name)}}; };
  CHECK(here.ask("POST", "/v1/routers/r2:resync", "", key("r1")).status == 404);  // which is not kept
  for (const std::string_view replayed : {"", "true"}) {
    const told got = here.ask("POST", "/v1/routers/r1:resync", "", key("r2"));
    CHECK(got.status == 202);
    CHECK(got.body == "{\"accepted\":true}\n");
    CHECK(got.field("Idempotency-Replayed") == replayed);
  }
  CHECK(here.ask("POST", "/v1/routers/r1:goaway", "", key("r2")).status == 422);
  for (const std::string_view replayed : {"", "true"}) {
    const told got = here.ask("POST", "/v1/watch:retry", "", key("w1"));
    CHECK(got.status == 202);
    CHECK(got.field("Idempotency-Replayed") == replayed);
  }
  CHECK(here.ask("POST", "/v1/watch:retry?override=min_keys", "", key("w1")).status == 422);
  CHECK(here.routers.commands == std::vector<std::string>{"resync", "retry "});
  const told audit = here.ask("GET", "/v1/audit");
  CHECK(audit.body.find("router.resync") == audit.body.rfind("router.resync"));
  CHECK(!audit.has("override"));
  here.now += 25h;  // longer than answers are kept
  CHECK(here.ask("POST", "/v1/routers/r1:goaway", "", key("r2")).status == 202);
  here.check();
}

TEST_CASE("api: tokens are made, used, and ended") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  const std::string secret = here.token("viewer", R"(,"name":"of ann")");
  here.is_local = false;
  CHECK(here.ask("GET", "/v1/config", {}, bearer(secret)).status == 200);
  here.now += 1h;
  CHECK(here.ask("GET", "/v1/config", {}, bearer(secret)).status == 401);
  here.now -= 1h;
  here.is_local = true;
  const told all = here.ask("GET", "/v1/tokens");
  CHECK(all.has("of ann"));
  CHECK(!all.has(secret));
  const std::string id = all.body.substr(all.body.find("\"id\":\"") + 6, 16);
  CHECK(here.ask("GET", "/v1/tokens/" + id).has("viewer"));
  here.token("viewer");
  here.token("viewer");
  std::string seen;
  std::string cursor;
  for (int i = 0; i < 3; ++i) {
    const told one = here.ask("GET", "/v1/tokens?limit=1" + cursor);
    CHECK(one.status == 200);
    const std::string found = one.body.substr(one.body.find("\"id\":\"") + 6, 16);
    CHECK(found > seen);
    CHECK(one.has("\"next\"") == (i < 2));
    seen = found;
    if (i < 2) cursor = "&cursor=" + one.body.substr(one.body.find("\"next\":\"") + 8, 33);
  }
  CHECK(here.ask("GET", "/v1/tokens?limit=0").status == 400);
  CHECK(here.ask("DELETE", "/v1/tokens/" + id).status == 204);
  CHECK(here.ask("DELETE", "/v1/tokens/" + id).status == 404);
  here.is_local = false;
  CHECK(here.ask("GET", "/v1/config", {}, bearer(secret)).status == 401);
  here.is_local = true;
  for (const std::string_view bad :
       {"{}", R"({"role":"king","expires_in":"1h"})", R"({"role":"viewer"})",
        R"({"role":"viewer","expires_in":"9000h"})", R"({"role":"viewer","expires_in":"never"})",
        R"({"role":"admin","expires_in":"1h","key_prefix":"x"})",
        R"({"role":"viewer","expires_in":"1h","colour":"red"})"}) {
    CAPTURE(bad);
    CHECK(here.ask("POST", "/v1/tokens", bad).status == 422);
  }
  here.check();
}

TEST_CASE("api: tokens outlive the process") {
  api_here here;
  const std::string secret = here.token("admin");
  const auto again = must(api::open(*here.made, {}, {}));
  request asked;
  asked.method = "GET";
  asked.target = "/v1/info";
  asked.headers = bearer(secret);
  CHECK(again->handle(asked, here.now).status == 200);
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

TEST_CASE("api: routers are those of the directory, and what is done to them is in the audit") {
  api_here here;
  tell(here, {
                 {"all", "GET", "/v1/routers", "", {}, 200, R"({"routers":[{"router_id":"r1",)"},
                 {"none of that state", "GET", "/v1/routers?state=away", "", {}, 200, "{\"routers\":[]}"},
                 {"a state that is none", "GET", "/v1/routers?state=bogus", "", {}, 400, "in_sync, behind"},
                 {"by a label", "GET", "/v1/routers?label.zone=z1", "", {}, 200, "r1"},
                 {"and another", "GET", "/v1/routers?label.zone=z1&label.ring=canary", "", {}, 200, "[]"},
                 {"a label without a name", "GET", "/v1/routers?label=z1", "", {}, 400, "label.ring"},
                 {"one", "GET", "/v1/routers/r1", "", {}, 200, "in_sync"},
                 {"none", "GET", "/v1/routers/r2", "", {}, 404},
                 {"who runs what", "GET", "/v1/fleet/drift", "", {}, 200, R"("value":"z1","routers":1,"versions":[)"},
                 {"once more", "POST", "/v1/routers/r1:resync", "", {}, 202, "accepted"},
                 {"away", "POST", "/v1/routers/r1:goaway", "", {}, 202},
                 {"nobody", "POST", "/v1/routers/r2:resync", "", {}, 404},
                 {"events", "GET", "/v1/events", "", {}, 200, "event: published"},
                 {"too many watchers", "GET", "/v1/events", "", {{"Last-Event-ID", "99"}}, 429},
                 {"no number", "GET", "/v1/events", "", {{"Last-Event-ID", "x"}}, 400},
                 {"what was done", "GET", "/v1/audit?target=router%20r1", "", {}, 200, "router.goaway"},
             });
  CHECK(here.routers.commands == std::vector<std::string>{"resync", "goaway"});
  const auto alone = must(api::open(*here.made, {}, {}));
  request asked;
  asked.method = "GET";
  asked.target = "/v1/routers";
  asked.peer.is_local = true;
  CHECK(alone->handle(asked, here.now).status == 503);
}

TEST_CASE("api: a version tells where it runs, as far as anybody knows") {
  api_here here;
  CHECK(here.ask("PUT", "/v1/config", first_config).status == 200);
  const wire::digest sum = here.sum();
  CHECK(here.change("PUT", "/v1/keys/umbra", R"({"placement":"tier1"})").status == 201);
  here.routers.runs = {5, {{{1, 1, sum}, 3, {"r1", "r2"}}, {{0, 1, {}}, 2, {}}}};
  tell(here, {
                 {"routers by id, and one more of the same, and two of the base protocol",
                  "GET",
                  "/v1/versions/1",
                  "",
                  {},
                  200,
                  R"("routers":5,"router_ids":["r1","r2"],"routers_left_out":3})"},
                 {"it runs nowhere",
                  "GET",
                  "/v1/versions/2",
                  "",
                  {},
                  200,
                  R"("routers":0,"router_ids":[],"routers_left_out":0})"},
                 {"in a list they are counted", "GET", "/v1/versions", "", {}, 200, R"("routers":5}])"},
             });
  here.routers.runs = {2, {{{1, 1, {}}, 1, {"r1"}}, {{2, 1, sum}, 1, {"r2"}}}};
  CHECK(here.ask("GET", "/v1/versions/1").has(R"("routers":0,)"));  // another's of the same number, by digest and epoch
  here.routers.runs.reset();
  CHECK(!here.ask("GET", "/v1/versions/1").has("\"routers\""));
  CHECK(!here.ask("GET", "/v1/versions").has("\"routers\""));
  CHECK(here.ask("GET", "/v1/versions/1").field("ETag") == "\"1.1\"");
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

TEST_CASE("api: a router is in no state but those that one may ask for") {
  for (int state = 0; state <= static_cast<int>(sync::session_state::ended); ++state) {
    const std::string_view name = to_string(static_cast<sync::session_state>(state));
    CAPTURE(name);
    CHECK(std::ranges::find(router_states, name) != std::end(router_states));
  }
}

TEST_CASE("api: the audit of a key is that of the versions that changed it") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);                           // version 1, whole
  here.change("PUT", "/v1/keys/acme", R"({"placement":"tier3"})");       // 2
  here.change("PUT", "/v1/keys/visa", R"({"placement":"tier3"})");       // 3
  here.change("PATCH", "/v1/keys", R"({"acme":null,"other":"tier1"})");  // 4
  const told acme = here.ask("GET", "/v1/audit?key=acme");
  CHECK(acme.status == 200);
  CHECK(acme.has("\"version 2\""));
  CHECK_FALSE(acme.has("\"version 3\""));
  CHECK(acme.has("\"version 4\""));
  const told other = here.ask("GET", "/v1/audit?key=other");
  CHECK_FALSE(other.has("\"version 2\""));
  CHECK(other.has("\"version 4\""));
  CHECK(here.ask("GET", "/v1/audit?key=acme&actor=nobody").has("{\"audit\":[]}"));
  CHECK(here.ask("GET", "/v1/audit").has("\"version 3\""));
}

TEST_CASE("api: an answer has the id of its request, and a problem tells it, and the one key that is at fault") {
  api_here here;
  const told done = here.ask("PUT", "/v1/config", first_config);
  CHECK(done.status == 200);
  CHECK(done.field("X-Request-Id") == "trace-of-test");
  CHECK(!done.has("trace"));
  const std::string of_acme = R"("key":"acme",)";
  const std::string none = "\"key\":";
  const std::string long_key(300, 'k');
  const std::string publisher = here.token("publisher", R"(,"key_prefix":"mine-")");
  headers bound = bearer(publisher);
  bound.emplace_back("If-Match", "@");
  tell(here,
       {
           {"no such page", "GET", "/v1/nothing", "", {}, 404, R"("trace":"trace-of-test"})"},
           {"what a row is without", "GET", "/v1/keys/umbra", "", {}, 404, R"("key":"umbra","resolved":)"},
           {"what is not there cannot go", "DELETE", "/v1/keys/umbra", "", now_tag, 404, R"("key":"umbra")"},
           {"where it leads is not there", "PUT", "/v1/keys/acme", R"({"placement":"none"})", now_tag, 422,
            R"("key":"acme","trace":)"},
           {"the body is at fault", "PUT", "/v1/keys/acme", "{}", now_tag, 422, "errors", none},
           {"too long", "DELETE", "/v1/keys/" + long_key, "", now_tag, 422, "\"key\":\"" + long_key + "\""},
           {"one of many", "PATCH", "/v1/keys", R"({"acme":"none","visa":"tier1"})", now_tag, 422, of_acme},
           {"two of many", "PATCH", "/v1/keys", R"({"acme":"none","visa":"none"})", now_tag, 422, "errors", none},
           {"one that is none", "PATCH", "/v1/keys", R"({"acme":7,"visa":"tier1"})", now_tag, 422, of_acme},
           {"of an import", "POST", "/v1/keys:import?format=csv", "key,placement\nacme,none\nvisa,tier1\n", now_tag,
            422, of_acme},
           {"two of an import", "POST", "/v1/keys:import?format=json", R"({"acme":"none","visa":"none"})", now_tag, 422,
            "errors", none},
           {"one that cannot be read beside it", "POST", "/v1/keys:import?format=json", R"({"acme":"none","visa":7})",
            now_tag, 422, "errors", none},
           {"not this token's", "PUT", "/v1/keys/acme", R"({"placement":"tier3"})", bound, 403, of_acme},
           {"of two one is not", "PATCH", "/v1/keys", R"({"acme":"tier3","mine-1":"tier3"})", bound, 403, of_acme},
           {"somebody was faster",
            "PUT",
            "/v1/keys/acme",
            R"({"placement":"tier3"})",
            {{"If-Match", "\"1.9\""}},
            412,
            "trace",
            none},
       });
  here.is_local = false;
  const told refused = here.ask("GET", "/v1/info");
  CHECK(refused.status == 401);
  CHECK(refused.has("trace-of-test"));
}

TEST_CASE("api: what is no page, no method, no body") {
  api_settings how;
  how.body_max = 1'000;
  api_here here({}, how);
  tell(here, {
                 {"what it is", "GET", "/v1/info", "", {}, 200, "\"build\":\"test\""},
                 {"no page", "GET", "/v1/nothing", "", {}, 404},
                 {"no path", "GET", "http://x/", "", {}, 400},
                 {"an escape that is none", "GET", "/v1/keys?prefix=%zz", "", {}, 400},
                 {"another method", "POST", "/v1/config", "", {}, 405, "GET, HEAD, PUT"},
                 {"a method that nobody knows", "BREW", "/v1/config", "", {}, 405},
                 {"too large", "PUT", "/v1/config", std::string(1'001, ' '), {}, 413},
                 {"as large as may be", "PUT", "/v1/config", std::string(1'000, ' '), {}, 422},
                 {"another type", "PUT", "/v1/config", "x", {{"Content-Type", "image/png"}}, 415},
                 {"JSON is no image", "PATCH", "/v1/keys", "{}", {{"Content-Type", "text/csv"}}, 415},
                 {"a type with a charset",
                  "PUT",
                  "/v1/config",
                  "{}",
                  {{"Content-Type", "application/json; charset=utf-8"}},
                  422},
             });
  const told head = here.ask("HEAD", "/v1/info");  // whose content is left out by whoever sends it
  CHECK(head.status == 200);
  CHECK(head.body == here.ask("GET", "/v1/info").body);
  CHECK(here.ask("POST", "/v1/config").field("Allow") == "GET, HEAD, PUT");
}

TEST_CASE("api: a backup that cannot be made leaves nothing beside the store") {
  faulty_disk disk;
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  std::string rows = "key,placement\n";  // more than a connection keeps in memory
  for (int i = 0; i < 120'000; ++i) rows += fmt::format("{:032},tier1\n", i);
  REQUIRE(here.change("POST", "/v1/keys:import?format=csv", rows).status == 200);
  disk.start({});
  REQUIRE(here.ask("GET", "/v1/backup").status == 200);
  const std::uint64_t calls = disk.calls();
  disk.stop();
  disk.start({});
  disk.crash_at(calls * 2 / 3);
  CHECK(here.ask("GET", "/v1/backup").status >= 500);
  CHECK(disk.has_crashed());
  disk.stop();
  for (const auto& entry : std::filesystem::directory_iterator(here.folder.path())) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK(name.find(".backup.") == std::string::npos);
  }
}

TEST_CASE("api: what the store does not say is said so") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  auto beside = must(database::open(here.folder.file("control.db"), database_use::write));
  must(beside.run("UPDATE meta SET value = 0 WHERE name = 'epoch'"));
  CHECK(here.change("PUT", "/v1/keys/a", R"({"placement":"tier1"})").status == 503);
  CHECK(here.ask("GET", "/v1/config").status == 200);  // what is in memory is served
}

TEST_CASE("api: a store that cannot be read keeps back what was, not where keys lead") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  CHECK(here.ask("GET", "/v1/keys/acme").has(R"("changed":1)"));
  CHECK(here.ask("GET", "/v1/keys/acme").field("X-Config-Stale") == "");
  auto beside = must(database::open(here.folder.file("control.db"), database_use::write));
  must(beside.run("ALTER TABLE route RENAME TO gone"));
  must(beside.run("ALTER TABLE change RENAME TO gone_too"));
  for (const std::string_view told_from_memory : {"/v1/config", "/v1/placements", "/v1/placements/tier1", "/v1/keys",
                                                  "/v1/keys:export?format=ndjson", "/v1/keys/acme"}) {
    CAPTURE(told_from_memory);
    const told got = here.ask("GET", told_from_memory);
    CHECK(got.status == 200);
    CHECK(got.has("tier1"));
    CHECK(got.field("X-Config-Stale") == "store-unreadable");
    CHECK(here.ask("HEAD", told_from_memory).field("X-Config-Stale") == "store-unreadable");
  }
  const told resolved = here.ask("POST", "/v1/resolve", R"({"keys":["acme"]})");
  CHECK(resolved.has("tier1"));
  CHECK(resolved.field("X-Config-Stale") == "store-unreadable");
  CHECK(here.ask("GET", "/v1/keys/nobody").field("X-Config-Stale") == "store-unreadable");
  CHECK(here.ask("GET", "/v1/keys/acme/history").status == 503);
  const told row = here.ask("GET", "/v1/keys/acme");
  CHECK_FALSE(row.has("changed"));
  CHECK(row.field("X-Config-Stale") == "store-unreadable");
  CHECK(row.field("ETag") == "");
  must(beside.run("ALTER TABLE gone RENAME TO route"));
  must(beside.run("ALTER TABLE gone_too RENAME TO change"));
  CHECK(here.ask("GET", "/v1/keys/acme").has(R"("changed":1)"));
  CHECK(here.ask("GET", "/v1/config").field("X-Config-Stale") == "");
  // The cluster's name is one that it knows.
  must(beside.run("ALTER TABLE meta RENAME TO gone"));
  must(beside.run("ALTER TABLE route RENAME TO gone_too"));
  const told info = here.ask("GET", "/v1/info");
  CHECK(info.status == 200);
  CHECK(info.field("X-Config-Stale") == "store-unreadable");
  must(beside.run("ALTER TABLE gone RENAME TO meta"));
  must(beside.run("ALTER TABLE gone_too RENAME TO route"));
  CHECK(here.ask("GET", "/v1/info").body == info.body);
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
