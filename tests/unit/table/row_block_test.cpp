#include "cellroute/table/row_block.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"
#include "cellroute/table/row_block_reader.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/slow_key_digest.hpp"

using namespace cellroute;
using namespace std::string_literals;
using row_block::error;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// What bytes say, in words: `key>name`, `key>` for one that is removed, `#bucket`. Or why they say nothing.
struct said {
  std::string words;
  std::optional<error> refused;
  std::vector<std::byte> written;  ///< the same again
};

void say(std::string& words, std::string_view key, std::string_view name) {
  words.append(words.empty() ? "" : " ").append(key).append(">").append(name);
}

said said_of(const table_rows& all) {
  said made{{}, {}, row_block::encode(all)};
  for (const key_row& row : all.rows) say(made.words, row.key, all.names[row.outcome]);
  return made;
}
said said_of(const row_changes& some) {
  said made{{}, {}, row_block::encode(some)};
  for (const key_change& each : some.changes) say(made.words, each.key, each.outcome ? some.names[*each.outcome] : "");
  return made;
}
said said_of(const bucket_rows& some) {
  said made{{}, {}, row_block::encode(some)};
  for (const std::uint16_t bucket : some.buckets) {
    made.words += (made.words.empty() ? "#" : " #") + std::to_string(bucket);
  }
  for (const key_row& row : some.rows) say(made.words, row.key, some.names[row.outcome]);
  return made;
}
template <class Rows>
said said_of(const expected<Rows, error>& decoded) {
  return decoded ? said_of(*decoded) : said{{}, decoded.error(), {}};
}

/// The one place where bytes are read here.
said read(char kind, std::span<const std::byte> bytes, const row_block::limits& allowed = {}) {
  if (kind == 'r') return said_of(row_block::decode_rows(bytes, allowed));
  if (kind == 'c') return said_of(row_block::decode_changes(bytes, allowed));
  return said_of(row_block::decode_buckets(bytes, allowed));
}

struct block_case {
  std::string_view says;
  std::string bytes;  ///< behind the magic
  std::string_view expected;
};

const std::string longest_key(256, 'x');

const block_case blocks[] = {
    {"no rows", "r\0\0"s, ""},
    {"one row", "r\1\4gold\1\0\3acme\0"s, "acme>gold"},
    {"a key that goes on where the one before ends", "r\1\4gold\2\0\3acme\0\4\1-2\0"s, "acme>gold acme-2>gold"},
    {"a key that turns off, and one with nothing in common", "r\1\4gold\3\0\3acme\0\2\1ne\0\0\0b\0"s,
     "acme>gold acne>gold b>gold"},
    {"two names, by their bytes", "r\2\1\x7f\1\x80\2\0\0a\1\0\0b\0"s, "a>\x80 b>\x7f"},
    {"a key of bytes beyond 127 is behind one below", "r\1\1x\2\0\0\x7f\0\0\0\x80\0"s, "\x7f>x \x80>x"},
    {"the longest key", "r\1\1x\1\0\xff\1"s + longest_key + "\0"s, "LONGEST>x"},
    {"no change", "c\0\0"s, ""},
    {"a key that is removed needs no name", "c\0\1\0\3acme\0"s, "acme>"},
    {"keys that are set and removed", "c\2\4gold\6silver\3\0\0a\2\0\0b\0\0\0c\1"s, "a>silver b> c>gold"},
    {"no buckets", "b\0\0\0"s, ""},
    {"the first bucket and the last, both without rows", "b\2\0\xfe\x1f\0\0"s, "#0 #4095"},
    {"neighbours", "b\3\5\0\0\0\0"s, "#5 #6 #7"},
    {"a bucket with a row", "b\1\x80\x01\1\1x\1\0\0a\0"s, "#128 a>x"},
};

struct refused_block {
  std::string_view says;
  char asked;
  std::string bytes;  ///< behind the magic
  error expected;
};

const std::string shared_255 = std::string("\0\xff\1", 3) + longest_key;  // a row's key of 256 bytes

