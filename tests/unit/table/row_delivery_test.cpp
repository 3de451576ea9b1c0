// However rows come from one table to another, as bytes all the way, they end as the same table with the same digest.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cellroute/base/random.hpp"
#include "cellroute/table/key_digest.hpp"
#include "cellroute/table/row_block_reader.hpp"
#include "cellroute/table/table_rows.hpp"
#include "tests/support/compiled_table.hpp"
#include "tests/support/sha256.hpp"
#include "tests/support/slow_key_digest.hpp"

using namespace cellroute;
using support::named_rows;

namespace {

constexpr std::uint64_t delivery_salt = 8;
constexpr auto sha256_of = [](std::span<const std::byte> message) { return support::sha256(message); };

key_digest salted_digest(const key_table& table) { return key_digest::of(table, delivery_salt, sha256_of); }

/// What a receiver has: a table, and its digest, which it never computes from the start again.
struct receiver {
  key_table table;
  key_digest digest = salted_digest(table);

  void take_delta(std::span<const std::byte> bytes) {
    const auto changes = row_block::decode_changes(bytes);
    REQUIRE(changes);
    auto made = apply(table, *changes);
    REQUIRE(made);
    digest = digest.updated(*made, changes->changes, sha256_of);
    table = *std::move(made);
  }
  void take_repair(std::span<const std::byte> bytes) {
    const auto buckets = row_block::decode_buckets(bytes);
    REQUIRE(buckets);
    const auto changes = changes_to_repair(table, *buckets, delivery_salt);
    REQUIRE(changes);
    auto made = apply(table, *changes);
    REQUIRE(made);
    digest = digest.recomputed(*made, buckets->buckets, sha256_of);
    table = *std::move(made);
  }
  void take_all(std::span<const std::byte> bytes, std::uint64_t seed) {
    const auto all = row_block::decode_rows(bytes);
    REQUIRE(all);
    auto made = support::build_keys(all->rows, seed, all->names);
    REQUIRE(made);
    digest = salted_digest(*made);
    table = *std::move(made);
  }
};

std::string random_key(random_numbers& random) {
  std::string key(1 + random.below(random.below(10) == 0 ? 256 : 3), '\0');
  for (char& each : key) each = static_cast<char>(random.below(random.below(2) == 0 ? 4 : 256));
  return key;
}

/// Up to `count` rows come, move and go. Names come and go with them.
void change(named_rows& rows, std::size_t count, random_numbers& random) {
  for (std::size_t i = random.below(count + 1); i > 0; --i) {
    auto at = rows.lower_bound(random_key(random));
    if (at == rows.end() || random.below(3) == 0) {
      rows[random_key(random)] = "placement-" + std::to_string(random.below(40));
    } else if (random.below(2) == 0) {
      rows.erase(at);
    } else {
      at->second = "placement-" + std::to_string(random.below(40));
    }
  }
}

/// Changes as bytes, after each version of the table but the first.
std::vector<std::vector<std::byte>> deltas_of(const std::vector<key_table>& history) {
  std::vector<std::vector<std::byte>> deltas;
  for (std::size_t i = 1; i < history.size(); ++i) {
    deltas.push_back(row_block::encode(changes_between(history[i - 1], history[i])));
  }
  return deltas;
}

/// All of these as one.
std::vector<std::byte> merged_delta(std::span<const std::vector<std::byte>> deltas) {
  row_changes both;
  std::vector<row_changes> kept;  // for as long as views into them are in use
  for (const std::vector<std::byte>& delta : deltas) {
    auto next = row_block::decode_changes(delta);
    REQUIRE(next);
    auto joined = merged(both, *next);
    REQUIRE(joined);
    kept.push_back(*std::move(next));
    both = *std::move(joined);
  }
  return row_block::encode(both);
}

void check_same(const receiver& has, const key_table& wanted) {
  CHECK((support::named_rows_of(has.table) == support::named_rows_of(wanted)));
  CHECK((has.digest == salted_digest(wanted)));
  CHECK((has.digest == salted_digest(has.table)));
  CHECK((row_block::encode(rows_of(has.table)) == row_block::encode(rows_of(wanted))));
}

}  // namespace

TEST_CASE("delivery: a chain of changes, one merged change, a repair and all rows end in one digest and one table") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    random_numbers random(seed);
    named_rows rows;
    change(rows, 600, random);
    std::vector<key_table> history;
    for (std::size_t versions = 2 + random.below(6); versions > 0; --versions) {
      history.push_back(support::table_of(rows, random()));
      change(rows, random.below(4) == 0 ? 600 : 20, random);
    }
    const auto deltas = deltas_of(history);
    const key_table& wanted = history.back();
    const std::size_t base = random.below(history.size());
    const std::vector<std::byte> start = row_block::encode(rows_of(history[base]));
    const auto to_take = std::span(deltas).subspan(base);

    receiver by_chain;
    by_chain.take_all(start, random());
    for (const std::vector<std::byte>& delta : to_take) by_chain.take_delta(delta);
    check_same(by_chain, wanted);

    receiver by_merged;
    by_merged.take_all(start, random());
    by_merged.take_delta(merged_delta(to_take));
    check_same(by_merged, wanted);

    receiver by_repair;
    by_repair.take_all(start, random());
    const std::vector<std::uint16_t> buckets = differing_buckets(by_repair.digest, salted_digest(wanted));
    by_repair.take_repair(row_block::encode(rows_in_buckets(wanted, buckets, delivery_salt)));
    check_same(by_repair, wanted);

    receiver by_all;
    by_all.take_all(row_block::encode(rows_of(wanted)), random());
    check_same(by_all, wanted);

    receiver from_nothing;  // as a router whose base was purged long ago, or that never had any
    from_nothing.take_delta(row_block::encode(changes_between(from_nothing.table, wanted)));
    check_same(from_nothing, wanted);
  }
}

TEST_CASE("delivery: a change that is taken twice, or on top of a later one, is seen by the digest and repaired") {
  for (std::uint64_t seed = 100; seed < 106; ++seed) {
    CAPTURE(seed);
    random_numbers random(seed);
    named_rows rows;
    change(rows, 300, random);
    std::vector<key_table> history;
    for (int i = 0; i < 4; ++i) {
      history.push_back(support::table_of(rows, random()));
      change(rows, 50, random);
    }
    const auto deltas = deltas_of(history);
    receiver has;
    has.take_all(row_block::encode(rows_of(history[0])), random());
    for (const std::size_t i : {0u, 0u, 2u, 1u, 1u, 0u}) has.take_delta(deltas[i]);
    CHECK((has.digest == salted_digest(has.table)));  // wrong rows, but known for what they are
    const key_digest wanted = salted_digest(history.back());
    has.take_repair(
        row_block::encode(rows_in_buckets(history.back(), differing_buckets(has.digest, wanted), delivery_salt)));
    check_same(has, history.back());
  }
}
