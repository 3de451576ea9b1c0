#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/hash_order.hpp"
#include "cellroute/table/key_format.hpp"

namespace cellroute {

/// A routing key and the number of its outcome.
struct key_row {
  std::string_view key;  ///< 1 to 256 bytes of any value
  std::uint16_t outcome = 0;
};

/// What becomes of one key in an update: a new outcome, or none at all any more.
struct key_change {
  std::string_view key;
  std::optional<std::uint16_t> outcome;  ///< empty: erased, if it was there
};

/// Why rows make no table.
enum class key_table_error {
  empty_key,
  key_too_long,
  duplicate_key,
  too_many_keys,         ///< 2^32 of them, or 8 GiB of memory
  outcome_out_of_range,  ///< a row's outcome is not in the list of outcomes
  bad_outcome_text,      ///< empty or with a line end, or more than 65,535 of them, or fewer than before
  unlucky_seed,          ///< sixteen seeds in a row put more than 32 keys into one bucket: not by chance
};

[[nodiscard]] constexpr std::string_view to_string(key_table_error error) {
  switch (error) {
    case key_table_error::empty_key:
      return "empty_key";
    case key_table_error::key_too_long:
      return "key_too_long";
    case key_table_error::duplicate_key:
      return "duplicate_key";
    case key_table_error::too_many_keys:
      return "too_many_keys";
    case key_table_error::outcome_out_of_range:
      return "outcome_out_of_range";
    case key_table_error::bad_outcome_text:
      return "bad_outcome_text";
    case key_table_error::unlucky_seed:
      return "unlucky_seed";
  }
  return {};
}

/// Why rows make no table, and which of them: indices into the rows, or into the list of outcomes.
struct build_error {
  key_table_error what{};
  std::size_t row = 0;
  std::size_t other_row = 0;  ///< of `duplicate_key`: the later one of the two
  friend bool operator==(const build_error&, const build_error&) = default;
};

/// Why bytes are no table.
enum class open_error {
  too_short,
  bad_magic,
  bad_endian_mark,  ///< written on a machine with another order of bytes
  unknown_version,
  bad_size,  ///< cut off, or with something behind its end, or its counts do not add up
  bad_checksum,
  bad_directory,
  bad_bucket,
  bad_outcomes,
  side_table_unknown,  ///< has a part that this version cannot read
};

[[nodiscard]] constexpr std::string_view to_string(open_error error) {
  switch (error) {
    case open_error::too_short:
      return "too_short";
    case open_error::bad_magic:
      return "bad_magic";
    case open_error::bad_endian_mark:
      return "bad_endian_mark";
    case open_error::unknown_version:
      return "unknown_version";
    case open_error::bad_size:
      return "bad_size";
    case open_error::bad_checksum:
      return "bad_checksum";
    case open_error::bad_directory:
      return "bad_directory";
    case open_error::bad_bucket:
      return "bad_bucket";
    case open_error::bad_outcomes:
      return "bad_outcomes";
    case open_error::side_table_unknown:
      return "side_table_unknown";
  }
  return {};
}

/// Routing key -> outcome, for millions of keys: one arena in hash order, `key_format.hpp` tells its bytes.
///
/// A look-up reads one line of the directory and one bucket. The bytes are a function of the rows, the seed and the
/// outcomes, not of the order of the rows. The values are numbers of outcomes; their texts, one line each, go along in
/// the bytes.
///
/// Threads: const from birth; every function may run on many threads at once.
template <class Allocator = std::allocator<std::byte>>
class basic_key_table {
 public:
  using arena = basic_arena<Allocator>;

  /// A look-up under way: the directory line has been asked for. Holds while the key and the table do.
  struct prepared {
    std::string_view key;
    const key_format::group* group = nullptr;
    std::uint8_t slot = 0;
    std::uint8_t tag = 0;
  };

  /// A table without keys.
  basic_key_table() : basic_key_table(*build({}, 0)) {}