const refused_block refused[] = {
    {"changes, where all rows were asked for", 'r', "c\0\0"s, error::other_kind},
    {"all rows, where changes were asked for: they would remove nothing", 'c', "r\0\0"s, error::other_kind},
    {"all rows, where buckets were asked for", 'b', "r\0\0"s, error::other_kind},
    {"a kind that there is not", 'r', "x\0\0"s, error::other_kind},
    {"a byte behind the end", 'r', "r\0\0\0"s, error::trailing_bytes},
    {"a second block behind the first", 'c', "c\0\0crw1c\0\0"s, error::trailing_bytes},

    {"a count of names in two bytes, where one is enough", 'r', "r\x80\0\0"s, error::bad_number},
    {"a count of 2^64", 'r', "r\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\2"s, error::bad_number},
    {"the size of a rest in two bytes, where one is enough", 'r', "r\1\1x\1\0\x80\0a\0"s, error::bad_number},

    {"a billion rows in four bytes", 'r', "r\0\x80\x94\xeb\xdc\3"s, error::cut_off},
    {"one row more than there is room for", 'r', "r\1\1x\2\0\0a\0"s, error::cut_off},
    {"2^32 rows", 'r', "r\0\x80\x80\x80\x80\x10"s, error::too_large},
    {"65,535 names in two bytes", 'r', "r\xff\xff\3\1"s, error::cut_off},
    {"65,536 names", 'r', "r\x80\x80\4"s, error::bad_name},
    {"a name longer than all there is", 'r', "r\1\x7fx\0"s, error::cut_off},
    {"the size of a name that would go round", 'r', "r\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1x"s, error::cut_off},

    {"a name without a byte", 'r', "r\1\0\0\0"s, error::bad_name},
    {"a name of two lines, which would be two outcomes of a table", 'r', "r\1\3x\ny\1\0\0a\0"s, error::bad_name},
    {"a name twice", 'r', "r\2\1x\1x\2\0\0a\0\0\0b\1"s, error::bad_name},
    {"names out of order", 'r', "r\2\1y\1x\2\0\0a\0\0\0b\1"s, error::bad_name},
    {"a name that no row has", 'r', "r\1\1x\0"s, error::idle_name},
    {"a name that no change sets", 'c', "c\1\1x\1\0\0a\0"s, error::idle_name},
    {"a name that no row of the buckets has", 'b', "b\1\0\1\1x\0"s, error::idle_name},

    {"a key of 257 bytes", 'r', "r\1\1x\1\0\x80\2"s + longest_key + "x\0"s, error::bad_key},
    {"a key of 257 bytes, 255 of which are those of the one before", 'r', "r\1\1x\2"s + shared_255 + "\0\xff\1\1yy\0"s,
     error::bad_key},
    {"256 bytes in common, so that nothing can follow", 'r', "r\1\1x\2"s + shared_255 + "\0\x80\2\0y\0"s,
     error::bad_key},
    {"a first key that has something in common with none", 'r', "r\1\1x\1\1\0a\0"s, error::bad_key},
    {"a key that has more in common than there is", 'r', "r\1\1x\2\0\0a\0\2\0b\0"s, error::bad_key},

    {"a key twice", 'r', "r\1\1x\2\0\0a\0\0\0a\0"s, error::not_ascending},
    {"a key twice in changes, so that it would be open which counts", 'c', "c\0\2\0\0a\0\0\0a\0"s,
     error::not_ascending},
    {"keys out of order", 'r', "r\1\1x\2\0\0b\0\0\0a\0"s, error::not_ascending},
    {"the beginning of the key before", 'r', "r\1\1x\2\0\1ab\0\0\0a\0"s, error::not_ascending},
    {"a key beyond 127 before one below", 'r', "r\1\1x\2\0\0\x80\0\0\0\x7f\0"s, error::not_ascending},
    {"a byte in common that is sent again: a second form of one row", 'r', "r\1\1x\2\0\1ab\0\0\1ac\0"s,
     error::not_ascending},

    {"the number behind the last name", 'r', "r\1\1x\1\0\0a\1"s, error::bad_outcome},
    {"a number, where there are no names", 'r', "r\0\1\0\0a\0"s, error::bad_outcome},
    {"the number behind the last name in a change", 'c', "c\1\1x\1\0\0a\2"s, error::bad_outcome},
    {"a number of 17 bits, whose low 16 are a name's", 'r', "r\1\1x\1\0\0a\x80\x80\4"s, error::bad_outcome},

    {"bucket 4,096", 'b', "b\1\x80\x20\0\0"s, error::bad_bucket},
    {"a bucket behind the last", 'b', "b\2\xff\x1f\0\0\0"s, error::bad_bucket},
    {"4,097 buckets", 'b', "b\x81\x20"s, error::bad_bucket},
    {"more buckets than bytes", 'b', "b\4\0\0"s, error::cut_off},
};

