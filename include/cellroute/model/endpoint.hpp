#pragma once

#include <cstdint>
#include <string>

namespace cellroute {

/// One network address of a cell.
struct endpoint {
  std::string id;    ///< name in logs and metrics; `host:port` where the operator gave none
  std::string host;  ///< a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;
  std::uint32_t weight = 1;  ///< share of the cell's requests; 0 takes none
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

}  // namespace cellroute
