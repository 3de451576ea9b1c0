#include "adapters/control/fleet_drift.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "adapters/control/fleet_json.hpp"

namespace cellroute::control {
namespace {

wire::content_id numbered(std::uint64_t version, std::uint8_t mark = 0) {
  wire::content_id made{1, version, {}};
  made.sum[0] = std::byte{mark};
  return made;
}

router_view router_of(std::string id, std::uint64_t version, std::vector<wire::label> labels = {}) {
  router_view r;
  r.id = std::move(id);
  r.session = 1;
  r.state = "in_sync";
  r.running = numbered(version);
  r.is_on_target = version == 2;
  r.labels = std::move(labels);
  return r;
}

std::string text_of(const fleet_drift& of) {
  std::string text;
  write_drift(text, of);
  return text;
}

TEST_CASE("fleet drift: versions by label, of those that are here") {
  std::vector<router_view> all{router_of("a", 2, {{"ring", "canary"}, {"zone", "z1"}}),
                               router_of("b", 2, {{"zone", "z1"}}),
                               router_of("c", 1, {{"zone", "z1"}}),
                               router_of("d", 1, {{"zone", "z2"}}),
                               router_of("e", 2),
                               router_of("gone", 1, {{"zone", "z9"}})};
  all[4].running.reset();
  all[4].is_on_target = false;
  all[5].session = 0;
  const fleet_drift d = drift_of(all, numbered(2));
  CHECK(d.here == 5);
  CHECK(d.away == 1);
  CHECK(d.on_target == 2);
  CHECK((d.counts.versions == std::vector<version_count>{{numbered(2), 2}, {numbered(1), 2}, {std::nullopt, 1}}));
  REQUIRE(d.labels.size() == 2);
  CHECK(d.labels[0].name == "zone");
  CHECK(d.labels[0].routers == 4);
  REQUIRE(d.labels[0].values.size() == 2);
  CHECK((d.labels[0].values[0] == label_value{"z1", 3, {{{numbered(2), 2}, {numbered(1), 1}}, 0}}));
  CHECK((d.labels[0].values[1] == label_value{"z2", 1, {{{numbered(1), 1}}, 0}}));
  CHECK(d.labels[1].name == "ring");
  CHECK(d.stragglers.size() == 3);
  const std::string text = text_of(d);
  CAPTURE(text);
  const std::string digest(64, '0');
  CHECK(text.find(R"({"name":"zone","routers":4,"routers_without":1,"values":[{"value":"z1","routers":3,"versions":[)"
                  R"({"running":{"epoch":1,"version":2,"digest":")" +
                  digest + R"("},"routers":2},)") != std::string::npos);
  CHECK(text.find(R"("connected":5,"on_target":2,"refused":0,"away":1,"versions":[)") != std::string::npos);
}

TEST_CASE("fleet drift: the clock that goes most wrong of those that are here, before or behind") {
  std::vector<router_view> all{router_of("a", 2), router_of("b", 2), router_of("c", 2), router_of("gone", 2)};
  CHECK(drift_of(all, numbered(2), counts_alone).clock_skew == duration(0));
  all[0].clock_ahead = 3s;
  all[1].clock_ahead = -1h;
  all[3].clock_ahead = 9h;
  all[3].session = 0;
  CHECK(drift_of(all, numbered(2), counts_alone).clock_skew == 1h);
}

