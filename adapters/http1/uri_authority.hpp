#pragma once

#include <string_view>

namespace cellroute::http1 {

/// Whether text is `host` or `host:port` as a Host field may hold it.
///
/// A host is a name of 1 to 255 bytes or an address of IPv6 in brackets; a port has 0 to 5 digits and is at most 65535.
/// Narrower than the grammar in one point: no comma, which some hop would read as a list of two hosts.
///
/// Source: RFC 9110 section 7.2, RFC 3986 section 3.2.2. User information is no part of Host and is refused in a
/// target by RFC 9110 section 4.2.4; IPvFuture and zones name nothing that could be reached.
[[nodiscard]] bool is_host_and_port(std::string_view text);

}  // namespace cellroute::http1
