#include "adapters/control/api_access.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/control/api_parts.hpp"
#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

struct door_case {
  std::string_view says;
  bool is_local;
  headers fields;
  std::uint16_t status;  ///< 0: let in
  std::string_view name;
};

const door_case door_cases[] = {
    {"this machine needs no token", true, {}, 0, "loopback"},
    {"by its name", true, {{"Host", "localhost:8081"}}, 0, "loopback"},
    {"by its address", true, {{"Host", "127.0.0.1:8081"}}, 0, "loopback"},
    {"by that of the other family", true, {{"Host", "[::1]:8081"}}, 0, "loopback"},
    {"a name that somebody else gave this address", true, {{"Host", "evil.example:8081"}}, 403, ""},
    {"a name that only looks like an address", true, {{"Host", "127.0.0.1.evil.example"}}, 403, ""},
    {"a page in a browser", true, {{"Origin", "http://evil.example"}}, 403, ""},
    {"another machine", false, {}, 401, ""},
    {"another machine with the admin's token", false, {{"Authorization", "Bearer admin-secret"}}, 0, "admin-token"},
    {"the word in any case", false, {{"authorization", "bearer admin-secret"}}, 0, "admin-token"},
    {"a token that is known", false, {{"Authorization", "Bearer good"}}, 0, "token t1"},
    {"one that is over", false, {{"Authorization", "Bearer old"}}, 401, ""},
    {"one that nobody made", false, {{"Authorization", "Bearer bad"}}, 401, ""},
    {"a wrong one is worse than none", true, {{"Authorization", "Bearer bad"}}, 401, ""},
    {"an empty one", false, {{"Authorization", "Bearer "}}, 401, ""},
    {"another scheme", false, {{"Authorization", "Basic Z29vZA=="}}, 401, ""},
    {"two at once", false, {{"Authorization", "Bearer good"}, {"Authorization", "Bearer good"}}, 401, ""},
    {"a page with a token", false, {{"Authorization", "Bearer good"}, {"Origin", "http://x"}}, 0, "token t1"},
    {"a role of a later release", false, {{"Authorization", "Bearer later"}}, 403, ""},
};

token_record made_token(std::string id, std::string_view secret, std::string role, duration left) {
  token_record made;
  made.id = std::move(id);
  made.hash = sync::sha256(bytes_of(secret));
  made.role = std::move(role);
  made.expires = test_now + left;
  return made;
}

TEST_CASE("api access: who is let in") {
  const std::vector<token_record> tokens{made_token("t1", "good", "viewer", 1ns),
                                         made_token("t2", "old", "viewer", 0ns), made_token("t3", "later", "seer", 1h)};
  api_settings settings;
  settings.admin_token = sync::sha256(bytes_of("admin-secret"));
  for (const door_case& row : door_cases) {
    CAPTURE(row.says);
    request asked;
    asked.headers = row.fields;
    asked.peer.is_local = row.is_local;
    const auto got = identify(asked, settings, tokens, test_now);
    CHECK((got ? 0 : got.error().status) == row.status);
    if (got) CHECK(got->name == row.name);
    if (!got) CHECK(!got.error().why.empty());
  }
  settings.loopback_without_token = false;
  request socket;
  socket.peer.local_user = "7";
  const auto breaker = identify(socket, settings, tokens, test_now);
  REQUIRE(breaker);
  CHECK(breaker->name == "break-glass uid=7");
  CHECK(breaker->who == role::admin);
  CHECK(breaker->is_break_glass);
  socket.headers = {{"Origin", "http://evil.example"}};
  CHECK(!identify(socket, settings, tokens, test_now));
  socket.headers = {{"Authorization", "Bearer good"}};
  CHECK(!identify(socket, settings, tokens, test_now)->is_break_glass);
  request here;
  here.peer.is_local = true;
  CHECK(!identify(here, settings, tokens, test_now));
}

struct scope_row {
  scope what;
  std::string_view roles;  ///< that may
};

