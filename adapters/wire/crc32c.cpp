#include "adapters/wire/crc32c.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace cellroute::wire {
namespace {

using table = std::array<std::uint32_t, 256>;

/// `tables[k][b]` is what byte b does k bytes later.
constexpr std::array<table, 8> made_tables() {
  constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected
  std::array<table, 8> made{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? polynomial : 0);
    made[0][byte] = rest;
  }
  for (std::size_t k = 1; k < made.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      made[k][byte] = (made[k - 1][byte] >> 8) ^ made[0][made[k - 1][byte] & 0xff];
    }
  }
  return made;
}

constexpr std::array<table, 8> tables = made_tables();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
  std::uint32_t sum = ~before;
  while (bytes.size() >= 8 && std::endian::native == std::endian::little) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    word ^= sum;
    sum = 0;
    for (std::size_t i = 0; i < 8; ++i) sum ^= tables[7 - i][(word >> (8 * i)) & 0xff];
    bytes = bytes.subspan(8);
  }
  for (const std::byte b : bytes) sum = (sum >> 8) ^ tables[0][(sum ^ std::to_integer<std::uint32_t>(b)) & 0xff];
  return ~sum;
}

}  // namespace cellroute::wire
