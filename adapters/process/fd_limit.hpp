#pragma once

#include <algorithm>
#include <cstdint>

#include "cellroute/base/expected.hpp"

namespace cellroute::process {

/// How many descriptors this process may open.
struct fd_limit {
  std::uint64_t before = 0;
  std::uint64_t now = 0;
  friend bool operator==(const fd_limit&, const fd_limit&) = default;
};

/// Raises the soft limit of descriptors to the hard one. For the start of a process: two requests in flight cost four
/// descriptors, and the usual soft limit of 1,024 is from the days of `select`.
///
/// Errors: the `errno` of the call that failed; the limit stays as it was.
[[nodiscard]] expected<fd_limit, int> raise_fd_limit();

/// How many of a proxy's descriptors may be connections of clients, where `open` are in use for good: three quarters of
/// the others. The last quarter is for connections to cells, which idle clients share. Never 0.
[[nodiscard]] constexpr std::uint64_t descriptors_for_clients(std::uint64_t descriptors_max, std::uint64_t open) {
  const std::uint64_t left = descriptors_max > open ? descriptors_max - open : 0;
  return std::max<std::uint64_t>(1, left - (left + 3) / 4);
}

}  // namespace cellroute::process
