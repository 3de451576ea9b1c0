#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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
        R"({"role":"operator","expires_in":"1h","placements":["tier1"]})",
        R"({"role":"router","expires_in":"1h","key_prefix":"x"})",
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

}  // namespace
}  // namespace cellroute::control
