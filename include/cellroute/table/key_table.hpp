#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/bucket_order.hpp"
#include "cellroute/table/key_format.hpp"
#include "cellroute/table/key_rows.hpp"
#include "cellroute/table/key_table_check.hpp"
#include "cellroute/table/key_table_writer.hpp"

namespace cellroute {

/// Routing key -> outcome, for millions of keys: one arena in hash order, `key_format.hpp` tells its bytes.
///
/// A look-up reads one line of the directory and one bucket. The bytes are a function of the rows, the seed and the
/// outcomes, not of the order of the rows. The values are numbers of outcomes; their texts, one line each, go along in
/// the bytes.
///
/// Threads: const from birth; every function may run on many threads at once.
class key_table {
 public:
  /// A look-up under way: the directory line has been asked for. Holds while the key and the table do.
  struct prepared {
    std::string_view key;
    const key_format::group* group = nullptr;
    std::uint8_t slot = 0;
    std::uint8_t tag = 0;
  };

  /// A table without keys. It takes no memory.
  key_table() noexcept : header_(without_keys.head), hash_of_(0), group_count_(1), groups_(&without_keys.directory) {
    buckets_ = without_keys.rest.data();
  }

  /// What was moved from is a table without keys, and may be asked.
  key_table(key_table&& other) noexcept : key_table() { swap(other); }
  key_table& operator=(key_table&& other) noexcept {
    key_table taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~key_table() = default;

  /// Views into either table stay views into the same bytes.
  void swap(key_table& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(header_, other.header_);
    std::swap(hash_of_, other.hash_of_);
    std::swap(group_count_, other.group_count_);
    std::swap(groups_, other.groups_);
    std::swap(buckets_, other.buckets_);
    std::swap(outcomes_, other.outcomes_);
  }

  /// The same table for a second owner: neither copies, and the bytes go with the last of them, in its thread.
  /// Cost: that of the outcomes' views.
  [[nodiscard]] key_table shared() const {
    return memory_.data() == nullptr ? key_table() : key_table(memory_.shared());
  }

  /// Builds a table from rows in any order.
  ///
  /// `outcomes` are the texts behind the numbers; without any, every number is allowed and has no text. `seed` should
  /// be random where strangers choose keys; where it puts too many into one bucket, the next one is taken.
  /// Errors: `key_table_error`, with a row that shows it.
  /// Cost:   about 60 ns a row; while it runs, the keys once more and 12 bytes a row beside the result.
  [[nodiscard]] static expected<key_table, build_error> build(
      std::span<const key_row> rows, std::uint64_t seed, std::span<const std::string_view> outcomes = {},
      std::pmr::memory_resource* resource = std::pmr::get_default_resource());

  /// The table after some changes; this one stays as it is.
  ///
  /// `outcomes` may be longer than before, never shorter; empty means the same as before. Where there was none, each
  /// number that is in use needs its text.
  /// Errors: as in `build`; rows are those of `changes`, 0 where none of them shows it. A key may occur once.
  /// Cost:   one copy of all bytes; each changed bucket is written anew. Where the count has moved far from that at the
  ///         last build, it is a build.
  [[nodiscard]] expected<key_table, build_error> merged(std::span<const key_change> changes,
                                                        std::span<const std::string_view> outcomes = {}) const;

  /// A table out of bytes that anybody may have written: a copy of them is checked, every bound of it, and kept.
  ///
  /// What is not checked is whether each key lies where its hash belongs; one that does not is never found.
  ///
  /// Errors: `open_error`; nothing is kept then.
  /// Cost:   one copy, with each part of it checked while it is in the cache.
  [[nodiscard]] static expected<key_table, open_error> open(
      std::span<const std::byte> bytes, std::pmr::memory_resource* resource = std::pmr::get_default_resource());

  /// As above, for bytes that are already in an arena: they are checked in place.
  [[nodiscard]] static expected<key_table, open_error> open(arena memory);

  /// As above, for bytes that come while they are checked: `bring(offset, block, index)` puts a block there, before
  /// anything looks at it, and returns its `key_format::block_sum`. The header is there already.
  template <class Bring>
  [[nodiscard]] static expected<key_table, open_error> open(arena memory, Bring&& bring);

  /// The outcome of a key. Any text may be asked for. Inlined by order: as a call it takes 4 ns of 16 more.
  [[nodiscard, gnu::always_inline]] std::optional<std::uint16_t> find(std::string_view key) const noexcept {
    return find(prepare(hash_of_(key), key));
  }

  /// Starts a look-up: the memory comes nearer while the caller does something else.
  [[nodiscard]] prepared prepare(std::string_view key) const noexcept {
    const prepared asked = prepare(hash_of_(key), key);
    prefetch(asked.group);
    return asked;
  }

  /// Ends a look-up.
  [[nodiscard, gnu::always_inline]] std::optional<std::uint16_t> find(const prepared& asked) const noexcept {
    // One look-up alone waits least when it asks for the three lines at once that hold all but a few buckets. Where all
    // of them are in a cache already, asking costs a fiftieth of it.
    const std::byte* bucket = bucket_of(asked);
    if (header_.bucket_bytes > cached_bytes) [[likely]] {
      prefetch(bucket);
      prefetch(bucket + 64);
      prefetch(bucket + 128);
    }
    return key_format::bucket_view(bucket).find(asked.key, asked.tag);
  }

  /// Looks up many keys at once: their waits for memory overlap, which makes each several times cheaper. How many
  /// lines a core can wait for is then what counts, so only those are asked for that a key needs: the directory's, the
  /// head of its bucket, the key's own.
  ///
  /// Range: `found` is as long as `keys`.
  void find_batch(std::span<const std::string_view> keys, std::span<std::optional<std::uint16_t>> found) const noexcept;

  /// Calls `f(key, outcome)` for each row, in hash order. The key is a view into the table.
  template <class F>
  void for_each(F&& f) const {
    for_each_bucket([&f](const key_format::bucket_view& bucket) {
      for (std::size_t i = 0; i < bucket.count(); ++i) f(bucket.key(i), bucket.outcome(i));
    });
  }

  /// How many keys there are.
  [[nodiscard]] std::size_t size() const { return header_.key_count; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// The seed of its hashes: that of the build, or a later one where that filled a bucket.
  [[nodiscard]] std::uint64_t seed() const { return header_.seed; }

  /// All buckets, one behind the other, and how many there are: tables of one seed and one count have each key in the
  /// same one.
  [[nodiscard]] std::span<const std::byte> buckets() const { return {buckets_, header_.bucket_bytes}; }
  [[nodiscard]] std::uint64_t bucket_count() const { return group_count_ * key_format::group_buckets; }

  /// The texts of the outcomes, as views into the table; empty where none were given.
  [[nodiscard]] std::span<const std::string_view> outcomes() const { return outcomes_; }

  /// The whole table as it is stored and sent: two parts, one behind the other, which `open` reads as one.
  struct stored_bytes {
    std::array<std::byte, sizeof(key_format::header)> head;
    std::span<const std::byte> rest;  ///< into the table
  };

  /// Cost: the checksum, one pass over all bytes: 60 us a MiB. A table that never leaves the process needs none.
  [[nodiscard]] stored_bytes bytes() const {
    const auto* behind = static_cast<const std::byte*>(static_cast<const void*>(groups_));
    stored_bytes parts{{}, {behind, header_.size_bytes - sizeof header_}};
    key_format::header sealed = header_;
    sealed.checksum = key_format::checksum_of(sealed, parts.rest);
    std::memcpy(parts.head.data(), &sealed, sizeof sealed);
    return parts;
  }

  /// Where its memory came from, for a further table of the same.
  [[nodiscard]] std::pmr::memory_resource* resource() const { return memory_.resource(); }

  /// What the table holds of its resource's memory.
  [[nodiscard]] std::size_t memory_bytes() const {
    return memory_.capacity_bytes() + outcomes_.capacity() * sizeof(std::string_view);
  }

 private:
  /// The bytes of a table without keys, as `build` writes them.
  struct bytes_without_keys {
    key_format::header head;
    key_format::group directory;
    std::array<std::byte, 96> rest{};  // a pair of zeroes for each bucket, and the padding
  };
  static constexpr bytes_without_keys made_without_keys() {
    bytes_without_keys made;
    made.head.size_bytes = sizeof made;
    made.head.group_count = 1;
    made.head.bucket_bytes = 2 * key_format::group_buckets;
    for (std::size_t i = 0; i < key_format::group_buckets; ++i)
      made.directory.within[i] = static_cast<std::uint16_t>(i);
    return made;
  }
  static const bytes_without_keys without_keys;

  /// Range: `memory` holds a whole and valid table.
  explicit key_table(arena memory) : memory_(std::move(memory)), hash_of_(0) {
    std::memcpy(&header_, memory_.data(), sizeof header_);
    const key_format::layout at(header_);
    hash_of_ = text_hasher(header_.seed);
    group_count_ = header_.group_count;
    groups_ = static_cast<const key_format::group*>(static_cast<const void*>(memory_.data() + sizeof header_));
    buckets_ = memory_.data() + at.buckets;
    const auto* text = static_cast<const char*>(static_cast<const void*>(memory_.data() + at.outcomes));
    std::string_view left(text, header_.outcome_bytes);
    outcomes_.reserve(header_.outcome_count);
    for (std::size_t end = left.find('\n'); end != std::string_view::npos; end = left.find('\n')) {
      outcomes_.push_back(left.substr(0, end));
      left.remove_prefix(end + 1);
    }
  }

  static constexpr std::size_t cached_bytes = std::size_t{256} << 10;  ///< of most second-level caches

  [[nodiscard]] prepared prepare(std::uint64_t hash, std::string_view key) const noexcept {
    const key_format::bucket_place place = key_format::place_of(hash, group_count_);
    return {key, groups_ + place.group, static_cast<std::uint8_t>(place.slot), key_format::tag_of(hash)};
  }

  [[nodiscard]] const std::byte* bucket_of(const prepared& asked) const noexcept {
    return buckets_ + 2 * (std::size_t{asked.group->base} + asked.group->within[asked.slot]);
  }

  template <class F>
  void for_each_bucket(F&& f) const {
    const std::byte* at = buckets_;
    const std::byte* end = buckets_ + header_.bucket_bytes;
    while (at < end) {
      const key_format::bucket_view bucket(at);
      f(bucket);
      at += bucket.size_bytes();
    }
  }

  // Building, merging, opening: below, in the order in which they happen.
  using entries = std::vector<key_format::bucket_entry>;
  static constexpr int seeds_max = 16;

  static std::optional<build_error> put_in_order(std::span<nearby_row> bucket);
  static std::optional<std::size_t> only_other_outcome(const key_format::bucket_view& old,
                                                       std::span<const nearby_row> changed);
  static void apply(const key_format::bucket_view& old, std::span<const nearby_row> changed, entries& bucket);
  /// Where a bucket starts, or behind the last one their end.
  [[nodiscard]] std::size_t offset_of(key_format::bucket_place place) const {
    if (place.group == group_count_) return header_.bucket_bytes;
    return 2 * (std::size_t{groups_[place.group].base} + groups_[place.group].within[place.slot]);
  }
  [[nodiscard]] bool can_have(std::size_t outcome_count) const;
  [[nodiscard]] bool is_found(std::string_view stored) const;
  expected<key_table, build_error> rebuilt(std::span<const key_change> changes,
                                           std::span<const std::string_view> outcomes) const;

  arena memory_;
  key_format::header header_;
  text_hasher hash_of_;
  std::uint64_t group_count_ = 0;
  const key_format::group* groups_ = nullptr;  // into `memory_` or `without_keys`, as all below
  const std::byte* buckets_ = nullptr;
  std::vector<std::string_view> outcomes_;
};

inline constexpr key_table::bytes_without_keys key_table::without_keys = made_without_keys();

inline void key_table::find_batch(std::span<const std::string_view> keys,
                                  std::span<std::optional<std::uint16_t>> found) const noexcept {
  assert(keys.size() == found.size());
  constexpr std::size_t width = 16;  // about as many misses as a core keeps in flight
  std::array<prepared, width> asked;
  std::array<const std::byte*, width> buckets;
  std::array<std::uint32_t, width> candidates;
  for (std::size_t start = 0; start < keys.size(); start += width) {
    const std::size_t count = std::min(width, keys.size() - start);
    for (std::size_t i = 0; i < count; ++i) asked[i] = prepare(keys[start + i]);
    for (std::size_t i = 0; i < count; ++i) {
      buckets[i] = bucket_of(asked[i]);
      prefetch(buckets[i]);
      prefetch(buckets[i] + key_format::typical_head_bytes);
    }
    for (std::size_t i = 0; i < count; ++i) {
      candidates[i] = key_format::bucket_view(buckets[i]).with_tag(asked[i].tag);
      key_format::bucket_view(buckets[i]).prefetch_first(candidates[i], asked[i].key.size());
    }
    for (std::size_t i = 0; i < count; ++i) {
      found[start + i] = key_format::bucket_view(buckets[i]).find_among(candidates[i], asked[i].key);
    }
  }
}

inline expected<key_table, build_error> key_table::build(std::span<const key_row> rows, std::uint64_t seed,
                                                         std::span<const std::string_view> outcomes,
                                                         std::pmr::memory_resource* resource) {
  if (const auto error = check_outcomes(outcomes)) return unexpected(*error);
  if (rows.size() >= std::size_t{1} << 32)
    return unexpected(build_error{key_table_error::too_many_keys, rows.size() - 1, 0});
  constexpr std::size_t group_keys = key_format::keys_per_bucket * key_format::group_buckets;
  const std::size_t group_count = std::max<std::size_t>(1, (rows.size() + group_keys - 1) / group_keys);

  for (int attempt = 0; attempt < seeds_max; ++attempt, seed = mix(seed)) {
    const auto order = bucket_order::of(rows, seed, group_count, outcomes.size(), resource);
    if (!order) return unexpected(order.error());
    // An empty bucket takes 2 bytes; the others one for the count, at most one to stay even, and their entries.
    const std::size_t bucket_bytes =
        2 * group_count * key_format::group_buckets + key_format::entry_bytes(0) * rows.size() + order->key_bytes();
    if (!key_format::fits(bucket_bytes))
      return unexpected(build_error{key_table_error::too_many_keys, rows.size() - 1, 0});
    key_table_writer out(seed, group_count, bucket_bytes, outcomes, resource);
    std::optional<build_error> twice;
    bool is_crowded = false;
    order->for_each_bucket([&](key_format::bucket_place place, std::span<nearby_row> bucket) {
      twice = put_in_order(bucket);
      is_crowded = bucket.size() > key_format::bucket_count_max;
      if (twice || is_crowded) return false;
      out.add_empty_until(place);
      out.add_bucket(bucket);
      return true;
    });
    if (twice) return unexpected(*twice);
    if (is_crowded) continue;
    out.add_empty_until({group_count, 0});
    return key_table(std::move(out).finish(rows.size()));
  }
  return unexpected(build_error{key_table_error::unlucky_seed, 0, 0});
}

/// Equal tags go by key, so that the bytes of a table do not tell in which order its rows came.
inline std::optional<build_error> key_table::put_in_order(std::span<nearby_row> bucket) {
  if (bucket.size() > key_format::bucket_count_max) {
    std::sort(bucket.begin(), bucket.end());
  } else {
    for (std::size_t i = 1; i < bucket.size(); ++i) {
      const nearby_row moved = bucket[i];
      std::size_t to = i;
      for (; to > 0 && moved < bucket[to - 1]; --to) bucket[to] = bucket[to - 1];
      bucket[to] = moved;
    }
  }
  for (std::size_t i = 1; i < bucket.size(); ++i) {
    if (has_same_key(bucket[i - 1], bucket[i])) {
      return build_error{key_table_error::duplicate_key, bucket[i - 1].row(), bucket[i].row()};
    }
  }
  return std::nullopt;
}

inline expected<key_table, build_error> key_table::merged(std::span<const key_change> changes,
                                                          std::span<const std::string_view> outcomes) const {
  if (outcomes.empty()) outcomes = outcomes_;
  if (const auto error = check_outcomes(outcomes)) return unexpected(*error);
  if (outcomes.size() < outcomes_.size() || (outcomes_.empty() && !outcomes.empty() && !can_have(outcomes.size()))) {
    return unexpected(build_error{key_table_error::bad_outcome_text, outcomes.size(), 0});
  }
  const auto order = bucket_order::of(changes, header_.seed, group_count_, outcomes.size(), memory_.resource());
  if (!order) return unexpected(order.error());
  // 1: a bucket may become odd.
  const std::size_t bytes_added = (key_format::entry_bytes(0) + 1) * changes.size() + order->key_bytes();
  // Too many for a bound from above; counted out, they may still fit.
  if (!key_format::fits(header_.bucket_bytes + bytes_added)) return rebuilt(changes, outcomes);

  // The old buckets lie one behind the other, so what lies between two changed ones is one copy, and its offsets all
  // move by the same distance.
  key_table_writer out(header_.seed, group_count_, header_.bucket_bytes + bytes_added, outcomes, memory_.resource());
  std::uint64_t key_count = header_.key_count;
  std::size_t copied = 0;  // up to here the old buckets are in `out`
  const auto copy_until = [&](key_format::bucket_place place) {
    const std::size_t start = offset_of(place);
    out.place_until(place, groups_, out.offset() - copied);
    out.copy(buckets_ + copied, start - copied);
    copied = start;
  };
  entries bucket;
  std::optional<build_error> twice;
  bool is_crowded = false;
  order->for_each_bucket([&](key_format::bucket_place place, std::span<nearby_row> changed) {
    twice = put_in_order(changed);
    if (twice) return false;
    if (is_crowded) return true;  // the rest is only looked at for keys that come twice
    copy_until(place);
    const key_format::bucket_view old(buckets_ + copied);
    if (const auto i = only_other_outcome(old, changed)) {
      copy_until(key_format::behind(place));
      out.set_outcome(old.size_bytes() - old.outcome_offset(*i), key_format::bucket_entry(changed[0]).outcome);
      return true;
    }
    apply(old, changed, bucket);
    is_crowded = bucket.size() > key_format::bucket_count_max;
    if (is_crowded) return true;
    copied += old.size_bytes();
    key_count += bucket.size() - old.count();
    out.add_bucket(bucket);
    return true;
  });
  if (twice) return unexpected(*twice);
  if (is_crowded) return rebuilt(changes, outcomes);
  const std::uint64_t buckets = group_count_ * key_format::group_buckets;
  const bool is_sparse = group_count_ > 1 && key_count < buckets * key_format::keys_per_bucket / 2;
  const bool is_dense = key_count > buckets * key_format::keys_per_bucket * 3 / 2;
  if (is_sparse || is_dense) return rebuilt(changes, outcomes);
  copy_until({group_count_, 0});
  return key_table(std::move(out).finish(key_count));
}

/// The index of a key that is here already, where all that happens to the bucket is that it gets another outcome.
inline std::optional<std::size_t> key_table::only_other_outcome(const key_format::bucket_view& old,
                                                                std::span<const nearby_row> changed) {
  if (changed.size() != 1 || !changed[0].has_outcome()) return std::nullopt;
  return old.index_among(old.with_tag(changed[0].tag()), changed[0].key());
}

/// The entries of one bucket after its changes, or one more than it can hold.
inline void key_table::apply(const key_format::bucket_view& old, std::span<const nearby_row> changed, entries& bucket) {
  bucket.clear();
  for (std::size_t i = 0; i < old.count(); ++i) {
    const key_format::bucket_entry entry{old.tag(i), old.key(i), old.outcome(i)};
    const bool stays = std::none_of(changed.begin(), changed.end(), [&entry](const nearby_row& each) {
      return each.tag() == entry.tag && each.key() == entry.key;
    });
    if (stays) bucket.push_back(entry);
  }
  for (const nearby_row& each : changed) {
    if (bucket.size() > key_format::bucket_count_max) return;  // too many already, whoever chose the keys
    if (!each.has_outcome()) continue;
    const key_format::bucket_entry added = each;
    const auto behind = std::find_if(bucket.begin(), bucket.end(), [&added](const key_format::bucket_entry& other) {
      return key_format::comes_before(added, other);
    });
    bucket.insert(behind, added);
  }
}

/// Whether so many texts are enough for every outcome that is here.
inline bool key_table::can_have(std::size_t outcome_count) const {
  bool is_enough = true;
  for_each([&](std::string_view, std::uint16_t outcome) { is_enough = is_enough && outcome < outcome_count; });
  return is_enough;
}

/// Whether a look-up of this key, which lies in the table, comes to this place. In a table that somebody else wrote a
/// key may lie where no look-up goes, and so lie there twice.
inline bool key_table::is_found(std::string_view stored) const {
  const prepared asked = prepare(hash_of_(stored), stored);
  const key_format::bucket_view bucket(bucket_of(asked));
  const auto i = bucket.index_among(bucket.with_tag(asked.tag), stored);
  return i && bucket.key(*i).data() == stored.data();
}

/// The same as `merged`, from the rows: for another number of buckets, or another seed.
inline expected<key_table, build_error> key_table::rebuilt(std::span<const key_change> changes,
                                                           std::span<const std::string_view> outcomes) const {
  std::unordered_map<std::string_view, std::size_t> pending;
  pending.reserve(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto [first, is_new] = pending.emplace(changes[i].key, i);
    if (!is_new) return unexpected(build_error{key_table_error::duplicate_key, first->second, i});
  }
  std::vector<key_row> rows;
  rows.reserve(size() + changes.size());
  for_each([&](std::string_view key, std::uint16_t outcome) {
    if (is_found(key) && !pending.contains(key)) rows.push_back({key, outcome});
  });
  for (const key_change& each : changes) {
    if (each.outcome) rows.push_back({each.key, *each.outcome});
  }
  auto table = build(rows, header_.seed, outcomes, memory_.resource());
  // Each row is good, and there once: what is left to go wrong is no single change's fault.
  if (!table) return unexpected(build_error{table.error().what, 0, 0});
  return table;
}

inline expected<key_table, open_error> key_table::open(std::span<const std::byte> bytes,
                                                       std::pmr::memory_resource* resource) {
  if (bytes.size() < sizeof(key_format::header)) return unexpected(open_error::too_short);
  arena memory(bytes.size(), resource);
  std::memcpy(memory.data(), bytes.data(), sizeof(key_format::header));
  std::byte* const to = memory.data();
  return open(std::move(memory), [to, bytes](std::size_t offset, std::span<const std::byte> block, std::size_t index) {
    return key_format::copy_and_sum_block(to + offset, bytes.subspan(offset, block.size()), index);
  });
}

inline expected<key_table, open_error> key_table::open(arena memory) {
  return open(std::move(memory), [](std::size_t, std::span<const std::byte> block, std::size_t index) {
    return key_format::block_sum(block, index);
  });
}

template <class Bring>
expected<key_table, open_error> key_table::open(arena memory, Bring&& bring) {
  auto check = key_table_check::begin(std::as_const(memory).bytes());
  if (!check) return unexpected(check.error());
  for (auto block = check->next_block(); !block.empty(); block = check->next_block()) {
    check->add_block(bring(static_cast<std::size_t>(block.data() - memory.data()), block, check->next_index()));
  }
  if (const auto error = check->finish()) return unexpected(*error);
  return key_table(std::move(memory));
}

}  // namespace cellroute
