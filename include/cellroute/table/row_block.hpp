#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/simd.hpp"
#include "cellroute/base/varint.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/key_order.hpp"
#include "cellroute/table/table_rows.hpp"

/// Rows as bytes, in a file and on the wire. All numbers are varints, in their shortest form:
///
///   magic      "crw1"
///   kind       'r' all rows, 'c' changes, 'b' the rows of buckets
///   buckets    only in 'b': how many, then for each how many were left out before it
///   names      how many, then for each its size and its bytes; ascending
///   rows       how many, then for each by key:
///                how many bytes its key has in common with the one before
///                how many follow, less one, and these
///                its outcome: the number of a name; in 'c' one more than that, and 0 for a key that is removed
///
/// The same rows have one form: names and keys ascend, nothing is there twice, no name is idle, and as many bytes as
/// can be are taken from the key before. So an artifact is known by its hash, whoever made it; and that a key is behind
/// the one before is seen by the first byte in which they differ.
///
/// 4.1 bytes a row for a million keys `tenant-00000001` and on. Rejected: a restart point now and then, for reading
/// from the middle, which nobody does; names numbered by how often they are used, since a compressor takes what that
/// saves.
namespace cellroute::row_block {

inline constexpr std::array<char, 4> magic = {'c', 'r', 'w', '1'};

/// What kinds of blocks there are, by the byte behind the magic.
enum class kind : char { rows = 'r', changes = 'c', buckets = 'b' };

/// The least that a row takes; a count that is larger than there is room for is a lie.
inline constexpr std::size_t row_bytes_min = 4;

namespace detail {

class writer {
 public:
  explicit writer(row_block::kind kind) {
    for (const char each : magic) bytes_.push_back(static_cast<std::byte>(each));
    bytes_.push_back(static_cast<std::byte>(kind));
  }

  void number(std::uint64_t value) {
    std::array<std::byte, varint_bytes_max> piece;
    bytes_.insert(bytes_.end(), piece.data(), write_varint(piece.data(), value));
  }

  void buckets(std::span<const std::uint16_t> buckets) {
    number(buckets.size());
    std::size_t next = 0;
    for (const std::uint16_t bucket : buckets) {
      assert(bucket >= next);
      number(bucket - next);
      next = std::size_t{bucket} + 1;
    }
  }

  void names(std::span<const std::string_view> names) {
    number(names.size());
    for (const std::string_view name : names) {
      number(name.size());
      const auto* text = static_cast<const std::byte*>(static_cast<const void*>(name.data()));
      bytes_.insert(bytes_.end(), text, text + name.size());
    }
  }

  /// `number_of` is what stands for a row's outcome.
  template <class Row, class NumberOf>
  void rows(std::span<const Row> rows, NumberOf&& number_of) {
    number(rows.size());
    bytes_.reserve(bytes_.size() + rows.size() * 2 * row_bytes_min);
    std::array<std::byte, 3 * varint_bytes_max + key_size_max> piece;
    std::string_view last;
    for (const Row& row : rows) {
      assert(last < row.key);
      const std::size_t shared = shared_size(last, row.key);
      const std::string_view rest = row.key.substr(shared);
      std::byte* at = write_varint(piece.data(), shared);
      at = write_varint(at, rest.size() - 1);
      copy_short(at, rest.data(), rest.size());
      at = write_varint(at + rest.size(), number_of(row));
      bytes_.insert(bytes_.end(), piece.data(), at);
      last = row.key;
    }
  }

  [[nodiscard]] std::vector<std::byte> finish() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace detail

/// All rows of a table as bytes.
[[nodiscard]] inline std::vector<std::byte> encode(const table_rows& all) {
  detail::writer out(kind::rows);
  out.names(all.names);
  out.rows(std::span(all.rows), [](const key_row& row) { return row.outcome; });
  return std::move(out).finish();
}

/// Changes as bytes.
[[nodiscard]] inline std::vector<std::byte> encode(const row_changes& some) {
  detail::writer out(kind::changes);
  out.names(some.names);
  out.rows(std::span(some.changes),
           [](const key_change& each) { return each.outcome ? std::uint64_t{*each.outcome} + 1 : 0; });
  return std::move(out).finish();
}

/// Buckets as bytes.
[[nodiscard]] inline std::vector<std::byte> encode(const bucket_rows& some) {
  detail::writer out(kind::buckets);
  out.buckets(some.buckets);
  out.names(some.names);
  out.rows(std::span(some.rows), [](const key_row& row) { return row.outcome; });
  return std::move(out).finish();
}

}  // namespace cellroute::row_block
