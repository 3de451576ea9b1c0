#pragma once

#include <string>
#include <string_view>

#include "adapters/wire/scalars.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::wire {

/// `2026-02-01T00:00:00Z`, `2026-02-01T01:00:00.5+01:00`.
///
/// Range:  the years 1970 to 2261, to the nanosecond; a leap second is refused, since nobody's clock shows it.
/// Source: RFC 3339 section 5.6.
[[nodiscard]] parsed<wall_time> parse_timestamp(std::string_view text);
/// In UTC, with as many digits behind the point as are needed.
[[nodiscard]] std::string to_string(wall_time instant);

}  // namespace cellroute::wire
