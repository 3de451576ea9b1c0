#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/key_format.hpp"
#include "cellroute/table/key_rows.hpp"

namespace cellroute {

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
/// One pass over the rows as they come copies each, with its key, to the others of its part of the table; a part is a
/// few thousand keys in neighbouring buckets, so that putting them in order happens in a core's own cache. To sort
/// numbers and fetch the keys afterwards takes two cold lines a row: 1.7 times as long at a million keys, 3 times at
/// ten. To count first what each part takes reads all rows and keys once more: a third of the time at ten million; so a
/// part is a list of chunks, and takes one when it needs one.
class bucket_order {
 public:
  /// `Row` has a `key` of 1 to 256 bytes and an `outcome`, which may be an optional one. All are looked at by
  /// `check_row` with this `outcome_count`.
  ///
  /// Range:  fewer than 2^32 rows.
  /// Errors: that of the first row that cannot stand in a table.
  /// Cost:   12 bytes a row and its key, and half a chunk (8 KiB, less where the rows are few) for each part.
  template <class Row>
  [[nodiscard]] static expected<bucket_order, build_error> of(
      std::span<const Row> given, std::uint64_t seed, std::uint64_t group_count, std::size_t outcome_count,
      std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
    bucket_order order(given.size(), group_count, resource);
    const text_hasher hash_of(seed);
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::string_view key = given[i].key;
      const std::optional<std::uint16_t> outcome = given[i].outcome;
      if (const auto error = check_row(key, outcome, outcome_count, i)) return unexpected(*error);
      order.add(i, key, outcome, hash_of(key), group_count);
    }
    order.close_chunks();
    return order;
  }

  /// How long all keys are together.
  [[nodiscard]] std::size_t key_bytes() const { return key_bytes_; }

  /// Calls `f(place, rows)` in turn for every bucket that has any, until it returns false. The rows come in any order
  /// and may be put into another.
  template <class F>
  void for_each_bucket(F&& f) const {
    std::vector<nearby_row> found;
    std::vector<nearby_row> spare;
    std::vector<std::uint32_t> ends;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      found.clear();
      for (const std::byte* last = parts_[p].chunk; last != nullptr;) {
        const chunk_head head = head_of(last);
        for (const std::byte* at = last + sizeof head; at < head.end; at = found.back().end()) found.emplace_back(at);
        last = head.before;
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
  /// What stands before the rows of a chunk.
  struct chunk_head {
    const std::byte* before = nullptr;  ///< the chunk that was filled before this one, of the same part
    const std::byte* end = nullptr;     ///< of its rows
  };
  struct part {
    std::byte* next = nullptr;   ///< where its next row goes
    std::byte* stop = nullptr;   ///< the end of the chunk that `next` is in
    std::byte* chunk = nullptr;  ///< the last one
  };
  static constexpr std::size_t row_bytes_max = sizeof(nearby_row::header) + key_size_max;
  static constexpr std::size_t chunk_bytes_min = 512;
  static constexpr std::size_t chunk_bytes_max = std::size_t{16} * 1024;
  static constexpr std::size_t block_bytes_max = std::size_t{64} * 1024 * 1024;
  static_assert(chunk_bytes_min >= sizeof(chunk_head) + row_bytes_max);

  static constexpr int part_shift_max = 12;  // the buckets of 2^12 groups can be numbered with 16 bits

  bucket_order(std::size_t row_count, std::uint64_t group_count, std::pmr::memory_resource* resource)
      : resource_(resource) {
    // Each part has a place where it is written: more than a few thousand would not stay in the cache either.
    while (group_count >> part_shift_ > 2048 && part_shift_ < part_shift_max) ++part_shift_;
    parts_.resize(((group_count - 1) >> part_shift_) + 1);
    const std::size_t a_few_rows = 8 * row_count / parts_.size();  // a quarter of a part, where keys are short
    while (chunk_bytes_ < chunk_bytes_max && chunk_bytes_ < a_few_rows) chunk_bytes_ *= 2;
    // Memory that is not touched costs nothing; but of many small blocks each is asked for by itself.
    block_bytes_ = std::clamp(16 * row_count / chunk_bytes_ * chunk_bytes_, chunk_bytes_, block_bytes_max);
  }

  void add(std::size_t row, std::string_view key, std::optional<std::uint16_t> outcome, std::uint64_t hash,
           std::uint64_t group_count) {
    const key_format::bucket_place place = key_format::place_of(hash, group_count);
    part& here = parts_[place.group >> part_shift_];
    const nearby_row::header head{
        .row = static_cast<std::uint32_t>(row),
        .outcome = outcome.value_or(0),
        .bucket = static_cast<std::uint16_t>((place.group & part_mask()) * key_format::group_buckets + place.slot),
        .has_outcome = outcome.has_value(),
        .tag = key_format::tag_of(hash),
        .size_less_one = static_cast<std::uint8_t>(key.size() - 1)};
    const std::size_t size_bytes = sizeof head + key.size();
    if (static_cast<std::size_t>(here.stop - here.next) < size_bytes) add_chunk(here);
    std::memcpy(here.next, &head, sizeof head);
    copy_short(here.next + sizeof head, key.data(), key.size());
    here.next += size_bytes;
    prefetch_to_write(here.next + 128);  // no hardware follows so many places: 30 % of the build
    key_bytes_ += key.size();
  }

  void add_chunk(part& here) {
    if (block_left_ < chunk_bytes_) {
      blocks_.emplace_back(block_bytes_, resource_);
      block_left_ = block_bytes_;
    }
    std::byte* const chunk = blocks_.back().data() + (block_bytes_ - block_left_);
    block_left_ -= chunk_bytes_;
    close_chunk(here);
    const chunk_head head{here.chunk, nullptr};
    std::memcpy(chunk, &head, sizeof head);
    here = {chunk + sizeof head, chunk + chunk_bytes_, chunk};
  }

  static void close_chunk(const part& here) {
    if (here.chunk == nullptr) return;
    chunk_head head = head_of(here.chunk);
    head.end = here.next;
    std::memcpy(here.chunk, &head, sizeof head);
  }

  void close_chunks() {
    for (const part& each : parts_) close_chunk(each);
  }

  static chunk_head head_of(const std::byte* chunk) {
    chunk_head copy;
    std::memcpy(&copy, chunk, sizeof copy);
    return copy;
  }

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
  std::size_t chunk_bytes_ = chunk_bytes_min;
  std::size_t block_bytes_ = 0;
  std::size_t block_left_ = 0;  // in bytes, of the last block
  std::size_t key_bytes_ = 0;
  std::pmr::memory_resource* resource_;
  std::vector<part> parts_;
  std::vector<arena> blocks_;  // of chunks
};

}  // namespace cellroute
