#include "cellroute/table/key_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cellroute/base/random.hpp"
#include "tests/support/counting_resource.hpp"
#include "tests/support/slow_key_table.hpp"
#include "tests/support/stored.hpp"

using namespace cellroute;
using namespace std::string_view_literals;
using answer = std::optional<std::uint16_t>;
using rows = std::vector<key_row>;
using changes = std::vector<key_change>;
using texts = std::vector<std::string_view>;

namespace {

expected<key_table, build_error> built(const rows& given, const texts& outcomes = {}, std::uint64_t seed = 1) {
  return key_table::build(given, seed, outcomes);
}

key_table table_of(const rows& given, const texts& outcomes = {}, std::uint64_t seed = 1) {
  auto table = built(given, outcomes, seed);
  REQUIRE(table);
  return *std::move(table);
}

/// Keys of 1 to `size_max` bytes of any value, each once.
std::vector<std::string> random_keys(std::size_t count, std::size_t size_max, random_numbers& random) {
  std::vector<std::string> keys;
  while (keys.size() < count) {
    for (std::size_t i = keys.size(); i < count; ++i) {
      std::string key(1 + random.below(size_max), '\0');
      for (char& each : key) each = static_cast<char>(random());
      keys.push_back(std::move(key));
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }
  return keys;
}

/// Keys that all fall into one bucket of a table of `total` keys under `seed`.
std::vector<std::string> colliding_keys(std::size_t count, std::size_t total, std::uint64_t seed) {
  const std::size_t group_keys = key_format::keys_per_bucket * key_format::group_buckets;
  const std::size_t groups = (total + group_keys - 1) / group_keys;
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; keys.size() < count; ++i) {
    std::string key = "tenant-" + std::to_string(i);
    if (key_format::place_of(hash_text(key, seed), groups) == key_format::bucket_place{0, 3})
      keys.push_back(std::move(key));
  }
  return keys;
}

std::size_t bucket_count(const key_table& table) {
  const key_table::stored_bytes parts = table.bytes();
  key_format::header h;
  std::memcpy(&h, parts.head.data(), sizeof h);
  return h.group_count * key_format::group_buckets;
}

struct refused_case {
  std::string_view says;
  rows given;
  texts outcomes;
  build_error expected;
};

const std::string longest(256, 'x');
const std::string too_long(257, 'x');

const refused_case refused_cases[] = {
    {"an empty key", {{"a", 0}, {"", 0}}, {}, {key_table_error::empty_key, 1, 0}},
    {"a key of 257 bytes", {{too_long, 0}}, {}, {key_table_error::key_too_long, 0, 0}},
    {"one key twice names both rows", {{"a", 0}, {"b", 0}, {"a", 1}}, {}, {key_table_error::duplicate_key, 0, 2}},
    {"one key twice, even with one outcome", {{"b", 1}, {"b", 1}}, {}, {key_table_error::duplicate_key, 0, 1}},
    {"a long key twice", {{longest, 0}, {longest, 1}}, {}, {key_table_error::duplicate_key, 0, 1}},
    {"an outcome behind the list", {{"a", 0}, {"b", 2}}, {"x", "y"}, {key_table_error::outcome_out_of_range, 1, 0}},
    {"an outcome without a text", {}, {"x", ""}, {key_table_error::bad_outcome_text, 1, 0}},
    {"an outcome of two lines", {}, {"x\ny"}, {key_table_error::bad_outcome_text, 0, 0}},
};

}  // namespace

TEST_CASE("key table: what is refused, and what is named") {
  for (const refused_case& row : refused_cases) {
    CAPTURE(row.says);
    const auto table = built(row.given, row.outcomes);
    REQUIRE_FALSE(table);
    CHECK((table.error() == row.expected));
  }
}

