#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string_view>
#include <utility>

#include "cellroute/base/simd.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/key_format.hpp"

namespace cellroute {

/// Fills an arena from front to back: buckets as they come, then the outcomes and the header.
class key_table_writer {
 public:
  /// Range: `bucket_bytes_max` is enough for all buckets.
  key_table_writer(std::uint64_t seed, std::uint64_t group_count, std::size_t bucket_bytes_max,
                   std::span<const std::string_view> outcomes, std::pmr::memory_resource* resource)
      : outcomes_(outcomes) {
    header_.seed = seed;
    header_.group_count = group_count;
    header_.bucket_bytes = bucket_bytes_max;
    header_.outcome_count = outcomes.size();
    for (const std::string_view text : outcomes) header_.outcome_bytes += text.size() + 1;
    const key_format::layout at(header_);
    memory_ = arena(at.end, resource);
    groups_ = static_cast<key_format::group*>(static_cast<void*>(memory_.data() + sizeof header_));
    buckets_ = memory_.data() + at.buckets;
    next_ = buckets_;
  }

  /// How many bytes of buckets there are.
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(next_ - buckets_); }

  /// Writes the next bucket.
  template <class Entries>
  void add_bucket(const Entries& bucket) {
    place_next(offset());
    next_ += key_format::write_bucket(next_, bucket);
  }

  /// Writes buckets without keys, up to the one of `place`.
  void add_empty_until(key_format::bucket_place place) {
    while (at_ != place) add_bucket(std::span<const key_format::bucket_entry>());
  }

  /// Says in the directory where the buckets up to that of `place` start: `distance` behind where the other table that
  /// has `from` says, modulo 2^64.
  void place_until(key_format::bucket_place place, const key_format::group* from, std::size_t distance) {
    while (at_ != place) {
      const key_format::group& old = from[at_.group];
      if (at_.slot == 0 && at_.group < place.group) {
        groups_[at_.group] = old;
        groups_[at_.group].base += static_cast<std::uint32_t>(distance / 2);
        ++at_.group;
      } else {
        place_next(2 * (std::size_t{old.base} + old.within[at_.slot]) + distance);
      }
    }
  }

  void copy(const std::byte* from, std::size_t size_bytes) {
    copy_long(next_, from, size_bytes);
    next_ += size_bytes;
  }

  /// Writes an outcome over the one that stands `distance` bytes before the end of what is written.
  void set_outcome(std::size_t distance, std::uint16_t outcome) {
    std::memcpy(next_ - distance, &outcome, sizeof outcome);
  }

  /// The whole table.
  arena finish(std::uint64_t key_count) && {
    header_.key_count = key_count;
    header_.bucket_bytes = offset();
    const key_format::layout at(header_);
    fill_zero(at.outcomes);
    for (const std::string_view text : outcomes_) {
      copy(static_cast<const std::byte*>(static_cast<const void*>(text.data())), text.size());
      *next_++ = std::byte{'\n'};
    }
    fill_zero(at.end);
    header_.size_bytes = at.end;
    memory_.shorten(at.end);
    std::memcpy(memory_.data(), &header_, sizeof header_);
    return std::move(memory_);
  }

 private:
  /// Says in the directory that the next bucket starts at `offset`.
  void place_next(std::size_t offset) {
    key_format::group& group = groups_[at_.group];
    if (at_.slot == 0) group.base = static_cast<std::uint32_t>(offset / 2);
    group.within[at_.slot] = static_cast<std::uint16_t>(offset / 2 - group.base);
    at_ = key_format::behind(at_);
  }

  void fill_zero(std::size_t until) {
    std::byte* end = memory_.data() + until;
    std::fill(next_, end, std::byte{0});
    next_ = end;
  }

  arena memory_;
  key_format::header header_;
  std::span<const std::string_view> outcomes_;
  key_format::group* groups_ = nullptr;
  std::byte* buckets_ = nullptr;
  std::byte* next_ = nullptr;
  key_format::bucket_place at_;  // the bucket that comes next
};

}  // namespace cellroute
