#pragma once

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

}  // namespace cellroute::process
