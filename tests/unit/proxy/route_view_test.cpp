#include "adapters/proxy/route_view.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/compiled_table.hpp"
#include "tests/support/spec_builder.hpp"

namespace cellroute::proxy {
namespace {

struct counted_object : locally_counted {
  explicit counted_object(int& alive) : count(alive) { ++count; }
  virtual ~counted_object() { --count; }
  int& count;
};
struct derived final : counted_object {
  using counted_object::counted_object;
};

TEST_CASE("local_ref: the last reference ends the object, on every path by which one may go") {
  int alive = 0;
  {
    const local_ref<derived> first = make_local<derived>(alive);
    local_ref<counted_object> second = first;  // as its base
    const local_ref<counted_object> third = std::move(second);
    CHECK_FALSE(second);  // NOLINT: what a moved-from reference is, is the question
    CHECK(&*third == &*first);
    local_ref<counted_object> other = make_local<counted_object>(alive);
    CHECK(alive == 2);
    other = third;
    CHECK(alive == 1);
    const local_ref<counted_object>& same = other;
    other = same;
    CHECK(alive == 1);
    CHECK(other);
  }
  CHECK(alive == 0);
  CHECK_FALSE(local_ref<counted_object>());
}

struct fake_endpoint final : endpoint_state {
  explicit fake_endpoint(int& alive) : count(alive) { ++count; }
  ~fake_endpoint() override { --count; }
  edge::upstream_source* source() override { return nullptr; }
  int& count;
};

struct fake_maker final : endpoint_maker {
  local_ref<endpoint_state> make(const endpoint& e, const upstream_policy&) override {
    made += e.host + ":" + std::to_string(e.port) + " ";
    return make_local<fake_endpoint>(alive);
  }
  std::string made;
  int alive = 0;
};

/// Views of tables, one after the other, as a reactor makes them.
struct views {
  local_ref<route_view> make(const table_spec& spec, const route_view* before = nullptr) {
    const active_configuration active{support::compiled(spec, ++generation), {}};
    maker.made.clear();
    return make_local<route_view>(active, before, maker, names);
  }
  fake_maker maker;
  label_names names;
  std::uint64_t generation = 0;
};

std::string names_of(const route_view& view) {
  std::string text;
  for (const auto& e : view.endpoints()) text += e->id + "=" + e->url + " ";
  return text;
}

/// The next picks of a placement's cell, by endpoint id.
std::string picks(placement_view& p, int how_many) {
  std::string text;
  for (int i = 0; i < how_many; ++i)
    text += p.cells.front().state->endpoints[*p.cells.front().state->balancer.pick()]->id + " ";
  return text;
}

TEST_CASE("route view: names as log, metrics and requests need them") {
  views v;
  const auto view = v.make(support::good_spec());
  CHECK(view->generation() == 1);
  CHECK(names_of(*view) ==
        "a=http://127.0.0.1:9001 b=http://127.0.0.1:9002 cell-tier3:9003=http://cell-tier3:9003 "
        "[::1]:9004=http://[::1]:9004 ");
  CHECK(view->placement_at(0).id == "tier1");
  CHECK(view->placement_at(0).cells.front().state->id == "c1");
  CHECK(view->placement_at(2).cells.front().state->endpoints.front()->authority == "[::1]:9004");
  CHECK(v.names.names(label_kind::placement)[view->placement_at(1).label] == "tier3");
  CHECK(v.names.names(label_kind::endpoint)[view->endpoints()[0]->label] == "a");
  CHECK(v.names.names(label_kind::cell)[view->placement_at(2).cells.front().state->label] == "visa");
}

struct view_change {
  std::string_view says;
  void (*change)(table_spec&);
  std::string_view made;  // endpoints made anew
};

const view_change view_changes[] = {
    {"nothing changed", [](table_spec&) {}, ""},
    {"keys changed", [](table_spec& s) { s.assignments.push_back({"new", placement_id("tier3")}); }, ""},
    {"a weight changed", [](table_spec& s) { s.cells[0].endpoints[0].weight = 7; }, ""},
    {"a timeout changed", [](table_spec& s) { s.placements[0].policy.timeouts.connect = 1s; }, ""},
    {"endpoints changed places", [](table_spec& s) { std::swap(s.cells[0].endpoints[0], s.cells[0].endpoints[1]); },
     ""},
    {"an endpoint was added", [](table_spec& s) { s.cells[0].endpoints.push_back({"c", "127.0.0.1", 9009, 1}); },
     "127.0.0.1:9009 "},
    {"an endpoint was removed", [](table_spec& s) { s.cells[0].endpoints.pop_back(); }, ""},
    {"a port changed", [](table_spec& s) { s.cells[1].endpoints[0].port = 9999; }, "cell-tier3:9999 "},
    {"an endpoint has another name", [](table_spec& s) { s.cells[0].endpoints[0].id = "z"; }, "127.0.0.1:9001 "},
    {"the pool's policy changed", [](table_spec& s) { s.placements[0].policy.pool.idle_max = 7; },
     "127.0.0.1:9001 127.0.0.1:9002 "},
    {"an endpoint went to another cell",
     [](table_spec& s) {
       s.cells[1].endpoints.push_back(s.cells[0].endpoints[0]);
       s.cells[0].endpoints.erase(s.cells[0].endpoints.begin());
     },
     ""},
};

TEST_CASE("route view: a new table keeps the connections that it leaves as they are, and no others") {
  for (const view_change& row : view_changes) {
    CAPTURE(row.says);
    views v;
    local_ref<route_view> view = v.make(support::good_spec());
    CHECK(v.maker.alive == 4);
    table_spec changed = support::good_spec();
    row.change(changed);
    std::size_t expected = 0;
    for (const cell& c : changed.cells) expected += c.endpoints.size();
    const local_ref<route_view> next = v.make(changed, &*view);
    CHECK(v.maker.made == row.made);
    view = next;
    CHECK(v.maker.alive == static_cast<int>(expected));  // what the old one had alone went with it
  }
}

TEST_CASE("route view: a request that runs holds on to what it was routed with") {
  views v;
  local_ref<route_view> view = v.make(support::good_spec());
  const local_ref<route_view> of_request = view;
  const std::string before = names_of(*of_request);
  table_spec changed = support::good_spec();
  for (cell& c : changed.cells) {
    for (endpoint& e : c.endpoints) e.port = static_cast<std::uint16_t>(e.port + 100);
  }
  view = v.make(changed, &*view);
  CHECK(v.maker.alive == 8);
  CHECK(names_of(*of_request) == before);
}

TEST_CASE("route view: publishing does not send the balancer back to the first endpoint") {
  table_spec spec = support::good_spec();
  spec.cells[0].endpoints[0].weight = 1;
  spec.cells[0].endpoints.push_back({"c", "127.0.0.1", 9009, 1});
  views v;
  local_ref<route_view> view = v.make(spec);
  CHECK(picks(view->placement_at(0), 4) == "a b c a ");
  spec.assignments.clear();
  view = v.make(spec, &*view);
  CHECK(picks(view->placement_at(0), 3) == "b c a ");
  SUBCASE("another weight begins again") {
    spec.cells[0].endpoints[1].weight = 2;
    view = v.make(spec, &*view);
    CHECK(picks(view->placement_at(0), 1) == "b ");
  }
}

TEST_CASE("route view: placements of one cell share its connections and its turns, if their pools are alike") {
  for (const bool alike : {true, false}) {
    CAPTURE(alike);
    table_spec spec = support::good_spec();
    spec.placements[1].cell = cell_id("c1");
    spec.placements[1].policy.timeouts.connect = 1s;
    if (!alike) spec.placements[1].policy.pool.idle_max = 7;
    views v;
    const auto view = v.make(spec);
    placement_view& first = view->placement_at(0);
    placement_view& second = view->placement_at(1);
    CHECK((&*first.cells.front().state == &*second.cells.front().state) == alike);
    CHECK((&*first.cells.front().state->endpoints[0] == &*second.cells.front().state->endpoints[0]) == alike);
    CHECK(second.policy.timeouts.connect == 1s);
    CHECK(view->endpoints().size() == (alike ? 3u : 5u));
  }
}

}  // namespace
}  // namespace cellroute::proxy
