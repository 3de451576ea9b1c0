#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "cellroute/base/hash.hpp"
#include "cellroute/base/simd.hpp"

/// The bytes of a key table: in memory, in a file and on the wire the same, offsets only.
///
///   header      128 bytes
///   directory   32 bytes for each group of 14 buckets
///   buckets     in hash order, each at an even offset
///   padding     64 bytes of 0, so that a vector may be read at the last bucket
///   outcomes    a line of text for each outcome, ended by \n
///   side table  empty in this version
///   padding     to a multiple of 64
///
/// The checksum is a sum over blocks of 16 KiB behind the header, so that each can be summed when it is in the cache,
/// in any order.
///
/// A bucket is [count][tags][lengths - 1][outcomes, 16 bits][keys]: the tags and lengths of a bucket lie together for
/// one vector compare and one vector sum. A length is stored less one, so that one byte holds 1 to 256.
///
/// A directory entry never straddles two cache lines: 4 bytes for the group and 2 for each of 14 buckets are half a
/// line. The offsets count in units of 2 bytes, so that 13 buckets of 32 keys of 256 bytes stay below 2^16 units.
///
/// Rejected, by measurement (bench/table.cpp has the figures): a walk over entries without tags, +10 to 15 ns; no
/// directory and fixed buckets, +12 bytes a key; minimal perfect hashes, as many reads and 3 times the build.
namespace cellroute::key_format {

inline constexpr std::size_t bucket_count_max = 32;  ///< keys in a bucket; the builder takes another seed beyond
inline constexpr std::size_t group_buckets = 14;
inline constexpr std::size_t keys_per_bucket = 4;      ///< the mean; 8 costs 40 % of the speed for 0.4 bytes a key
inline constexpr std::size_t typical_head_bytes = 31;  ///< count, tags, lengths and outcomes of up to 7 keys, and more
inline constexpr std::size_t padding_bytes = 64;
inline constexpr std::size_t outcomes_max = 65'535;
inline constexpr std::size_t bucket_bytes_max = std::size_t{2} << 32;  ///< the reach of 32 bits, in units of 2 bytes

/// Whether the directory can say where so many bytes of buckets lie.
[[nodiscard]] constexpr bool fits(std::size_t bucket_bytes) { return bucket_bytes <= bucket_bytes_max; }

// Text, which is the same in every order of bytes.
inline constexpr std::array<char, 8> magic = {'c', 'l', 'r', 'y', '_', 't', 'b', 'l'};
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t endian_mark = 0x01020304;  ///< reads otherwise where bytes are in another order

/// The first bytes, as they are in memory: each number in the order of the machine that wrote it.
struct header {
  std::array<char, 8> magic = key_format::magic;
  std::uint32_t version = key_format::version;
  std::uint32_t endian_mark = key_format::endian_mark;
  std::uint64_t size_bytes = 0;  ///< of all, this header included
  std::uint64_t seed = 0;
  std::uint64_t key_count = 0;
  std::uint64_t group_count = 0;
  std::uint64_t bucket_bytes = 0;
  std::uint64_t outcome_count = 0;
  std::uint64_t outcome_bytes = 0;
  std::uint64_t side_bytes = 0;
  std::uint64_t reserved[5] = {};
  std::uint64_t checksum = 0;  ///< of every other byte
};
static_assert(sizeof(header) == 128);

/// The directory's line for 14 buckets.
struct group {
  std::uint32_t base = 0;  ///< where the first bucket starts, in units of 2 bytes from the first of all
  std::uint16_t within[group_buckets] = {};  ///< where each bucket starts, in units of 2 bytes from `base`
};
static_assert(sizeof(group) == 32);

/// A block of the checksum: half of a core's own cache, so that it is still there for the walk over its buckets.
inline constexpr std::size_t block_bytes = std::size_t{16} << 10;

/// The part of the checksum that the header has: all of it but the checksum.
[[nodiscard]] inline std::uint64_t header_sum(const header& h) {
  return checksum(std::as_bytes(std::span(&h, 1)).first(sizeof h - sizeof h.checksum));
}

/// The part of the checksum that block `index` has.
[[nodiscard]] inline std::uint64_t block_sum(std::span<const std::byte> block, std::size_t index) {
  return checksum(block, index + 1);
}

/// As above, of a block that is copied to `to` on the way.
[[nodiscard]] inline std::uint64_t copy_and_sum_block(std::byte* to, std::span<const std::byte> block,
                                                      std::size_t index) {
  return copy_and_checksum(to, block, index + 1);
}

/// The checksum of a table with that header; `behind` is all that follows it.
[[nodiscard]] inline std::uint64_t checksum_of(const header& h, std::span<const std::byte> behind) {
  std::uint64_t sum = header_sum(h);
  for (std::size_t i = 0; !behind.empty(); ++i) {
    const std::size_t size = std::min(block_bytes, behind.size());
    sum += block_sum(behind.first(size), i);
    behind = behind.subspan(size);
  }
  return sum;
}

/// Where the parts lie, as far as the counts of a header say.
struct layout {
  std::size_t buckets = 0;
  std::size_t outcomes = 0;
  std::size_t end = 0;

