#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/table/key_table.hpp"
#include "cellroute/table/row_pairs.hpp"
#include "cellroute/table/table_rows.hpp"
#include "tests/support/resealed.hpp"
#include "tests/support/stored.hpp"

using namespace cellroute;
using file = std::vector<std::byte>;
using key_format::header;
using support::resealed;

namespace {

std::optional<open_error> opened(const file& bytes) {
  const auto table = key_table::open(bytes);
  return table ? std::nullopt : std::optional(table.error());
}

/// A table of 200 keys, 4 groups, and two outcomes.
file good_file() {
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) keys.push_back("tenant-" + std::to_string(i));
  std::vector<key_row> rows;
  for (const std::string& key : keys) rows.push_back({key, static_cast<std::uint16_t>(rows.size() % 2)});
  const std::string_view outcomes[] = {"tier1", "visa"};
  const auto table = key_table::build(rows, 1, outcomes);
  REQUIRE(table);
  return support::stored(*table);
}

header header_of(const file& bytes) {
  header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  return h;
}

template <class Edit>
file with_header(Edit&& edit) {
  file bytes = good_file();
  header h = header_of(bytes);
  edit(h);
  std::memcpy(bytes.data(), &h, sizeof h);
  return resealed(std::move(bytes));
}

file with_byte(std::size_t at, int value) {
  file bytes = good_file();
  bytes[at] = static_cast<std::byte>(value);
  return resealed(std::move(bytes));
}

/// Where two neighbours of one bucket lie whose keys have the same size.
struct neighbours {
  std::size_t tag = 0;  // of the first; that of the second is behind it
  std::size_t first_key = 0;
  std::size_t second_key = 0;
  std::size_t key_size = 0;
};

neighbours find_neighbours(const file& bytes) {
  const key_format::layout at(header_of(bytes));
  for (std::size_t start = at.buckets; start < at.outcomes - key_format::padding_bytes;) {
    const key_format::bucket_view bucket(bytes.data() + start);
    std::size_t key = start + 1 + 4 * bucket.count();
    for (std::size_t i = 0; i + 1 < bucket.count(); key += bucket.key_size(i++)) {
      if (bucket.key_size(i) != bucket.key_size(i + 1)) continue;
      return {start + 1 + i, key, key + bucket.key_size(i), bucket.key_size(i)};
    }
    start += bucket.size_bytes();
  }
  FAIL("no two neighbours have keys of one size");
  return {};
}

/// The good file with other tags and keys for two neighbours; null leaves a key as it is.
file with_neighbours(std::uint8_t first_tag, std::uint8_t second_tag, const char* first, const char* second) {
  file bytes = good_file();
  const neighbours at = find_neighbours(bytes);
  bytes[at.tag] = std::byte{first_tag};
  bytes[at.tag + 1] = std::byte{second_tag};
  if (first != nullptr) std::memset(bytes.data() + at.first_key, *first, at.key_size);
  if (second != nullptr) std::memset(bytes.data() + at.second_key, *second, at.key_size);
  return resealed(std::move(bytes));
}

std::size_t buckets_start() { return key_format::layout(header_of(good_file())).buckets; }
std::size_t outcomes_start() { return key_format::layout(header_of(good_file())).outcomes; }

/// What a machine with another order of bytes would have written.
void reverse_numbers(header& h) {
  const auto reverse = [](auto& number) {
    auto* bytes = static_cast<std::byte*>(static_cast<void*>(&number));
    std::reverse(bytes, bytes + sizeof number);
  };
  for (std::uint32_t* each : {&h.version, &h.endian_mark}) reverse(*each);
  for (std::uint64_t* each : {&h.size_bytes, &h.seed, &h.key_count, &h.group_count, &h.bucket_bytes, &h.outcome_count,
                              &h.outcome_bytes, &h.side_bytes}) {
    reverse(*each);
  }
}

struct hostile_case {
  std::string_view says;
  file bytes;
  open_error expected;
};

const std::uint64_t huge = ~std::uint64_t{0};

