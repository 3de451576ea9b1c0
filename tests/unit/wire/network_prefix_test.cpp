#include "adapters/wire/network_prefix.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace cellroute::wire {
namespace {

std::vector<std::uint8_t> bytes_of(const std::string& address) {
  std::vector<std::uint8_t> v4(4), v6(16);
  if (inet_pton(AF_INET, address.c_str(), v4.data()) == 1) return v4;
  REQUIRE(inet_pton(AF_INET6, address.c_str(), v6.data()) == 1);
  return v6;
}

struct contains_case {
  std::string_view says;
  std::string_view network;
  std::string address;
  bool expected;
};

const contains_case contains_cases[] = {
    {"the first address", "10.0.0.0/8", "10.0.0.0", true},
    {"the last address", "10.0.0.0/8", "10.255.255.255", true},
    {"one before", "10.0.0.0/8", "9.255.255.255", false},
    {"one behind", "10.0.0.0/8", "11.0.0.0", false},
    {"a length that cuts a byte: in", "172.16.0.0/12", "172.31.255.255", true},
    {"a length that cuts a byte: out", "172.16.0.0/12", "172.32.0.0", false},
    {"an address alone is itself", "192.0.2.7", "192.0.2.7", true},
    {"and nobody else", "192.0.2.7", "192.0.2.6", false},
    {"everybody of IPv4", "0.0.0.0/0", "203.0.113.9", true},
    {"but nobody of IPv6", "0.0.0.0/0", "2001:db8::1", false},
    {"everybody of IPv6", "::/0", "2001:db8::1", true},
    {"but nobody of IPv4", "::/0", "10.0.0.1", false},
    {"IPv4 on a dual-stack listener", "10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"which is not IPv6", "::/0", "::ffff:10.1.2.3", false},
    {"IPv6: in", "fd00::/8", "fdff::1", true},
    {"IPv6: out", "fd00::/8", "fe00::1", false},
    {"the last bit of IPv6", "fd00::2/127", "fd00::3", true},
    {"one past it", "fd00::2/127", "fd00::4", false},
};

TEST_CASE("wire network: which addresses lie in it") {
  for (const auto& row : contains_cases) {
    CAPTURE(row.says);
    const auto network = parse_network_prefix(row.network);
    REQUIRE(network.has_value());
    CHECK(network->contains(bytes_of(row.address)) == row.expected);
  }
}

TEST_CASE("wire network: an address of no known size lies nowhere") {
  const auto network = parse_network_prefix("0.0.0.0/0");
  REQUIRE(network.has_value());
  CHECK_FALSE(network->contains(std::vector<std::uint8_t>(5)));
  CHECK_FALSE(network->contains({}));
}

struct refused_network {
  std::string_view says;
  std::string_view text;
  std::string_view expected;
};

const refused_network refused_networks[] = {
    {"nothing", "", "must be a network"},
    {"a name", "localhost", "must be a network"},
    {"an address cut short", "10.0.0/8", "must be a network"},
    {"an end of text for the system", std::string_view("10.0.0.0\0/8", 11), "must be a network"},
    {"one past the longest prefix of IPv4", "10.0.0.0/33", "must have a prefix length from 0 to 32"},
    {"one past the longest prefix of IPv6", "::/129", "must have a prefix length from 0 to 128"},
    {"no length behind the slash", "10.0.0.0/", "must have a prefix length"},
    {"a mask", "10.0.0.0/255.0.0.0", "must have a prefix length"},
    {"a sign", "10.0.0.0/-8", "must have a prefix length"},
    {"an address with a length: which of the two is meant?", "10.1.2.3/8", "must have no bits set behind"},
    {"one bit too many", "10.0.0.1/31", "must have no bits set behind"},
    {"the same in IPv6", "fd00::1/64", "must have no bits set behind"},
};

TEST_CASE("wire network: what is not one") {
  for (const auto& row : refused_networks) {
    CAPTURE(row.says);
    const auto network = parse_network_prefix(row.text);
    REQUIRE_FALSE(network.has_value());
    CHECK(network.error().substr(0, row.expected.size()) == row.expected);
  }
}

TEST_CASE("wire network: written with its length, always") {
  CHECK(to_string(*parse_network_prefix("10.0.0.0/8")) == "10.0.0.0/8");
  CHECK(to_string(*parse_network_prefix("192.0.2.7")) == "192.0.2.7/32");
  CHECK(to_string(*parse_network_prefix("FD00:0::/8")) == "fd00::/8");
}

}  // namespace
}  // namespace cellroute::wire