std::string in_words(std::string_view words) {
  const std::size_t at = words.find("LONGEST");
  if (at == std::string_view::npos) return std::string(words);
  return std::string(words.substr(0, at)) + longest_key + std::string(words.substr(at + 7));
}

}  // namespace

TEST_CASE("row block: what bytes say, and that what is said has these bytes") {
  for (const block_case& row : blocks) {
    CAPTURE(row.says);
    const std::vector<std::byte> bytes = bytes_of("crw1" + row.bytes);
    const said found = read(row.bytes[0], bytes);
    CHECK((found.refused == std::nullopt));
    CHECK(found.words == in_words(row.expected));
    CHECK((found.written == bytes));
  }
}

TEST_CASE("row block: cut anywhere it is cut off, with more behind it is not a block") {
  for (const block_case& row : blocks) {
    CAPTURE(row.says);
    const std::vector<std::byte> bytes = bytes_of("crw1" + row.bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      // A copy of exactly that size, so that a sanitizer sees the first byte read too far.
      const std::vector<std::byte> some(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
      REQUIRE((read(row.bytes[0], some).refused == error::cut_off));
    }
    std::vector<std::byte> more = bytes;
    more.insert(more.end(), bytes.begin(), bytes.end());
    CHECK((read(row.bytes[0], more).refused == error::trailing_bytes));
  }
}

TEST_CASE("row block: what is refused, and which mistake or attack it is") {
  for (const refused_block& row : refused) {
    CAPTURE(row.says);
    const std::vector<std::byte> bytes = bytes_of("crw1" + row.bytes);
    const said found = read(row.asked, bytes);
    REQUIRE(found.refused);
    CHECK(to_string(*found.refused) == to_string(row.expected));
  }
}

TEST_CASE("row block: what begins otherwise is something else") {
  for (const char* const begin : {"crw2", "CRW1", "clry", "\0\0\0\0"}) {
    CHECK((read('r', bytes_of(std::string(begin, 4) + "r\0\0"s)).refused == error::bad_magic));
  }
}

TEST_CASE("row block: the limits are what is taken, one more is not") {
  const std::vector<std::byte> bytes = bytes_of("crw1r\1\4gold\2\0\3acme\0\4\1-2\0"s);  // 2 rows, 10 bytes of keys
  CHECK((read('r', bytes, {.rows_max = 2, .key_bytes_max = 10}).refused == std::nullopt));
  CHECK((read('r', bytes, {.rows_max = 1, .key_bytes_max = 10}).refused == error::too_large));
  CHECK((read('r', bytes, {.rows_max = 2, .key_bytes_max = 9}).refused == error::too_large));
  CHECK((read('r', bytes, {.rows_max = 0, .key_bytes_max = 0}).refused == error::too_large));
}

TEST_CASE("row block: few bytes that stand for many take no more memory than is allowed") {
  // Each row takes 255 bytes from the one before and brings one of its own, in 5.
  std::string text = "crw1r\1\1x\xff\1"s + shared_255 + "\0"s;
  text[text.size() - 2] = '\0';
  for (int i = 1; i < 255; ++i) text += "\xff\1\0"s + static_cast<char>(i) + "\0"s;
  const std::vector<std::byte> bytes = bytes_of(text);
  CHECK((read('r', bytes).refused == std::nullopt));
  const auto taken = row_block::decode_rows(bytes);
  REQUIRE(taken);
  CHECK(taken->memory.memory_bytes() >= 255 * 256);
  CHECK(taken->memory.memory_bytes() <= 3 * 255 * 256);
  CHECK((read('r', bytes, {.key_bytes_max = 255 * 256 - 1}).refused == error::too_large));
  CHECK((read('r', bytes, {.key_bytes_max = 255 * 256}).refused == std::nullopt));
}

TEST_CASE("row block: as many names as a table can have, in changes, too") {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < key_format::outcomes_max; ++i) texts.push_back("n" + std::to_string(i));
  const std::vector<std::string_view> names(texts.begin(), texts.end());
  std::vector<key_row> rows;
  std::vector<key_change> changes;
  for (std::size_t i = 0; i < names.size(); ++i) {
    rows.push_back({names[i], static_cast<std::uint16_t>(i)});
    changes.push_back({names[i], static_cast<std::uint16_t>(i)});
  }
  const auto table = support::build_keys(rows, 1, names);
  REQUIRE(table);
  const auto again = row_block::decode_rows(row_block::encode(rows_of(*table)));
  REQUIRE(again);
  CHECK(again->names.size() == key_format::outcomes_max);
  for (const key_row& row : again->rows) REQUIRE(row.key == again->names[row.outcome]);
  const auto changed = row_block::decode_changes(row_block::encode(changes_of(names, changes)));
  REQUIRE(changed);
  for (const key_change& each : changed->changes) REQUIRE(each.key == changed->names[*each.outcome]);
}

