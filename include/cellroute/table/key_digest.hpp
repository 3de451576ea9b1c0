#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/base/varint.hpp"
#include "cellroute/table/key_order.hpp"
#include "cellroute/table/key_rows.hpp"
#include "cellroute/table/key_table.hpp"

namespace cellroute {

/// What stands for any number of bytes.
using digest_bytes = std::array<std::byte, 32>;

/// A function for which nobody can find two inputs with one result: SHA-256 in every program of this project. The
/// core has none of its own, because the libraries that adapters use have fast ones.
template <class Hash>
concept content_hash = std::is_invocable_r_v<digest_bytes, const Hash&, std::span<const std::byte>>;

/// What the rows of a table are, in 32 bytes; where two tables differ, and what they have to send each other.
///
/// Each key is in one of 4,096 buckets, 64 of which are a group. With | for what follows and numbers in little endian:
///
///   entry    size of the key | key | size of the name | name | 0         sizes as varints, so that no two sets of
///                                                                        rows have one form; 0: no attributes
///   bucket   H('b' | number, 16 bits | its entries by key)
///   group    H('g' | number, 8 bits | its 64 buckets)
///   root     H("cellroute keys 1" | salt, 64 bits | count of keys, 64 bits | 64 groups | document)
///
/// The name is that of the placement; numbers of outcomes, the seed and the order of the table have no part in it. The
/// document is the digest of all that is configured beside the rows.
///
/// The bucket is the top 12 bits of `hash_text`, which is the same on every host and in every release, not of a hash
/// with a secret: who knows the salt, which is public, can put many keys into one bucket and so make its update and its
/// repair as long as those of the whole table, nothing else. An update looks at every key, and SipHash-2-4 would take
/// more than twice as long for each.
///
/// What counts is each row that a walk over the table meets: one whose bytes somebody else wrote, with keys that no
/// look-up finds, has another digest than one that was built of the rows that it finds.
///
/// Rejected: one hash over all rows, which takes a pass over all of them for a change of one and does not tell where
/// two differ; sums of row hashes (LtHash), 2 KiB and again without a place.
class key_digest {
 public:
  static constexpr std::size_t group_count = 64;
  static constexpr std::size_t group_buckets = 64;
  static constexpr std::size_t bucket_count = group_count * group_buckets;

  /// The bucket of a key.
  [[nodiscard]] static std::uint16_t bucket_of(std::string_view key, std::uint64_t salt) {
    return bucket_of_hash(hash_text(key, salt));
  }
  /// The same, of its hash under the salt.
  [[nodiscard]] static constexpr std::uint16_t bucket_of_hash(std::uint64_t hash) {
    return static_cast<std::uint16_t>(hash >> 52);
  }

  /// The digest of a table.
  ///
  /// Range: the outcomes of the table have texts, which are the names of placements.
  /// Cost:  120 ms a million rows, of which the hash takes 18; while it runs, 32 bytes a row.
  template <content_hash Hash>
  [[nodiscard]] static key_digest of(const key_table& table, std::uint64_t salt, const Hash& hash) {
    key_digest made(salt);
    bucket_set all;
    all.fill(true);
    made.compute(table, all, hash);
    return made;
  }

  /// The digest of the table that this one's has become. `changes` has every key that is another there; it may have
  /// more, and what became of them is looked up in the table.
  ///
  /// Cost: 6 ns for each row of the table, and 30 us for each bucket with a change.
  template <content_hash Hash>
  [[nodiscard]] key_digest updated(const key_table& now, std::span<const key_change> changes, const Hash& hash) const {
    key_digest made = *this;
    bucket_set touched{};
    const text_hasher hash_of(salt_);
    for (const key_change& each : changes) touched[bucket_of_hash(hash_of(each.key))] = true;
    made.compute(now, touched, hash);
    return made;
  }

