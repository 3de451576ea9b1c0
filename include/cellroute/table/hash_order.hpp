#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/key_format.hpp"

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

/// A row that lies, key and all, near the rows of its bucket.
class nearby_row {
 public:
  /// What stands before the key's bytes, at any address.
  struct header {
    std::uint32_t row = 0;      ///< index into the rows that were given
    std::uint16_t outcome = 0;  ///< as given
    std::uint16_t bucket = 0;   ///< counted from the first one of the part
    bool has_outcome = false;
    std::uint8_t tag = 0;
    std::uint8_t size_less_one = 0;  ///< of the key, whose bytes follow
  };

  /// `at` is where its header stands; the memory outlives it.
  explicit nearby_row(const std::byte* at) : at_(at) {}

  [[nodiscard]] header head() const {
    header copy;
    std::memcpy(&copy, at_, sizeof copy);
    return copy;
  }
  [[nodiscard]] std::size_t row() const { return head().row; }
  [[nodiscard]] std::size_t bucket() const { return head().bucket; }
  [[nodiscard]] std::uint8_t tag() const { return head().tag; }
  [[nodiscard]] bool has_outcome() const { return head().has_outcome; }
  /// Where the next row of its part starts.
  [[nodiscard]] const std::byte* end() const { return at_ + sizeof(header) + head().size_less_one + 1; }
  [[nodiscard]] std::string_view key() const {
    const auto* text = static_cast<const char*>(static_cast<const void*>(at_ + sizeof(header)));
    return {text, std::size_t{head().size_less_one} + 1};
  }
  /// Of a row without an outcome, 0 stands for it.
  operator key_format::bucket_entry() const { return {tag(), key(), head().outcome}; }

  /// By tag, key and index, as in a bucket.
  friend bool operator<(const nearby_row& a, const nearby_row& b) {
    if (a.tag() != b.tag()) return a.tag() < b.tag();
    const int keys = a.key().compare(b.key());
    return keys != 0 ? keys < 0 : a.row() < b.row();
  }
  /// Two rows of one bucket.
  friend bool has_same_key(const nearby_row& a, const nearby_row& b) {
    return a.tag() == b.tag() && a.key() == b.key();
  }

 private:
  const std::byte* at_;
};

/// The rows of a table, bucket by bucket.
///
/// Two passes over the rows as they come copy each, with its key, into the part of the table where it belongs; a part
/// is a few thousand keys in neighbouring buckets, so that putting them in order happens in a core's own cache. To
/// sort numbers and fetch the keys afterwards takes two cold lines a row: 1.7 times as long at a million keys, 3 times
/// at ten.
class bucket_order {
 public:
  /// `Row` has a `key` of 1 to 256 bytes and an `outcome`, which may be an optional one.
  ///
  /// Range: fewer than 2^32 rows.
  /// Cost:  20 bytes a row and its key at the peak, 12 and the key after that.
  template <class Row>
  bucket_order(std::span<const Row> given, std::uint64_t seed, std::uint64_t group_count,
               std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
    // Each part has a place where it is written: more than a few thousand would not stay in the cache either.
    while (group_count >> part_shift_ > 2048 && part_shift_ < part_shift_max) ++part_shift_;
    parts_.resize(((group_count - 1) >> part_shift_) + 1);

    arena memory(given.size() * sizeof(std::uint64_t), resource);
    const std::span<std::uint64_t> hashes(static_cast<std::uint64_t*>(static_cast<void*>(memory.data())), given.size());
    const text_hasher hash_of(seed);
    for (std::size_t i = 0; i < given.size(); ++i) {
      hashes[i] = hash_of(given[i].key);
      part& here = parts_[scale(hashes[i], group_count) >> part_shift_];
      here.end += sizeof(nearby_row::header) + given[i].key.size();
    }
    std::size_t next = 0;
    for (part& each : parts_) next += std::exchange(each.end, next);

    memory_ = arena(next, resource);
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::string_view key = given[i].key;
      const std::optional<std::uint16_t> outcome = given[i].outcome;
      const key_format::bucket_place place = key_format::place_of(hashes[i], group_count);
      part& here = parts_[place.group >> part_shift_];
      const nearby_row::header head{
          .row = static_cast<std::uint32_t>(i),
          .outcome = outcome.value_or(0),
          .bucket = static_cast<std::uint16_t>((place.group & part_mask()) * key_format::group_buckets + place.slot),
          .has_outcome = outcome.has_value(),
          .tag = key_format::tag_of(hashes[i]),
          .size_less_one = static_cast<std::uint8_t>(key.size() - 1)};
      std::memcpy(memory_.data() + here.end, &head, sizeof head);
      copy_short(memory_.data() + here.end + sizeof head, key.data(), key.size());
      here.end += sizeof head + key.size();
      prefetch_to_write(memory_.data() + here.end + 128);  // no hardware follows so many places: 30 % of the build
    }
  }

  /// Calls `f(place, rows)` in turn for every bucket that has any, until it returns false. The rows come in any order
  /// and may be put into another.
  template <class F>
  void for_each_bucket(F&& f) const {
    std::vector<nearby_row> found;
    std::vector<nearby_row> spare;
    std::vector<std::uint32_t> ends;
    const std::byte* at = memory_.data();
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      found.clear();
      for (const std::byte* end = memory_.data() + parts_[p].end; at < end; at = found.back().end()) {
        found.emplace_back(at);
      }
      sort_by_bucket(found, spare, ends);
      for (std::size_t start = 0, end = 0; start < found.size(); start = end) {
        const std::size_t bucket = found[start].bucket();
        while (end < found.size() && found[end].bucket() == bucket) ++end;
        const key_format::bucket_place place{(p << part_shift_) + bucket / key_format::group_buckets,
                                             bucket % key_format::group_buckets};
        if (!f(place, std::span(found).subspan(start, end - start))) return;
      }
    }
  }

 private:
  struct part {
    std::size_t end = 0;  // of its rows, in bytes
  };
  static constexpr int part_shift_max = 12;  // the buckets of 2^12 groups can be numbered with 16 bits

  /// Counts where there are many rows; where there are few, going through all buckets would take longer.
  void sort_by_bucket(std::vector<nearby_row>& found, std::vector<nearby_row>& spare,
                      std::vector<std::uint32_t>& ends) const {
    const std::size_t buckets = (part_mask() + 1) * key_format::group_buckets;
    if (found.size() < buckets / 8) {
      std::sort(found.begin(), found.end(),
                [](const nearby_row& a, const nearby_row& b) { return a.bucket() < b.bucket(); });
      return;
    }
    ends.assign(buckets, 0);
    for (const nearby_row& each : found) ++ends[each.bucket()];
    std::uint32_t next = 0;
    for (std::uint32_t& end : ends) next += std::exchange(end, next);
    spare.assign(found.size(), nearby_row(nullptr));
    for (const nearby_row& each : found) spare[ends[each.bucket()]++] = each;
    std::swap(found, spare);
  }

  [[nodiscard]] std::size_t part_mask() const { return (std::size_t{1} << part_shift_) - 1; }

  int part_shift_ = 6;  // groups in a part, as a power of two
  std::vector<part> parts_;
  arena memory_;
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
