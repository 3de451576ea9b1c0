#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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

}  // namespace
}  // namespace cellroute::control