  /// This digest with some buckets computed anew: the same one, unless the table is not what it was.
  ///
  /// Range: buckets below `bucket_count`. Cost: as `updated`.
  template <content_hash Hash>
  [[nodiscard]] key_digest recomputed(const key_table& now, std::span<const std::uint16_t> buckets,
                                      const Hash& hash) const {
    key_digest made = *this;
    bucket_set chosen{};
    for (const std::uint16_t bucket : buckets) chosen[bucket] = true;
    made.compute(now, chosen, hash);
    return made;
  }

  /// What stands for the rows and for `document`.
  template <content_hash Hash>
  [[nodiscard]] digest_bytes root(const digest_bytes& document, const Hash& hash) const {
    constexpr std::string_view tag = "cellroute keys 1";
    std::vector<std::byte> message;
    message.reserve(tag.size() + 16 + (group_count + 1) * sizeof(digest_bytes));
    for (const char each : tag) message.push_back(static_cast<std::byte>(each));
    append_number(message, salt_, 8);
    append_number(message, key_count_, 8);
    for (const digest_bytes& group : groups_) message.insert(message.end(), group.begin(), group.end());
    message.insert(message.end(), document.begin(), document.end());
    return hash(std::span<const std::byte>(message));
  }

  [[nodiscard]] std::uint64_t salt() const { return salt_; }
  /// How many keys there are.
  [[nodiscard]] std::uint64_t key_count() const { return key_count_; }
  [[nodiscard]] std::span<const digest_bytes, group_count> groups() const { return groups_; }
  /// The buckets of a group, below `group_count`.
  [[nodiscard]] std::span<const digest_bytes, group_buckets> buckets(std::size_t group) const {
    return std::span<const digest_bytes, group_buckets>(buckets_.data() + group * group_buckets, group_buckets);
  }

  /// The groups that are others with somebody else, under the same salt: the ones whose buckets to ask for.
  [[nodiscard]] std::vector<std::size_t> differing_groups(std::span<const digest_bytes, group_count> theirs) const {
    return differences(groups(), theirs, 0);
  }

  /// The buckets of a group that are others with somebody else, numbered among all: those to repair.
  [[nodiscard]] std::vector<std::uint16_t> differing_buckets(
      std::size_t group, std::span<const digest_bytes, group_buckets> theirs) const {
    const std::vector<std::size_t> found = differences(buckets(group), theirs, group * group_buckets);
    return {found.begin(), found.end()};
  }

  friend bool operator==(const key_digest&, const key_digest&) = default;

 private:
  using bucket_set = std::array<bool, bucket_count>;

  /// A key of a table and where it belongs here. 16 bytes, of which a million are moved.
  struct row {
    const char* text = nullptr;
    std::uint16_t size = 0;
    std::uint16_t outcome = 0;
    std::uint16_t bucket = 0;
    [[nodiscard]] std::string_view key() const { return {text, size}; }
  };

  explicit key_digest(std::uint64_t salt) : salt_(salt), buckets_(bucket_count) {}

  static void append_number(std::vector<std::byte>& to, std::uint64_t number, int size) {
    for (int i = 0; i < size; ++i) to.push_back(static_cast<std::byte>(number >> (8 * i)));
  }

