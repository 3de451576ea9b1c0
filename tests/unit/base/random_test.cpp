#include "cellroute/base/random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

using namespace cellroute;

TEST_CASE("random: the sequence of a seed is that of SplitMix64, on every host") {
  random_numbers random(1234567);  // the test vector that the algorithm's users pass around
  CHECK(random() == 6457827717110365317u);
  CHECK(random() == 3203168211198807973u);
  CHECK(random() == 9817491932198370423u);
}

TEST_CASE("random: below gives each number of the range about as often, and no other") {
  random_numbers random(9);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) {
    const std::uint64_t number = random.below(7);
    REQUIRE(number < 7);
    ++seen[number];
  }
  for (const int count : seen) {
    CHECK(count > 9'700);  // 3 standard deviations are 278
    CHECK(count < 10'300);
  }
  CHECK(random.below(1) == 0);
}
