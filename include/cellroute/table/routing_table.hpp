#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"
#include "cellroute/match/key_pattern.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/model/ids.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/canaries.hpp"
#include "cellroute/table/checked_fleet.hpp"
#include "cellroute/table/decision.hpp"
#include "cellroute/table/key_overrides.hpp"
#include "cellroute/table/key_rules.hpp"
#include "cellroute/table/key_table.hpp"
#include "cellroute/table/validate.hpp"

namespace cellroute {

/// Why a request with a good key is not routed.
enum class route_error {
  unknown_key,  ///< the key has no assignment, and the spec says to reject those; answered 404
};

[[nodiscard]] constexpr std::string_view to_string(route_error error) {
  switch (error) {
    case route_error::unknown_key:
      return "unknown_key";
  }
  return {};
}

/// Where a key was read.
struct key_origin {
  key_source source = key_source::header;
  std::string_view name = key_header{}.name;
};

/// A spec that kept all rules, compiled: answers where a routing key leads.
///
/// Threads: const from birth; every function may run on many threads at once.
class routing_table {
 public:
  /// Checks and compiles a spec. The keys lie in memory of `resource`, which outlives the table.
  ///
  /// `more` are keys from elsewhere than the spec, in parts; their outcomes are indices of its placements, and their
  /// texts are needed until this returns. `seed` should be random where strangers choose keys. `patterns` compiles the
  /// regular expressions of the rules.
  /// Errors: everything that is wrong, as `validate` tells it.
  /// Cost:   about 100 ns an assignment.
  [[nodiscard]] static expected<routing_table, violations> compile(
      const table_spec& spec, generation_number generation, std::uint64_t seed,
      std::pmr::memory_resource* resource = std::pmr::get_default_resource(),
      std::span<const std::span<const key_row>> more = {}, const pattern_compiler& patterns = without_patterns) {
    if (violations found = validate(spec, patterns); !found.empty()) return unexpected(std::move(found));
    std::unordered_map<std::string_view, std::uint16_t> index;
    std::vector<std::string_view> outcomes;
    for (const placement& p : spec.placements) {
      index.emplace(p.id.value, static_cast<std::uint16_t>(outcomes.size()));
      outcomes.push_back(p.id.value);
    }
    std::vector<key_row> assigned;
    assigned.reserve(spec.assignments.size());
    for (const assignment& a : spec.assignments) assigned.push_back({a.key, index.find(a.placement.value)->second});
    std::vector<std::span<const key_row>> parts(more.begin(), more.end());
    parts.emplace_back(assigned);
    std::erase_if(parts, [](std::span<const key_row> part) { return part.empty(); });
    std::vector<key_row> joined;  // only where there are several: a million rows are 24 MB
    if (parts.size() > 1) joined = join(parts);
    auto keys = key_table::build(parts.size() == 1 ? parts.front() : joined, seed, outcomes, resource);
    // What the rules let through can fail here by its size alone.
    if (!keys) return unexpected(cannot_be_built("routing.keys", keys.error()));
    return around(spec, generation, seed, *std::move(keys), patterns);
  }

  /// Compiles a spec without assignments around keys that are a table already, out of a file for example.
  ///
  /// Range:  the spec has no assignments.
  /// Errors: as above; and each text of an outcome that is not the name of a placement.
  /// Cost:   microseconds.
  [[nodiscard]] static expected<routing_table, violations> compile(
      const table_spec& spec, generation_number generation, std::uint64_t seed, key_table keys,
      const pattern_compiler& patterns = without_patterns) {
    violations found = validate(spec, patterns);
    for (const std::string_view name : keys.outcomes()) {
      const bool is_there =
          std::ranges::any_of(spec.placements, [name](const placement& p) { return p.id.value == name; });
      if (!is_there) found.push_back({"routing.keys", "no placement is named " + rules::in_quotes(name) + "; add it"});
    }
    if (keys.outcomes().empty() && !keys.empty()) found.push_back({"routing.keys", "the outcomes have no names"});
    if (!found.empty()) return unexpected(std::move(found));
    return around(spec, generation, seed, std::move(keys), patterns);
  }

