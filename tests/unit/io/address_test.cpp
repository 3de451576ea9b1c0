#include "adapters/io/address.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace cellroute::io {
namespace {

TEST_CASE("address: literals, and how they are printed (RFC 5952)") {
  struct text_case {
    std::string_view says;
    std::string_view host;
    std::string_view expected_host;
    std::string_view expected;
  };
  const text_case cases[] = {
      {"loopback", "127.0.0.1", "127.0.0.1", "127.0.0.1:80"},
      {"bytes of one, two and three digits", "1.22.200.255", "1.22.200.255", "1.22.200.255:80"},
      {"zero bytes", "0.0.0.0", "0.0.0.0", "0.0.0.0:80"},
      {"a hundred, and a round ten", "100.10.109.90", "100.10.109.90", "100.10.109.90:80"},
      {"IPv6 loopback", "::1", "::1", "[::1]:80"},
      {"the longest run of zeros is left out", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "[2001:db8::1:0:0:1]:80"},
      {"small letters", "2001:DB8::A", "2001:db8::a", "[2001:db8::a]:80"},
      {"the longest", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80"},
  };
  for (const text_case& row : cases) {
    CAPTURE(row.says);
    const auto address = parse_address(row.host, 80);
    REQUIRE(address.has_value());
    CHECK(host_text(*address) == row.expected_host);
    CHECK(to_string(*address) == row.expected);
    std::array<char, 46> text{};
    CHECK(std::string_view(text.data(), write_host(*address, text.data())) == row.expected_host);
    CHECK(parse_address(row.expected_host, 80) == address);
  }
}

TEST_CASE("address: what is no literal") {
  struct refused_case {
    std::string_view says;
    std::string_view host;
  };
  const refused_case cases[] = {
      {"nothing", ""},
      {"a name", "cell.example"},
      {"three bytes", "1.2.3"},
      {"five bytes", "1.2.3.4.5"},
      {"a byte too large", "1.2.3.256"},
      {"octal, or not? nobody knows", "010.1.1.1"},
      {"hexadecimal", "0x7f.0.0.1"},
      {"with a port", "1.2.3.4:80"},
      {"with brackets", "[::1]"},
      {"with a zone", "fe80::1%eth0"},
      {"with a space", " 1.2.3.4"},
      {"IPv6 with a group too large", "12345::"},
      {"IPv6 with two gaps", "1::2::3"},
      {"64 characters", "0000000000000000000000000000000000000000000000000000000000000001"},
      {"an embedded zero byte", std::string_view("1.2.3.4\0x", 9)},
  };
  for (const refused_case& row : cases) {
    CAPTURE(row.says);
    CHECK_FALSE(parse_address(row.host, 80).has_value());
  }
}

TEST_CASE("address: to the system's form and back") {
  for (const std::string_view host : {"192.0.2.1", "2001:db8::1"}) {
    CAPTURE(host);
    const auto address = parse_address(host, 65535);
    REQUIRE(address.has_value());
    CHECK(from_native(to_native(*address).storage) == address);
  }
  // A listener of both families reports IPv4 peers so; nothing behind it should have to know.
  CHECK(from_native(to_native(*parse_address("::ffff:192.0.2.1", 7)).storage) == parse_address("192.0.2.1", 7));
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  CHECK_FALSE(from_native(unix_socket).has_value());
}

}  // namespace
}  // namespace cellroute::io