  /// Builds a table from rows in any order.
  ///
  /// `outcomes` are the texts behind the numbers; without any, every number is allowed and has no text. `seed` should
  /// be random where strangers choose keys; where it puts too many into one bucket, the next one is taken.
  /// Errors: `key_table_error`, with a row that shows it.
  /// Cost:   about 60 ns a row; while it runs, the keys once more and 12 bytes a row beside the result.
  [[nodiscard]] static expected<basic_key_table, build_error> build(std::span<const key_row> rows, std::uint64_t seed,
                                                                    std::span<const std::string_view> outcomes = {},
                                                                    const Allocator& allocator = {});

  /// The table after some changes; this one stays as it is.
  ///
  /// `outcomes` may be longer than before, never shorter; empty means the same as before.
  /// Errors: as in `build`; rows are those of `changes`. A key may occur once.
  /// Cost:   one copy of all bytes; each changed bucket is written anew. Where the count has moved far from that at the
  ///         last build, it is a build.
  [[nodiscard]] expected<basic_key_table, build_error> merged(std::span<const key_change> changes,
                                                              std::span<const std::string_view> outcomes = {}) const;

  /// A table out of bytes that anybody may have written: a copy of them is checked, every bound of it, and kept.
  ///
  /// What is not checked is whether each key lies where its hash belongs; one that does not is never found.
  [[nodiscard]] static expected<basic_key_table, open_error> open(std::span<const std::byte> bytes,
                                                                  const Allocator& allocator = {});

  /// As above, for bytes that were read straight into an arena.
  [[nodiscard]] static expected<basic_key_table, open_error> open(arena memory);

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
    return key_format::bucket_view(locate(asked)).find(asked.key, asked.tag);
  }

  /// Looks up many keys at once: their waits for memory overlap, which makes each several times cheaper.
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

