#include "cellroute/base/simd.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;

TEST_CASE("simd: each vector function gives what its plain twin gives, for every count") {
  random_numbers random(1);
  for (std::size_t count = 0; count <= lanes_max; ++count) {
    for (int round = 0; round < 200; ++round) {
      std::array<std::uint8_t, 4 * lanes_max + 16> bytes{};
      // Few values, so that many match; and what lies behind `count` matches too, so that it is seen if it counts.
      for (auto& each : bytes) each = static_cast<std::uint8_t>(random.below(4) == 0 ? 255 : random.below(3));
      CAPTURE(count);
      CHECK(match_mask(bytes.data(), 255, count) == plain::match_mask(bytes.data(), 255, count));
      CHECK(match_mask(bytes.data() + 1, 0, count) == plain::match_mask(bytes.data() + 1, 0, count));
      CHECK(not_rising_mask(bytes.data(), count) == plain::not_rising_mask(bytes.data(), count));
      CHECK(sum_bytes(bytes.data(), count) == plain::sum_bytes(bytes.data(), count));
      largest_word largest;
      plain::largest_word plain_largest;
      for (const std::size_t start : {1u, 30u}) {
        largest.add(bytes.data() + start, count);
        plain_largest.add(bytes.data() + start, count);
        CHECK(largest.value() == plain_largest.value());
      }
    }
  }
}

TEST_CASE("simd: what the plain twins give") {
  const std::uint8_t bytes[] = {7, 1, 7, 255, 7};
  CHECK(plain::match_mask(bytes, 7, 4) == 0b101);
  CHECK(plain::match_mask(bytes, 7, 5) == 0b10101);
  CHECK(plain::not_rising_mask(bytes, 0) == 0);
  CHECK(plain::not_rising_mask(bytes, 4) == 0b1);
  CHECK(plain::not_rising_mask(bytes, 5) == 0b1001);
  const std::uint8_t same[] = {7, 7, 128};
  CHECK(plain::not_rising_mask(same, 3) == 0b1);
  CHECK(plain::sum_bytes(bytes, 0) == 0);
  CHECK(plain::sum_bytes(bytes, 4) == 270);
  const std::uint16_t words[] = {3, 0x8001, 0x7fff, 0xffff};
  const auto* at = static_cast<const std::uint8_t*>(static_cast<const void*>(words));
  plain::largest_word largest;
  largest.add(at, 0);
  CHECK(largest.value() == 0);
  largest.add(at, 3);
  CHECK(largest.value() == 0x8001);
  largest.add(at, 1);
  CHECK(largest.value() == 0x8001);
  largest.add(at + 6, 1);
  CHECK(largest.value() == 0xffff);
}

TEST_CASE("same_bytes: true for the same, false with any byte changed, at every size") {
  for (std::size_t size = 0; size <= 70; ++size) {
    const std::vector<char> left(size, 'k');
    std::vector<char> right = left;
    CAPTURE(size);
    const bool is_long = size >= 16;
    CHECK(same_bytes(left.data(), right.data(), size));
    if (is_long) CHECK(plain::same_long(left.data(), right.data(), size));
    for (std::size_t at = 0; at < size; ++at) {
      right[at] = 'K';
      CHECK_FALSE(same_bytes(left.data(), right.data(), size));
      if (is_long)
        CHECK(same_long(left.data(), right.data(), size) == plain::same_long(left.data(), right.data(), size));
      right[at] = 'k';
    }
  }
}

TEST_CASE("copy_short and copy_long: copy every byte and not one more, at every size") {
  for (std::size_t size = 0; size <= 300; ++size) {
    std::string from;
    for (std::size_t i = 0; i < size; ++i) from += static_cast<char>(i * 7);
    std::vector<char> exact(from.begin(), from.end());
    for (const auto copy : {copy_short, copy_long}) {
      std::string to(size + 1, '!');
      copy(to.data(), exact.data(), size);
      CAPTURE(size);
      CHECK((to == from + "!"));
    }
  }
}
