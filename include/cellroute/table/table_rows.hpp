#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/table/key_digest.hpp"
#include "cellroute/table/key_order.hpp"
#include "cellroute/table/key_rows.hpp"
#include "cellroute/table/key_table.hpp"
#include "cellroute/table/outcome_list.hpp"
#include "cellroute/table/row_pairs.hpp"
#include "cellroute/table/text_memory.hpp"

/// Rows on their way from one table to another: all of them, changes of some, or those of a few buckets of a digest.
///
/// Their names and rows ascend, each is there once, and each name has a row: so the same rows are the same value, and
/// have one form as bytes (row_block.hpp). The functions here see to that. Texts are views: into `memory` where rows
/// were decoded, else into what they were taken from.
///
/// Range: the outcomes of every table here have texts, the names of placements.
namespace cellroute {

/// All rows of a table.
struct table_rows {
  std::vector<std::string_view> names;  ///< of placements; the outcomes of the rows are indices of these
  std::vector<key_row> rows;
  text_memory memory;
};

/// What changes in a table.
struct row_changes {
  std::vector<std::string_view> names;
  std::vector<key_change> changes;
  text_memory memory;
};

/// Some buckets of a digest, and all rows that a table has in them.
struct bucket_rows {
  std::vector<std::uint16_t> buckets;  ///< ascending
  std::vector<std::string_view> names;
  std::vector<key_row> rows;
  text_memory memory;
};

namespace rows_detail {

inline std::uint16_t* outcome_in(key_row& row) { return &row.outcome; }
inline std::uint16_t* outcome_in(key_change& change) { return change.outcome ? &*change.outcome : nullptr; }

/// Puts the names in use in order and gives the rows their numbers.
template <class Row>
void renumber(std::vector<std::string_view>& names, std::span<Row> rows) {
  std::vector<bool> is_used(names.size());
  for (Row& row : rows) {
    if (const std::uint16_t* outcome = outcome_in(row)) is_used[*outcome] = true;
  }
  std::vector<std::string_view> kept;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_used[i]) kept.push_back(names[i]);
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  std::vector<std::uint16_t> number(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    number[i] = static_cast<std::uint16_t>(std::lower_bound(kept.begin(), kept.end(), names[i]) - kept.begin());
  }
  for (Row& row : rows) {
    if (std::uint16_t* outcome = outcome_in(row)) *outcome = number[*outcome];
  }
  names = std::move(kept);
}

/// Puts rows in the order of their keys; of a key that is there more than once, the last row counts.
template <class Row>
void put_in_order(std::vector<std::string_view>& names, std::vector<Row>& rows) {
  key_order order;
  const std::span<const std::uint32_t> sorted = order.sort(rows.size(), [&rows](std::size_t i) { return rows[i].key; });
  std::vector<Row> kept;
  kept.reserve(rows.size());
  constexpr std::size_t ahead = 8;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i + 2 * ahead < sorted.size()) prefetch(&rows[sorted[i + 2 * ahead]]);
    if (i + ahead < sorted.size()) prefetch(rows[sorted[i + ahead]].key.data());
    const Row& next = rows[sorted[i]];
    if (kept.empty() || kept.back().key != next.key) {
      kept.push_back(next);
    } else {
      kept.back() = next;
    }
  }
  rows = std::move(kept);
  renumber(names, std::span<Row>(rows));
}

}  // namespace rows_detail

/// Changes that somebody wrote down, in any order; of a key that is there more than once, the last change counts.
///
/// Range: outcomes are indices of `names`, fewer than 2^32 changes.
[[nodiscard]] inline row_changes changes_of(std::vector<std::string_view> names, std::vector<key_change> changes) {
  row_changes made{std::move(names), std::move(changes), {}};
  rows_detail::put_in_order(made.names, made.changes);
  return made;
}

