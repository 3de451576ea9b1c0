#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cellroute/table/key_table.hpp"

namespace cellroute::support {

/// The bytes of a table as a file has them.
inline std::vector<std::byte> stored(const key_table& table) {
  const key_table::stored_bytes parts = table.bytes();
  std::vector<std::byte> file(parts.head.size() + parts.rest.size());
  std::copy(parts.rest.begin(), parts.rest.end(), std::copy(parts.head.begin(), parts.head.end(), file.begin()));
  return file;
}

}  // namespace cellroute::support