TEST_CASE("row block: any rows come back, whoever holds them") {
  random_numbers random(21);
  for (const std::size_t count : {0u, 1u, 100u, 5'000u}) {
    CAPTURE(count);
    support::named_rows rows;
    while (rows.size() < count) {
      std::string key(1 + random.below(random.below(6) == 0 ? 256 : 12), '\0');
      for (char& each : key) each = static_cast<char>(random.below(random.below(2) == 0 ? 2 : 256));
      rows[key] = "placement-" + std::to_string(random.below(300));
    }
    const key_table one = support::table_of(rows, random());
    const key_table other = support::table_of(rows, random());
    const std::vector<std::byte> bytes = row_block::encode(rows_of(one));
    CHECK((row_block::encode(rows_of(other)) == bytes));  // one set of rows, one form
    auto decoded = row_block::decode_rows(bytes);
    REQUIRE(decoded);
    const table_rows moved = *std::move(decoded);  // the texts stay where they are
    const auto table = support::build_keys(moved.rows, random(), moved.names);
    REQUIRE(table);
    CHECK((support::named_rows_of(*table) == rows));
  }
}

TEST_CASE("row block: a flipped bit is refused or says something else, and never takes a byte too many") {
  std::vector<std::byte> bytes = bytes_of("crw1c\2\4gold\6silver\3\0\3acme\2\2\1ne\0\0\0c\1"s);
  const std::string words = read('c', bytes).words;
  REQUIRE(words == "acme>silver acne> c>gold");
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    bytes[i / 8] ^= std::byte{1} << (i % 8);
    const said found = read('c', bytes);
    CAPTURE(i);
    CHECK((found.refused || found.words != words));
    CHECK((found.refused || found.written == bytes));
    bytes[i / 8] ^= std::byte{1} << (i % 8);
  }
}

TEST_CASE("row block: a row like those of most tables takes about four bytes") {
  std::vector<std::string> keys;
  for (int i = 0; i < 10'000; ++i) keys.push_back("tenant-" + std::to_string(10'000'000 + i));
  const std::vector<std::string_view> names = {"tier1", "tier2", "tier3"};
  std::vector<key_row> rows;
  for (const std::string& key : keys) rows.push_back({key, static_cast<std::uint16_t>(rows.size() % 3)});
  const auto table = support::build_keys(rows, 1, names);
  REQUIRE(table);
  CHECK(row_block::encode(rows_of(*table)).size() < 42'000);
}