/// All rows of a table.
///
/// Cost: 200 ns a row, most of it to put them in order; while it runs, 70 bytes a row.
[[nodiscard]] inline table_rows rows_of(const key_table& table) {
  table_rows all{{table.outcomes().begin(), table.outcomes().end()}, {}, {}};
  all.rows.reserve(table.size());
  table.for_each([&all](std::string_view key, std::uint16_t outcome) { all.rows.push_back({key, outcome}); });
  rows_detail::put_in_order(all.names, all.rows);
  return all;
}
table_rows rows_of(const key_table&&) = delete;  // it would be gone before the views into it; so below

/// The rows of a table in some buckets of its digest.
///
/// Range: buckets below `key_digest::bucket_count`, ascending. Cost: one hash for each key of the table.
[[nodiscard]] inline bucket_rows rows_in_buckets(const key_table& table, std::span<const std::uint16_t> buckets,
                                                 std::uint64_t salt) {
  std::array<bool, key_digest::bucket_count> is_chosen{};
  for (const std::uint16_t bucket : buckets) is_chosen[bucket] = true;
  bucket_rows some{{buckets.begin(), buckets.end()}, {table.outcomes().begin(), table.outcomes().end()}, {}, {}};
  const text_hasher hash_of(salt);
  table.for_each([&](std::string_view key, std::uint16_t outcome) {
    if (is_chosen[key_digest::bucket_of_hash(hash_of(key))]) some.rows.push_back({key, outcome});
  });
  rows_detail::put_in_order(some.names, some.rows);
  return some;
}
bucket_rows rows_in_buckets(const key_table&&, std::span<const std::uint16_t>, std::uint64_t) = delete;

/// What makes `from` the same rows as `to`. Placements are compared by name.
///
/// Cost: as `for_each_row_pair`.
[[nodiscard]] inline row_changes changes_between(const key_table& from, const key_table& to) {
  const outcome_list names(to.outcomes());
  std::vector<std::optional<std::uint16_t>> number;  // of an outcome of `from`, in `to`
  for (const std::string_view name : from.outcomes()) number.push_back(names.find(name));
  std::vector<std::uint16_t> first;  // of the outcomes of `to` that have one text
  for (const std::string_view name : to.outcomes()) first.push_back(*names.find(name));
  std::vector<key_change> changes;
  using outcome = std::optional<std::uint16_t>;
  for_each_row_pair(from, to, [&](std::string_view key, outcome before, outcome after) {
    if (!before || !after || number[*before] != first[*after]) changes.push_back({key, after});
  });
  return changes_of({to.outcomes().begin(), to.outcomes().end()}, std::move(changes));
}
row_changes changes_between(const key_table&&, const key_table&) = delete;
row_changes changes_between(const key_table&, const key_table&&) = delete;

/// Two changes in a row as one: where both have a key, the second counts. Views as in both.
///
/// Nothing where they name more placements than 65,535: then the rows of the table are what to send.
[[nodiscard]] inline std::optional<row_changes> merged(const row_changes& first, const row_changes& second) {
  outcome_list names(first.names);
  std::vector<std::uint16_t> number;
  for (const std::string_view name : second.names) {
    const auto added = names.add(name);
    if (!added) return std::nullopt;
    number.push_back(*added);
  }
  std::vector<key_change> both = first.changes;
  both.reserve(first.changes.size() + second.changes.size());
  for (key_change each : second.changes) {
    if (each.outcome) each.outcome = number[*each.outcome];
    both.push_back(each);
  }
  return changes_of({names.texts().begin(), names.texts().end()}, std::move(both));
}
std::optional<row_changes> merged(const row_changes&&, const row_changes&) = delete;
std::optional<row_changes> merged(const row_changes&, const row_changes&&) = delete;

/// Why rows of buckets repair no table.
enum class repair_error {
  row_outside_buckets,  ///< sent for another table's salt, or by somebody who wants to change more than he says
};

[[nodiscard]] constexpr std::string_view to_string(repair_error error) {
  switch (error) {
    case repair_error::row_outside_buckets:
      return "row_outside_buckets";
  }
  return {};
}

