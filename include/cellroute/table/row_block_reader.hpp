#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/base/simd.hpp"
#include "cellroute/base/varint.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/key_digest.hpp"
#include "cellroute/table/key_format.hpp"
#include "cellroute/table/row_block.hpp"
#include "cellroute/table/table_rows.hpp"
#include "cellroute/table/text_memory.hpp"

namespace cellroute::row_block {

/// Why bytes are no rows.
enum class error {
  cut_off,         ///< there is less than they say
  bad_magic,       ///< something else, or of a version that is not known here
  other_kind,      ///< rows, but not what was asked for
  bad_number,      ///< not in its shortest form, or beyond 64 bits
  bad_bucket,      ///< a digest has no such bucket
  bad_name,        ///< empty, with a line end, not behind the one before, or too many of them
  bad_key,         ///< over 256 bytes, or beginning with more of the key before than that has
  not_ascending,   ///< a key that does not stand behind the one before, or takes less from it than it could
  bad_outcome,     ///< the number of no name
  idle_name,       ///< a name that no row has
  too_large,       ///< beyond the limits that were given
  trailing_bytes,  ///< something behind the last row
};

[[nodiscard]] constexpr std::string_view to_string(error error) {
  switch (error) {
    case error::cut_off:
      return "cut_off";
    case error::bad_magic:
      return "bad_magic";
    case error::other_kind:
      return "other_kind";
    case error::bad_number:
      return "bad_number";
    case error::bad_bucket:
      return "bad_bucket";
    case error::bad_name:
      return "bad_name";
    case error::bad_key:
      return "bad_key";
    case error::not_ascending:
      return "not_ascending";
    case error::bad_outcome:
      return "bad_outcome";
    case error::idle_name:
      return "idle_name";
    case error::too_large:
      return "too_large";
    case error::trailing_bytes:
      return "trailing_bytes";
  }
  return {};
}

/// What the reader of a block has room for. A row of 4 bytes may stand for a key of 256: what was announced, or what a
/// table may have, is what to allow.
struct limits {
  std::uint64_t rows_max = (std::uint64_t{1} << 32) - 1;
  std::uint64_t key_bytes_max = key_format::bucket_bytes_max;
};

namespace detail {

/// Takes a block apart. After the first error there are no more bytes, and nothing that is read means anything.
class reader {
 public:
  reader(std::span<const std::byte> bytes, row_block::kind kind, const limits& allowed)
      : left_(bytes), allowed_(allowed) {
    const std::string_view begin = text(magic.size());
    if (!error_ && !std::equal(magic.begin(), magic.end(), begin.begin())) fail(error::bad_magic);
    const std::string_view is = text(1);
    if (!error_ && is[0] != static_cast<char>(kind)) fail(error::other_kind);
  }

  [[nodiscard]] std::vector<std::uint16_t> buckets() {
    std::vector<std::uint16_t> found;
    std::uint64_t left = number(key_digest::bucket_count, error::bad_bucket);
    for (std::uint64_t next = 0; left > 0 && !error_; --left) {
      if (next == key_digest::bucket_count) fail(error::bad_bucket);
      next += number(key_digest::bucket_count - 1 - next, error::bad_bucket);
      found.push_back(static_cast<std::uint16_t>(next++));
    }
    return found;
  }

  [[nodiscard]] std::vector<std::string_view> names(text_memory& memory) {
    const std::uint64_t count = count_of(2, key_format::outcomes_max, error::bad_name);
    std::vector<std::string_view> found;
    found.reserve(count);
    for (std::string_view last; found.size() < count; found.push_back(last)) {
      const std::string_view name = text(number(left_.size(), error::cut_off));
      if (error_) return {};
      if (name <= last || name.find('\n') != std::string_view::npos) fail(error::bad_name);
      last = memory.keep(name);
    }
    return found;
  }

  /// `set_outcome(row, number)` says whether the number is one.
  template <class Row, class SetOutcome>
  [[nodiscard]] std::vector<Row> rows(text_memory& memory, SetOutcome&& set_outcome) {
    const std::uint64_t count = count_of(row_bytes_min, allowed_.rows_max, error::too_large);
    std::vector<Row> found;
    found.reserve(count);
    std::uint64_t key_bytes = 0;
    for (std::string_view last; found.size() < count;) {
      Row row;
      last = row.key = key_behind(last, memory, key_bytes);
      const std::uint64_t outcome = number(key_format::outcomes_max, error::bad_outcome);
      if (!error_ && !set_outcome(row, outcome)) fail(error::bad_outcome);
      if (error_) return {};
      found.push_back(row);
    }
    return found;
  }

  /// What is wrong with the block, once all of it was read.
  [[nodiscard]] std::optional<error> finish(const std::vector<bool>& is_used) {
    if (!error_ && std::find(is_used.begin(), is_used.end(), false) != is_used.end()) fail(error::idle_name);
    if (!error_ && !left_.empty()) fail(error::trailing_bytes);
    return error_;
  }

 private:
  void fail(error why) {
    if (!error_) error_ = why;
    left_ = {};
  }