const scope_row scope_rows[] = {
    {scope::open, "viewer publisher operator admin router"},
    {scope::read, "viewer publisher operator admin"},
    {scope::publish, "publisher admin"},
    {scope::operate, "operator admin"},
    {scope::administer, "admin"},
};

TEST_CASE("api access: every route for every role (T29)") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  std::map<role, std::string> secrets;
  for (const role each : all_roles) secrets[each] = here.token(to_string(each));
  here.is_local = false;
  std::size_t checked = 0;
  for (const route_row& route : api_routes()) {
    std::string target(route.pattern);
    for (std::size_t at = target.find('{'); at != std::string::npos; at = target.find('{'))
      target.replace(at, target.find('}') - at + 1, "none");
    const auto* const wanted = std::ranges::find(scope_rows, route.needs, &scope_row::what);
    REQUIRE(wanted != std::end(scope_rows));
    for (const role each : all_roles) {
      CAPTURE(std::string(route.method) + " " + target + " as " + std::string(to_string(each)));
      const told got = here.ask(route.method, target, {}, bearer(secrets[each]));
      const bool is_allowed = wanted->roles.find(to_string(each)) != std::string_view::npos;
      CHECK((got.status == 403) == !is_allowed);
      CHECK(got.status != 401);
      ++checked;
    }
    CAPTURE(target);
    const told nobody = here.ask(route.method, target);
    CHECK((nobody.status == 401) == (route.needs != scope::open));
    if (nobody.status == 401) CHECK(nobody.field("WWW-Authenticate") == "Bearer");
  }
  CHECK(checked == api_routes().size() * all_roles.size());
}

struct bound_case {
  std::string_view says;
  std::string_view method;
  std::string_view target;
  std::string_view body;
  std::uint16_t expected;
};

const bound_case bound_cases[] = {
    {"a row that is its own", "PUT", "/v1/keys/eu-1", R"({"placement":"tier3"})", 201},
    {"it moves it", "PUT", "/v1/keys/eu-1", R"({"placement":"tier1"})", 200},
    {"not to another placement", "PUT", "/v1/keys/eu-1", R"({"placement":"visa"})", 403},
    {"nor away from one", "PUT", "/v1/keys/eu-visa", R"({"placement":"tier1"})", 403},
    {"nor does it end that row", "DELETE", "/v1/keys/eu-visa", "", 403},
    {"another key", "PUT", "/v1/keys/us-1", R"({"placement":"tier3"})", 403},
    {"some rows, all its own", "PATCH", "/v1/keys", R"({"eu-2":"tier1","eu-3":"tier3"})", 200},
    {"some rows, one not", "PATCH", "/v1/keys", R"({"eu-2":null,"us-3":"tier3"})", 403},
    {"it sees its own", "GET", "/v1/keys/eu-2", "", 200},
    {"and not all", "GET", "/v1/config", "", 403},
    {"no whole configuration", "PUT", "/v1/config", first_config, 403},
    {"no placement", "PUT", "/v1/placements/tier1", R"({"endpoints":[{"url":"http://h:1"}]})", 403},
    {"no endpoint", "PATCH", "/v1/placements/tier1/endpoints/a", R"({"weight":2})", 403},
    {"no import", "POST", "/v1/keys:import?format=json", R"({"eu-9":"tier1"})", 403},
    {"its end", "DELETE", "/v1/keys/eu-1", "", 200},
};

TEST_CASE("api access: a token that is bound changes what is its own") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  CHECK(here.change("PUT", "/v1/keys/eu-visa", R"({"placement":"visa"})").status == 201);
  const std::string secret = here.token("publisher", R"(,"placements":["tier1","tier3"],"key_prefix":"eu-")");
  here.is_local = false;
  for (const bound_case& row : bound_cases) {
    CAPTURE(row.says);
    const told got = here.change(row.method, row.target, row.body, bearer(secret));
    CHECK_MESSAGE(got.status == row.expected, got.body);
  }
  here.check();
}

}  // namespace
}  // namespace cellroute::control
