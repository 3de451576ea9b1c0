#pragma once

#include <string>

#include "adapters/process/access_record.hpp"

namespace cellroute::process {

/// Which fields a line has: `m1` the first ten, `full` all that the router knows.
enum class access_preset { m1, full };

/// The shape of every line of one log. It never depends on the record, so that a reader meets one shape only: a text
/// that a request does not have is `""`, a duration that was not measured is `null`.
struct access_layout {
  access_preset preset = access_preset::full;
  bool query = false;  ///< queries often hold secrets, so they are printed only when asked for
  friend bool operator==(const access_layout&, const access_layout&) = default;
};

/// Appends one access line as a JSON object and a line feed.
///
/// Units: times in milliseconds with three digits after the point; `timestamp` as in RFC 3339, UTC.
/// Cost:  about a microsecond; allocates only when `out` must grow.
void append_access_line(std::string& out, const access_record& record, const access_layout& layout);

}  // namespace cellroute::process
