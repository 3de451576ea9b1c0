#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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

}  // namespace
}  // namespace cellroute::control
