#include "adapters/io/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace cellroute::io {

native_address to_native(const socket_address& address) {
  native_address native;
  if (address.v6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&native.storage, &in, sizeof in);
    native.size_bytes = sizeof in;
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.bytes.data(), 4);
    std::memcpy(&native.storage, &in, sizeof in);
    native.size_bytes = sizeof in;
  }
  return native;
}

std::optional<socket_address> from_native(const sockaddr_storage& storage) {
  socket_address address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    std::memcpy(address.bytes.data(), &in.sin_addr, 4);
    address.port = ntohs(in.sin_port);
    return address;
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, &storage, sizeof in);
  address.port = ntohs(in.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
    std::memcpy(address.bytes.data(), &in.sin6_addr.s6_addr[12], 4);
  } else {
    std::memcpy(address.bytes.data(), &in.sin6_addr, 16);
    address.v6 = true;
  }
  return address;
}

std::optional<socket_address> parse_address(std::string_view host, std::uint16_t port) {
  std::array<char, 64> text{};
  if (host.empty() || host.size() >= text.size() || host.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(text.data(), host.data(), host.size());
  socket_address address;
  address.port = port;
  if (inet_pton(AF_INET, text.data(), address.bytes.data()) == 1) return address;
  if (inet_pton(AF_INET6, text.data(), address.bytes.data()) != 1) return std::nullopt;
  address.v6 = true;
  return address;
}

std::size_t write_host(const socket_address& address, char* out) {
  if (!address.v6) {
    char* p = out;
    for (std::size_t i = 0; i < 4; ++i) {
      const unsigned byte = address.bytes[i];
      if (i != 0) *p++ = '.';
      if (byte >= 100) *p++ = static_cast<char>('0' + byte / 100);
      if (byte >= 10) *p++ = static_cast<char>('0' + byte / 10 % 10);
      *p++ = static_cast<char>('0' + byte % 10);
    }
    return static_cast<std::size_t>(p - out);
  }
  if (inet_ntop(AF_INET6, address.bytes.data(), out, INET6_ADDRSTRLEN) == nullptr) return 0;
  return std::strlen(out);
}

std::string host_text(const socket_address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return std::string(text.data(), write_host(address, text.data()));
}

std::string to_string(const socket_address& address) {
  const std::string host = host_text(address);
  const std::string port = std::to_string(address.port);
  return address.v6 ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace cellroute::io
