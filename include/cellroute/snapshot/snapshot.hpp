#pragma once

#include <cstdint>

namespace cellroute {

/// One version of one immutable value.
template <class T>
struct snapshot {
  std::uint64_t generation = 0;  ///< strictly growing from one published snapshot to the next
  T value;
};

}  // namespace cellroute
