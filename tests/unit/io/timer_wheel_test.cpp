#include "adapters/io/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"

namespace cellroute::io {
namespace {

constexpr time_point start = time_point(1h);

/// Counts how often it fired, and does what the test asks for then.
struct counted_entry : deadline_entry {
  counted_entry() : deadline_entry(&counted_entry::expired) {}
  static void expired(deadline_entry& entry) {
    auto& self = static_cast<counted_entry&>(entry);
    ++self.fired;
    if (self.rearm_wheel != nullptr) self.rearm_wheel->arm(self, self.rearm_at);
    if (self.victim != nullptr) self.victim->reset();
    if (self.disarms != nullptr) self.disarms->disarm();
  }
  int fired = 0;
  timer_wheel* rearm_wheel = nullptr;
  time_point rearm_at;
  std::optional<counted_entry>* victim = nullptr;
  deadline_entry* disarms = nullptr;
};

/// Sweeps every tick, as a reactor does.
void run_until(timer_wheel& wheel, time_point from, time_point to) {
  for (time_point t = from; t <= to; t += timer_wheel::tick) wheel.sweep(t);
}

struct due_case {
  std::string_view says;
  duration after;     // from the start to the deadline
  duration swept_at;  // from the start to the last sweep
  bool fired;
};

const due_case due_cases[] = {
    {"a tick before its time", 1s, 950ms, false},
    {"a nanosecond before its time", 1s, 1s - 1ns, false},
    {"a tick after", 1s, 1050ms, true},
    {"inside of a tick: not in it", 1030ms, 1029ms, false},
    {"inside of a tick: a tick after", 1030ms, 1080ms, true},
    {"one nanosecond into a tick", 1s + 1ns, 1050ms + 1ns, true},
    {"the past: not before time moves", -1s, 49ms, false},
    {"the past: with the next tick", -1s, 50ms, true},
    {"now: with the next tick", 0s, 50ms, true},
    {"the ring's last slot, before", 51150ms, 51150ms - 1ns, false},
    {"the ring's last slot, after", 51150ms, 51200ms, true},
    {"once around the ring, before", 51200ms, 51200ms - 1ns, false},
    {"once around the ring, after", 51200ms, 51250ms, true},
    {"many times around, before", 5min, 5min - 1ns, false},
    {"many times around, after", 5min, 5min + 50ms, true},
};

TEST_CASE("timer wheel: a deadline fires never early, and at most a tick late") {
  for (const due_case& row : due_cases) {
    CAPTURE(row.says);
    timer_wheel wheel(start);
    counted_entry entry;
    wheel.arm(entry, start + row.after);
    run_until(wheel, start, start + row.swept_at);
    if (row.swept_at % timer_wheel::tick != 0s) wheel.sweep(start + row.swept_at);
    CHECK(entry.fired == (row.fired ? 1 : 0));
    CHECK(entry.is_armed() == !row.fired);
  }
}

TEST_CASE("timer wheel: a sweep after a long pause fires what was due, and nothing else") {
  timer_wheel wheel(start);
  counted_entry due;
  counted_entry later;
  counted_entry much_later;
  wheel.arm(due, start + 30s);
  wheel.arm(later, start + 10min + 100ms);
  wheel.arm(much_later, start + 1h);
  wheel.sweep(start + 10min);
  CHECK(due.fired == 1);
  CHECK(later.fired == 0);
  wheel.sweep(start + 10min + 150ms);
  CHECK(later.fired == 1);
  CHECK(much_later.fired == 0);
}

TEST_CASE("timer wheel: moved") {
  struct move_case {
    std::string_view says;
    duration first;
    duration second;
    duration swept_at;
    int fired;
  };
  const move_case cases[] = {
      {"later: not at the old time", 1s, 2s, 1500ms, 0},
      {"later: at the new one, once", 1s, 2s, 3s, 1},
      {"earlier: at the new time", 2s, 1s, 1050ms, 1},
      {"earlier: not again at the old one", 2s, 1s, 5s, 1},
      {"from beyond the ring into it", 2min, 1s, 1050ms, 1},
      {"from the ring to beyond it", 1s, 2min, 119s, 0},
      {"from the ring to beyond it, when due", 1s, 2min, 2min + 50ms, 1},
  };
  for (const move_case& row : cases) {
    CAPTURE(row.says);
    timer_wheel wheel(start);
    counted_entry entry;
    wheel.arm(entry, start + row.first);
    wheel.arm(entry, start + row.second);
    run_until(wheel, start, start + row.swept_at);
    CHECK(entry.fired == row.fired);
  }
}

TEST_CASE("timer wheel: disarmed, it does not fire; armed again, it does") {
  timer_wheel wheel(start);
  counted_entry entry;
  wheel.arm(entry, start + 1s);
  entry.disarm();
  CHECK_FALSE(entry.is_armed());
  wheel.arm(entry, start + 3s);
  entry.disarm();
  wheel.arm(entry, start + 2s);
  run_until(wheel, start, start + 2s);
  CHECK(entry.fired == 0);
  run_until(wheel, start + 2s, start + 4s);
  CHECK(entry.fired == 1);
}

TEST_CASE("timer wheel: what a firing entry may do") {
  timer_wheel wheel(start);
  SUBCASE("arm itself again, even for now, without an endless sweep") {
    counted_entry entry;
    entry.rearm_wheel = &wheel;
    entry.rearm_at = start;
    wheel.arm(entry, start + 1s);
    wheel.sweep(start + 2s);
    CHECK(entry.fired == 1);
    wheel.sweep(start + 2s + 50ms);
    CHECK(entry.fired == 2);
    wheel.sweep(start + 10min);
    CHECK(entry.fired == 3);
  }
  for (const bool victim_first : {true, false}) {
    SUBCASE(victim_first ? "destroy one that was armed before it" : "destroy one that was armed after it") {
      std::optional<counted_entry> victim(std::in_place);
      counted_entry killer;
      killer.victim = &victim;
      counted_entry third;
      if (victim_first) wheel.arm(*victim, start + 1s);
      wheel.arm(killer, start + 1s);
      wheel.arm(third, start + 1s);
      if (!victim_first) wheel.arm(*victim, start + 1s);
      wheel.sweep(start + 2s);
      CHECK(killer.fired == 1);
      CHECK(third.fired == 1);
      CHECK_FALSE(victim.has_value());
    }
  }
  SUBCASE("disarm another one that is due in the same slot") {
    counted_entry other;
    counted_entry entry;
    entry.disarms = &other;
    wheel.arm(other, start + 1s);
    wheel.arm(entry, start + 1s);  // the one armed last stands first
    wheel.sweep(start + 2s);
    CHECK(entry.fired == 1);
    CHECK(other.fired == 0);
  }
}

TEST_CASE("timer wheel: a destroyed entry is forgotten") {
  timer_wheel wheel(start);
  counted_entry before;
  counted_entry behind;
  {
    wheel.arm(behind, start + 1s);
    counted_entry gone;
    wheel.arm(gone, start + 1s);
    wheel.arm(before, start + 1s);
  }
  run_until(wheel, start, start + 2s);
  CHECK(before.fired == 1);
  CHECK(behind.fired == 1);
}

TEST_CASE("timer wheel: against a list that is looked through, at random") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    random_numbers rng(seed);
    timer_wheel wheel(start);
    constexpr std::size_t count = 40;
    std::deque<counted_entry> entries(count);
    std::vector<std::optional<time_point>> expected(count);
    time_point now = start;
    for (int step = 0; step < 2000; ++step) {
      const std::size_t i = rng.below(count);
      switch (rng.below(4)) {
        case 0:
        case 1: {
          const duration after =
              rng.below(3) == 0 ? duration(rng.below(200'000'000'000)) : duration(rng.below(3'000'000'000));
          wheel.arm(entries[i], now + after);
          expected[i] = now + after;
          break;
        }
        case 2:
          entries[i].disarm();
          expected[i].reset();
          break;
        default:
          now += rng.below(50) == 0 ? duration(rng.below(80'000'000'000)) : timer_wheel::tick;
          wheel.sweep(now);
      }
      for (std::size_t e = 0; e < count; ++e) {
        if (entries[e].fired != 0) {
          REQUIRE(expected[e].has_value());
          REQUIRE(*expected[e] <= now);
          expected[e].reset();
          entries[e].fired = 0;
        }
        if (expected[e]) REQUIRE(now < *expected[e] + timer_wheel::tick);
      }
    }
  }
}

}  // namespace
}  // namespace cellroute::io
