#include "cellroute/table/key_digest.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/hash.hpp"
#include "cellroute/base/random.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/sha256.hpp"
#include "tests/support/slow_key_digest.hpp"

using namespace cellroute;
using namespace std::string_literals;
using support::named_rows;

namespace {

constexpr auto sha256 = [](std::span<const std::byte> message) { return support::sha256(message); };

key_digest digest_of(const key_table& table, std::uint64_t salt = 1) { return key_digest::of(table, salt, sha256); }
key_digest digest_of(const named_rows& rows, std::uint64_t salt = 1) {
  return digest_of(support::table_of(rows), salt);
}

std::string root_of(const named_rows& rows, std::uint64_t salt = 1, const digest_bytes& document = {}) {
  return support::hex(digest_of(rows, salt).root(document, sha256));
}

named_rows many_rows(std::size_t count) {
  named_rows rows;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    rows["tenant-" + std::string(8 - number.size(), '0') + number] = "tier" + std::to_string(i % 3 + 1);
  }
  return rows;
}

/// A key in that bucket, under salt 1.
std::string key_in(std::uint16_t bucket, std::string_view begin = "k") {
  for (std::uint64_t i = 0;; ++i) {
    std::string key = std::string(begin) + std::to_string(i);
    if (hash_text(key, 1) >> 52 == bucket) return key;
  }
}

struct fips_case {
  std::string_view says;
  std::string message;
  std::string_view expected;
};