  static std::vector<std::size_t> differences(std::span<const digest_bytes> mine, std::span<const digest_bytes> theirs,
                                              std::size_t first) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (mine[i] != theirs[i]) found.push_back(first + i);
    }
    return found;
  }

  template <class Hash>
  void compute(const key_table& table, const bucket_set& chosen, const Hash& hash) {
    assert(table.empty() || !table.outcomes().empty());
    key_count_ = table.size();
    const std::vector<row> rows = rows_in(table, chosen);
    const std::vector<std::vector<std::byte>> tails = entry_tails(table.outcomes());
    key_order order;
    std::vector<std::byte> message;
    for (std::size_t bucket = 0, start = 0; bucket < bucket_count; ++bucket) {
      if (!chosen[bucket]) continue;
      std::size_t end = start;
      while (end < rows.size() && rows[end].bucket == bucket) ++end;
      const std::span<const row> here = std::span(rows).subspan(start, end - start);
      start = end;
      write_message(bucket, here, order.sort(here.size(), [here](std::size_t i) { return here[i].key(); }), tails,
                    message);
      buckets_[bucket] = hash(std::span<const std::byte>(message));
    }
    for (std::size_t group = 0; group < group_count; ++group) {
      const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(group * group_buckets);
      if (std::find(first, first + group_buckets, true) == first + group_buckets) continue;
      message.clear();
      message.push_back(std::byte{'g'});
      append_number(message, group, 1);
      for (const digest_bytes& bucket : buckets(group)) message.insert(message.end(), bucket.begin(), bucket.end());
      groups_[group] = hash(std::span<const std::byte>(message));
    }
  }

  /// The rows of the chosen buckets, bucket by bucket.
  [[nodiscard]] std::vector<row> rows_in(const key_table& table, const bucket_set& chosen) const {
    const text_hasher hash_of(salt_);
    std::vector<row> found;
    if (std::find(chosen.begin(), chosen.end(), false) == chosen.end()) found.reserve(table.size());
    std::array<std::uint32_t, bucket_count> starts{};
    table.for_each([&](std::string_view key, std::uint16_t outcome) {
      const std::uint16_t bucket = bucket_of_hash(hash_of(key));
      if (!chosen[bucket]) return;
      ++starts[bucket];
      found.push_back({key.data(), static_cast<std::uint16_t>(key.size()), outcome, bucket});
    });
    std::uint32_t next = 0;
    for (std::uint32_t& start : starts) next += std::exchange(start, next);
    std::vector<row> sorted(found.size());
    for (const row& each : found) sorted[starts[each.bucket]++] = each;
    return sorted;
  }

  /// What an entry has behind its key, for each outcome.
  static std::vector<std::vector<std::byte>> entry_tails(std::span<const std::string_view> names) {
    std::vector<std::vector<std::byte>> tails;
    tails.reserve(names.size());
    for (const std::string_view name : names) {
      std::vector<std::byte>& tail = tails.emplace_back(varint_bytes_max + name.size() + 1);
      std::byte* const text = write_varint(tail.data(), name.size());
      std::memcpy(text, name.data(), name.size());
      text[name.size()] = std::byte{0};
      tail.resize(static_cast<std::size_t>(text - tail.data()) + name.size() + 1);
    }
    return tails;
  }

  /// What the digest of a bucket is made of.
  static void write_message(std::size_t bucket, std::span<const row> rows, std::span<const std::uint32_t> order,
                            std::span<const std::vector<std::byte>> tails, std::vector<std::byte>& message) {
    std::size_t size = 3 + varint_bytes_max;
    for (const row& each : rows) size += varint_size(each.size) + each.size + tails[each.outcome].size();
    message.clear();
    message.push_back(std::byte{'b'});
    append_number(message, bucket, 2);
    message.resize(size);
    std::byte* at = message.data() + 3;
    for (const std::uint32_t i : order) {
      const row& each = rows[i];
      at = write_varint(at, each.size);
      copy_short(at, each.text, each.size);
      at += each.size;
      const std::vector<std::byte>& tail = tails[each.outcome];
      copy_short(at, tail.data(), tail.size());
      at += tail.size();
    }
    message.resize(size - varint_bytes_max);
  }

  std::uint64_t salt_ = 0;
  std::uint64_t key_count_ = 0;
  std::array<digest_bytes, group_count> groups_{};
  std::vector<digest_bytes> buckets_;
};

/// The buckets in which two digests under one salt differ, ascending: where they do not, the rows are the same.
[[nodiscard]] inline std::vector<std::uint16_t> differing_buckets(const key_digest& mine, const key_digest& theirs) {
  assert(mine.salt() == theirs.salt());
  std::vector<std::uint16_t> found;
  for (const std::size_t group : mine.differing_groups(theirs.groups())) {
    const std::vector<std::uint16_t> some = mine.differing_buckets(group, theirs.buckets(group));
    found.insert(found.end(), some.begin(), some.end());
  }
  return found;
}

}  // namespace cellroute
