#include "cellroute/snapshot/published.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

using namespace cellroute;

namespace {

/// Counts itself, and notes who destroys it.
class counted {
 public:
  explicit counted(std::uint64_t number) : number_(number) { ++alive; }
  counted(counted&& other) noexcept : number_(other.number_), copy_(other.copy_) { ++alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() {
    --alive;
    if (is_reader) ++destroyed_by_reader;
    number_ = 0;  // a reader that still looks sees two different numbers
  }
  [[nodiscard]] bool is_whole(std::uint64_t generation) const { return number_ == generation && copy_ == generation; }

  static inline std::atomic<int> alive = 0;
  static inline std::atomic<int> destroyed_by_reader = 0;
  static inline thread_local bool is_reader = false;  // set by a thread that must destroy none

 private:
  std::uint64_t number_;
  std::uint64_t copy_ = number_;
};

snapshot<counted> made(std::uint64_t generation) { return {generation, counted(generation)}; }

}  // namespace

TEST_CASE("published: a reader sees what was published last") {
  published<int> source({1, 10});
  reader<int> first(source);
  CHECK(first.current().value == 10);
  REQUIRE(source.publish({2, 20}));
  CHECK(first.current().value == 20);
  CHECK(first.current().generation == 2);
  reader<int> second(source);
  CHECK(second.current().value == 20);
  CHECK(source.generation() == 2);
}

template <class Reader>
concept lends = requires(Reader&& from) { std::forward<Reader>(from).current(); };

TEST_CASE("published: a reader that ends with the expression lends nothing") {
  CHECK(lends<reader<int>&>);
  CHECK_FALSE(lends<reader<int>>);
}

TEST_CASE("published: a snapshot that was overtaken is refused, and nothing changes") {
  published<int> source({5, 50});
  reader<int> one(source);
  CHECK(source.publish({5, 51}).error() == publish_error::stale_generation);
  CHECK(source.publish({4, 40}).error() == publish_error::stale_generation);
  CHECK(one.current().value == 50);
  CHECK(source.generation() == 5);
  CHECK(source.publish({6, 60}));
  CHECK(one.current().value == 60);
}

TEST_CASE("published: an old snapshot lives as long as a reader borrows it, and no longer") {
  CHECK(counted::alive == 0);
  {
    published<counted> source(made(1));
    {
      reader<counted> idle(source);
      reader<counted> busy(source);
      const snapshot<counted>& held = idle.current();
      REQUIRE(source.publish(made(2)));
      (void)busy.current();
      CHECK(source.collect() == 1);
      CHECK(held.value.is_whole(1));
      CHECK(counted::alive == 2);

      REQUIRE(source.publish(made(3)));  // 2 is borrowed by `busy`, 1 by `idle`
      CHECK(counted::alive == 3);
      (void)busy.current();
      CHECK(counted::alive == 3);  // a reader that goes on frees nothing itself
      REQUIRE(source.publish(made(4)));
      CHECK(counted::alive == 3);  // the publisher freed 2: left are 1, 3 and 4

      (void)idle.current();  // its tick
      (void)busy.current();
      CHECK(source.collect() == 0);
      CHECK(counted::alive == 1);
    }
    REQUIRE(source.publish(made(5)));
    CHECK(counted::alive == 1);  // readers that are gone borrow nothing
  }
  CHECK(counted::alive == 0);
}

TEST_CASE("published: 10,000 snapshots against two readers, none torn, none freed by a reader") {
  constexpr std::uint64_t last = 10'000;
  counted::destroyed_by_reader = 0;
  std::atomic<int> torn = 0;
  std::atomic<int> went_back = 0;
  std::atomic<int> ready = 0;
  std::atomic<std::uint64_t> seen_by[2] = {};
  int distinct[2] = {};
  {
    published<counted> source(made(1));
    const auto read = [&](int me) {
      counted::is_reader = true;
      reader<counted> mine(source);
      ++ready;
      std::uint64_t seen = 0;
      while (seen < last) {
        const snapshot<counted>& current = mine.current();
        if (!current.value.is_whole(current.generation)) ++torn;
        if (current.generation < seen) ++went_back;
        if (current.generation != seen) ++distinct[me];
        seen = current.generation;
        seen_by[me] = seen;
      }
    };
    std::thread first(read, 0);
    std::thread second(read, 1);
    while (ready < 2) std::this_thread::yield();
    for (std::uint64_t generation = 2; generation <= last; ++generation) {
      REQUIRE(source.publish(made(generation)));
      // A busy machine may let the readers sleep: now and then the writer waits until both have come near.
      while (generation % 100 == 0 && std::min(seen_by[0].load(), seen_by[1].load()) + 50 < generation) {
        std::this_thread::yield();
      }
    }
    first.join();
    second.join();
    CHECK(source.collect() == 0);
    CHECK(counted::alive == 1);
  }
  CHECK(counted::destroyed_by_reader == 0);
  CHECK(distinct[0] >= 100);
  CHECK(distinct[1] >= 100);
  CHECK(torn == 0);
  CHECK(went_back == 0);
  CHECK(counted::alive == 0);
}

TEST_CASE("published: the last look at a snapshot does not free it on the reader's thread") {
  counted::destroyed_by_reader = 0;
  published<counted> source(made(1));
  std::atomic<int> step = 0;
  std::thread other([&] {
    counted::is_reader = true;
    reader<counted> mine(source);
    (void)mine.current();
    step = 1;
    while (step != 2) std::this_thread::yield();
    (void)mine.current();  // lets 1 go, its last reference but the publisher's
    step = 3;
    while (step != 4) std::this_thread::yield();
  });
  while (step != 1) std::this_thread::yield();
  REQUIRE(source.publish(made(2)));
  CHECK(counted::alive == 2);
  step = 2;
  while (step != 3) std::this_thread::yield();
  CHECK(counted::alive == 2);
  CHECK(source.collect() == 0);
  CHECK(counted::alive == 1);
  step = 4;
  other.join();
  CHECK(counted::destroyed_by_reader == 0);
}
