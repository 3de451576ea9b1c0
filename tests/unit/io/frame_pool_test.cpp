#include "adapters/io/frame_pool.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string_view>
#include <vector>

namespace cellroute::io {
namespace {

TEST_CASE("frame pool: which sizes share a free list") {
  struct size_case {
    std::string_view says;
    std::size_t given_bytes;
    std::size_t asked_bytes;
    bool reused;
  };
  constexpr std::size_t step = frame_pool::step_bytes;
  const size_case cases[] = {
      {"the same size", 100, 100, true},
      {"the smallest of a class serves its largest", 4 * step + 1, 5 * step, true},
      {"the largest serves the smallest", 5 * step, 4 * step + 1, true},
      {"one byte beyond the class does not", 5 * step, 5 * step + 1, false},
      {"one byte below it does not", 4 * step + 1, 4 * step, false},
      {"the largest class is kept", (frame_pool::class_count - 1) * step, (frame_pool::class_count - 1) * step, true},
  };
  for (const size_case& row : cases) {
    CAPTURE(row.says);
    frame_pool pool;
    const frame_pool::scope use(pool);
    void* const first = frame_pool::allocate(row.given_bytes);
    // Keeps the general allocator from handing out the same place by itself.
    void* const other = frame_pool::allocate(row.given_bytes);
    frame_pool::deallocate(first, row.given_bytes);
    void* const second = frame_pool::allocate(row.asked_bytes);
    CHECK((second == first) == row.reused);
    std::memset(second, 0x5a, row.asked_bytes);
    frame_pool::deallocate(second, row.asked_bytes);
    frame_pool::deallocate(other, row.given_bytes);
  }
}

TEST_CASE("frame pool: the frame given back last comes first, while it is in the cache") {
  frame_pool pool;
  const frame_pool::scope use(pool);
  void* const a = frame_pool::allocate(64);
  void* const b = frame_pool::allocate(64);
  frame_pool::deallocate(a, 64);
  frame_pool::deallocate(b, 64);
  CHECK(frame_pool::allocate(64) == b);
  CHECK(frame_pool::allocate(64) == a);
  frame_pool::deallocate(a, 64);
  frame_pool::deallocate(b, 64);
}

TEST_CASE("frame pool: keeps kept_max frames of a class, and not one more") {
  frame_pool pool;
  const frame_pool::scope use(pool);
  std::vector<void*> frames;
  for (std::size_t i = 0; i <= frame_pool::kept_max; ++i) frames.push_back(frame_pool::allocate(64));
  for (void* const frame : frames) frame_pool::deallocate(frame, 64);
  void* const next = frame_pool::allocate(64);
  CHECK(next == frames[frame_pool::kept_max - 1]);
  frame_pool::deallocate(next, 64);
}

TEST_CASE("frame pool: frames may come from one pool and go to another, or to none") {
  frame_pool pool;
  void* without = frame_pool::allocate(64);
  void* within = nullptr;
  {
    const frame_pool::scope use(pool);
    within = frame_pool::allocate(64);
    frame_pool::deallocate(without, 64);
    CHECK(frame_pool::allocate(64) == without);
    frame_pool inner;
    {
      const frame_pool::scope nested(inner);
      frame_pool::deallocate(without, 64);
      CHECK(frame_pool::allocate(64) == without);
    }
    frame_pool::deallocate(without, 64);
    CHECK(frame_pool::allocate(64) == without);
  }
  frame_pool::deallocate(without, 64);
  frame_pool::deallocate(within, 64);
  void* const huge = frame_pool::allocate(1'000'000);
  std::memset(huge, 0, 1'000'000);
  frame_pool::deallocate(huge, 1'000'000);
}

}  // namespace
}  // namespace cellroute::io