const fips_case fips_cases[] = {
    {"no byte", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"one block", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"two blocks, since the size does not fit in one", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"a million bytes", std::string(1'000'000, 'a'),
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

}  // namespace

TEST_CASE("key digest: the hash of these tests is SHA-256 (FIPS 180-4, the standard's examples)") {
  for (const fips_case& row : fips_cases) {
    CAPTURE(row.says);
    CHECK(support::hex(support::sha256(row.message)) == row.expected);
  }
}

struct root_case {
  std::string_view says;
  named_rows rows;
  std::uint64_t salt;
  digest_bytes document;
  std::string_view expected;
};

// Computed by a program of its own, from the description in key_digest.hpp alone.
TEST_CASE("key digest: the same on every host and in every release, because peers compare its results") {
  const named_rows three = {{"acme", "gold"}, {"globex", "silver"}, {"tenant-00000001", "silver"}};
  const digest_bytes document = support::sha256(std::string_view(R"({"placements":{}})"));
  named_rows many = many_rows(1'000);
  std::string odd;
  for (int i = 0; i < 60; ++i) odd += "\0\xff\x80"s;
  many[odd] = "tier1";
  many[std::string(256, 'x')] = "tier2";
  const root_case root_cases[] = {
      {"no rows", {}, 0, {}, "f3fb7afce22204742591b3bb16b18a037cc07245774ed6b48a17a2d374d9c5d1"},
      {"three rows", three, 1, {}, "5b8091892471bd50d007e1da0248dd0f02884aa701dfacb103e29a5abbc3d597"},
      {"another document", three, 1, document, "2b2aa222dfde5d455c1a01b3363f9b03c422776fe94cd2723995a34097ece106"},
      {"another salt", three, 2, {}, "b402f8f9ca2b4ef4c8508b6a6319fd38df9270e9a0edbf0cb6998aa8787e9959"},
      {"many rows, two with sizes of two bytes", many, 77, document,
       "7c548c91b1718195039ef020d675f39cd30bb1ae196dd1aab5c5e4ebc840969b"},
  };
  for (const root_case& row : root_cases) {
    CAPTURE(row.says);
    CHECK(root_of(row.rows, row.salt, row.document) == row.expected);
    CHECK(support::hex(support::slow_key_digest(row.rows, row.salt).root(row.document)) == row.expected);
  }
}

TEST_CASE("key digest: every bucket and every group are as its slow twin has them") {
  random_numbers random(5);
  for (const std::size_t count : {0u, 1u, 300u, 20'000u}) {
    CAPTURE(count);
    named_rows rows;
    while (rows.size() < count) {
      std::string key(1 + random.below(random.below(8) == 0 ? 256 : 20), '\0');
      for (char& each : key) each = static_cast<char>(random());
      rows[key] = std::string(1 + random.below(200), static_cast<char>('a' + random.below(20)));
    }
    const std::uint64_t salt = random();
    const key_digest digest = digest_of(rows, salt);
    const support::slow_key_digest twin(rows, salt);
    CHECK(digest.key_count() == rows.size());
    CHECK(digest.salt() == salt);
    for (std::size_t group = 0; group < key_digest::group_count; ++group) {
      REQUIRE((digest.groups()[group] == twin.group(group)));
      for (std::size_t i = 0; i < key_digest::group_buckets; ++i) {
        REQUIRE((digest.buckets(group)[i] == twin.bucket(group * key_digest::group_buckets + i)));
      }
    }
  }
}

TEST_CASE("key digest: neither the seed, the numbers of outcomes nor idle ones have a part in it") {
  const named_rows rows = {{"acme", "gold"}, {"globex", "silver"}};
  const std::vector<key_row> other = {{"globex", 0}, {"acme", 2}};
  const std::vector<std::string_view> names = {"silver", "iron", "gold"};
  CHECK((digest_of(support::table_of(rows, 9)) == digest_of(rows)));
  CHECK((digest_of(*support::build_keys(other, 4, names)) == digest_of(rows)));
}

struct pair_case {
  std::string_view says;
  named_rows one;
  named_rows other;
};

const pair_case pair_cases[] = {
    {"a key more", {{"a", "x"}}, {{"a", "x"}, {"b", "x"}}},
    {"another key", {{"a", "x"}}, {{"b", "x"}}},
    {"another placement", {{"a", "x"}}, {{"a", "y"}}},
    {"two keys that change places", {{"a", "x"}, {"b", "y"}}, {{"a", "y"}, {"b", "x"}}},
    {"a key of letters, a key of more", {{"a", "x"}}, {{"A", "x"}}},
    {"a byte of 0 behind the key", {{"a", "x"}}, {{"a\0"s, "x"}}},
    {"a byte of 0 behind the name", {{"a", "x"}}, {{"a", "x\0"s}}},
    {"none at all", {{"a", "x"}}, {}},
};

TEST_CASE("key digest: other rows have another one") {
  for (const pair_case& row : pair_cases) {
    CAPTURE(row.says);
    CHECK(root_of(row.one) != root_of(row.other));
    CHECK_FALSE((digest_of(row.one) == digest_of(row.other)));
    CHECK_FALSE(differing_buckets(digest_of(row.one), digest_of(row.other)).empty());
  }
}

TEST_CASE("key digest: no bytes of one row can pass for two rows of the same bucket") {
  // What a hash without sizes would take for the same: the end of a key for the beginning of its name, and so on.
  const std::string first = key_in(7, "first");
  const std::string second = key_in(7, "second");
  const std::string size(1, static_cast<char>(second.size()));
  const named_rows two = {{first, "x"}, {second, "y"}};
  const named_rows one = {{first, "x\0"s + size + second + "\1y"}};
  CHECK(root_of(two) != root_of(one));
  CHECK((digest_of(two).buckets(0)[7] != digest_of(one).buckets(0)[7]));
}

TEST_CASE("key digest: the bucket is the top 12 bits of the salted hash") {
  CHECK(key_digest::bucket_of("acme", 1) == hash_text("acme", 1) >> 52);
  CHECK(key_digest::bucket_of_hash(~std::uint64_t{0}) == key_digest::bucket_count - 1);
  CHECK(key_digest::bucket_of_hash(~std::uint64_t{0} >> 12) == 0);
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 100'000; ++i) seen.insert(key_digest::bucket_of("tenant-" + std::to_string(i), 1));
  CHECK(seen.size() == key_digest::bucket_count);
}

struct located_case {
  std::string_view says;
  std::vector<std::uint16_t> changed;
};

const located_case located_cases[] = {
    {"nowhere", {}},
    {"in the first bucket", {0}},
    {"in the last bucket", {4095}},
    {"on both sides of the end of a group", {63, 64}},
    {"in one group twice, and in another", {128, 191, 4000}},
};

TEST_CASE("key digest: two of them tell in which buckets they differ") {
  const named_rows rows = many_rows(2'000);
  const key_digest mine = digest_of(rows);
  for (const located_case& row : located_cases) {
    CAPTURE(row.says);
    named_rows other = rows;
    std::vector<std::size_t> groups;
    for (const std::uint16_t bucket : row.changed) {
      other[key_in(bucket)] = "elsewhere";
      if (groups.empty() || groups.back() != bucket / 64u) groups.push_back(bucket / 64u);
    }
    const key_digest theirs = digest_of(other);
    CHECK((mine.differing_groups(theirs.groups()) == groups));
    CHECK((differing_buckets(mine, theirs) == row.changed));
    CHECK((differing_buckets(theirs, mine) == row.changed));
    CHECK((mine == theirs) == row.changed.empty());
  }
}

TEST_CASE("key digest: updated is the digest built anew, whatever changed") {
  random_numbers random(11);
  named_rows rows = many_rows(3'000);
  key_digest digest = digest_of(rows);
  for (const std::size_t count : {0u, 1u, 2u, 100u, 2'000u, 1u}) {
    CAPTURE(count);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) {
      auto at = rows.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(rows.size())));
      texts.push_back(random.below(3) == 0 ? "fresh-" + std::to_string(random()) : at->first);
    }
    std::vector<key_change> changes;
    for (const std::string& key : texts) {
      changes.push_back({key, std::nullopt});
      if (random.below(3) == 0) {
        rows.erase(key);
      } else {
        rows[key] = "tier" + std::to_string(random.below(9));
      }
    }
    const key_table now = support::table_of(rows, random());
    digest = digest.updated(now, changes, sha256);
    REQUIRE((digest == digest_of(now)));
  }
}

TEST_CASE("key digest: updated believes who says what changed, and recomputed shows a lie") {
  const named_rows before = {{key_in(5), "x"}, {key_in(70), "x"}};
  named_rows after = before;
  after[key_in(5)] = "y";
  after[key_in(70)] = "y";
  const key_table now = support::table_of(after);
  const std::string told = key_in(5);
  const std::vector<key_change> changes = {{told, std::nullopt}};
  const key_digest digest = digest_of(before).updated(now, changes, sha256);
  CHECK((differing_buckets(digest, digest_of(after)) == std::vector<std::uint16_t>{70}));

  const std::vector<std::uint16_t> right = {5, 6};
  const std::vector<std::uint16_t> wrong = {69, 70};
  CHECK((digest.recomputed(now, right, sha256) == digest));
  CHECK_FALSE((digest.recomputed(now, wrong, sha256) == digest));
  CHECK((digest.recomputed(now, wrong, sha256) == digest_of(after)));
}