  /// A table without placements, which leads no key anywhere: what a router has before anybody told it where to.
  [[nodiscard]] static routing_table none(generation_number generation) {
    return routing_table(table_spec{}, generation, key_table(), without_patterns);
  }
  [[nodiscard]] bool is_none() const { return fleet_.placements().empty(); }

  /// Where a key leads. The decision's views are those that came in. `now` ends overrides; without it, none is over.
  ///
  /// Errors: `unknown_key`, if the spec rejects keys without an assignment.
  /// Cost:   one look-up; nothing allocates. Where there are shards, rules, canaries or overrides, these
  ///         are asked, too; else that they are not costs one branch.
  [[nodiscard]] expected<decision, route_error> route(std::string_view key, const key_origin& origin = {},
                                                      wall_time now = {}) const noexcept {
    if (is_steered_) [[unlikely]]
      return route_steered(key, origin, now);
    return decide(key, keys_.find(key), origin);
  }

  /// Starts the look-up of a key: its memory comes nearer while the rest of the head is read.
  [[nodiscard]] key_table::prepared prepare(std::string_view key) const noexcept { return keys_.prepare(key); }

  /// Ends it.
  [[nodiscard]] expected<decision, route_error> route(const key_table::prepared& asked, const key_origin& origin = {},
                                                      wall_time now = {}) const noexcept {
    if (is_steered_) [[unlikely]]
      return route_steered(asked.key, origin, now);
    return decide(asked.key, keys_.find(asked), origin);
  }

  /// Placements and cells, without the keys: small, and good for a copy that outlives this table.
  [[nodiscard]] const checked_fleet& fleet() const { return fleet_; }
  /// All placements; a decision's `placement` is an index into them.
  [[nodiscard]] std::span<const placement> placements() const { return fleet_.placements(); }
  /// All cells; a decision's `cell` is an index into them.
  [[nodiscard]] std::span<const cell> cells() const { return fleet_.cells(); }

  /// The default placement's index; none where unknown keys are rejected and no default was named.
  [[nodiscard]] std::optional<std::uint16_t> default_placement() const { return default_placement_; }

  /// The assigned keys; the text of an outcome is the name of a placement.
  [[nodiscard]] const key_table& keys() const& { return keys_; }
  /// The same, for whoever needs no more than them.
  [[nodiscard]] key_table keys() && { return std::move(keys_); }
  /// The operator's label, which orders nothing.
  [[nodiscard]] const std::string& version() const { return version_; }
  /// The number that its decisions carry.
  [[nodiscard]] generation_number generation() const { return generation_; }

 private:
  /// Where a key goes.
  struct target {
    std::uint16_t placement = 0;
    std::uint16_t cell = 0;
    reason why = reason::default_;
    decider by = decider::default_;
    std::uint16_t row = 0;
  };

  routing_table(const table_spec& spec, generation_number generation, key_table keys, const pattern_compiler& patterns)
      : keys_(std::move(keys)),
        fleet_(spec),
        version_(spec.version),
        generation_(generation),
        default_placement_(fleet_.find_placement(spec.default_placement.value)),
        rules_(spec.rules, fleet_, patterns),
        canaries_(spec.canaries, fleet_) {
    std::unordered_map<std::string_view, std::uint16_t> index;
    for (std::size_t i = 0; i < fleet_.placements().size(); ++i) {
      const placement& p = fleet_.placements()[i];
      index.emplace(p.id.value, static_cast<std::uint16_t>(i));
      targets_.push_back({.placement = static_cast<std::uint16_t>(i),
                          .cell = fleet_.cell_of(i),
                          .why = reason_of(p.kind),
                          .by = decider::table});
    }
    for (const std::string_view name : keys_.outcomes()) by_outcome_.push_back(targets_[index.at(name)]);
    if (spec.on_unknown == unknown_key_policy::use_default && default_placement_) {
      unknown_ = targets_[*default_placement_];
      unknown_->why = reason::default_;
      unknown_->by = decider::default_;
    }
  }

