#include "adapters/wire/crc32c.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cellroute::wire {
namespace {

using bytes = std::vector<std::byte>;

/// Bit by bit, as the polynomial is written down.
std::uint32_t slow_crc32c(std::span<const std::byte> text) {
  std::uint32_t sum = 0xffffffff;
  for (const std::byte b : text) {
    sum ^= std::to_integer<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~sum;
}

bytes counted(int first, int step) {
  bytes made;
  for (int i = 0; i < 32; ++i) made.push_back(static_cast<std::byte>(first + i * step));
  return made;
}

TEST_CASE("crc32c: the vectors of RFC 3720 appendix B.4") {
  CHECK(crc32c(bytes(32, std::byte{0})) == 0x8a9136aa);
  CHECK(crc32c(bytes(32, std::byte{0xff})) == 0x62a8ab43);
  CHECK(crc32c(counted(0, 1)) == 0x46dd794e);
  CHECK(crc32c(counted(31, -1)) == 0x113fdb5c);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("crc32c: of every length up to 100, at any place, at once and in two parts, it is what the polynomial says") {
  bytes text;
  for (int i = 0; i < 108; ++i) text.push_back(static_cast<std::byte>(i * 37 + 11));
  for (std::size_t start = 0; start < 8; ++start) {
    for (std::size_t size = 0; size <= 100; ++size) {
      const std::span<const std::byte> part = std::span(text).subspan(start, size);
      REQUIRE(crc32c(part) == slow_crc32c(part));
      REQUIRE(crc32c(part.subspan(size / 3), crc32c(part.first(size / 3))) == slow_crc32c(part));
    }
  }
}

}  // namespace
}  // namespace cellroute::wire
