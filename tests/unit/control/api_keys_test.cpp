#include "adapters/control/api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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

}  // namespace
}  // namespace cellroute::control
