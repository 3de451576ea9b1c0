#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cellroute::io {

/// An IP address and port, compact: 19 bytes instead of the 128 of `sockaddr_storage`.
struct socket_address {
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4 in the first four
  std::uint16_t port = 0;
  bool v6 = false;
  friend bool operator==(const socket_address&, const socket_address&) = default;
};

/// What the socket calls want.
struct native_address {
  sockaddr_storage storage{};
  socklen_t size_bytes = 0;
};

[[nodiscard]] native_address to_native(const socket_address& address);
/// An IPv4 address mapped into IPv6 comes back as IPv4. Empty for families other than these two.
[[nodiscard]] std::optional<socket_address> from_native(const sockaddr_storage& storage);

/// Reads a literal address; names are not looked up.
[[nodiscard]] std::optional<socket_address> parse_address(std::string_view host, std::uint16_t port);

/// `192.0.2.1` or `2001:db8::1`, without port.
[[nodiscard]] std::string host_text(const socket_address& address);
/// `192.0.2.1:80` or `[2001:db8::1]:80`.
[[nodiscard]] std::string to_string(const socket_address& address);

/// Writes what `host_text` returns into `out`, which holds at least 46 characters. Returns the length. Allocates
/// nothing.
std::size_t write_host(const socket_address& address, char* out);

}  // namespace cellroute::io