TEST_CASE("fleet: a router is shown with what it said of itself, once it did; one of the base protocol says nothing") {
  const auto shown = [](const router_view& r) {
    std::string text;
    write_router(text, r);
    return text;
  };
  router_view r = router_of("a", 2);
  CHECK(shown(r).ends_with(R"("clock_ahead_seconds":null,"apply_ms":null,"status":null})"));
  r.clock_ahead = -1500ms;
  r.apply_ms = 7;
  CHECK(shown(r).ends_with(R"("clock_ahead_seconds":-1.5,"apply_ms":7,"status":null})"));
  r.status = wire::pong{3, numbered(2),        "push", 60, 1, 1'000, {4, 3, 2, 1}, {numbered(3)}, 7, 4'096, 4,
                        5, {{5, 90}, {{}, 1}}, {}};
  const std::string held = R"({"epoch":1,"version":3,"digest":")" + std::string(64, '0') + R"("})";
  CHECK(shown(r).ends_with(R"("status":{"uptime_seconds":60,"boots":1,"requests":1000,)"
                           R"("errors":{"router5xx":4,"connect":3,"timeout":2,"no_route":1},"default_route_hits":7,)"
                           R"("memory_bytes":4096,"refused_pushes":4,"kept_age_seconds":5,"prepared":[)" +
                           held +
                           R"(],"latency":[{"le_ms":5,"requests":90},{"le_ms":null,"requests":1}],"scrub":null}})"));
  r.status->scrub = wire::scrub_result{false, 1'790'000'000};
  CHECK(shown(r).ends_with(R"("scrub":{"ok":false,"at":"2026-09-21T14:13:20Z"}}})"));
  r.status->scrub->at = ~std::uint64_t{0};  // whatever it says
  CHECK(shown(r).ends_with(R"("scrub":{"ok":false,"at":"2255-03-14T16:00:00Z"}}})"));
  r.is_native = false;
  CHECK(shown(r).find("status") == std::string::npos);
}

TEST_CASE("fleet drift: two contents under one number are two") {
  std::vector<router_view> all{router_of("a", 2), router_of("b", 2)};
  all[1].running = numbered(2, 7);
  CHECK(drift_of(all, {}).counts.versions.size() == 2);
  CHECK(running_of(all, 1).versions.size() == 2);
}

TEST_CASE("fleet drift: however many labels, values and versions there are, it says how many it leaves out") {
  std::vector<router_view> all;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    all.push_back(router_of("r" + number, i + 1, {{"all", "one"}, {"host", "h" + number}, {"own" + number, "x"}}));
  }
  all[0].labels.emplace_back(std::string(300, 'n'), "x");
  all[1].labels[0].second = std::string(300, 'v');
  drift_bounds bounds;
  bounds.stragglers = 10;
  bounds.versions = 5;
  const fleet_drift d = drift_of(all, numbered(2), bounds);
  CHECK(d.counts.versions.size() == 5);
  CHECK(d.counts.versions[0].running->version == 40);
  CHECK(d.counts.versions_left_out == 35);
  CHECK(d.labels.size() == 16);
  CHECK(d.labels_left_out == 27);  // of 43: `all`, `host`, 40 of their own, and one of too long a name
  CHECK(d.labels[0].name == "all");
  REQUIRE(d.labels[0].values.size() == 1);
  CHECK(d.labels[0].values_left_out == 1);
  CHECK(d.labels[0].values[0].counts.versions.size() == 8);
  CHECK(d.labels[0].values[0].counts.versions_left_out == 31);
  CHECK(d.labels[1].name == "host");
  CHECK(d.labels[1].values.size() == 32);
  CHECK(d.labels[1].values_left_out == 8);
  CHECK(d.stragglers.size() == 10);
  CHECK(d.stragglers_left_out == 29);
  const fleet_drift counted = drift_of(all, numbered(2), counts_alone);
  CHECK(counted.here == 40);
  CHECK(counted.on_target == 1);
  CHECK(counted.labels.empty());
}

TEST_CASE("fleet drift: quantiles of confirmed ages; who never confirmed anything counts from when it came") {
  std::vector<router_view> all;
  for (int i = 1; i <= 100; ++i) {
    router_view r = router_of("r" + std::to_string(i), 2);
    r.confirmed_ago = i * 1s;
    r.known_for = 1h;
    all.push_back(std::move(r));
  }
  CHECK((drift_of(all, {}).ages == confirmed_ages{100, 0, 50s, 90s, 99s, 100s}));
  all[0].confirmed_ago.reset();
  all[1].session = 0;
  all[1].confirmed_ago = 9h;  // it is not here
  all[2].is_native = false;   // it does not say
  CHECK((drift_of(all, {}).ages == confirmed_ages{98, 1, 52s, 92s, 1h, 1h}));
  CHECK(text_of(drift_of(all, {})).find(R"("confirmed_age_seconds":{"routers":98,"never":1,"p50":52,)") !=
        std::string::npos);
  CHECK(text_of(drift_of({}, {})).find(R"({"routers":0,"never":0,"p50":null,"p90":null,"p99":null,"max":null})") !=
        std::string::npos);
  CHECK((drift_of({all[3]}, {}).ages == confirmed_ages{1, 0, 4s, 4s, 4s, 4s}));
}

TEST_CASE("fleet drift: where each version runs, by ids, of those that are here") {
  std::vector<router_view> all{router_of("a", 2), router_of("b", 1), router_of("c", 2),
                               router_of("d", 2), router_of("", 2),  router_of("gone", 2)};
  all[4].is_native = false;
  all[4].running = wire::content_id{0, 2, {}};
  all[5].session = 0;
  all.push_back(router_of("silent", 2));
  all.back().running.reset();
  const running_fleet fleet = running_of(all, 2);
  CHECK(fleet.connected == 6);
  const std::vector<running_version>& found = fleet.versions;
  REQUIRE(found.size() == 3);
  CHECK(found[0].routers == 3);
  CHECK((found[0].ids == std::vector<std::string>{"a", "c"}));
  CHECK(found[1].content.version == 1);
  CHECK(found[2].content.epoch == 0);
  CHECK(found[2].routers == 1);
  CHECK(found[2].ids.empty());
}

}  // namespace
}  // namespace cellroute::control