  [[nodiscard]] std::size_t size() const { return header_.key_count; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::uint64_t seed() const { return header_.seed; }

  /// The texts of the outcomes, as views into the table; empty where none were given.
  [[nodiscard]] std::span<const std::string_view> outcomes() const { return outcomes_; }

  /// The whole table as it is stored and sent; `open` reads it.
  [[nodiscard]] std::span<const std::byte> bytes() const { return memory_.bytes(); }

  /// What the table holds from its allocator.
  [[nodiscard]] std::size_t memory_bytes() const {
    return memory_.capacity_bytes() + outcomes_.capacity() * sizeof(std::string_view);
  }

 private:
  /// Range: `memory` holds a whole and valid table.
  explicit basic_key_table(arena memory) : memory_(std::move(memory)), hash_of_(0) {
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

  [[nodiscard]] prepared prepare(std::uint64_t hash, std::string_view key) const noexcept {
    const key_format::bucket_place place = key_format::place_of(hash, group_count_);
    return {key, groups_ + place.group, static_cast<std::uint8_t>(place.slot), key_format::tag_of(hash)};
  }

  /// The bucket of a prepared key, asked for: three lines at once, which hold all but a few buckets.
  [[nodiscard]] const std::byte* locate(const prepared& asked) const noexcept {
    const std::byte* bucket = buckets_ + 2 * (std::size_t{asked.group->base} + asked.group->within[asked.slot]);
    prefetch(bucket);
    prefetch(bucket + 64);
    prefetch(bucket + 128);
    return bucket;
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
  class writer;
  using entries = std::vector<key_format::bucket_entry>;
  static constexpr int seeds_max = 16;

  static std::optional<build_error> check_outcomes(std::span<const std::string_view> outcomes);
  static std::optional<build_error> check_row(std::string_view key, std::optional<std::uint16_t> outcome,
                                              std::size_t outcome_count, std::size_t row);
  static std::optional<build_error> put_in_order(std::span<nearby_row> bucket);
  static void apply(const key_format::bucket_view& old, std::span<const nearby_row> changed, entries& bucket);
  /// Where a bucket starts, or behind the last one their end.
  [[nodiscard]] std::size_t offset_of(key_format::bucket_place place) const {
    if (place.group == group_count_) return header_.bucket_bytes;
    return 2 * (std::size_t{groups_[place.group].base} + groups_[place.group].within[place.slot]);
  }
  expected<basic_key_table, build_error> rebuilt(std::span<const key_change> changes,
                                                 std::span<const std::string_view> outcomes) const;
  static std::optional<open_error> check(std::span<const std::byte> bytes, std::uint64_t sum);
  static std::optional<open_error> check_buckets(const key_format::header& header, const std::byte* bytes);

  arena memory_;
  key_format::header header_;
  text_hasher hash_of_;
  std::uint64_t group_count_ = 0;
  const key_format::group* groups_ = nullptr;  // into `memory_`, as all below
  const std::byte* buckets_ = nullptr;
  std::vector<std::string_view> outcomes_;
};

using key_table = basic_key_table<>;

template <class Allocator>
void basic_key_table<Allocator>::find_batch(std::span<const std::string_view> keys,
                                            std::span<std::optional<std::uint16_t>> found) const noexcept {
  assert(keys.size() == found.size());
  constexpr std::size_t width = 16;  // about as many misses as a core keeps in flight
  std::array<prepared, width> asked;
  std::array<const std::byte*, width> buckets;
  for (std::size_t start = 0; start < keys.size(); start += width) {
    const std::size_t count = std::min(width, keys.size() - start);
    for (std::size_t i = 0; i < count; ++i) asked[i] = prepare(keys[start + i]);
    for (std::size_t i = 0; i < count; ++i) buckets[i] = locate(asked[i]);
    for (std::size_t i = 0; i < count; ++i) {
      found[start + i] = key_format::bucket_view(buckets[i]).find(asked[i].key, asked[i].tag);
    }
  }
}

/// Fills an arena from front to back: buckets as they come, then the outcomes and the header.
template <class Allocator>
class basic_key_table<Allocator>::writer {
 public:
  /// Range: `bucket_bytes_max` is enough for all buckets.
  writer(std::uint64_t seed, std::uint64_t group_count, std::size_t bucket_bytes_max,
         std::span<const std::string_view> outcomes, const Allocator& allocator)
      : outcomes_(outcomes) {
    header_.seed = seed;
    header_.group_count = group_count;
    header_.bucket_bytes = bucket_bytes_max;
    header_.outcome_count = outcomes.size();
    for (const std::string_view text : outcomes) header_.outcome_bytes += text.size() + 1;
    const key_format::layout at(header_);
    memory_ = arena(at.end, allocator);
    groups_ = static_cast<key_format::group*>(static_cast<void*>(memory_.data() + sizeof header_));
    buckets_ = memory_.data() + at.buckets;
    next_ = buckets_;
    first_block_ = next_block_ = key_format::block_count(at.buckets - sizeof header_);
  }

  /// How many bytes of buckets there are.
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(next_ - buckets_); }

  /// Writes the next bucket.
  template <class Entries>
  void add_bucket(const Entries& bucket) {
    place_next(offset());
    next_ += key_format::write_bucket(next_, bucket);
    sum_full_blocks();
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
    while (size_bytes > 0) {
      const std::size_t part = std::min(size_bytes, key_format::block_bytes);
      std::memcpy(next_, from, part);
      next_ += part;
      from += part;
      size_bytes -= part;
      sum_full_blocks();
    }
  }

  basic_key_table finish(std::uint64_t key_count) && {
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
    const std::span<const std::byte> behind = behind_header();
    for (std::size_t i = 0; i < first_block_; ++i) sum_ += key_format::block_sum(behind, i);
    for (std::size_t i = next_block_; i < key_format::block_count(behind.size()); ++i)
      sum_ += key_format::block_sum(behind, i);
    header_.checksum = sum_ + key_format::header_sum(header_);
    std::memcpy(memory_.data(), &header_, sizeof header_);
    return basic_key_table(std::move(memory_));
  }

 private:
  /// Says in the directory that the next bucket starts at `offset`.
  void place_next(std::size_t offset) {
    key_format::group& group = groups_[at_.group];
    if (at_.slot == 0) group.base = static_cast<std::uint32_t>(offset / 2);
    group.within[at_.slot] = static_cast<std::uint16_t>(offset / 2 - group.base);
    if (++at_.slot == key_format::group_buckets) at_ = {at_.group + 1, 0};
  }

  void fill_zero(std::size_t until) {
    std::byte* end = memory_.data() + until;
    std::fill(next_, end, std::byte{0});
    next_ = end;
  }

  [[nodiscard]] std::span<const std::byte> behind_header() const { return memory_.bytes().subspan(sizeof header_); }

  /// The directory is written along with the buckets: only the blocks behind it are final once they are full.
  void sum_full_blocks() {
    const auto full = static_cast<std::size_t>(next_ - memory_.data()) - sizeof header_;
    for (; (next_block_ + 1) * key_format::block_bytes <= full; ++next_block_) {
      sum_ += key_format::block_sum(behind_header(), next_block_);
    }
  }

  arena memory_;
  key_format::header header_;
  std::uint64_t sum_ = 0;
  std::size_t first_block_ = 0;  // the first one without a part of the directory
  std::size_t next_block_ = 0;   // the first one after that which is not summed yet
  std::span<const std::string_view> outcomes_;
  key_format::group* groups_ = nullptr;
  std::byte* buckets_ = nullptr;
  std::byte* next_ = nullptr;
  key_format::bucket_place at_;  // the bucket that comes next
};

template <class Allocator>
std::optional<build_error> basic_key_table<Allocator>::check_outcomes(std::span<const std::string_view> outcomes) {
  if (outcomes.size() > key_format::outcomes_max) {
    return build_error{key_table_error::bad_outcome_text, key_format::outcomes_max, 0};
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].empty() || outcomes[i].find('\n') != std::string_view::npos) {
      return build_error{key_table_error::bad_outcome_text, i, 0};
    }
  }
  return std::nullopt;
}