  /// A number of at most `most`; a larger one is an error of that kind.
  std::uint64_t number(std::uint64_t most, error beyond) {
    std::uint64_t value = 0;
    if (!left_.empty() && left_[0] < std::byte{0x80}) [[likely]] {
      value = std::to_integer<std::uint64_t>(left_[0]);
      left_ = left_.subspan(1);
    } else if (const auto taken = take_varint(left_)) {
      value = *taken;
    } else {
      fail(taken.error() == varint_error::cut_off ? error::cut_off : error::bad_number);
      return 0;
    }
    if (value <= most) [[likely]]
      return value;
    fail(beyond);
    return 0;
  }

  /// How many things of at least `bytes_min` follow: no more than there is room for, so memory may be taken for them.
  std::uint64_t count_of(std::size_t bytes_min, std::uint64_t most, error beyond) {
    const std::uint64_t count = number(most, beyond);
    if (count <= left_.size() / bytes_min) return count;
    fail(error::cut_off);
    return 0;
  }

  std::string_view text(std::uint64_t size) {
    if (size > left_.size()) {
      fail(error::cut_off);
      return {};
    }
    const auto* at = static_cast<const char*>(static_cast<const void*>(left_.data()));
    left_ = left_.subspan(size);
    return {at, static_cast<std::size_t>(size)};
  }

  /// The key that comes behind `last`; its memory is taken when it is known to be one.
  std::string_view key_behind(std::string_view last, text_memory& memory, std::uint64_t& key_bytes) {
    const std::uint64_t shared = number(std::min(last.size(), key_size_max - 1), error::bad_key);
    const std::string_view rest = text(number(key_size_max - 1 - shared, error::bad_key) + 1);
    if (error_) return {};
    const auto byte = [](char each) { return static_cast<unsigned char>(each); };
    if (shared < last.size() && byte(rest[0]) <= byte(last[shared])) fail(error::not_ascending);
    key_bytes += shared + rest.size();
    if (key_bytes > allowed_.key_bytes_max) fail(error::too_large);
    if (error_) return {};
    char* const at = memory.take(shared + rest.size());
    copy_short(at, last.data(), shared);
    copy_short(at + shared, rest.data(), rest.size());
    return {at, shared + rest.size()};
  }

  std::span<const std::byte> left_;
  limits allowed_;
  std::optional<error> error_;
};

/// Sets the outcome of a row of a table, or of buckets.
inline auto plain_outcome(std::vector<bool>& is_used) {
  return [&is_used](key_row& row, std::uint64_t number) {
    if (number >= is_used.size()) return false;
    is_used[number] = true;
    row.outcome = static_cast<std::uint16_t>(number);
    return true;
  };
}

}  // namespace detail

/// All rows of a table, out of bytes that anybody may have written. `key_table::build` takes its rows and names.
///
/// The rows own their texts, in memory of `resource`.
/// Errors: `error`; nothing is kept then.
/// Cost:   28 ns a row; memory only for what was read, but for the rows: 24 bytes for each 4 that are there.
[[nodiscard]] inline expected<table_rows, error> decode_rows(
    std::span<const std::byte> bytes, const limits& allowed = {},
    std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
  detail::reader in(bytes, kind::rows, allowed);
  table_rows all{{}, {}, text_memory(resource)};
  all.names = in.names(all.memory);
  std::vector<bool> is_used(all.names.size());
  all.rows = in.rows<key_row>(all.memory, detail::plain_outcome(is_used));
  if (const auto wrong = in.finish(is_used)) return unexpected(*wrong);
  return all;
}

/// Changes, for `apply`. As above.
[[nodiscard]] inline expected<row_changes, error> decode_changes(
    std::span<const std::byte> bytes, const limits& allowed = {},
    std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
  detail::reader in(bytes, kind::changes, allowed);
  row_changes some{{}, {}, text_memory(resource)};
  some.names = in.names(some.memory);
  std::vector<bool> is_used(some.names.size());
  some.changes = in.rows<key_change>(some.memory, [&is_used](key_change& change, std::uint64_t number) {
    if (number > is_used.size()) return false;
    if (number == 0) return true;
    is_used[number - 1] = true;
    change.outcome = static_cast<std::uint16_t>(number - 1);
    return true;
  });
  if (const auto wrong = in.finish(is_used)) return unexpected(*wrong);
  return some;
}

/// Buckets, for `changes_to_repair`, which also checks that each row is of one of them. As above.
[[nodiscard]] inline expected<bucket_rows, error> decode_buckets(
    std::span<const std::byte> bytes, const limits& allowed = {},
    std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
  detail::reader in(bytes, kind::buckets, allowed);
  bucket_rows some{{}, {}, {}, text_memory(resource)};
  some.buckets = in.buckets();
  some.names = in.names(some.memory);
  std::vector<bool> is_used(some.names.size());
  some.rows = in.rows<key_row>(some.memory, detail::plain_outcome(is_used));
  if (const auto wrong = in.finish(is_used)) return unexpected(*wrong);
  return some;
}

}  // namespace cellroute::row_block
