#include "cellroute/table/key_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/base/random.hpp"

using namespace cellroute;
using namespace std::string_literals;
using keys = std::vector<std::string>;

namespace {

keys sorted(const keys& given, key_order& order) {
  keys found;
  for (const std::uint32_t i : order.sort(given.size(), [&given](std::size_t k) { return std::string_view(given[k]); }))
    found.push_back(given[i]);
  return found;
}

/// As std::sort has them, which compares as unsigned bytes.
void check(const keys& given) {
  key_order order;
  keys expected = given;
  std::sort(expected.begin(), expected.end());
  CHECK((sorted(given, order) == expected));
}

struct order_case {
  std::string_view says;
  keys given;
};

const order_case order_cases[] = {
    {"none", {}},
    {"one", {"a"}},
    {"two in order", {"a", "b"}},
    {"two out of order", {"b", "a"}},
    {"the beginning of a key comes before it", {"acme-2", "acme", "acme-"}},
    {"bytes are not signed", {"\x80", "\x7f", "\xff", "\x01"}},
    {"a byte of 0 is a byte", {"a\0"s, "a", "a\0\0"s, "a\0b"s, "a\1"s}},
    {"keys that end where a word ends", {"12345678", "1234567", "123456789", "12345678\0"s, "1234567\0"s}},
    {"words that are the same, and what follows differs", {"aaaaaaaabbbbbbbbc", "aaaaaaaabbbbbbbba", "aaaaaaaab"}},
    {"all begin alike", {"tenant-00000002", "tenant-00000001", "tenant-1"}},
    {"some of them begin alike", {"x-00000000-2", "y-00000000-1", "x-00000000-1", "y", "x"}},
};

}  // namespace

TEST_CASE("key order: as the keys' bytes compare") {
  for (const order_case& row : order_cases) {
    CAPTURE(row.says);
    check(row.given);
  }
}

TEST_CASE("key order: of equal keys the earlier one comes first") {
  key_order order;
  const keys given = {"b", "a-long-one-that-goes-on", "b", "a-long-one-that-goes-on", "b"};
  const auto found = order.sort(given.size(), [&given](std::size_t i) { return std::string_view(given[i]); });
  CHECK((std::vector<std::uint32_t>(found.begin(), found.end()) == std::vector<std::uint32_t>{1, 3, 0, 2, 4}));
}

TEST_CASE("key order: the longest keys that differ in their last byte, or only in how many there are") {
  keys given;
  for (int i = 255; i >= 0; --i) given.push_back(std::string(255, 'x') + static_cast<char>(i));
  for (std::size_t size = 256; size > 0; --size) given.push_back(std::string(size, '\0'));
  for (std::size_t size = 256; size > 0; --size) given.push_back(std::string(size, '\xff'));
  check(given);
}

TEST_CASE("key order: any keys, of few letters so that many begin alike") {
  random_numbers random(7);
  for (const std::size_t count : {2u, 3u, 50u, 1'000u, 20'000u}) {
    for (const std::size_t letters : {1u, 2u, 256u}) {
      CAPTURE(count);
      CAPTURE(letters);
      keys given;
      for (std::size_t i = 0; i < count; ++i) {
        std::string key(1 + random.below(letters == 1 ? 256 : 30), '\0');
        for (char& each : key) each = static_cast<char>(random.below(letters));
        given.push_back(std::move(key));
      }
      check(given);
    }
  }
}

TEST_CASE("key order: what two keys have in common") {
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::string key(size, 'k');
    CHECK(shared_size(key, key) == size);
    CHECK(shared_size(key, key + "more") == size);
    CHECK(shared_size(key + '\0', key) == size);
    for (std::size_t at = 0; at < size; ++at) {
      for (const char other : {'\0', '\xeb', 'K'}) {
        std::string changed = key;
        changed[at] = other;
        REQUIRE(shared_size(key, changed) == at);
        REQUIRE(shared_size(changed, key) == at);
      }
    }
  }
}
