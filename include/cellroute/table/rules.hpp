#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cellroute/base/escape.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/checked_fleet.hpp"
#include "cellroute/table/hash_order.hpp"
#include "cellroute/table/host_syntax.hpp"

namespace cellroute {

/// One broken rule.
struct violation {
  std::string path;  ///< where, as in the configuration: `placements.tier1.endpoints[0].port`
  std::string what;  ///< what is wrong, and what to do
  friend bool operator==(const violation&, const violation&) = default;
};

using violations = std::vector<violation>;

/// Most violations that are told one by one: nobody reads on, and a spec may have millions of keys.
inline constexpr std::size_t violations_max = 10'000;

/// Violations as they are found: the first of them, and the number of the rest.
class violation_list {
 public:
  void push_back(violation found) {
    if (found_.size() < violations_max) {
      found_.push_back(std::move(found));
    } else {
      ++more_;
    }
  }

  /// All that were kept; behind them one that says how many more there are.
  [[nodiscard]] violations take() && {
    if (more_ > 0) found_.push_back({{}, std::to_string(more_) + " more mistakes follow; correct these first"});
    return std::move(found_);
  }

 private:
  violations found_;
  std::size_t more_ = 0;
};

namespace rules {

/// Placements and cells are numbered with 16 bits; the last number is kept free.
inline constexpr std::size_t placements_max = 65'535;
inline constexpr std::uint64_t weights_max =
    (std::uint64_t{1} << 31) - 1;                ///< of a cell; the balancer counts in 32 bits
inline constexpr std::size_t id_size_max = 128;  ///< ids go into headers, metrics and log lines

// How paths and texts are put together.

inline std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

inline std::string key_path(std::string_view key) {
  std::string out = "routing.keys.inline.";
  append_escaped(out, key);
  return out;
}

inline std::string placement_path(const placement& p, std::string_view member = {}) {
  std::string out = "placements.";
  append_escaped(out, p.id.value);
  return out.append(member);
}

/// Where cells are written down: one that stands for the endpoints of a placement, at the placement.
class cell_paths {
 public:
  /// `spec` outlives it.
  explicit cell_paths(const table_spec& spec) {
    for (const placement& p : spec.placements) {
      if (p.id.value == p.cell.value) owners_.insert(p.id.value);
    }
  }

  /// Whether the cell stands for the endpoints of a placement.
  [[nodiscard]] bool is_of_placement(const cell& c) const { return owners_.contains(c.id.value); }

  [[nodiscard]] std::string of(const cell& c, std::string_view member = {}) const {
    std::string out = is_of_placement(c) ? "placements." : "cells.";
    append_escaped(out, c.id.value);
    return out.append(member);
  }

  [[nodiscard]] std::string of_endpoint(const cell& c, std::size_t index, std::string_view member) const {
    return of(c, ".endpoints[") + std::to_string(index) + "]" + std::string(member);
  }

