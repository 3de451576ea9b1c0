#pragma once

#include <optional>
#include <string>

#include "cellroute/base/time.hpp"

namespace cellroute::io {

/// When the first of the certificates in a PEM file ends, whether that is past or not; nothing where it cannot be read,
/// or holds none. Cost: reads the file.
[[nodiscard]] std::optional<wall_time> certificate_end(const std::string& file);

}  // namespace cellroute::io
