#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "cellroute/table/key_format.hpp"

namespace cellroute::support {

/// The bytes with a checksum that fits, as an attacker would write them.
///
/// Range: at least the size of a header.
inline std::vector<std::byte> resealed(std::vector<std::byte> bytes) {
  key_format::header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  const std::span<const std::byte> behind = std::span<const std::byte>(bytes).subspan(sizeof h);
  h.checksum = key_format::checksum_of(h, behind);
  std::memcpy(bytes.data(), &h, sizeof h);
  return bytes;
}

}  // namespace cellroute::support
