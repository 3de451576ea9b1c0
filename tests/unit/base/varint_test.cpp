#include "cellroute/base/varint.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;
using namespace std::string_view_literals;
using taken = expected<std::uint64_t, varint_error>;

namespace {

std::vector<std::byte> copied_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> written(std::uint64_t number) {
  std::array<std::byte, varint_bytes_max> bytes;
  return {bytes.data(), write_varint(bytes.data(), number)};
}

/// What comes off the front, and how many bytes are left.
std::pair<taken, std::size_t> read(std::span<const std::byte> bytes) {
  auto number = take_varint(bytes);
  return {number, bytes.size()};
}

struct number_case {
  std::string_view says;
  std::string_view bytes;
  std::uint64_t number;
};

const number_case numbers[] = {
    {"nothing is a byte, too", "\0"sv, 0},
    {"the largest of one byte", "\x7f"sv, 127},
    {"the smallest of two", "\x80\x01"sv, 128},
    {"the lowest bits come first", "\xac\x02"sv, 300},
    {"the largest of two", "\xff\x7f"sv, 16'383},
    {"the smallest of three", "\x80\x80\x01"sv, 16'384},
    {"the smallest of ten", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"sv, std::uint64_t{1} << 63},
    {"the largest", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, ~std::uint64_t{0}},
};

struct refused_case {
  std::string_view says;
  std::string_view bytes;
  varint_error expected;
};

const refused_case refused[] = {
    {"no byte", "", varint_error::cut_off},
    {"one that announces another", "\x80", varint_error::cut_off},
    {"nine that do", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", varint_error::cut_off},
    {"0 in two bytes", "\x80\0"sv, varint_error::not_shortest},
    {"1 in three bytes", "\x81\x80\0"sv, varint_error::not_shortest},
    {"127 in two bytes", "\xff\0"sv, varint_error::not_shortest},
    {"0 in ten bytes", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\0"sv, varint_error::not_shortest},
    {"bit 64", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", varint_error::too_large},
    {"eleven bytes", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", varint_error::too_large},
};

}  // namespace

TEST_CASE("varint: a number has one form, and is read out of it") {
  for (const number_case& row : numbers) {
    CAPTURE(row.says);
    const std::vector<std::byte> bytes = copied_bytes(row.bytes);
    CHECK((written(row.number) == bytes));
    CHECK(varint_size(row.number) == bytes.size());
    CHECK((read(bytes) == std::pair(taken(row.number), std::size_t{0})));
    std::vector<std::byte> more = bytes;
    more.push_back(std::byte{0x80});
    CHECK((read(more) == std::pair(taken(row.number), std::size_t{1})));
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const std::vector<std::byte> some(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
      CHECK((read(some) == std::pair(taken(unexpected(varint_error::cut_off)), cut)));
    }
  }
}

TEST_CASE("varint: what is refused stays where it is") {
  for (const refused_case& row : refused) {
    CAPTURE(row.says);
    const std::vector<std::byte> bytes = copied_bytes(row.bytes);
    CHECK((read(bytes) == std::pair(taken(unexpected(row.expected)), bytes.size())));
    CHECK_FALSE(to_string(row.expected).empty());
  }
}

TEST_CASE("varint: any number comes back") {
  random_numbers random(1);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t number = random() >> random.below(64);
    const std::vector<std::byte> bytes = written(number);
    REQUIRE(varint_size(number) == bytes.size());
    REQUIRE((read(bytes) == std::pair(taken(number), std::size_t{0})));
  }
}
