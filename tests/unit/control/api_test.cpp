#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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

}  // namespace
}  // namespace cellroute::control
