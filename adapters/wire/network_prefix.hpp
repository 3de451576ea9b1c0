#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// A network written as `10.0.0.0/8` or `fd00::/8`; an address alone is the network of itself.
///
/// The two families never match each other, with one exception that no operator should have to think of: an IPv4
/// address that arrives on a dual-stack listener as `::ffff:a.b.c.d` counts as the IPv4 address.
struct network_prefix {
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4 uses the first four
  std::uint8_t length_bits = 0;
  bool is_v6 = false;
  friend bool operator==(const network_prefix&, const network_prefix&) = default;

  /// Whether an address of 4 or 16 bytes, in network order, lies in this network. Any other size does not.
  [[nodiscard]] bool contains(std::span<const std::uint8_t> address) const;
};

/// Errors: what it must be, for the operator. `10.1.2.3/8` is one: either the address or the length is a slip.
[[nodiscard]] expected<network_prefix, std::string_view> parse_network_prefix(std::string_view text);
[[nodiscard]] std::string to_string(const network_prefix& network);

}  // namespace cellroute::wire
