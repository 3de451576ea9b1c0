#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "adapters/io/address.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// Why an address cannot be listened on, and what to do. Range: an `errno`.
[[nodiscard]] std::string listen_failure(const io::socket_address& address, int error);

/// Descriptors that listen, one for each of so many reactors. Where `any_host`, the address is every one of both
/// families, or of IPv4 alone on a host without IPv6; port 0 becomes the one that the system chose.
///
/// The first is opened alone on its port, so that two daemons by mistake on one port are an error and not a lottery.
/// Errors: as `listen_failure`.
[[nodiscard]] expected<std::vector<int>, std::string> listen_on(io::socket_address& address, bool any_host,
                                                                std::size_t count);

}  // namespace cellroute::process
