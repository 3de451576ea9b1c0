#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cellroute/balance/shuffle_shard.hpp"
#include "cellroute/model/cell.hpp"
#include "cellroute/model/placement.hpp"
#include "cellroute/model/table_spec.hpp"

namespace cellroute {

[[nodiscard]] constexpr std::string_view to_string(placement_kind kind) {
  switch (kind) {
    case placement_kind::shared:
      return "shared";
    case placement_kind::dedicated:
      return "dedicated";
    case placement_kind::shard:
      return "shard";
  }
  return {};
}

/// The name of an endpoint where the operator gave none: `host:port`, an IPv6 address in brackets.
[[nodiscard]] inline std::string address_of(const endpoint& e) {
  const bool is_ipv6 = e.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + e.host + "]" : e.host) + ":" + std::to_string(e.port);
}

/// The placements and cells of a spec that kept all rules, each name resolved: the small part of a routing table,
/// without its keys. A copy costs kilobytes, so whoever needs it for longer than a look-up copies it.
class checked_fleet {
 public:
  checked_fleet() = default;

  /// Range: `spec` keeps all rules.
  explicit checked_fleet(const table_spec& spec) : placements_(spec.placements), cells_(spec.cells) {
    std::unordered_map<std::string_view, std::uint16_t> cell_index;
    for (cell& each : cells_) {
      cell_index.emplace(each.id.value, static_cast<std::uint16_t>(cell_index.size()));
      for (endpoint& e : each.endpoints) {
        if (e.id.empty()) e.id = address_of(e);
      }
    }
    cell_of_placement_.reserve(placements_.size());
    for (const placement& each : placements_) {
      shard_of_placement_.push_back(static_cast<std::uint16_t>(shards_.size()));
      if (each.kind == placement_kind::shard) {
        shards_.push_back(shard_of(each, cell_index));
        cell_of_placement_.push_back(shards_.back().cells.front());
      } else {
        cell_of_placement_.push_back(cell_index.at(each.cell.value));
      }
    }
  }

  /// All placements; a decision's `placement` is an index into them.
  [[nodiscard]] std::span<const placement> placements() const { return placements_; }

  /// All cells; a decision's `cell` is an index into them. Every endpoint has an id.
  [[nodiscard]] std::span<const cell> cells() const { return cells_; }

  /// The index of the cell that serves a placement; of a shard the one that was named first.
  [[nodiscard]] std::uint16_t cell_of(std::size_t placement_index) const { return cell_of_placement_[placement_index]; }

  /// The indices of all cells of a placement, as they were named.
  [[nodiscard]] std::span<const std::uint16_t> cells_of(std::size_t placement_index) const {
    if (const shard* s = shard_at(placement_index)) return s->cells;
    return std::span(cell_of_placement_).subspan(placement_index, 1);
  }

  /// The index of the cell that serves a key of a placement.
  /// Cost: in a shard as `shuffle_shard::first`; nothing allocates.
  [[nodiscard]] std::uint16_t cell_for(std::size_t placement_index, std::string_view key) const noexcept {
    const shard* s = shard_at(placement_index);
    return s == nullptr ? cell_of_placement_[placement_index] : s->cells[s->order.first(key)];
  }

  /// The indices of the cells that a key of a placement may reach, in its order; the first of them is `cell_for`.
  [[nodiscard]] std::vector<std::uint16_t> cells_for(std::size_t placement_index, std::string_view key) const {
    const shard* s = shard_at(placement_index);
    if (s == nullptr) return {cell_of_placement_[placement_index]};
    std::vector<std::uint16_t> found(placements_[placement_index].shard.size);
    for (std::uint16_t& cell : s->order.list(key, found)) cell = s->cells[cell];
    return found;
  }

  [[nodiscard]] bool has_shards() const { return !shards_.empty(); }

  /// The index of a placement. Cost: a walk over all of them; for tools, not for requests.
  [[nodiscard]] std::optional<std::uint16_t> find_placement(std::string_view id) const {
    for (std::size_t i = 0; i < placements_.size(); ++i) {
      if (placements_[i].id.value == id) return static_cast<std::uint16_t>(i);
    }
    return std::nullopt;
  }

  friend bool operator==(const checked_fleet&, const checked_fleet&) = default;

 private:
  struct shard {
    shuffle_shard order;
    std::vector<std::uint16_t> cells;
    friend bool operator==(const shard&, const shard&) = default;
  };

  [[nodiscard]] static shard shard_of(const placement& p,
                                      const std::unordered_map<std::string_view, std::uint16_t>& cell_index) {
    shard made;
    std::vector<std::string_view> names;
    for (const cell_id& each : p.cells) {
      names.push_back(each.value);
      made.cells.push_back(cell_index.at(each.value));
    }
    made.order = shuffle_shard(names, p.shard.seed);
    return made;
  }

  [[nodiscard]] const shard* shard_at(std::size_t placement_index) const noexcept {
    if (placements_[placement_index].kind != placement_kind::shard) return nullptr;
    return &shards_[shard_of_placement_[placement_index]];
  }

  std::vector<placement> placements_;
  std::vector<cell> cells_;
  std::vector<std::uint16_t> cell_of_placement_;
  std::vector<std::uint16_t> shard_of_placement_;  // where it is one
  std::vector<shard> shards_;
};

}  // namespace cellroute