std::vector<hostile_case> hostile_cases() {
  const std::size_t directory = sizeof(header);
  const int first_count = std::to_integer<int>(good_file()[buckets_start()]);
  return {
      {"no byte", {}, open_error::too_short},
      {"less than a header", file(127), open_error::too_short},
      {"zeroes", file(4'096), open_error::bad_magic},
      {"another magic", with_header([](header& h) { ++h.magic[7]; }), open_error::bad_magic},
      {"another order of bytes", with_header([](header& h) { h.endian_mark = 0x04030201; }),
       open_error::bad_endian_mark},
      {"a machine's file that has every number in another order", with_header(reverse_numbers),
       open_error::bad_endian_mark},
      {"a later version", with_header([](header& h) { ++h.version; }), open_error::unknown_version},
      {"a side table", with_header([](header& h) { h.side_bytes = 64; }), open_error::side_table_unknown},
      {"a size that is not the file's", with_header([](header& h) { h.size_bytes -= 64; }), open_error::bad_size},
      {"no group", with_header([](header& h) { h.group_count = 0; }), open_error::bad_size},
      {"one group more", with_header([](header& h) { ++h.group_count; }), open_error::bad_outcomes},
      {"two groups more", with_header([](header& h) { h.group_count += 2; }), open_error::bad_size},
      {"as many groups as overflow a product", with_header([](header& h) { h.group_count = std::uint64_t{1} << 59; }),
       open_error::bad_size},
      {"as many groups more as wrap round to the same size",
       with_header([](header& h) { h.group_count += std::uint64_t{1} << 59; }), open_error::bad_size},
      {"as many bytes of buckets and outcomes as wrap round to the same size", with_header([](header& h) {
         h.bucket_bytes += std::uint64_t{1} << 63;
         h.outcome_bytes += std::uint64_t{1} << 63;
       }),
       open_error::bad_size},
      {"all groups there can be", with_header([](header& h) { h.group_count = huge; }), open_error::bad_size},
      {"buckets beyond the file", with_header([](header& h) { h.bucket_bytes = h.size_bytes; }), open_error::bad_size},
      {"buckets that overflow a sum", with_header([](header& h) { h.bucket_bytes = huge - 63; }), open_error::bad_size},
      {"buckets that wrap round, made up for by outcomes", with_header([](header& h) {
         h.outcome_bytes += h.bucket_bytes + 64;
         h.bucket_bytes = huge - 63;
       }),
       open_error::bad_size},
      {"outcomes that overflow a sum", with_header([](header& h) { h.outcome_bytes = huge; }), open_error::bad_size},
      {"too many outcomes to number", with_header([](header& h) { h.outcome_count = 65'536; }), open_error::bad_size},
      {"one outcome more than there are lines", with_header([](header& h) { ++h.outcome_count; }),
       open_error::bad_outcomes},
      {"one outcome less", with_header([](header& h) { --h.outcome_count; }), open_error::bad_outcomes},
      {"one byte of outcomes less", with_header([](header& h) { --h.outcome_bytes; }), open_error::bad_outcomes},
      {"one key more", with_header([](header& h) { ++h.key_count; }), open_error::bad_size},
      {"all keys there can be", with_header([](header& h) { h.key_count = huge; }), open_error::bad_size},
      {"a first bucket that does not come first", with_byte(directory + 4, 1), open_error::bad_directory},
      {"a group far behind the end", with_byte(directory + 32 + 3, 0xff), open_error::bad_directory},
      {"a bucket behind its successor", with_byte(directory + 4 + 2 * 5 + 1, 0xff), open_error::bad_directory},
      {"two buckets in one place", with_byte(directory + 4 + 2, 0), open_error::bad_directory},
      {"a bucket of 33 keys", with_byte(buckets_start(), 33), open_error::bad_bucket},
      {"a bucket of 255 keys", with_byte(buckets_start(), 255), open_error::bad_bucket},
      {"a bucket with another number of keys than its size tells", with_byte(buckets_start(), first_count ^ 1),
       open_error::bad_bucket},
      {"a key twice in one bucket", with_neighbours(0, 0, "a", "a"), open_error::bad_bucket},
      {"keys of one tag out of order", with_neighbours(0, 0, "b", "a"), open_error::bad_bucket},
      {"tags out of order", with_neighbours(2, 1, "a", "b"), open_error::bad_bucket},
      {"an outcome without a text", with_byte(outcomes_start(), '\n'), open_error::bad_outcomes},
      {"a line end in a text", with_byte(outcomes_start() + 2, '\n'), open_error::bad_outcomes},
      {"no line end", with_byte(outcomes_start() + 10, 'x'), open_error::bad_outcomes},
  };
}

}  // namespace

TEST_CASE("key table: open: a file with a checksum that fits, and yet wrong") {
  for (const hostile_case& row : hostile_cases()) {
    CAPTURE(row.says);
    CHECK((opened(row.bytes) == std::optional(row.expected)));
  }
}

TEST_CASE("key table: open: what was written is read, byte for byte") {
  const file good = good_file();
  const auto table = key_table::open(good);
  REQUIRE(table);
  CHECK((support::stored(*table) == good));
  CHECK(table->size() == 200);
  CHECK(table->find("tenant-7") == std::optional<std::uint16_t>(1));
  CHECK(table->find("tenant-200") == std::nullopt);
  CHECK((resealed(good) == good));
}

TEST_CASE("key table: open: bytes read straight into an arena are as good as a copy, and checked as well") {
  const file good = good_file();
  const auto arena_of = [](const file& bytes) {
    arena memory(bytes.size());
    if (!bytes.empty()) std::memcpy(memory.data(), bytes.data(), bytes.size());
    return memory;
  };
  const auto table = key_table::open(arena_of(good));
  REQUIRE(table);
  CHECK(table->find("tenant-7") == std::optional<std::uint16_t>(1));
  CHECK(key_table::open(arena_of({})).error() == open_error::too_short);
  CHECK(key_table::open(arena_of(file(127))).error() == open_error::too_short);
  file broken = good;
  broken[500] ^= std::byte{1};
  CHECK(key_table::open(arena_of(broken)).error() == open_error::bad_checksum);
}

TEST_CASE("key table: open: an outcome beyond the list is refused, wherever it stands in a bucket") {
  const std::string_view outcomes[] = {"tier1", "visa"};
  for (const std::size_t count : {1u, 8u, 9u, 30u}) {
    for (std::size_t bad = 0; bad < count; ++bad) {
      // All keys in one bucket, so that every place of a bucket is met.
      std::vector<std::string> keys;
      for (std::uint64_t i = 0; keys.size() < count; ++i) {
        std::string key = std::to_string(i);
        if (key_format::place_of(hash_text(key, 1), 1).slot == 0) keys.push_back(std::move(key));
      }
      std::vector<key_row> rows;
      for (const std::string& key : keys) rows.push_back({key, 1});
      const auto table = key_table::build(rows, 1, outcomes);
      REQUIRE(table);
      file bytes = support::stored(*table);
      bytes[key_format::layout(header_of(bytes)).buckets + 1 + 2 * count + 2 * bad] = std::byte{2};
      CAPTURE(count);
      CAPTURE(bad);
      CHECK((opened(resealed(std::move(bytes))) == std::optional(open_error::bad_outcomes)));
    }
  }
}

TEST_CASE("key table: open: a file cut off anywhere is refused") {
  const file good = good_file();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(opened(file(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))).has_value());
  }
  file longer = good;
  longer.resize(good.size() + 64);
  CHECK((opened(longer) == std::optional(open_error::bad_size)));
}

TEST_CASE("key table: open: any one changed byte is noticed") {
  const file good = good_file();
  for (std::size_t at = 0; at < good.size(); ++at) {
    file changed = good;
    changed[at] ^= std::byte{0x10};
    CAPTURE(at);
    CHECK(opened(changed).has_value());
  }
}

TEST_CASE("key table: open: any one changed byte under a checksum that fits is refused or harmless") {
  // Harmless: every look-up ends, within the table's own memory; the address sanitizer is the judge.
  const file good = good_file();
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {0x01, 0x80}) {
      file changed = good;
      changed[at] ^= static_cast<std::byte>(bit);
      const auto table = key_table::open(resealed(std::move(changed)));
      if (!table) continue;
      std::size_t rows = 0;
      table->for_each([&](std::string_view, std::uint16_t outcome) {
        ++rows;
        REQUIRE(outcome < table->outcomes().size());
      });
      CHECK(rows == table->size());
      for (int i = 0; i < 200; ++i) (void)table->find("tenant-" + std::to_string(i));
      const key_change change{"tenant-3", std::nullopt};
      const auto merged = table->merged(std::span(&change, 1));
      if (merged) CHECK(key_table::open(support::stored(*merged)));
    }
  }
}