  /// Range: every count below 2^40.
  explicit constexpr layout(const header& h)
      : buckets(sizeof(header) + h.group_count * sizeof(group)),
        outcomes(buckets + h.bucket_bytes + padding_bytes),
        end((outcomes + h.outcome_bytes + h.side_bytes + 63) / 64 * 64) {}
};

/// The bucket in which a hash belongs: its number grows with the hash.
struct bucket_place {
  std::uint64_t group = 0;
  std::uint64_t slot = 0;
  friend bool operator==(const bucket_place&, const bucket_place&) = default;
};

/// Where a key with that hash lies, or would.
[[nodiscard]] constexpr bucket_place place_of(std::uint64_t hash, std::uint64_t group_count) {
  // The product's high half is the group; its low half, what is left of the hash, again spreads evenly over the slots.
  return {scale(hash, group_count), scale(hash * group_count, group_buckets)};
}

/// The place of the bucket behind that one.
[[nodiscard]] constexpr bucket_place behind(bucket_place place) {
  return place.slot + 1 < group_buckets ? bucket_place{place.group, place.slot + 1} : bucket_place{place.group + 1, 0};
}

/// What tells apart most keys of one bucket without a look at them: bits that had no part in the choice of the bucket.
[[nodiscard]] constexpr std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(hash); }

/// What a key takes of its bucket.
[[nodiscard]] constexpr std::size_t entry_bytes(std::size_t key_size) { return 4 + key_size; }
/// Buckets start at even offsets, because the directory counts in twos.
[[nodiscard]] constexpr std::size_t round_to_even(std::size_t size) { return size + size % 2; }

/// One bucket, read. Where it was not built here, `has_size` comes first.
class bucket_view {
 public:
  explicit bucket_view(const std::byte* at) : at_(static_cast<const std::uint8_t*>(static_cast<const void*>(at))) {}

  /// How many keys there are; `i` below is one of them.
  [[nodiscard]] std::size_t count() const { return at_[0]; }
  [[nodiscard]] std::uint8_t tag(std::size_t i) const { return tags()[i]; }
  [[nodiscard]] std::size_t key_size(std::size_t i) const { return std::size_t{lengths()[i]} + 1; }
  [[nodiscard]] std::size_t key_bytes() const { return sum_bytes(lengths(), count()) + count(); }
  /// How far it is to the next bucket.
  [[nodiscard]] std::size_t size_bytes() const { return round_to_even(1 + 4 * count() + key_bytes()); }

  [[nodiscard]] std::uint16_t outcome(std::size_t i) const {
    std::uint16_t value;
    std::memcpy(&value, at_ + outcome_offset(i), sizeof value);
    return value;
  }

  /// Where the outcome of key i stands, in bytes from the start.
  [[nodiscard]] std::size_t outcome_offset(std::size_t i) const { return 1 + 2 * count() + 2 * i; }

  /// A view into the bucket. Cost: a sum over the lengths before it.
  [[nodiscard]] std::string_view key(std::size_t i) const {
    return {static_cast<const char*>(static_cast<const void*>(key_start(i))), key_size(i)};
  }

  /// Which keys have this tag: bit i is set for key i.
  [[nodiscard, gnu::always_inline]] inline std::uint32_t with_tag(std::uint8_t tag) const {
    return match_mask(tags(), tag, count());
  }

