#include "adapters/sync/content.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"
#include "tests/support/sha256.hpp"
#include "tests/unit/sync/made_content.hpp"

namespace cellroute::sync {
namespace {

const unpacking how{test_salt, 5};

rows rows_in(const key_table& table) {
  rows found;
  table.for_each([&](std::string_view key, std::uint16_t outcome) { found.emplace(key, table.outcomes()[outcome]); });
  return found;
}

wire::content_id id_of(const content& c, std::uint64_t version = 1) { return {1, version, c.sum}; }

/// The artifact with its bytes changed, and a sum that fits: what a hostile sender sends.
artifact forged(artifact a, std::string_view raw) {
  const auto plain = std::as_bytes(std::span(raw.data(), raw.size()));
  a.bytes.assign(plain.begin(), plain.end());
  a.raw_bytes = raw.size();
  a.compression = "none";
  a.sum = sha256(a.bytes);
  return a;
}

TEST_CASE("content: a snapshot is unpacked into what was packed") {
  for (const int count : {0, 1, 5'000}) {
    const content whole = content_of(many(count), "document \n of any bytes");
    const artifact a = pack_snapshot(whole, id_of(whole));
    const auto made = unpack(announce(a), a.bytes, nullptr, how);
    REQUIRE_MESSAGE(made, made.error().error);
    CHECK(made->document == whole.document);
    CHECK(rows_in(made->keys) == many(count));
    CHECK(made->sum == whole.sum);
    CHECK(made->digest == whole.digest);
  }
}

TEST_CASE("content: its sum depends on its rows, its document and the salt, and not on how its table came about") {
  const content one = content_of(many(100));
  rows other = many(100);
  other["tenant-7"] = "tier9";
  CHECK(content_of(other).sum != one.sum);
  CHECK(content_of(many(100), "{ }").sum != one.sum);
  CHECK(make_content("{}", table_of(many(100)), test_salt + 1).sum != one.sum);
  const content before = content_of(many(99));
  const artifact a = pack_delta(before, one, id_of(one));
  const auto made = unpack(announce(a), a.bytes, &before, {test_salt, 12'345});
  REQUIRE(made);
  CHECK(made->sum == one.sum);
}

TEST_CASE("content: a delta carries what changes, and no more") {
  const content before = content_of(many(5'000));
  rows after = many(5'000);
  after["tenant-17"] = "tier7";
  after["new"] = "visa";
  after.erase("tenant-4000");
  const content now = content_of(after);
  const artifact a = pack_delta(before, now, id_of(now));
  CHECK(a.bytes.size() < 100);
  const auto made = unpack(announce(a), a.bytes, &before, how);
  REQUIRE_MESSAGE(made, made.error().error);
  CHECK(rows_in(made->keys) == after);
  CHECK(made->document == before.document);

  const content renamed = content_of(after, "another document");
  const artifact b = pack_delta(now, renamed, id_of(renamed));
  const auto last = unpack(announce(b), b.bytes, &now, how);
  REQUIRE(last);
  CHECK(last->document == "another document");
  CHECK(last->sum == renamed.sum);
}

TEST_CASE("content: a delta may take away the last row of a placement, and the last row of all") {
  const content before = content_of({{"a", "tier1"}, {"b", "tier2"}});
  for (const rows& after : {rows{{"a", "tier1"}}, rows{}}) {
    const content now = content_of(after);
    const artifact a = pack_delta(before, now, id_of(now));
    const auto made = unpack(announce(a), a.bytes, &before, how);
    REQUIRE_MESSAGE(made, made.error().error);
    CHECK(rows_in(made->keys) == after);
    CHECK(made->keys.outcomes().size() == after.size());
    CHECK(made->sum == now.sum);
  }
}

TEST_CASE("content: a repair brings the buckets that differ") {
  const content wanted = content_of(many(5'000), "new document");
  rows damaged = many(5'000);
  damaged["tenant-3"] = "visa2";
  damaged.erase("tenant-4");
  damaged["stranger"] = "tier1";
  const content here = content_of(damaged);
  const std::vector<std::uint16_t> buckets = differing_buckets(here.digest, wanted.digest);
  CHECK(buckets.size() == 3);
  const artifact a = pack_repair(wanted, buckets, here.sum, test_salt, id_of(wanted));
  CHECK(a.bytes.size() < 400);
  const auto made = unpack(announce(a), a.bytes, &here, how);
  REQUIRE_MESSAGE(made, made.error().error);
  CHECK(rows_in(made->keys) == many(5'000));
  CHECK(made->sum == wanted.sum);
}

struct refused_content {
  std::string_view says;
  void (*change)(wire::config_begin& said, artifact& a);
  wire::refusal_code expected;
};

TEST_CASE("content: what does not come out as announced is refused") {
  using code = wire::refusal_code;
  const refused_content refused_contents[] = {
      {"a flipped bit", [](auto&, artifact& a) { a.bytes[9] ^= std::byte{1}; }, code::crc},
      {"a byte less", [](auto&, artifact& a) { a.bytes.pop_back(); }, code::crc},
      {"other bytes than were sent first", [](wire::config_begin& said, auto&) { said.artifact = {}; }, code::crc},
      {"a compression of later versions", [](wire::config_begin& said, auto&) { said.compression = "brotli"; },
       code::unsupported},
      {"not compressed, as is said", [](wire::config_begin& said, auto&) { said.compression = "none"; },
       code::digest_mismatch},
      {"larger than announced: a bomb", [](wire::config_begin& said, auto&) { --said.raw_bytes; },
       code::digest_mismatch},
      {"smaller than announced", [](wire::config_begin& said, auto&) { ++said.raw_bytes; }, code::digest_mismatch},
      {"fewer keys than announced", [](wire::config_begin& said, auto&) { ++said.keys; }, code::digest_mismatch},
      {"more keys than announced", [](wire::config_begin& said, auto&) { --said.keys; }, code::digest_mismatch},
      {"another content", [](wire::config_begin& said, auto&) { said.content.sum = {}; }, code::digest_mismatch},
      {"a snapshot that is called a delta",
       [](wire::config_begin& said, auto&) { said.kind = wire::transfer_kind::delta; }, code::base_mismatch},
  };
  const content whole = content_of(many(500));
  for (const refused_content& row : refused_contents) {
    CAPTURE(row.says);
    artifact a = pack_snapshot(whole, id_of(whole));
    REQUIRE(a.compression == "zstd");
    wire::config_begin said = announce(a);
    row.change(said, a);
    const auto made = unpack(said, a.bytes, nullptr, how);
    REQUIRE_FALSE(made);
    CHECK((made.error().code == row.expected));
    CHECK_FALSE(made.error().error.empty());
  }
}

TEST_CASE("content: what a hostile sender packs is refused, with a sum that fits, too") {
  const content whole = content_of(many(5));
  const artifact good = pack_snapshot(whole, id_of(whole));
  using namespace std::string_literals;
  for (const std::string& raw : {""s, "CRA"s, "CRA2\1"s, "CRA1"s, "CRA1\0"s, "CRA1\1"s, "CRA1\3{}"s, "CRA1\x7f{}"s,
                                 "CRA1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"s, "CRA1\x80"s}) {
    const artifact bad = forged(good, raw);
    const auto made = unpack(announce(bad), bad.bytes, nullptr, how);
    REQUIRE_FALSE(made);
    CHECK((made.error().code == wire::refusal_code::digest_mismatch));
  }
}

TEST_CASE("content: a delta on another base than it was made for is refused") {
  const content before = content_of(many(50));
  const content other = content_of(many(49));
  const content now = content_of(many(51));
  const artifact a = pack_delta(before, now, id_of(now));
  const auto made = unpack(announce(a), a.bytes, &other, how);
  REQUIRE_FALSE(made);
  CHECK((made.error().code == wire::refusal_code::base_mismatch));
  wire::config_begin lies = announce(a);
  lies.base = other.sum;
  const auto wrong = unpack(lies, a.bytes, &other, how);
  REQUIRE_FALSE(wrong);
  CHECK((wrong.error().code == wire::refusal_code::digest_mismatch));
}

TEST_CASE("content: histories at random end in one sum, by deltas, by repair, and by snapshots") {
  random_numbers rng(11);
  rows now = many(300);
  content at_home = content_of(now);
  content by_delta = content_of(now);
  content by_repair = content_of(now);
  for (int version = 2; version < 30; ++version) {
    for (std::uint64_t i = rng.below(20); i > 0; --i) {
      const std::string key = "tenant-" + std::to_string(rng.below(400));
      if (rng.below(3) == 0) {
        now.erase(key);
      } else {
        now[key] = "tier" + std::to_string(rng.below(9));
      }
    }
    content next = content_of(now, "{\"version\":" + std::to_string(version / 5) + "}");
    const artifact delta = pack_delta(at_home, next, id_of(next));
    auto one = unpack(announce(delta), delta.bytes, &by_delta, how);
    REQUIRE(one);
    by_delta = *std::move(one);
    const auto buckets = differing_buckets(by_repair.digest, next.digest);
    const artifact repair = pack_repair(next, buckets, by_repair.sum, test_salt, id_of(next));
    auto two = unpack(announce(repair), repair.bytes, &by_repair, how);
    REQUIRE(two);
    by_repair = *std::move(two);
    CHECK(by_delta.sum == next.sum);
    CHECK(by_repair.sum == next.sum);
    CHECK(rows_in(by_repair.keys) == now);
    at_home = std::move(next);
  }
}

/// A snapshot and the deltas from one content to the next.
struct history {
  std::vector<content> contents;
  std::vector<artifact> artifacts;
  std::vector<piece> pieces;  // views into the artifacts

  explicit history(const std::vector<std::pair<rows, std::string>>& states) {
    for (const auto& [all, document] : states) {
      contents.push_back(content_of(all, document));
      const content& now = contents.back();
      const wire::content_id id = id_of(now, contents.size());
      artifacts.push_back(contents.size() == 1 ? pack_snapshot(now, id)
                                               : pack_delta(contents[contents.size() - 2], now, id));
    }
    for (const artifact& a : artifacts) pieces.push_back({announce(a), a.bytes});
  }
};

TEST_CASE("content: a chain is what each of its pieces makes of the one before, from every beginning") {
  random_numbers rng(12);
  std::vector<std::pair<rows, std::string>> states{{many(100), "{}"}};
  for (int version = 2; version < 25; ++version) {
    auto [next, document] = states.back();
    for (std::uint64_t i = rng.below(9); i > 0; --i) {
      const std::string key = "tenant-" + std::to_string(rng.below(130));
      if (rng.below(3) == 0) {
        next.erase(key);
      } else {
        next[key] = "tier" + std::to_string(rng.below(9));
      }
    }
    if (rng.below(4) == 0) document = "{\"version\":" + std::to_string(version) + "}";
    states.emplace_back(std::move(next), std::move(document));
  }
  states.emplace_back(rows{}, "none is left");
  const history all(states);
  for (std::size_t size = 1; size <= all.pieces.size(); ++size) {
    const auto made = unpack_chain(std::span(all.pieces).first(size), how);
    REQUIRE_MESSAGE(made, made.error().error);
    CHECK(made->sum == all.contents[size - 1].sum);
    CHECK(made->digest == all.contents[size - 1].digest);
    CHECK(made->document == states[size - 1].second);
    CHECK(rows_in(made->keys) == states[size - 1].first);
  }
}

TEST_CASE("content: a chain whose pieces name more placements together than a table can have is one all the same") {
  const auto with_names = [](char letter, int keys, int count) {
    rows all;
    for (int i = 0; i < keys; ++i) all[std::to_string(i)] = letter + std::to_string(i % count);
    return all;
  };
  const std::vector<std::pair<rows, std::string>> histories[] = {
      {{{{"0", "a"}}, "{}"},  // the deltas alone name too many
       {with_names('b', 30'000, 30'000), "{}"},
       {with_names('c', 30'000, 30'000), "{}"},
       {with_names('d', 30'000, 30'000), "{}"}},
      {{with_names('a', 40'000, 40'000), "{}"},  // the last one does with the snapshot
       {with_names('b', 40'000, 10), "{}"},
       {with_names('c', 40'000, 40'000), "{}"}},
  };
  for (const auto& states : histories) {
    const history all(states);
    const auto made = unpack_chain(all.pieces, how);
    REQUIRE_MESSAGE(made, made.error().error);
    CHECK(made->sum == all.contents.back().sum);
    CHECK(made->keys.outcomes().size() == states.back().first.size());
  }
}

struct broken_chain {
  std::string_view says;
  void (*change)(std::vector<piece>& pieces);
  wire::refusal_code expected;
};

TEST_CASE("content: a chain that does not hold together is refused") {
  using code = wire::refusal_code;
  const broken_chain broken_chains[] = {
      {"no snapshot in front", [](auto& pieces) { pieces.erase(pieces.begin()); }, code::base_mismatch},
      {"a delta is missing", [](auto& pieces) { pieces.erase(pieces.begin() + 1); }, code::base_mismatch},
      {"two that change places", [](auto& pieces) { std::swap(pieces[1], pieces[2]); }, code::base_mismatch},
      {"a snapshot in between", [](auto& pieces) { pieces[1] = pieces[0]; }, code::base_mismatch},
      {"a repair", [](auto& pieces) { pieces[1].what.kind = wire::transfer_kind::repair; }, code::base_mismatch},
      {"a byte less in the middle",
       [](auto& pieces) { pieces[1].bytes = pieces[1].bytes.first(pieces[1].bytes.size() - 1); }, code::crc},
      {"a byte less in front",
       [](auto& pieces) { pieces[0].bytes = pieces[0].bytes.first(pieces[0].bytes.size() - 1); }, code::crc},
      {"another one in the middle, with a name that fits",
       [](auto& pieces) {
         pieces[1].bytes = pieces[2].bytes;
         pieces[1].what.artifact = pieces[2].what.artifact;
         pieces[1].what.raw_bytes = pieces[2].what.raw_bytes;
         pieces[1].what.compression = pieces[2].what.compression;
       },
       code::digest_mismatch},
      {"another end than was said", [](auto& pieces) { pieces.back().what.content.sum = {}; }, code::digest_mismatch},
      {"another number of keys", [](auto& pieces) { ++pieces.back().what.keys; }, code::digest_mismatch},
  };
  for (const broken_chain& row : broken_chains) {
    CAPTURE(row.says);
    rows second = many(20);
    second["one"] = "visa";
    rows third = second;
    third["two"] = "tier9";
    const history all({{many(20), "{}"}, {second, "{}"}, {third, "{}"}});
    std::vector<piece> pieces = all.pieces;
    REQUIRE(unpack_chain(pieces, how));
    row.change(pieces);
    const auto made = unpack_chain(pieces, how);
    REQUIRE_FALSE(made);
    CHECK((made.error().code == row.expected));
    CHECK_FALSE(made.error().error.empty());
  }
}

TEST_CASE("content: SHA-256 is that of the standard") {
  const std::string_view text = "abc";
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  CHECK(sha256(bytes) == support::sha256(bytes));
  CHECK(wire::to_hex(sha256(bytes)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace cellroute::sync