TEST_CASE("key table: merged: a key that a stranger wrote into a second bucket does not outlive a build") {
  // Where no look-up goes: the first key, written over another one of its size, whose tag stays.
  file bytes = good_file();
  const neighbours at = find_neighbours(bytes);
  const std::string twice(at.key_size, 'x');
  for (const std::size_t key : {at.first_key, at.second_key})
    std::memcpy(bytes.data() + key, twice.data(), twice.size());
  bytes[at.tag] = std::byte{0};
  bytes[at.tag + 1] = std::byte{1};
  const auto table = key_table::open(resealed(std::move(bytes)));
  REQUIRE(table);
  std::vector<std::string> keys;
  for (int i = 0; i < 1'000; ++i) keys.push_back("more-" + std::to_string(i));
  std::vector<key_change> changes;
  for (const std::string& key : keys) changes.push_back({key, std::uint16_t{0}});
  const auto merged = table->merged(changes);
  REQUIRE(merged);
  CHECK(merged->size() == 1'198);
  CHECK_FALSE(merged->find(twice).has_value());
  CHECK(merged->find("more-7") == std::optional<std::uint16_t>(0));
}

TEST_CASE("row pairs: a key that a stranger wrote twice does not hide that another one is gone") {
  const file good = good_file();
  const neighbours at = find_neighbours(good);
  REQUIRE(good[at.tag] != good[at.tag + 1]);
  const auto key_at = [&](std::size_t start) {
    std::string key(at.key_size, ' ');
    std::memcpy(key.data(), good.data() + start, key.size());
    return key;
  };
  file bytes = good;
  std::memcpy(bytes.data() + at.second_key, good.data() + at.first_key, at.key_size);
  const auto stranger = key_table::open(resealed(std::move(bytes)));
  REQUIRE(stranger);
  const auto own = key_table::open(good);
  REQUIRE(own);
  const table_rows all = rows_of(*own);
  for (const std::uint64_t seed : {1u, 2u}) {  // laid out alike, and not
    CAPTURE(seed);
    const auto from = key_table::build(all.rows, seed, all.names);
    REQUIRE(from);
    CHECK(from->size() == stranger->size());
    std::vector<std::string> gone;
    using outcome = std::optional<std::uint16_t>;
    for_each_row_pair(*from, *stranger, [&gone](std::string_view key, outcome, outcome after) {
      if (!after) gone.emplace_back(key);
    });
    CHECK((gone == std::vector<std::string>{key_at(at.second_key)}));
  }
}

TEST_CASE("key table: open: a table of many blocks is checked in each of them, whatever its directory says") {
  std::vector<std::string> keys;
  for (int i = 0; i < 9'000; ++i) keys.push_back("tenant-" + std::to_string(i));
  std::vector<key_row> rows;
  for (const std::string& key : keys) rows.push_back({key, static_cast<std::uint16_t>(rows.size() % 2)});
  const std::string_view outcomes[] = {"tier1", "visa"};
  const auto built = key_table::build(rows, 1, outcomes);
  REQUIRE(built);
  const file good = support::stored(*built);
  const header h = header_of(good);
  REQUIRE(good.size() > 8 * key_format::block_bytes);
  REQUIRE(!opened(good));

  const std::size_t buckets = key_format::layout(h).buckets;
  const auto with = [&good](std::size_t at, int value) {
    file bytes = good;
    bytes[at] = static_cast<std::byte>(value);
    return opened(resealed(std::move(bytes)));
  };
  for (std::size_t group = 0; group < h.group_count; ++group) {
    CAPTURE(group);
    const std::size_t entry = sizeof(header) + group * sizeof(key_format::group);
    key_format::group directory;
    std::memcpy(&directory, good.data() + entry, sizeof directory);
    CHECK((with(entry + 3, 0x7f) == std::optional(open_error::bad_directory)));
    CHECK((with(entry + 4, 1) == std::optional(open_error::bad_directory)));
    CHECK((with(entry + 4 + 2 * 7 + 1, 0xff) == std::optional(open_error::bad_directory)));
    for (const std::size_t slot : {std::size_t{0}, key_format::group_buckets - 1}) {
      const std::size_t bucket = buckets + 2 * (std::size_t{directory.base} + directory.within[slot]);
      CHECK((with(bucket, 33) == std::optional(open_error::bad_bucket)));
      const std::size_t count = std::to_integer<std::size_t>(good[bucket]);
      if (count > 0) CHECK((with(bucket + 1 + 2 * count, 2) == std::optional(open_error::bad_outcomes)));
    }
  }
  for (std::size_t at = 0; at < good.size(); at += 97) {
    file changed = good;
    changed[at] ^= std::byte{0x10};
    CAPTURE(at);
    CHECK(opened(changed).has_value());
  }
}
