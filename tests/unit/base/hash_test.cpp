#include "cellroute/base/hash.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;

namespace {

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) { return hash_text(text, seed); }

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct hash_case {
  std::string_view says;
  std::string_view text;
  std::uint64_t seed;
  std::uint64_t expected;
};

const hash_case hash_cases[] = {
    {"no byte", "", 0u, 0x6fb8e92e6f186582u},
    {"no byte, another seed", "", 1u, 0x07c13bdac0275f98u},
    {"1 to 3 bytes are read one by one", "abc", 0u, 0xfb45cd3acdbe2481u},
    {"4 to 7 bytes are two words of 4", "abcdefg", 0u, 0x218618b834ea4290u},
    {"8 to 16 bytes are two words of 8", "X-Routing-Key", 0u, 0x93e554d05ca1cda9u},
    {"16 bytes are still two words", "0123456789abcdef", 0u, 0x508aa580bab72cf8u},
    {"17 bytes take a block and a tail", "0123456789abcdef0", 0u, 0xea923b077677daf6u},
    {"40 bytes", "0123456789012345678901234567890123456789", 4711u, 0xd51b61c49447a9a0u},
};

}  // namespace

TEST_CASE("hash: the same on every host and in every release, because files hold its results") {
  for (const hash_case& row : hash_cases) {
    CAPTURE(row.says);
    CHECK(hash_of(row.text, row.seed) == row.expected);
  }
}

TEST_CASE("hash: every byte counts, and so does the number of bytes") {
  for (std::size_t size = 0; size <= 100; ++size) {
    std::string text(size, '\0');
    std::set<std::uint64_t> seen{hash_of(text, 1)};
    for (std::size_t at = 0; at < size; ++at) {
      for (const char bit : {'\x01', '\x80'}) {
        text[at] = bit;
        CHECK_MESSAGE(seen.insert(hash_of(text, 1)).second, "size ", size, " byte ", at);
      }
      text[at] = '\0';
    }
    CHECK_MESSAGE(seen.insert(hash_of(std::string(size + 1, '\0'), 1)).second, "size ", size);
  }
}

TEST_CASE("hash: reads no byte beyond the text") {
  // Each text has a heap block of exactly its size: the address sanitizer sees one byte too many.
  for (std::size_t size = 1; size <= 70; ++size) {
    const std::vector<char> exact(size, 'x');
    CHECK(hash_of({exact.data(), size}, 7) == hash_of(std::string(size, 'x'), 7));
  }
}

TEST_CASE("hash: keys that collide under one seed do not under another") {
  // The worst that can be done to a product: both keys make the first factor 0, so that the other factor has no part in
  // it.
  const std::uint64_t first_factor = mix(1);
  const auto key = [first_factor](std::uint64_t tail) {
    std::string text(16, '\0');
    std::memcpy(text.data(), &first_factor, 8);
    std::memcpy(text.data() + 8, &tail, 8);
    return text;
  };
  CHECK(hash_of(key(1), 1) == hash_of(key(2), 1));
  CHECK(hash_of(key(1), 2) != hash_of(key(2), 2));
}

TEST_CASE("scale: spreads hashes over a range, in their order") {
  CHECK(scale(0, 10) == 0);
  CHECK(scale(~std::uint64_t{0}, 10) == 9);
  CHECK(scale(std::uint64_t{1} << 63, 10) == 5);
  CHECK(scale((std::uint64_t{1} << 63) - 1, 10) == 4);
  CHECK(scale(~std::uint64_t{0}, 1) == 0);
}

struct checksum_case {
  std::string_view says;
  std::size_t size;
  std::uint64_t start;
  std::uint64_t expected;
};

const checksum_case checksum_cases[] = {
    {"no byte", 0, 0, 0xaa2a0a36a8134e71u},
    {"a part of a block", 10, 0, 0x23f2cff876c60e2au},
    {"a block of 64 bytes", 64, 0, 0xbdec8f75d207c63bu},
    {"two blocks and a part", 130, 0, 0x15674b9c5568477eu},
    {"another start", 130, 1, 0xc628a73ed504959fu},
};

TEST_CASE("checksum: the same on every host and in every release, because files hold it") {
  for (const checksum_case& row : checksum_cases) {
    std::string text;
    for (std::size_t i = 0; i < row.size; ++i) text += static_cast<char>(i);
    CAPTURE(row.says);
    CHECK(checksum(bytes_of(text), row.start) == row.expected);
    std::vector<std::byte> copy(text.size());
    CHECK(copy_and_checksum(copy.data(), bytes_of(text), row.start) == row.expected);
    CHECK(std::ranges::equal(copy, bytes_of(text)));
  }
}

TEST_CASE("checksum: any changed bit, any missing byte and another start change it") {
  for (const std::size_t size : {0u, 1u, 15u, 16u, 63u, 64u, 65u, 127u, 128u, 200u}) {
    std::string text(size, 'a');
    std::set<std::uint64_t> seen{checksum(bytes_of(text))};
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = static_cast<char>(text[at] ^ 4);
      CHECK_MESSAGE(seen.insert(checksum(bytes_of(text))).second, "size ", size, " byte ", at);
      text[at] = 'a';
    }
    CHECK_MESSAGE(seen.insert(checksum(bytes_of(text), 1)).second, "size ", size);
    if (size > 0) CHECK_MESSAGE(seen.insert(checksum(bytes_of(text).first(size - 1))).second, "size ", size);
  }
}
