#include "adapters/io/buffer.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <utility>
#include <vector>

namespace cellroute::io {
namespace {

TEST_CASE("buffer pool: a block is the smallest that holds what was asked for") {
  struct size_case {
    std::size_t asked_bytes;
    std::size_t expected_bytes;
  };
  const size_case cases[] = {
      {1, 2048},      {2048, 2048},   {2049, 16384},   {16384, 16384},
      {16385, 65536}, {65536, 65536}, {65537, 262144}, {262144, 262144},
  };
  for (const size_case& row : cases) {
    CAPTURE(row.asked_bytes);
    buffer_pool pool;
    const buffer block = pool.take(row.asked_bytes);
    CHECK(block.size() == row.expected_bytes);
    std::memset(block.data(), 0x5a, block.size());
    CHECK(block.span().size() == row.expected_bytes);
  }
}

TEST_CASE("buffer pool: the block given back last is lent first, within its class") {
  buffer_pool pool;
  buffer a = pool.take(2048);
  buffer b = pool.take(2048);
  buffer large = pool.take(65536);
  const char* const place_a = a.data();
  const char* const place_b = b.data();
  const char* const place_large = large.data();
  a.give_back();
  b.give_back();
  large.give_back();
  const buffer first = pool.take(1);
  const buffer second = pool.take(1);
  const buffer third = pool.take(20000);
  CHECK(first.data() == place_b);
  CHECK(second.data() == place_a);
  CHECK(third.data() == place_large);
}

TEST_CASE("buffer pool: keeps kept_max blocks of a class, and not one more") {
  for (std::size_t c = 0; c < buffer_pool::class_bytes.size(); ++c) {
    CAPTURE(c);
    buffer_pool pool;
    std::vector<buffer> lent;
    for (std::size_t i = 0; i <= buffer_pool::kept_max[c]; ++i) lent.push_back(pool.take(buffer_pool::class_bytes[c]));
    const char* const last_kept = lent[buffer_pool::kept_max[c] - 1].data();
    for (buffer& block : lent) block.give_back();
    CHECK(pool.take(buffer_pool::class_bytes[c]).data() == last_kept);
  }
}

TEST_CASE("buffer: a handle that was moved from, or given back, holds nothing and gives nothing back again") {
  buffer_pool pool;
  buffer empty;
  CHECK_FALSE(empty);
  CHECK(empty.size() == 0);
  CHECK(empty.data() == nullptr);
  empty.give_back();

  buffer a = pool.take(100);
  const char* const place = a.data();
  buffer b = std::move(a);
  CHECK(b.data() == place);
  b = pool.take(100);  // gives the first one back
  CHECK(b.data() != place);
  CHECK(pool.take(100).data() == place);
  b.give_back();
  b.give_back();
  CHECK_FALSE(b);
  const buffer first = pool.take(100);
  const buffer second = pool.take(100);
  CHECK(first.data() != second.data());
}

}  // namespace
}  // namespace cellroute::io
