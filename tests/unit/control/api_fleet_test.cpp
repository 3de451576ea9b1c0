#include "adapters/control/api.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sync/push_session.hpp"
#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

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
                 {"how it is", "GET", "/v1/routers/r1", "", {}, 200, R"("requests":12,"errors":{"router5xx":0,)"},
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

TEST_CASE("api: a router is in no state but those that one may ask for") {
  for (int state = 0; state <= static_cast<int>(sync::session_state::ended); ++state) {
    const std::string_view name = to_string(static_cast<sync::session_state>(state));
    CAPTURE(name);
    CHECK(std::ranges::find(router_states, name) != std::end(router_states));
  }
}

}  // namespace
}  // namespace cellroute::control