/// What gives a table the rows of `wanted` in those buckets, and no others there. Views as in both.
///
/// Who then has a digest of the table computes those buckets anew (`key_digest::recomputed`): the digest may have been
/// what was wrong.
/// Errors: `row_outside_buckets`; the table is not looked at then.
/// Cost:   as `rows_in_buckets`.
[[nodiscard]] inline expected<row_changes, repair_error> changes_to_repair(const key_table& table,
                                                                           const bucket_rows& wanted,
                                                                           std::uint64_t salt) {
  for (const key_row& row : wanted.rows) {
    const std::uint16_t bucket = key_digest::bucket_of(row.key, salt);
    if (!std::binary_search(wanted.buckets.begin(), wanted.buckets.end(), bucket)) {
      return unexpected(repair_error::row_outside_buckets);
    }
  }
  const bucket_rows held = rows_in_buckets(table, wanted.buckets, salt);
  std::vector<key_change> changes;
  auto have = held.rows.begin();
  for (const key_row& want : wanted.rows) {
    for (; have != held.rows.end() && have->key < want.key; ++have) changes.push_back({have->key, std::nullopt});
    const bool is_there = have != held.rows.end() && have->key == want.key;
    if (!is_there || held.names[have->outcome] != wanted.names[want.outcome])
      changes.push_back({want.key, want.outcome});
    if (is_there) ++have;
  }
  for (; have != held.rows.end(); ++have) changes.push_back({have->key, std::nullopt});
  return changes_of(wanted.names, std::move(changes));
}
expected<row_changes, repair_error> changes_to_repair(const key_table&&, const bucket_rows&, std::uint64_t) = delete;
expected<row_changes, repair_error> changes_to_repair(const key_table&, const bucket_rows&&, std::uint64_t) = delete;

/// The same rows in a table whose outcomes are those in use; nothing where all are in use already, or where sixteen
/// seeds in a row make no table of them, which does not happen by chance.
///
/// `apply` only adds outcomes, and no `routing_table` can be compiled around one whose placement is gone.
/// Cost: a walk over the rows; `rows_of` and a build where an outcome is idle.
[[nodiscard]] inline std::optional<key_table> without_idle_outcomes(const key_table& table) {
  std::vector<bool> is_used(table.outcomes().size());
  table.for_each([&is_used](std::string_view, std::uint16_t outcome) { is_used[outcome] = true; });
  if (std::find(is_used.begin(), is_used.end(), false) == is_used.end()) return std::nullopt;
  const table_rows all = rows_of(table);
  auto packed = key_table::build(all.rows, table.seed(), all.names, table.resource());
  return packed ? std::optional(*std::move(packed)) : std::nullopt;
}

/// The table after some changes; this one stays as it is. The list of its outcomes grows by the names that are new.
///
/// Errors: as `key_table::merged`: `bad_outcome_text` where there are more than 65,535 names in use, with those of the
///         changes; otherwise only by the size of the table, or where names or keys are not as `row_changes` has them.
/// Cost:   as `key_table::merged`.
[[nodiscard]] inline expected<key_table, build_error> apply(const key_table& table, const row_changes& changes) {
  assert(table.empty() || !table.outcomes().empty());
  outcome_list names(table.outcomes());
  std::vector<std::uint16_t> number;
  for (const std::string_view name : changes.names) {
    if (const auto added = names.add(name)) {
      number.push_back(*added);
    } else if (const auto packed = without_idle_outcomes(table)) {
      return apply(*packed, changes);
    } else {
      return unexpected(build_error{key_table_error::bad_outcome_text, key_format::outcomes_max, 0});
    }
  }
  std::vector<key_change> renumbered = changes.changes;
  for (key_change& each : renumbered) {
    if (each.outcome) each.outcome = number[*each.outcome];
  }
  return table.merged(renumbered, names.texts());
}

}  // namespace cellroute
