// Any bytes, read as all rows, changes or buckets, as the first byte chooses: they are refused, or are the one form of
// what they say, and a table takes that.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "cellroute/table/key_table.hpp"
#include "cellroute/table/row_block.hpp"
#include "cellroute/table/row_block_reader.hpp"
#include "cellroute/table/table_rows.hpp"

namespace {

using namespace cellroute;

constexpr std::uint64_t salt = 1;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Rows>
void require_same(const Rows& rows, std::span<const std::byte> bytes) {
  require(std::ranges::equal(row_block::encode(rows), bytes));
}

const key_table& some_table() {
  static const key_table table = *apply(key_table(), changes_of({"x", "y"}, {{"a", 0}, {"acme", 1}, {"b", 0}}));
  return table;
}

void use(const table_rows& all, std::span<const std::byte> bytes) {
  require_same(all, bytes);
  const auto table = key_table::build(all.rows, 1, all.names);
  require(table.has_value() && table->size() == all.rows.size());
  require_same(rows_of(*table), bytes);
  require_same(all, bytes);
}

void use(const row_changes& some, std::span<const std::byte> bytes) {
  require_same(some, bytes);
  const auto twice = merged(some, some);
  require(twice.has_value());
  require_same(*twice, bytes);
  const auto table = apply(some_table(), some);
  require(table.has_value());
  for (const key_change& each : some.changes) {
    const auto found = table->find(each.key);
    require(found.has_value() == each.outcome.has_value());
    if (found) require(table->outcomes()[*found] == some.names[*each.outcome]);
  }
  const row_changes again = changes_between(some_table(), *table);
  require(again.changes.size() <= some.changes.size());
}

void use(const bucket_rows& some, std::span<const std::byte> bytes) {
  require_same(some, bytes);
  const auto changes = changes_to_repair(some_table(), some, salt);
  if (!changes) return;
  const auto table = apply(some_table(), *changes);
  require(table.has_value());
  require_same(rows_in_buckets(*table, some.buckets, salt), bytes);
}

template <class Decoded>
void use_if_good(const Decoded& decoded, std::span<const std::byte> bytes) {
  if (decoded) {
    use(*decoded, bytes);
  } else {
    require(!to_string(decoded.error()).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const row_block::limits allowed{.rows_max = 1'000, .key_bytes_max = 100'000};
  if (data[0] % 3 == 0) use_if_good(row_block::decode_rows(bytes, allowed), bytes);
  if (data[0] % 3 == 1) use_if_good(row_block::decode_changes(bytes, allowed), bytes);
  if (data[0] % 3 == 2) use_if_good(row_block::decode_buckets(bytes, allowed), bytes);
  return 0;
}
