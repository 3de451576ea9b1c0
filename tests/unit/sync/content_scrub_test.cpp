#include "adapters/sync/content_scrub.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/unit/sync/made_content.hpp"

using namespace cellroute;
using namespace cellroute::sync;

namespace {

/// In which steps of a round something is found; from the start of a round.
std::string found_in(content_scrub& scrub, const content& held) {
  std::string found;
  for (std::size_t i = 0; i < content_scrub::steps; ++i) {
    if (!scrub.is_sound(held)) found += (found.empty() ? "" : " ") + std::to_string(i);
  }
  return found;
}

/// The step of a round that looks at a key.
std::string step_of(std::string_view key) {
  const std::size_t bucket = key_digest::bucket_of(key, test_salt);
  std::size_t step = 0;
  while (key_digest::bucket_count * (step + 1) / content_scrub::steps <= bucket) ++step;
  return std::to_string(step);
}

/// What was believed of one, with the rows of another.
content with_rows(const content& of, const rows& other) { return {of.document, table_of(other), of.digest, of.sum}; }

}  // namespace

TEST_CASE("scrub: what came is sound, in every round") {
  content_scrub scrub;
  for (const int count : {0, 1, 5'000}) {
    CAPTURE(count);
    const content held = content_of(many(count));
    CHECK(found_in(scrub, held).empty());
    CHECK(found_in(scrub, held).empty());
  }
}

TEST_CASE("scrub: a row that is another one is found by the one step of a round that looks at it") {
  const rows all = many(5'000);
  const content held = content_of(all);
  for (const std::string key : {"tenant-0", "tenant-17", "tenant-4999"}) {
    CAPTURE(key);
    rows other = all;
    other[key] = other[key] == "visa" ? "tier1" : "visa";
    content_scrub scrub;
    const content damaged = with_rows(held, other);
    CHECK(found_in(scrub, damaged) == step_of(key));
    CHECK(found_in(scrub, damaged) == step_of(key));
  }
}

TEST_CASE("scrub: each bucket is looked at in a round") {
  // Each bucket has a key, so that a step that leaves one out finds less.
  const rows all = many(60'000);
  rows other;
  for (const auto& [key, placement] : all) other[key] = placement == "visa" ? "tier1" : "visa";
  const content held = with_rows(content_of(all), other);
  content_scrub scrub;
  for (std::size_t i = 0; i < content_scrub::steps; ++i) CHECK_FALSE(scrub.is_sound(held));
  const key_digest real = sum_up(held, test_salt);
  CHECK(differing_buckets(held.digest, real).size() == key_digest::bucket_count);
}

TEST_CASE("scrub: a row too few or too many, and another document, are found at once") {
  const content held = content_of(many(100));
  content_scrub scrub;
  CHECK_FALSE(scrub.is_sound(with_rows(held, many(99))));
  CHECK_FALSE(scrub.is_sound(with_rows(held, many(101))));
  content other = with_rows(held, many(100));
  CHECK(scrub.is_sound(other));
  other.document = "[]";
  CHECK_FALSE(scrub.is_sound(other));
  CHECK(scrub.is_sound(held));
}

TEST_CASE("scrub: a change of what is damaged is damaged, too, and refused once the digest of it is made anew") {
  const rows before = many(2'000);
  rows after = before;
  after["tenant-1"] = "visa";
  rows other = before;
  other["tenant-2"] = "visa";
  const content base = content_of(before);
  const content next = content_of(after);
  const artifact way = pack_delta(base, next, {1, 2, next.sum});
  content damaged = with_rows(base, other);
  const auto made = unpack(announce(way), way.bytes, &damaged, {test_salt, 5});
  REQUIRE(made);
  content_scrub scrub;
  CHECK(found_in(scrub, *made) == step_of("tenant-2"));
  damaged.digest = sum_up(damaged, test_salt);
  const auto again = unpack(announce(way), way.bytes, &damaged, {test_salt, 5});
  REQUIRE_FALSE(again);
  CHECK(again.error().code == wire::refusal_code::digest_mismatch);
}