  static expected<routing_table, violations> around(const table_spec& spec, generation_number generation,
                                                    std::uint64_t seed, key_table keys,
                                                    const pattern_compiler& patterns) {
    routing_table made(spec, generation, std::move(keys), patterns);
    auto overrides = key_overrides::build(spec.overrides, made.fleet_, seed);
    if (!overrides) return unexpected(cannot_be_built("routing.override", overrides.error()));
    made.overrides_ = *std::move(overrides);
    made.is_steered_ = made.fleet_.has_shards() || !made.overrides_.is_empty() || !made.canaries_.is_empty() ||
                       !made.rules_.is_empty();
    return made;
  }

  static std::vector<key_row> join(std::span<const std::span<const key_row>> parts) {
    std::size_t count = 0;
    for (const std::span<const key_row> part : parts) count += part.size();
    std::vector<key_row> rows;
    rows.reserve(count);
    for (const std::span<const key_row> part : parts) rows.insert(rows.end(), part.begin(), part.end());
    return rows;
  }

  [[nodiscard]] expected<decision, route_error> decide(std::string_view key, std::optional<std::uint16_t> outcome,
                                                       const key_origin& origin) const noexcept {
    if (!outcome && !unknown_) return unexpected(route_error::unknown_key);
    return made_of(key, outcome ? by_outcome_[*outcome] : *unknown_, origin);
  }

  /// With whatever else than the table may have a say.
  [[nodiscard, gnu::noinline]] expected<decision, route_error> route_steered(std::string_view key,
                                                                             const key_origin& origin,
                                                                             wall_time now) const noexcept {
    const auto outcome = keys_.find(key);
    std::optional<target> to = find_override(key, now);
    const bool is_overridden = to.has_value();
    if (!to) to = outcome ? by_outcome_[*outcome] : find_by_rules(key);
    if (!to) to = unknown_;
    if (!to) return unexpected(route_error::unknown_key);
    const auto canary = is_overridden ? std::nullopt : canaries_.find(to->placement, key);
    if (canary) {
      to = targets_[canary->to];
      to->why = reason::canary;
      to->by = decider::canary;
      to->row = canary->row;
    }
    to->cell = fleet_.cell_for(to->placement, key);
    return made_of(key, *to, origin);
  }

  [[nodiscard]] std::optional<target> find_override(std::string_view key, wall_time now) const noexcept {
    const auto found = overrides_.find(key, now);
    if (!found) return std::nullopt;
    target to = targets_[found->placement];
    to.why = reason::override_;
    to.by = decider::override_;
    to.row = found->row;
    return to;
  }

  [[nodiscard]] std::optional<target> find_by_rules(std::string_view key) const noexcept {
    const auto found = rules_.find(key);
    if (!found) return std::nullopt;
    target to = targets_[found->placement];
    if (found->is_by_hash) to.why = reason::hash;
    to.by = decider::rule;
    to.row = found->rule;
    return to;
  }

  /// Why a key is led to a placement of that kind.
  [[nodiscard]] static constexpr reason reason_of(placement_kind kind) {
    switch (kind) {
      case placement_kind::shared:
        return reason::tier;
      case placement_kind::dedicated:
        return reason::dedicated;
      case placement_kind::shard:
        return reason::shard;
    }
    return reason::tier;
  }

  [[nodiscard]] static violations cannot_be_built(std::string path, const build_error& why) {
    return {{std::move(path), "cannot be built: " + std::string(to_string(why.what))}};
  }

  [[nodiscard]] decision made_of(std::string_view key, const target& to, const key_origin& origin) const noexcept {
    return decision{.key = key,
                    .source = origin.source,
                    .source_name = origin.name,
                    .placement = to.placement,
                    .cell = to.cell,
                    .why = to.why,
                    .by = to.by,
                    .row = to.row,
                    .generation = generation_};
  }

  key_table keys_;
  checked_fleet fleet_;
  std::string version_;
  generation_number generation_;
  std::optional<std::uint16_t> default_placement_;
  key_rules rules_;
  cellroute::canaries canaries_;
  key_overrides overrides_;
  bool is_steered_ = false;         // something else than the table and the default has a say
  std::vector<target> targets_;     // by placement
  std::vector<target> by_outcome_;  // of the key table, whose outcomes are named in any order
  std::optional<target> unknown_;   // of keys without an assignment; empty: rejected
};

}  // namespace cellroute