 private:
  std::unordered_set<std::string_view> owners_;
};

/// Calls `f(cell, index, endpoint)` for every endpoint.
template <class F>
void for_each_endpoint(const table_spec& spec, F&& f) {
  for (const cell& c : spec.cells) {
    for (std::size_t i = 0; i < c.endpoints.size(); ++i) f(c, i, c.endpoints[i]);
  }
}

/// What is wrong with an id, if anything.
inline std::optional<std::string> id_fault(std::string_view id) {
  if (id.empty()) return "is empty; give it a name";
  if (id.size() > id_size_max) return "has " + std::to_string(id.size()) + " bytes; use 128 at most";
  if (!std::all_of(id.begin(), id.end(), is_plain_byte)) {
    return "has a byte that cannot stand in a header; use visible ASCII without space ; , \" % \\";
  }
  return std::nullopt;
}

// The rules.

inline void ids_can_stand_in_a_header(const table_spec& spec, violation_list& out) {
  const cell_paths paths(spec);
  for (const placement& p : spec.placements) {
    if (auto fault = id_fault(p.id.value)) out.push_back({placement_path(p), "the name " + *fault});
  }
  for (const cell& c : spec.cells) {
    auto fault = id_fault(c.id.value);
    if (!fault || paths.is_of_placement(c)) continue;  // it was told of the placement
    out.push_back({paths.of(c), "the name " + *fault});
  }
  for_each_endpoint(spec, [&](const cell& c, std::size_t i, const endpoint& e) {
    if (e.id.empty()) return;  // takes its address as a name
    if (auto fault = id_fault(e.id)) out.push_back({paths.of_endpoint(c, i, ".id"), "the id " + *fault});
  });
}

inline void ids_are_unique(const table_spec& spec, violation_list& out) {
  const cell_paths paths(spec);
  std::unordered_set<std::string_view> placements;
  for (const placement& p : spec.placements) {
    if (placements.insert(p.id.value).second) continue;
    out.push_back({placement_path(p), "there are two placements of this name; rename or remove one"});
  }
  std::unordered_set<std::string_view> cells;
  for (const cell& c : spec.cells) {
    if (cells.insert(c.id.value).second) continue;
    out.push_back({paths.of(c), "there are two cells of this name; rename or remove one"});
  }
  for (const cell& c : spec.cells) {
    std::unordered_set<std::string> endpoints;
    for (std::size_t i = 0; i < c.endpoints.size(); ++i) {
      const endpoint& e = c.endpoints[i];
      std::string id = e.id.empty() ? address_of(e) : e.id;
      const auto [at, is_new] = endpoints.insert(std::move(id));
      if (is_new) continue;
      out.push_back({paths.of_endpoint(c, i, ".id"),
                     "the id " + in_quotes(*at) + " is that of another endpoint of the cell; give each its own"});
    }
  }
}

inline void counts_stay_within_16_bits(const table_spec& spec, violation_list& out) {
  const auto check = [&out](std::string_view path, std::size_t count) {
    if (count <= placements_max) return;
    out.push_back({std::string(path), "has " + std::to_string(count) + " entries; 65535 is the most"});
  };
  check("placements", spec.placements.size());
  check("cells", spec.cells.size());
}

inline void default_placement_exists(const table_spec& spec, violation_list& out) {
  const std::string_view wanted = spec.default_placement.value;
  if (wanted.empty()) {
    if (spec.on_unknown == unknown_key_policy::reject) return;
    out.push_back({"routing.default_placement", "is missing; name the placement of keys that have no assignment"});
    return;
  }
  for (const placement& p : spec.placements) {
    if (p.id.value == wanted) return;
  }
  out.push_back(
      {"routing.default_placement", "no placement is named " + in_quotes(wanted) + "; add it or name another"});
}

inline void every_assignment_names_a_placement(const table_spec& spec, violation_list& out) {
  std::unordered_set<std::string_view> known;
  for (const placement& p : spec.placements) known.insert(p.id.value);
  for (const assignment& a : spec.assignments) {
    if (known.contains(a.placement.value)) continue;
    out.push_back(
        {key_path(a.key), "no placement is named " + in_quotes(a.placement.value) + "; add it or name another"});
  }
}

inline void every_placement_names_a_cell(const table_spec& spec, violation_list& out) {
  std::unordered_set<std::string_view> known;
  for (const cell& c : spec.cells) known.insert(c.id.value);
  for (const placement& p : spec.placements) {
    if (p.kind == placement_kind::shard || known.contains(p.cell.value)) continue;
    out.push_back({placement_path(p, ".cell"),
                   p.cell.value.empty() ? "leads nowhere; give it endpoints or a cell"
                                        : "no cell is named " + in_quotes(p.cell.value) + "; add it or name another"});
  }
}

inline void every_cell_takes_requests(const table_spec& spec, violation_list& out) {
  const cell_paths paths(spec);
  for (const cell& c : spec.cells) {
    const bool takes =
        std::any_of(c.endpoints.begin(), c.endpoints.end(), [](const endpoint& e) { return e.weight > 0; });
    if (takes) continue;
    out.push_back({paths.of(c, ".endpoints"), c.endpoints.empty()
                                                  ? "there is none; add at least one endpoint"
                                                  : "all weights are 0; give at least one endpoint a weight"});
  }
}

inline void endpoints_can_be_reached(const table_spec& spec, violation_list& out) {
  const cell_paths paths(spec);
  for_each_endpoint(spec, [&](const cell& c, std::size_t i, const endpoint& e) {
    if (!is_host(e.host)) {
      out.push_back(
          {paths.of_endpoint(c, i, ".host"),
           in_quotes(e.host) + " is no host; write a name, an IPv4 address or an IPv6 address without brackets"});
    }
    if (e.port == 0) out.push_back({paths.of_endpoint(c, i, ".port"), "is 0; write a port from 1 to 65535"});
  });
}

inline void weights_of_a_cell_can_be_summed(const table_spec& spec, violation_list& out) {
  const cell_paths paths(spec);
  for (const cell& c : spec.cells) {
    std::uint64_t sum = 0;
    for (const endpoint& e : c.endpoints) sum += e.weight;
    if (sum <= weights_max) continue;
    out.push_back({paths.of(c, ".endpoints"), "the weights sum to " + std::to_string(sum) + "; stay below 2147483648"});
  }
}

inline void keys_have_a_size_that_requests_can_send(const table_spec& spec, violation_list& out) {
  for (const assignment& a : spec.assignments) {
    if (a.key.empty()) out.push_back({key_path(a.key), "the key is empty; a request without a key is answered 400"});
    if (a.key.size() <= key_size_max) continue;
    out.push_back({key_path(a.key), "the key has " + std::to_string(a.key.size()) + " bytes; 256 is the most"});
  }
}

inline void keys_are_assigned_once(const table_spec& spec, violation_list& out) {
  const auto key_of = [&spec](std::size_t i) -> std::string_view { return spec.assignments[i].key; };
  const hash_order order(spec.assignments.size(), key_of, 0);
  for_each_same_keys(order.rows(), key_of, [&](std::size_t first, std::size_t again) {
    const std::string_view to = spec.assignments[first].placement.value;
    out.push_back(
        {key_path(key_of(again)), "the key is already assigned, to " + in_quotes(to) + "; remove one of the two"});
  });
}

inline void timeouts_are_above_zero(const table_spec& spec, violation_list& out) {
  for (const placement& p : spec.placements) {
    const timeout_policy& t = p.policy.timeouts;
    const std::pair<std::string_view, std::optional<duration>> all[] = {
        {".timeouts.connect", t.connect},
        {".timeouts.response_header", t.response_header},
        {".timeouts.stream_idle", t.stream_idle},
        {".timeouts.request_body_idle", t.request_body_idle},
        {".timeouts.total", t.total},
        {".pool.idle_timeout", p.policy.pool.idle_timeout}};
    for (const auto& [member, value] : all) {
      if (value && *value <= duration::zero()) {
        out.push_back({placement_path(p, member), "is not above 0; write a duration, or off for no limit"});
      }
    }
  }
}

inline void a_request_is_retried_once_at_most(const table_spec& spec, violation_list& out) {
  for (const placement& p : spec.placements) {
    if (p.policy.retries.attempts <= 1) continue;
    out.push_back({placement_path(p, ".retries.attempts"), "is above 1; write 1, or 0 for no retry"});
  }
}

}  // namespace rules

/// Looks at a spec and appends what breaks one rule.
using rule = void (*)(const table_spec&, violation_list&);

/// All rules, in the order in which their violations are told.
inline constexpr rule all_rules[] = {
    rules::counts_stay_within_16_bits,
    rules::ids_can_stand_in_a_header,
    rules::ids_are_unique,
    rules::default_placement_exists,
    rules::every_placement_names_a_cell,
    rules::every_cell_takes_requests,
    rules::endpoints_can_be_reached,
    rules::weights_of_a_cell_can_be_summed,
    rules::timeouts_are_above_zero,
    rules::a_request_is_retried_once_at_most,
    rules::every_assignment_names_a_placement,
    rules::keys_have_a_size_that_requests_can_send,
    rules::keys_are_assigned_once,
};

}  // namespace cellroute