  /// Which of those is `key`. Inlined by order, as what calls it: with a second caller it becomes a call, for 3 ns
  /// of 18.
  [[nodiscard, gnu::always_inline]] inline std::optional<std::size_t> index_among(std::uint32_t candidates,
                                                                                  std::string_view key) const {
    for (; candidates != 0; candidates &= candidates - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(candidates));
      if (is_at(i, key)) return i;
    }
    return std::nullopt;
  }

  /// The outcome of `key`, if it is one of those. A loop of its own: what `index_among` found, asked once more whether
  /// it found anything, costs a twelfth of a look-up.
  [[nodiscard, gnu::always_inline]] inline std::optional<std::uint16_t> find_among(std::uint32_t candidates,
                                                                                   std::string_view key) const {
    for (; candidates != 0; candidates &= candidates - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(candidates));
      if (is_at(i, key)) [[likely]]
        return outcome(i);
    }
    return std::nullopt;
  }

  /// The outcome of `key`, if it is here.
  [[nodiscard, gnu::always_inline]] inline std::optional<std::uint16_t> find(std::string_view key,
                                                                             std::uint8_t tag) const {
    return find_among(with_tag(tag), key);
  }

  /// Asks for the bytes that `find_among` will compare first.
  [[gnu::always_inline]] inline void prefetch_first(std::uint32_t candidates, std::size_t key_size) const {
    if (candidates == 0) return;
    const std::uint8_t* first = key_start(static_cast<std::size_t>(std::countr_zero(candidates)));
    prefetch(first);
    prefetch(first + key_size);
  }

  /// Shows all outcomes to `largest`.
  ///
  /// Range: `has_size` holds.
  [[gnu::always_inline]] inline void add_outcomes_to(largest_word& largest) const {
    largest.add(at_ + outcome_offset(0), count());
  }

  /// Whether the keys are as a writer puts them: by tag, and by key where tags are the same, none twice.
  ///
  /// Range: `has_size` holds.
  [[nodiscard]] bool is_in_order() const {
    for (std::uint32_t doubtful = not_rising_mask(tags(), count()); doubtful != 0; doubtful &= doubtful - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(doubtful));
      if (tag(i) > tag(i + 1) || key(i) >= key(i + 1)) return false;
    }
    return true;
  }

  /// Whether these bytes, whatever they are, make a bucket of that size.
  [[nodiscard]] bool has_size(std::size_t size) const {
    return size >= 2 && count() <= bucket_count_max && 1 + 4 * count() <= size && size_bytes() == size;
  }

 private:
  /// Whether key i is `key`. An empty one wraps round and meets no length.
  [[nodiscard, gnu::always_inline]] inline bool is_at(std::size_t i, std::string_view key) const {
    return lengths()[i] == key.size() - 1 && same_bytes(key_start(i), key.data(), key.size());
  }
  [[nodiscard, gnu::always_inline]] inline const std::uint8_t* key_start(std::size_t i) const {
    return at_ + 1 + 4 * count() + sum_bytes(lengths(), i) + i;
  }
  [[nodiscard]] const std::uint8_t* tags() const { return at_ + 1; }
  [[nodiscard]] const std::uint8_t* lengths() const { return at_ + 1 + count(); }

  const std::uint8_t* at_;
};

/// A row on its way into a bucket. A bucket written here is in the order of tags, and of keys where tags are the same.
struct bucket_entry {
  std::uint8_t tag = 0;
  std::string_view key;
  std::uint16_t outcome = 0;
};

/// The order of a bucket.
[[nodiscard]] inline bool comes_before(const bucket_entry& a, const bucket_entry& b) {
  return a.tag != b.tag ? a.tag < b.tag : a.key < b.key;
}

/// Writes one bucket and returns its size. `Entries` is a range of at most 32 of what converts to a `bucket_entry`.
template <class Entries>
std::size_t write_bucket(std::byte* at, const Entries& entries) {
  const std::size_t count = entries.size();
  std::byte* tags = at + 1;
  std::byte* lengths = tags + count;
  std::byte* outcomes = lengths + count;
  std::byte* keys = outcomes + 2 * count;
  at[0] = static_cast<std::byte>(count);
  for (const bucket_entry each : entries) {
    *tags++ = static_cast<std::byte>(each.tag);
    *lengths++ = static_cast<std::byte>(each.key.size() - 1);
    std::memcpy(outcomes, &each.outcome, sizeof each.outcome);
    outcomes += sizeof each.outcome;
    copy_short(keys, each.key.data(), each.key.size());
    keys += each.key.size();
  }
  if ((keys - at) % 2 != 0) *keys++ = std::byte{0};
  return static_cast<std::size_t>(keys - at);
}

}  // namespace cellroute::key_format