template <class Allocator>
std::optional<build_error> basic_key_table<Allocator>::check_row(std::string_view key,
                                                                 std::optional<std::uint16_t> outcome,
                                                                 std::size_t outcome_count, std::size_t row) {
  if (key.empty()) return build_error{key_table_error::empty_key, row, 0};
  if (key.size() > key_size_max) return build_error{key_table_error::key_too_long, row, 0};
  if (outcome && outcome_count > 0 && *outcome >= outcome_count) {
    return build_error{key_table_error::outcome_out_of_range, row, 0};
  }
  return std::nullopt;
}

template <class Allocator>
expected<basic_key_table<Allocator>, build_error> basic_key_table<Allocator>::build(
    std::span<const key_row> rows, std::uint64_t seed, std::span<const std::string_view> outcomes,
    const Allocator& allocator) {
  constexpr std::size_t bucket_bytes_limit = std::size_t{2} << 32;  // what 32-bit offsets in units of 2 bytes reach
  if (const auto error = check_outcomes(outcomes)) return unexpected(*error);
  if (rows.size() >= std::size_t{1} << 32)
    return unexpected(build_error{key_table_error::too_many_keys, rows.size() - 1, 0});
  std::size_t key_bytes = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (const auto error = check_row(rows[i].key, rows[i].outcome, outcomes.size(), i)) return unexpected(*error);
    key_bytes += rows[i].key.size();
  }
  constexpr std::size_t group_keys = key_format::keys_per_bucket * key_format::group_buckets;
  const std::size_t group_count = std::max<std::size_t>(1, (rows.size() + group_keys - 1) / group_keys);
  // An empty bucket takes 2 bytes; the others one for the count, at most one to stay even, and their entries.
  const std::size_t bucket_bytes = 2 * group_count * key_format::group_buckets + 4 * rows.size() + key_bytes;
  if (bucket_bytes > bucket_bytes_limit)
    return unexpected(build_error{key_table_error::too_many_keys, rows.size() - 1, 0});

  for (int attempt = 0; attempt < seeds_max; ++attempt, seed = mix(seed)) {
    const bucket_order<Allocator> order(rows, seed, group_count, allocator);
    writer out(seed, group_count, bucket_bytes, outcomes, allocator);
    std::optional<build_error> twice;
    bool is_crowded = false;
    order.for_each_bucket([&](key_format::bucket_place place, std::span<nearby_row> bucket) {
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
    return std::move(out).finish(rows.size());
  }
  return unexpected(build_error{key_table_error::unlucky_seed, 0, 0});
}

/// Equal tags go by key, so that the bytes of a table do not tell in which order its rows came.
template <class Allocator>
std::optional<build_error> basic_key_table<Allocator>::put_in_order(std::span<nearby_row> bucket) {
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

template <class Allocator>
expected<basic_key_table<Allocator>, build_error> basic_key_table<Allocator>::merged(
    std::span<const key_change> changes, std::span<const std::string_view> outcomes) const {
  if (outcomes.empty()) outcomes = outcomes_;
  if (const auto error = check_outcomes(outcomes)) return unexpected(*error);
  if (outcomes.size() < outcomes_.size()) {
    return unexpected(build_error{key_table_error::bad_outcome_text, outcomes.size(), 0});
  }
  std::size_t bytes_added = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (const auto error = check_row(changes[i].key, changes[i].outcome, outcomes.size(), i)) return unexpected(*error);
    bytes_added += key_format::entry_bytes(changes[i].key.size()) + 1;  // 1: a bucket may become odd
  }
  const bucket_order<Allocator> order(changes, header_.seed, group_count_, memory_.allocator());

  // The old buckets lie one behind the other, so what lies between two changed ones is one copy, and its offsets all
  // move by the same distance.
  writer out(header_.seed, group_count_, header_.bucket_bytes + bytes_added, outcomes, memory_.allocator());
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
  order.for_each_bucket([&](key_format::bucket_place place, std::span<nearby_row> changed) {
    twice = put_in_order(changed);
    if (twice) return false;
    if (is_crowded) return true;  // the rest is only looked at for keys that come twice
    copy_until(place);
    const key_format::bucket_view old(buckets_ + copied);
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
  return std::move(out).finish(key_count);
}

/// The entries of one bucket after its changes, or one more than it can hold.
template <class Allocator>
void basic_key_table<Allocator>::apply(const key_format::bucket_view& old, std::span<const nearby_row> changed,
                                       entries& bucket) {
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

/// The same as `merged`, from the rows: for another number of buckets, or another seed.
template <class Allocator>
expected<basic_key_table<Allocator>, build_error> basic_key_table<Allocator>::rebuilt(
    std::span<const key_change> changes, std::span<const std::string_view> outcomes) const {
  std::unordered_map<std::string_view, std::optional<std::uint16_t>> pending;
  pending.reserve(changes.size());
  for (const key_change& each : changes) pending.emplace(each.key, each.outcome);
  std::vector<key_row> rows;
  rows.reserve(size() + changes.size());
  for_each([&](std::string_view key, std::uint16_t outcome) {
    if (!pending.contains(key)) rows.push_back({key, outcome});
  });
  for (const key_change& each : changes) {
    if (each.outcome) rows.push_back({each.key, *each.outcome});
  }
  return build(rows, header_.seed, outcomes, memory_.allocator());
}

template <class Allocator>
expected<basic_key_table<Allocator>, open_error> basic_key_table<Allocator>::open(std::span<const std::byte> bytes,
                                                                                  const Allocator& allocator) {
  constexpr std::size_t head = sizeof(key_format::header);
  if (bytes.size() < head) return unexpected(open_error::too_short);
  arena memory(bytes.size(), allocator);
  std::memcpy(memory.data(), bytes.data(), head);
  const std::span<const std::byte> behind = memory.bytes().subspan(head);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < key_format::block_count(behind.size()); ++i) {
    const std::size_t start = head + i * key_format::block_bytes;
    std::memcpy(memory.data() + start, bytes.data() + start, std::min(key_format::block_bytes, bytes.size() - start));
    sum += key_format::block_sum(behind, i);  // while it is in the cache
  }
  if (const auto error = check(memory.bytes(), sum)) return unexpected(*error);
  return basic_key_table(std::move(memory));
}

template <class Allocator>
expected<basic_key_table<Allocator>, open_error> basic_key_table<Allocator>::open(arena memory) {
  const std::span<const std::byte> bytes = std::as_const(memory).bytes();
  if (bytes.size() < sizeof(key_format::header)) return unexpected(open_error::too_short);
  const std::span<const std::byte> behind = bytes.subspan(sizeof(key_format::header));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < key_format::block_count(behind.size()); ++i) sum += key_format::block_sum(behind, i);
  if (const auto error = check(bytes, sum)) return unexpected(*error);
  return basic_key_table(std::move(memory));
}

/// Every look-up reads only what is checked here: no offset, count or length is believed. `sum` is that of all blocks.
template <class Allocator>
std::optional<open_error> basic_key_table<Allocator>::check(std::span<const std::byte> bytes, std::uint64_t sum) {
  key_format::header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != key_format::magic) return open_error::bad_magic;
  if (header.endian_mark != key_format::endian_mark) return open_error::bad_endian_mark;
  if (header.version != key_format::version) return open_error::unknown_version;
  if (header.side_bytes != 0) return open_error::side_table_unknown;
  // Each part is smaller than the whole: after this no sum or product below can overflow.
  const std::uint64_t whole = bytes.size();
  if (whole >= std::uint64_t{1} << 40 || header.size_bytes != whole || header.group_count == 0 ||
      header.group_count > whole / sizeof(key_format::group) || header.bucket_bytes > whole ||
      header.outcome_bytes > whole || header.outcome_count > key_format::outcomes_max) {
    return open_error::bad_size;
  }
  const key_format::layout at(header);
  if (at.end != whole) return open_error::bad_size;
  if (sum + key_format::header_sum(header) != header.checksum) return open_error::bad_checksum;

  const auto* text = static_cast<const char*>(static_cast<const void*>(bytes.data() + at.outcomes));
  std::string_view outcomes(text, header.outcome_bytes);
  std::uint64_t lines = 0;
  for (; !outcomes.empty(); ++lines) {
    const std::size_t end = outcomes.find('\n');
    if (end == 0 || end == std::string_view::npos) return open_error::bad_outcomes;
    outcomes.remove_prefix(end + 1);
  }
  if (lines != header.outcome_count) return open_error::bad_outcomes;
  return check_buckets(header, bytes.data());
}

template <class Allocator>
std::optional<open_error> basic_key_table<Allocator>::check_buckets(const key_format::header& header,
                                                                    const std::byte* bytes) {
  const auto* groups = static_cast<const key_format::group*>(static_cast<const void*>(bytes + sizeof header));
  const std::byte* buckets = bytes + key_format::layout(header).buckets;
  const auto start_of = [&](std::size_t g, std::size_t slot) -> std::size_t {
    return g < header.group_count ? 2 * (std::size_t{groups[g].base} + groups[g].within[slot]) : header.bucket_bytes;
  };
  std::uint64_t key_count = 0;
  std::uint16_t outcome_max = 0;
  if (start_of(0, 0) != 0) return open_error::bad_directory;
  for (std::size_t g = 0; g < header.group_count; ++g) {
    for (std::size_t slot = 0; slot < key_format::group_buckets; ++slot) {
      // The buckets lie one behind the other. Both ends come from the directory, so that no read waits for the one
      // before.
      const std::size_t start = start_of(g, slot);
      const std::size_t end = slot + 1 < key_format::group_buckets ? start_of(g, slot + 1) : start_of(g + 1, 0);
      if (end <= start || end > header.bucket_bytes) return open_error::bad_directory;
      const key_format::bucket_view bucket(buckets + start);
      if (!bucket.has_size(end - start)) return open_error::bad_bucket;
      key_count += bucket.count();
      outcome_max = std::max(outcome_max, bucket.outcome_max());
    }
  }
  if (key_count != header.key_count) return open_error::bad_size;
  if (header.outcome_count > 0 && key_count > 0 && outcome_max >= header.outcome_count) return open_error::bad_outcomes;
  return std::nullopt;
}

}  // namespace cellroute
