#include "adapters/proxy/route_view.hpp"

#include <algorithm>
#include <utility>

#include "cellroute/table/decision.hpp"

namespace cellroute::proxy {
namespace {

std::string authority_of(const endpoint& e) {
  const bool v6 = e.host.find(':') != std::string::npos;
  return (v6 ? "[" + e.host + "]" : e.host) + ":" + std::to_string(e.port);
}

}  // namespace

local_ref<endpoint_state> route_view::endpoint_of(const endpoint& e, const upstream_policy& policy,
                                                  const route_view* before, endpoint_maker& maker, label_names& names) {
  const std::string authority = authority_of(e);
  const std::string id = e.id.empty() ? authority : e.id;
  const auto is_same = [&](const local_ref<endpoint_state>& state) {
    return state->authority == authority && state->id == id && state->pool == policy.pool;
  };
  const std::vector<local_ref<endpoint_state>>* const places[] = {&endpoints_,
                                                                  before == nullptr ? nullptr : &before->endpoints_};
  for (const auto* known : places) {
    if (known == nullptr) continue;
    const auto found = std::find_if(known->begin(), known->end(), is_same);
    if (found != known->end()) return *found;
  }
  local_ref<endpoint_state> made = maker.make(e, policy);
  made->url = "http://" + authority;
  made->authority = authority;
  made->id = id;
  made->pool = policy.pool;
  made->label = names.intern(label_kind::endpoint, id);
  return made;
}

const routed_cell& placement_view::cell_at(std::uint16_t index) const {
  if (cells.size() == 1) return cells.front();
  return *std::ranges::lower_bound(cells, index, {}, &routed_cell::index);
}

local_ref<cell_state> route_view::make_cell(const cell& c, const upstream_policy& policy, label_id placement_label,
                                            const route_view* before, endpoint_maker& maker, label_names& names) {
  std::vector<local_ref<endpoint_state>> endpoints;
  std::vector<std::uint32_t> weights;
  for (const endpoint& e : c.endpoints) {
    endpoints.push_back(endpoint_of(e, policy, before, maker, names));
    weights.push_back(e.weight);
    const bool is_new = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const auto& known) {
                          return &*known == &*endpoints.back();
                        }) == endpoints_.end();
    if (is_new) {
      endpoints.back()->placement_label = placement_label;
      endpoints_.push_back(endpoints.back());
    }
  }
  local_ref<cell_state> state = make_local<cell_state>();
  state->id = c.id.value;
  state->label = names.intern(label_kind::cell, c.id.value);
  state->endpoints = std::move(endpoints);
  if (before != nullptr) {
    const auto same = std::find_if(before->cells_.begin(), before->cells_.end(),
                                   [&](const auto& known) { return known->id == state->id; });
    if (same != before->cells_.end()) state->balancer = (*same)->balancer;
  }
  state->balancer.rebuild(weights);
  cells_.push_back(state);
  return state;
}

route_view::route_view(const active_configuration& active, const route_view* before, endpoint_maker& maker,
                       label_names& names)
    : generation_(active.table.generation().value), rules_(active.settings) {
  const routing_table& table = active.table;
  shared_cells made;
  for (std::size_t i = 0; i < table.placements().size(); ++i) {
    const placement& p = table.placements()[i];
    const pool_policy& pool = p.policy.pool;
    placement_view view{p.id.value, names.intern(label_kind::placement, p.id.value), {}, p.policy};
    for (const std::uint16_t index : table.fleet().cells_of(i)) {
      const cell& c = table.cells()[index];
      local_ref<cell_state>& state = made[{index, {pool.idle_max, pool.idle_timeout, pool.requests_max}}];
      if (!state) state = make_cell(c, p.policy, view.label, before, maker, names);
      view.cells.push_back({index, state, routed_to(p, c)});
    }
    std::ranges::sort(view.cells, {}, &routed_cell::index);
    placements_.push_back(std::move(view));
  }
}

}  // namespace cellroute::proxy
