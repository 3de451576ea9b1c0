#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "cellroute/match/key_pattern.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/placement_template.hpp"
#include "cellroute/table/rules.hpp"

/// What may stand in the parts of a spec that steer keys beside the table.
namespace cellroute {
namespace rules {

inline constexpr std::size_t key_rules_max = 256;    ///< each may be asked for a key that is not in the table
inline constexpr std::size_t shares_max = 64;        ///< of one rule
inline constexpr std::size_t regex_size_max = 1024;  ///< bytes
inline constexpr std::size_t overrides_max = 256;
inline constexpr std::size_t canaries_max = 256;
inline constexpr std::size_t canary_keys_max = 10'000;    ///< of one canary
inline constexpr std::size_t override_keys_max = 10'000;  ///< of all overrides: more than that is a table
inline constexpr std::size_t shard_cells_max = 4096;      ///< a pick looks at each
inline constexpr std::uint32_t share_weight_max = 1'000'000;

/// `routing.rules[3].hash`
inline std::string row_path(std::string_view list, std::size_t index, std::string_view member = {}) {
  return "routing." + std::string(list) + "[" + std::to_string(index) + "]" + std::string(member);
}

inline std::string no_placement(std::string_view name) {
  return "no placement is named " + in_quotes(name) + "; add it or name another";
}

/// Whether so many may stand in a list; if not, it is told.
inline bool are_few(const std::string& path, std::size_t count, std::size_t count_max, violation_list& out) {
  if (count <= count_max) return true;
  out.push_back({path, "has " + std::to_string(count) + " entries; " + std::to_string(count_max) + " is the most"});
  return false;
}

inline std::unordered_set<std::string_view> names_of_placements(const table_spec& spec) {
  std::unordered_set<std::string_view> known;
  for (const placement& p : spec.placements) known.insert(p.id.value);
  return known;
}

inline void key_rules_say_what_matches(const table_spec& spec, violation_list& out) {
  are_few("routing.rules", spec.rules.size(), key_rules_max, out);
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    const key_rule& rule = spec.rules[i];
    if (rule.prefix && rule.regex) {
      out.push_back({row_path("rules", i, ".match.regex"), "stands beside prefix; keep one of them"});
    }
    if (rule.regex && rule.regex->size() > regex_size_max) {
      out.push_back({row_path("rules", i, ".match.regex"),
                     "has " + std::to_string(rule.regex->size()) + " bytes; 1024 is the most"});
    }
  }
}

inline void templates_can_become_a_placement(const table_spec& spec, violation_list& out) {
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    const key_rule& rule = spec.rules[i];
    if (rule.placement.empty()) {
      if (!rule.hash.empty()) continue;
      out.push_back({row_path("rules", i), "leads nowhere; give it a placement, or a hash over several"});
      continue;
    }
    const std::string path = row_path("rules", i, ".placement");
    if (!rule.hash.empty()) out.push_back({path, "stands beside hash; keep one of them"});
    const auto parsed = placement_template::parse(rule.placement);
    if (!parsed) {
      out.push_back({path, std::string(parsed.error())});
      continue;
    }
    bool is_possible = false;
    for (const placement& p : spec.placements) is_possible = is_possible || parsed->can_become(p.id.value);
    if (is_possible) continue;
    out.push_back({path, parsed->is_plain() ? no_placement(rule.placement)
                                            : "no placement has a name that " + in_quotes(rule.placement) +
                                                  " can become; add one or correct the template"});
  }
}

inline void hashes_share_among_placements(const table_spec& spec, violation_list& out) {
  const auto known = names_of_placements(spec);
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    const auto& shares = spec.rules[i].hash;
    if (shares.empty()) continue;
    const std::string path = row_path("rules", i, ".hash");
    are_few(path, shares.size(), shares_max, out);
    std::unordered_set<std::string_view> seen;
    std::uint64_t sum = 0;
    for (const placement_share& share : shares) {
      const std::string& name = share.placement.value;
      std::string at = path + ".";
      append_escaped(at, name);
      sum += share.weight;
      if (!known.contains(name)) out.push_back({at, no_placement(name)});
      if (!seen.insert(name).second) out.push_back({at, "has a share already; keep one of the two"});
      if (share.weight > share_weight_max) out.push_back({at, "is above 1000000; write a smaller weight"});
    }
    if (sum == 0) out.push_back({path, "all weights are 0; give at least one placement a weight"});
  }
}

/// What is wrong with a key that is listed, if anything.
inline std::optional<std::string> listed_key_fault(std::string_view key) {
  if (key.empty()) return "the key is empty; a request without a key is answered 400";
  if (key.size() <= key_size_max) return std::nullopt;
  return "the key has " + std::to_string(key.size()) + " bytes; 256 is the most";
}

