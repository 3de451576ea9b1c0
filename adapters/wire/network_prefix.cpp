#include "adapters/wire/network_prefix.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace cellroute::wire {
namespace {

constexpr std::array<std::uint8_t, 12> v4_in_v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Whether the first `length_bits` of both are equal.
bool same_prefix(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, std::size_t length_bits) {
  const std::size_t whole = length_bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const std::size_t rest = length_bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

}  // namespace

bool network_prefix::contains(std::span<const std::uint8_t> address) const {
  if (address.size() == 16 && std::ranges::equal(address.first(12), v4_in_v6)) address = address.subspan(12);
  if (address.size() != (is_v6 ? 16u : 4u)) return false;
  return same_prefix(bytes, address, length_bits);
}

expected<network_prefix, std::string_view> parse_network_prefix(std::string_view text) {
  constexpr std::string_view shape = "must be a network such as 10.0.0.0/8, fd00::/8 or 192.0.2.7";
  if (text.find('\0') != std::string_view::npos) return unexpected(shape);  // it would end the text for the system
  const std::size_t slash = text.find('/');
  const std::string address{text.substr(0, slash)};
  network_prefix network;
  if (inet_pton(AF_INET6, address.c_str(), network.bytes.data()) == 1) {
    network.is_v6 = true;
  } else if (inet_pton(AF_INET, address.c_str(), network.bytes.data()) != 1) {
    return unexpected(shape);
  }
  const unsigned length_max = network.is_v6 ? 128 : 32;
  unsigned length = length_max;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (ec != std::errc{} || end != digits.data() + digits.size() || length > length_max) {
      return unexpected(std::string_view{network.is_v6 ? "must have a prefix length from 0 to 128 after the slash"
                                                       : "must have a prefix length from 0 to 32 after the slash"});
    }
  }
  network.length_bits = static_cast<std::uint8_t>(length);
  for (unsigned bit = length; bit < length_max; ++bit) {
    if (network.bytes[bit / 8] >> (7 - bit % 8) & 1) {
      return unexpected(std::string_view{"must have no bits set behind the prefix length, as 10.0.0.0/8 has none"});
    }
  }
  return network;
}

std::string to_string(const network_prefix& network) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(network.is_v6 ? AF_INET6 : AF_INET, network.bytes.data(), text, sizeof text);
  return std::string(text) + "/" + std::to_string(network.length_bits);
}

}  // namespace cellroute::wire
