#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "cellroute/base/expected.hpp"
#include "cellroute/table/key_format.hpp"

namespace cellroute {

/// Why bytes are no table.
enum class open_error {
  too_short,
  bad_magic,
  bad_endian_mark,  ///< written on a machine with another order of bytes
  unknown_version,
  bad_size,  ///< cut off, or with something behind its end, or its counts do not add up
  bad_checksum,
  bad_directory,
  bad_bucket,  ///< its counts do not add up, or its keys are out of order, or one is there twice
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

/// Whether bytes that anybody may have written are a table: every look-up reads only what is checked here, so no
/// offset, count or length is believed.
///
/// It takes the bytes block by block, so that whoever brings them there (a copy, a read) has each checked while it is
/// in the cache: one pass over the memory where a copy, a sum and a walk over the buckets would take three.
///
/// What is not checked is whether each key lies where its hash belongs; one that does not is never found.
class key_table_check {
 public:
  /// Reads the header; the rest may come later.
  ///
  /// Range:  `bytes` are all there will be, and outlive the check.
  /// Errors: `too_short`, `bad_magic`, `bad_endian_mark`, `unknown_version`, `side_table_unknown`, and `bad_size`
  ///         where its counts do not add up; the others come from `finish`.
  static expected<key_table_check, open_error> begin(std::span<const std::byte> bytes) {
    key_format::header header;
    if (bytes.size() < sizeof header) return unexpected(open_error::too_short);
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != key_format::magic) return unexpected(open_error::bad_magic);
    if (header.endian_mark != key_format::endian_mark) return unexpected(open_error::bad_endian_mark);
    if (header.version != key_format::version) return unexpected(open_error::unknown_version);
    if (header.side_bytes != 0) return unexpected(open_error::side_table_unknown);
    // Each part is smaller than the whole: after this no sum or product below can overflow.
    const std::uint64_t whole = bytes.size();
    if (whole >= std::uint64_t{1} << 40 || header.size_bytes != whole || header.group_count == 0 ||
        header.group_count > whole / sizeof(key_format::group) || header.bucket_bytes > whole ||
        header.outcome_bytes > whole || header.outcome_count > key_format::outcomes_max ||
        key_format::layout(header).end != whole) {
      return unexpected(open_error::bad_size);
    }
    return key_table_check(header, bytes);
  }

  /// The part that `add_block` takes next; empty when it has all.
  [[nodiscard]] std::span<const std::byte> next_block() const {
    return bytes_.subspan(taken_bytes_, std::min(key_format::block_bytes, bytes_.size() - taken_bytes_));
  }

  /// Its index among all.
  [[nodiscard]] std::size_t next_index() const { return block_; }

  /// Takes the next block, which is in its place now and has this `key_format::block_sum`.
  void add_block(std::uint64_t sum) {
    sum_ += sum;
    taken_bytes_ += next_block().size();
    ++block_;
    const bool is_whole = taken_bytes_ == bytes_.size();
    // The directory says where a group's buckets end; wherever that is, the last block brings it, or it is nowhere.
    while (group_ < header_.group_count && !bucket_error_ && (is_whole || taken_bytes_ >= buckets_start_) &&
           (is_whole || buckets_start_ + start_of(group_ + 1) + key_format::padding_bytes <= taken_bytes_)) {
      bucket_error_ = check_group(group_++);
    }
  }

  /// What is wrong, once all blocks are there.
  [[nodiscard]] std::optional<open_error> finish() const {
    if (sum_ + key_format::header_sum(header_) != header_.checksum) return open_error::bad_checksum;
    if (!has_good_outcomes()) return open_error::bad_outcomes;
    if (bucket_error_) return bucket_error_;
    if (key_count_ != header_.key_count) return open_error::bad_size;
    if (header_.outcome_count > 0 && key_count_ > 0 && outcome_max_.value() >= header_.outcome_count) {
      return open_error::bad_outcomes;
    }
    return std::nullopt;
  }

 private:
  key_table_check(const key_format::header& header, std::span<const std::byte> bytes)
      : header_(header),
        bytes_(bytes),
        groups_(static_cast<const key_format::group*>(static_cast<const void*>(bytes.data() + sizeof header))),
        buckets_start_(key_format::layout(header).buckets) {}

  /// Where the buckets of a group start, or behind the last group their end, as far as the directory says.
  [[nodiscard]] std::size_t start_of(std::size_t group) const {
    return group < header_.group_count ? 2 * std::size_t{groups_[group].base} : header_.bucket_bytes;
  }

  std::optional<open_error> check_group(std::size_t index) {
    // The buckets lie one behind the other. Both ends come from the directory, so that no read waits for the one
    // before.
    const key_format::group& group = groups_[index];
    const std::size_t group_end = start_of(index + 1);
    if (group.within[0] != 0 || (index == 0 && group.base != 0) || group_end > header_.bucket_bytes) {
      return open_error::bad_directory;
    }
    const std::byte* buckets = bytes_.data() + buckets_start_;
    std::size_t start = start_of(index);
    std::uint64_t keys = 0;  // these two in registers while the buckets are walked, not in the object
    largest_word outcomes = outcome_max_;
    for (std::size_t slot = 0; slot < key_format::group_buckets; ++slot) {
      const std::size_t end =
          slot + 1 < key_format::group_buckets ? 2 * (std::size_t{group.base} + group.within[slot + 1]) : group_end;
      if (end <= start || end > group_end) return open_error::bad_directory;
      const key_format::bucket_view bucket(buckets + start);
      if (!bucket.has_size(end - start) || !bucket.is_in_order()) return open_error::bad_bucket;
      keys += bucket.count();
      bucket.add_outcomes_to(outcomes);
      start = end;
    }
    key_count_ += keys;
    outcome_max_ = outcomes;
    return std::nullopt;
  }

  [[nodiscard]] bool has_good_outcomes() const {
    const std::byte* start = bytes_.data() + key_format::layout(header_).outcomes;
    std::string_view left(static_cast<const char*>(static_cast<const void*>(start)), header_.outcome_bytes);
    std::uint64_t lines = 0;
    for (; !left.empty(); ++lines) {
      const std::size_t end = left.find('\n');
      if (end == 0 || end == std::string_view::npos) return false;
      left.remove_prefix(end + 1);
    }
    return lines == header_.outcome_count;
  }

  key_format::header header_;
  std::span<const std::byte> bytes_;
  const key_format::group* groups_ = nullptr;  // into `bytes_`
  std::size_t buckets_start_ = 0;
  std::size_t taken_bytes_ = sizeof(key_format::header);
  std::size_t block_ = 0;
  std::uint64_t sum_ = 0;
  std::size_t group_ = 0;  // the next one to be checked
  std::uint64_t key_count_ = 0;
  largest_word outcome_max_;
  std::optional<open_error> bucket_error_;
};

}  // namespace cellroute