inline void overrides_lead_keys_somewhere(const table_spec& spec, violation_list& out) {
  if (!are_few("routing.override", spec.overrides.size(), overrides_max, out)) return;
  const auto known = names_of_placements(spec);
  std::unordered_map<std::string_view, std::string> paths;
  std::size_t key_count = 0;
  for (std::size_t i = 0; i < spec.overrides.size(); ++i) {
    const key_override& each = spec.overrides[i];
    if (!known.contains(each.placement.value)) {
      out.push_back({row_path("override", i, ".placement"), no_placement(each.placement.value)});
    }
    if (each.keys.empty()) out.push_back({row_path("override", i, ".keys"), "there is none; name at least one key"});
    key_count += each.keys.size();
    if (!are_few("routing.override", key_count, override_keys_max, out)) return;
    for (std::size_t k = 0; k < each.keys.size(); ++k) {
      std::string path = row_path("override", i, ".keys[" + std::to_string(k) + "]");
      if (auto fault = listed_key_fault(each.keys[k])) out.push_back({path, *std::move(fault)});
      const auto [at, is_new] = paths.emplace(each.keys[k], path);
      if (is_new) continue;
      out.push_back(
          {std::move(path), in_quotes(each.keys[k]) + " stands at " + at->second + ", too; keep one of them"});
    }
  }
}

inline void canaries_lead_from_one_placement_to_another(const table_spec& spec, violation_list& out) {
  if (!are_few("routing.canary", spec.canaries.size(), canaries_max, out)) return;
  const auto known = names_of_placements(spec);
  for (std::size_t i = 0; i < spec.canaries.size(); ++i) {
    const canary& each = spec.canaries[i];
    if (!known.contains(each.placement.value)) {
      out.push_back({row_path("canary", i, ".placement"), no_placement(each.placement.value)});
    }
    if (!known.contains(each.to.value)) out.push_back({row_path("canary", i, ".to"), no_placement(each.to.value)});
    if (each.to == each.placement) {
      out.push_back({row_path("canary", i, ".to"), "is the placement itself; name the one to try"});
    }
    if (!(each.percent >= 0 && each.percent <= 100)) {
      out.push_back({row_path("canary", i, ".percent"), "is no percentage; write 0 to 100"});
    }
    const std::string keys = row_path("canary", i, ".keys");
    if (!are_few(keys, each.keys.size(), canary_keys_max, out)) continue;
    std::unordered_set<std::string_view> seen;
    for (std::size_t k = 0; k < each.keys.size(); ++k) {
      std::string path = keys + "[" + std::to_string(k) + "]";
      if (auto fault = listed_key_fault(each.keys[k])) out.push_back({path, *std::move(fault)});
      if (!seen.insert(each.keys[k]).second) out.push_back({std::move(path), "is listed already; keep one of the two"});
    }
  }
}

inline void shards_give_keys_some_of_their_cells(const table_spec& spec, violation_list& out) {
  std::unordered_set<std::string_view> known;
  for (const cell& c : spec.cells) known.insert(c.id.value);
  for (const placement& p : spec.placements) {
    if (p.kind != placement_kind::shard) continue;
    const std::string path = placement_path(p, ".cells");
    if (!are_few(path, p.cells.size(), shard_cells_max, out)) continue;
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < p.cells.size(); ++i) {
      const std::string at = path + "[" + std::to_string(i) + "]";
      const std::string& name = p.cells[i].value;
      if (!known.contains(name))
        out.push_back({at, "no cell is named " + in_quotes(name) + "; add it or name another"});
      if (!seen.insert(name).second) out.push_back({at, in_quotes(name) + " is named already; keep one of the two"});
    }
    if (p.cells.empty()) {
      out.push_back({path, "there is none; name the cells of the shard"});
    } else if (p.shard.size == 0 || p.shard.size > p.cells.size()) {
      out.push_back({placement_path(p, ".shard.size"), "is " + std::to_string(p.shard.size) +
                                                           "; write a number from 1 to the number of its cells, " +
                                                           std::to_string(p.cells.size())});
    }
  }
}

/// What only somebody with a library of regular expressions can tell.
inline void regexes_fit_their_templates(const table_spec& spec, const pattern_compiler& patterns, violation_list& out) {
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    const key_rule& rule = spec.rules[i];
    std::unordered_set<std::string> groups;
    std::string known;
    if (rule.regex && rule.regex->size() <= regex_size_max) {
      const auto pattern = patterns.compile(*rule.regex);
      if (!pattern) {
        out.push_back({row_path("rules", i, ".match.regex"), pattern.error()});
        continue;
      }
      for (const std::string& group : (*pattern)->groups()) {
        if (groups.insert(group).second) known += (known.empty() ? "" : ", ") + group;
      }
    }
    const auto parsed = placement_template::parse(rule.placement);
    if (!parsed) continue;
    for (const placement_template::part& part : parsed->parts()) {
      if (!part.is_place || groups.contains(part.text)) continue;
      out.push_back({row_path("rules", i, ".placement"),
                     "{" + part.text + "} is no named group of the regex; " +
                         (known.empty() ? "write one there as (?P<" + part.text + ">...)" : "there are: " + known)});
    }
  }
}

}  // namespace rules

/// The rules about what steers keys beside the table, in the order in which their violations are told.
inline constexpr rule steering_rules[] = {
    rules::shards_give_keys_some_of_their_cells,
    rules::key_rules_say_what_matches,
    rules::templates_can_become_a_placement,
    rules::hashes_share_among_placements,
    rules::canaries_lead_from_one_placement_to_another,
    rules::overrides_lead_keys_somewhere,
};

}  // namespace cellroute
