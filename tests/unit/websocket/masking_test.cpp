#include "adapters/websocket/masking.hpp"

#include <doctest/doctest.h>

#include <string>

#include "cellroute/base/random.hpp"
#include "tests/support/slow_mask.hpp"
#include "tests/unit/websocket/five_ways.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

std::string masked(std::string_view text, const mask_key& key, std::size_t before = 0) {
  exact_bytes bytes{text};
  apply_mask(bytes.span(), key, before);
  return std::string(bytes.view());
}

}  // namespace

TEST_CASE("websocket mask: the example (RFC 6455 section 5.7)") {
  CHECK(masked("Hello", some_mask) == hex("7f 9f 4d 51 58"));
  CHECK(masked(hex("7f 9f 4d 51 58"), some_mask) == "Hello");
}

TEST_CASE("websocket mask: byte i of a payload goes with byte i modulo 4 of the key (RFC 6455 section 5.3)") {
  random_numbers random{6455};
  for (std::size_t size = 0; size < 100; ++size) {
    std::string payload(size, '\0');
    for (char& c : payload) c = static_cast<char>(random());
    mask_key key;
    for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(random());
    for (std::size_t before = 0; before < 9; ++before) {
      CAPTURE(size);
      CAPTURE(before);
      REQUIRE(masked(payload, key, before) == support::slow_mask(payload, key, before));
    }
  }
}

TEST_CASE("websocket mask: pieces of any size are as the whole") {
  const std::string payload(300, 'x');
  const std::string whole = support::slow_mask(payload, some_mask);
  for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
    CAPTURE(cut);
    REQUIRE(masked(payload.substr(0, cut), some_mask) + masked(payload.substr(cut), some_mask, cut) == whole);
  }
}