TEST_CASE("key table: more outcomes than 16 bits can number are refused, one less is not") {
  const texts most(65'535, "x");
  CHECK(built({{"a", 65'534}}, most));
  texts more = most;
  more.push_back("x");
  CHECK((built({}, more).error() == build_error{key_table_error::bad_outcome_text, 65'535, 0}));
}

TEST_CASE("key table: 8 GiB of buckets are what the directory reaches") {
  CHECK(key_format::fits(std::size_t{8} << 30));
  CHECK_FALSE(key_format::fits((std::size_t{8} << 30) + 1));
}

TEST_CASE("key table: without keys it finds nothing") {
  const key_table table;
  CHECK(table.empty());
  CHECK(table.find("a") == answer());
  CHECK(table.find("") == answer());
  CHECK(support::rows_of(table).empty());
  CHECK(table.memory_bytes() == 0);
  CHECK((support::stored(table) == support::stored(table_of({}, {}, 0))));
  CHECK(table.merged(changes{{"a", 1}})->find("a") == answer(1));
}

TEST_CASE("key table: one that was moved from has no keys, and may be asked") {
  key_table table = table_of({{"a", 1}}, {"tier1", "visa"});
  key_table taken = std::move(table);
  for (const bool is_assigned : {false, true}) {
    CAPTURE(is_assigned);
    if (is_assigned) {
      table = std::move(taken);
      std::swap(table, taken);
    }
    CHECK(table.find("a") == answer());  // NOLINT: it is what the test asks
    CHECK(table.size() == 0);
    CHECK(table.outcomes().empty());
    CHECK(support::rows_of(table).empty());
    CHECK(key_table::open(support::stored(table)));
    CHECK(table.merged(changes{{"a", 1}})->find("a") == answer(1));
    CHECK(taken.find("a") == answer(1));
    CHECK(taken.outcomes()[1] == "visa");
  }
  static_assert(std::is_nothrow_move_constructible_v<key_table> && std::is_nothrow_move_assignable_v<key_table>);
}

TEST_CASE("key table: keys of every size and of any bytes are found, their neighbours are not") {
  rows given;
  std::vector<std::string> keys;
  for (std::size_t size = 1; size <= 256; ++size) keys.push_back(std::string(size, '\0'));
  for (int byte = 1; byte < 256; ++byte) keys.push_back(std::string(1, static_cast<char>(byte)));
  for (std::size_t i = 0; i < keys.size(); ++i) given.push_back({keys[i], static_cast<std::uint16_t>(65'535 - i)});
  const key_table table = table_of(given);
  CHECK(table.size() == keys.size());
  for (const key_row& row : given) CHECK(table.find(row.key) == answer(row.outcome));
  CHECK(table.find(""sv) == answer());
  CHECK(table.find(std::string(257, '\0')) == answer());
  CHECK(table.find(std::string(100'000, '\0')) == answer());
  CHECK(table.find("\0\1"sv) == answer());
  CHECK(table.find(std::string(255, '\0') + "\1") == answer());
}

TEST_CASE("key table: keys compare byte by byte") {
  const key_table table = table_of({{"Acme", 1}, {"acme", 2}, {"acme ", 3}});
  CHECK(table.find("Acme") == answer(1));
  CHECK(table.find("acme") == answer(2));
  CHECK(table.find("acme ") == answer(3));
  CHECK(table.find("ACME") == answer());
  CHECK(table.find(" acme") == answer());
}

TEST_CASE("key table: finds what its slow twin finds, alone, staged and in batches") {
  random_numbers random(2024);
  for (const std::size_t count : {1u, 2u, 17u, 56u, 57u, 300u, 5'000u}) {
    for (const std::size_t size_max : {1u, 3u, 24u, 256u}) {
      if (size_max == 1 && count > 100) continue;
      CAPTURE(count);
      CAPTURE(size_max);
      const std::vector<std::string> keys = random_keys(count, size_max, random);
      rows given;
      changes filled;
      for (const std::string& key : keys) {
        const auto number = static_cast<std::uint16_t>(random());
        given.push_back({key, number});
        filled.push_back({key, number});
      }
      support::slow_key_table twin;
      twin.apply(filled);
      const key_table table = table_of(given, {}, random());
      CHECK((support::rows_of(table) == twin.rows()));

      std::vector<std::string> asked = keys;
      for (const std::string& key : keys) asked.push_back(key.substr(0, key.size() - 1));
      for (const std::string& key : keys) asked.push_back(key + '\0');
      const std::vector<std::string_view> views(asked.begin(), asked.end());
      for (const std::size_t size :
           {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, views.size()}) {
        const auto some = std::span(views).first(std::min(size, views.size()));
        std::vector<answer> found(some.size(), answer(4));
        table.find_batch(some, found);
        for (std::size_t i = 0; i < some.size(); ++i) REQUIRE((found[i] == twin.find(some[i])));
      }
      for (const std::string& key : asked) {
        REQUIRE((table.find(key) == twin.find(key)));
        REQUIRE((table.find(table.prepare(key)) == twin.find(key)));
      }
    }
  }
}

TEST_CASE("key table: its bytes do not tell in which order the rows came") {
  random_numbers random(8);
  const std::vector<std::string> keys = random_keys(1'000, 40, random);
  rows given;
  for (const std::string& key : keys) given.push_back({key, static_cast<std::uint16_t>(key.size())});
  const std::vector<std::byte> sorted = support::stored(table_of(given));
  for (std::size_t i = given.size() - 1; i > 0; --i) std::swap(given[i], given[random.below(i + 1)]);
  CHECK((support::stored(table_of(given)) == sorted));
  CHECK((support::stored(table_of(given, {}, 2)) != sorted));
}

TEST_CASE("key table: keys chosen to collide cost another seed, and are found") {
  const std::vector<std::string> keys = colliding_keys(200, 200, 77);
  rows given;
  for (const std::string& key : keys) given.push_back({key, 5});
  const key_table table = table_of(given, {}, 77);
  CHECK(table.seed() != 77);
  for (const std::string& key : keys) REQUIRE(table.find(key) == answer(5));
}

TEST_CASE("key table: a bucket holds 32 keys, with the 33rd comes another seed") {
  for (const std::size_t count : {32u, 33u}) {
    const std::vector<std::string> keys = colliding_keys(count, count, 78);
    rows given;
    for (const std::string& key : keys) given.push_back({key, static_cast<std::uint16_t>(given.size())});
    const key_table table = table_of(given, {}, 78);
    CAPTURE(count);
    CHECK((table.seed() == 78) == (count == 32));
    for (const key_row& row : given) CHECK(table.find(row.key) == answer(row.outcome));
    CHECK(table.find("tenant-x") == answer());
  }
}

TEST_CASE("key table: many copies of one key are a duplicate, not a collision") {
  const rows given(100, key_row{"acme", 1});
  CHECK((built(given).error() == build_error{key_table_error::duplicate_key, 0, 1}));
}

TEST_CASE("key table: the largest buckets there can be keep their offsets within 16 bits") {
  // 14 buckets of one group with 30 or so keys of 256 bytes each.
  std::vector<std::string> keys;
  std::vector<std::size_t> filled(key_format::group_buckets);
  const std::uint64_t seed = 5;
  for (std::uint64_t i = 0; keys.size() < 32 * key_format::group_buckets; ++i) {
    std::string key = std::to_string(i);
    key.resize(256, '.');
    // Built as one group first and then grown by merging, which keeps the number of groups up to 84 keys; so sizes are
    // checked through the format itself.
    const key_format::bucket_place place = key_format::place_of(hash_text(key, seed), 1);
    if (filled[place.slot] == 32) continue;
    ++filled[place.slot];
    keys.push_back(std::move(key));
  }
  std::size_t offset = 0;
  for (std::size_t slot = 0; slot < key_format::group_buckets; ++slot) {
    std::vector<key_format::bucket_entry> entries;
    for (const std::string& key : keys) {
      const std::uint64_t hash = hash_text(key, seed);
      if (key_format::place_of(hash, 1).slot == slot) entries.push_back({key_format::tag_of(hash), key, 1});
    }
    std::vector<std::byte> memory(9'000 + key_format::padding_bytes);
    CHECK(offset / 2 <= 65'535);
    offset += key_format::write_bucket(memory.data(), entries);
    CHECK(offset % 2 == 0);
    const key_format::bucket_view bucket(memory.data());
    CHECK(bucket.count() == 32);
    for (const auto& entry : entries) CHECK(bucket.find(entry.key, entry.tag) == answer(1));
  }
}

TEST_CASE("key table: a key that differs in one byte is another one, though its tag be the same") {
  for (std::size_t size = 1; size <= 80; ++size) {
    const std::string key(size, 'k');
    std::vector<std::byte> memory(1'000);
    key_format::write_bucket(memory.data(), std::vector<key_format::bucket_entry>{{7, key, 1}});
    const key_format::bucket_view bucket(memory.data());
    CAPTURE(size);
    CHECK(bucket.find(key, 7) == answer(1));
    CHECK(bucket.find(key, 8) == answer());
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = key;
      other[at] = 'K';
      REQUIRE(bucket.find(other, 7) == answer());
    }
  }
}

TEST_CASE("key table: outcomes travel as text") {
  const key_table table = table_of({{"a", 1}}, {"tier1", "visa"});
  REQUIRE(table.outcomes().size() == 2);
  CHECK(table.outcomes()[0] == "tier1");
  CHECK(table.outcomes()[1] == "visa");
  const auto opened = key_table::open(support::stored(table));
  REQUIRE(opened);
  CHECK(opened->outcomes()[1] == "visa");
  CHECK(opened->find("a") == answer(1));
}

TEST_CASE("key table: a moved table is as good as before") {
  key_table table = table_of({{"a", 1}}, {"tier1", "visa"});
  key_table moved = std::move(table);
  CHECK(moved.find("a") == answer(1));
  CHECK(moved.outcomes()[0] == "tier1");
  moved = table_of({{"b", 0}}, {"x"});
  CHECK(moved.find("a") == answer());
  CHECK(moved.find("b") == answer(0));
}

TEST_CASE("key table: two owners share the bytes, and the last of them gives them back") {
  support::counting_resource memory;
  {
    auto built = key_table::build(rows{{"a", 0}, {"b", 1}}, 1, texts{"x", "y"}, &memory);
    REQUIRE(built);
    std::optional<key_table> first = *std::move(built);
    const key_table second = first->shared();
    REQUIRE(memory.held == 1);
    CHECK(second.bytes().rest.data() == first->bytes().rest.data());
    first.reset();
    CHECK(memory.held == 1);
    CHECK(second.find("b") == answer(1));
    CHECK(second.outcomes()[1] == "y");
    const auto changed = second.merged(changes{{"b", std::nullopt}});
    REQUIRE(changed);
    CHECK(changed->find("b") == answer());
    CHECK(second.find("b") == answer(1));
  }
  CHECK(memory.held == 0);
  CHECK(key_table().shared().find("a") == answer());
}

TEST_CASE("key table: merged: changes apply to the result and leave the table as it was") {
  const key_table before = table_of({{"acme", 1}, {"visa", 2}, {"globex", 3}});
  const auto after =
      before.merged(changes{{"acme", 9}, {"visa", std::nullopt}, {"initech", 4}, {"unknown", std::nullopt}});
  REQUIRE(after);
  CHECK((support::rows_of(*after) == std::map<std::string, std::uint16_t>{{"acme", 9}, {"globex", 3}, {"initech", 4}}));
  CHECK(after->size() == 3);
  CHECK(before.find("acme") == answer(1));
  CHECK(before.find("visa") == answer(2));
}

TEST_CASE("key table: merged: what is refused") {
  const key_table table = table_of({{"acme", 1}}, {"x", "y"});
  const auto refused = [&table](const changes& given, const texts& outcomes = {}) {
    const auto merged = table.merged(given, outcomes);
    REQUIRE_FALSE(merged);
    return merged.error();
  };
  CHECK((refused({{"a", 0}, {"", 0}}) == build_error{key_table_error::empty_key, 1, 0}));
  CHECK((refused({{too_long, std::nullopt}}) == build_error{key_table_error::key_too_long, 0, 0}));
  CHECK((refused({{"a", 0}, {"b", 0}, {"a", 1}}) == build_error{key_table_error::duplicate_key, 0, 2}));
  CHECK((refused({{"a", 0}, {"a", std::nullopt}}) == build_error{key_table_error::duplicate_key, 0, 1}));
  CHECK((refused({{"a", 2}}) == build_error{key_table_error::outcome_out_of_range, 0, 0}));
  CHECK((refused({}, {"x"}) == build_error{key_table_error::bad_outcome_text, 1, 0}));
  CHECK((refused({}, {"x", "y", ""}) == build_error{key_table_error::bad_outcome_text, 2, 0}));
}

TEST_CASE("key table: merged: more outcomes may come along") {
  const key_table table = table_of({{"acme", 1}}, {"x", "y"});
  const auto merged = table.merged(changes{{"visa", 2}}, texts{"x", "y", "z"});
  REQUIRE(merged);
  CHECK(merged->outcomes().size() == 3);
  CHECK(merged->find("visa") == answer(2));
}

TEST_CASE("key table: merged: texts that come later are enough for the numbers in use, or refused") {
  const key_table table = table_of({{"acme", 0}, {"visa", 2}});
  CHECK((table.merged({}, texts{"x", "y"}).error() == build_error{key_table_error::bad_outcome_text, 2, 0}));
  const auto merged = table.merged({}, texts{"x", "y", "z"});
  REQUIRE(merged);
  CHECK(key_table::open(support::stored(*merged)));
  CHECK(table_of({}).merged({}, texts{"x"}));
}

TEST_CASE("key table: merged: the bytes are those of a table built at once, while the size stays near") {
  random_numbers random(31);
  const std::vector<std::string> keys = random_keys(5'600, 40, random);  // 100 groups, full to the last key
  const std::size_t kept = 5'560;                                        // 100 groups as well
  rows first;
  changes added;
  rows all;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    all.push_back({keys[i], static_cast<std::uint16_t>(i)});
    if (i < kept) first.push_back(all.back());
    if (i >= kept) added.push_back({keys[i], static_cast<std::uint16_t>(i)});
  }
  const auto merged = table_of(first).merged(added);
  REQUIRE(merged);
  CHECK((support::stored(*merged) == support::stored(table_of(all))));
  changes removed;
  for (const key_change& each : added) removed.push_back({each.key, std::nullopt});
  const auto back = merged->merged(removed);
  REQUIRE(back);
  CHECK((support::stored(*back) == support::stored(table_of(first))));
}

TEST_CASE("key table: merged: follows its slow twin through growth to a hundred times the size, and back to nothing") {
  random_numbers random(404);
  const std::vector<std::string> keys = random_keys(6'000, 30, random);
  key_table table;
  support::slow_key_table twin;
  const auto step = [&](const changes& given) {
    twin.apply(given);
    auto merged = table.merged(given);
    REQUIRE(merged);
    table = *std::move(merged);
    REQUIRE((support::rows_of(table) == twin.rows()));
    REQUIRE(table.size() == twin.rows().size());
    REQUIRE(key_table::open(support::stored(table)));
  };
  for (int round = 0; round < 60; ++round) {
    changes given;
    std::size_t at = random.below(100);
    for (; at < keys.size() && given.size() < 400; at += 1 + random.below(60)) {
      const bool is_erased = random.below(10) < (round < 40 ? 1u : 8u);
      given.push_back({keys[at], is_erased ? answer() : answer(static_cast<std::uint16_t>(random()))});
    }
    step(given);
  }
  changes all;
  for (const std::string& key : keys) all.push_back({key, std::nullopt});
  step(all);
  CHECK(table.empty());
  CHECK(support::stored(table).size() < 1'000);  // it gave its memory back
}

TEST_CASE("key table: every table of up to four keys, and every change of one: what its slow twin has") {
  const std::vector<std::string_view> keys = {"a", "b", "aa", "ab", "ba", "bb"};
  const std::vector<std::string_view> asked = {"", "a", "b", "aa", "ab", "ba", "bb", "aaa", "c"};
  std::size_t tables = 0;
  for (std::size_t number = 0; number < 729; ++number) {
    changes given;  // each key: none, or one of two outcomes
    for (std::size_t i = 0, rest = number; i < keys.size(); ++i, rest /= 3) {
      if (rest % 3 > 0) given.push_back({keys[i], static_cast<std::uint16_t>(rest % 3)});
    }
    if (given.size() > 4) continue;
    ++tables;
    support::slow_key_table twin;
    twin.apply(given);
    rows at_once;
    for (const key_change& each : given) at_once.push_back({each.key, *each.outcome});
    const key_table table = table_of(at_once);
    const auto check = [&asked](const key_table& one, const support::slow_key_table& other) {
      REQUIRE((support::rows_of(one) == other.rows()));
      REQUIRE(one.size() == other.rows().size());
      for (const std::string_view key : asked) REQUIRE((one.find(key) == other.find(key)));
    };
    check(table, twin);
    for (const std::string_view key : keys) {
      for (const answer outcome : {answer(), answer(1), answer(2)}) {
        const changes one{{key, outcome}};
        support::slow_key_table after = twin;
        after.apply(one);
        const auto merged = table.merged(one);
        REQUIRE(merged);
        check(*merged, after);
        rows rebuilt;
        for (const auto& [name, number_of] : after.rows()) rebuilt.push_back({name, number_of});
        REQUIRE((support::stored(*merged) == support::stored(table_of(rebuilt))));
      }
    }
  }
  CHECK(tables == 473);
}

TEST_CASE("key table: its bytes are the same on every host and in every release") {
  const key_table table = table_of({{"acme", 1}, {"visa", 0}, {longest, 1}}, {"tier1", "visa"}, 4711);
  const std::vector<std::byte> bytes = support::stored(table);
  CHECK(bytes.size() == 576);
  key_format::header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  CHECK(h.checksum == 0xbdaf6a864e93f806u);
  CHECK(checksum(bytes) == 0x0e6dc2d87b4ed7f4u);
}

TEST_CASE("key table: merged: keys chosen to overfill one bucket cost another seed") {
  const key_table table = table_of({{"acme", 1}}, {}, 79);
  const std::vector<std::string> keys = colliding_keys(33, 34, 79);
  changes given;
  for (const std::string& key : keys) given.push_back({key, 2});
  const auto merged = table.merged(given);
  REQUIRE(merged);
  CHECK(merged->seed() != 79);
  CHECK(merged->find("acme") == answer(1));
  for (const std::string& key : keys) CHECK(merged->find(key) == answer(2));
}

TEST_CASE("key table: merged: a key that comes twice is named, though another bucket overflows before it") {
  const key_table table = table_of({{"acme", 1}}, {}, 79);
  const std::vector<std::string> keys = colliding_keys(33, 34, 79);
  for (int i = 0; i < 20; ++i) {
    const std::string twice = "twice-" + std::to_string(i);
    changes given;
    given.push_back({twice, 1});
    for (const std::string& key : keys) given.push_back({key, 2});
    given.push_back({twice, std::nullopt});
    const auto merged = table.merged(given);
    CAPTURE(twice);
    REQUIRE_FALSE(merged);
    CHECK((merged.error() == build_error{key_table_error::duplicate_key, 0, 34}));
  }
}

TEST_CASE("key table: grown by merges small enough that no bucket overflows, it gets more buckets") {
  key_table table;
  std::vector<std::string> keys;
  for (int i = 0; i < 400; ++i) keys.push_back("tenant-" + std::to_string(i));
  for (const std::string& key : keys) {
    auto merged = table.merged(changes{{key, 1}});
    REQUIRE(merged);
    table = *std::move(merged);
    REQUIRE(2 * table.size() <= 3 * key_format::keys_per_bucket * bucket_count(table));
  }
}

TEST_CASE("key table: the tags of one bucket tell its keys apart") {
  std::vector<std::string> keys;
  rows given;
  for (int i = 0; i < 20'000; ++i) keys.push_back("tenant-" + std::to_string(i));
  for (const std::string& key : keys) given.push_back({key, 1});
  const std::vector<std::byte> bytes = support::stored(table_of(given));
  key_format::header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  const key_format::layout at(h);
  std::size_t pairs = 0;
  std::size_t same = 0;
  for (std::size_t start = at.buckets; start < at.buckets + h.bucket_bytes;) {
    const key_format::bucket_view bucket(bytes.data() + start);
    for (std::size_t i = 0; i < bucket.count(); ++i) {
      for (std::size_t k = i + 1; k < bucket.count(); ++k) {
        ++pairs;
        same += bucket.tag(i) == bucket.tag(k) ? 1 : 0;
      }
    }
    start += bucket.size_bytes();
  }
  // By chance one pair in 256; bits that chose the bucket would be alike in nearly all.
  CHECK(pairs > 30'000);
  CHECK(same < pairs / 128);
}

TEST_CASE("key table: costs at most 6 bytes a key beyond the key's own") {
  random_numbers random(12);
  const std::vector<std::string> keys = random_keys(20'000, 47, random);
  rows given;
  std::size_t key_bytes = 0;
  for (const std::string& key : keys) {
    given.push_back({key, 1});
    key_bytes += key.size();
  }
  const key_table table = table_of(given);
  CHECK(table.memory_bytes() - key_bytes <= 6 * keys.size());
}
