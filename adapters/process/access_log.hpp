#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/process/access_record.hpp"

namespace cellroute::process {

class json_writer;

/// Whose names a line has.
enum class access_preset : std::uint8_t {
  m1,        ///< the ten fields of the first milestone
  standard,  ///< those, and all else that the router knows
  homebrew,  ///< as gateways wrote them that this one stands in for
  spec,      ///< as the specification of those named them
  ecs,       ///< Elastic Common Schema
  otel,      ///< OpenTelemetry's semantic conventions for HTTP, and `cellroute.*` for what they have no word for
};

/// One member of a line.
struct access_field {
  std::string_view name;
  void (*write_value)(json_writer& line, const access_record& record) = nullptr;
  bool is_extra = false;  ///< written only where it is chosen by name: queries often hold secrets
};

/// All fields of a preset, in their order.
[[nodiscard]] std::span<const access_field> access_fields(access_preset preset);

/// The shape of every line of one log. It never depends on the record, so that a reader meets one shape only: a text
/// that a request does not have is `""`, a duration that was not measured is `null`.
class access_layout {
 public:
  /// The fields of a preset, the extra ones aside; or those that are chosen by name, in that order. A name that the
  /// preset does not have is passed over.
  explicit access_layout(access_preset preset = access_preset::standard, std::span<const std::string> chosen = {});

  [[nodiscard]] std::span<const access_field> fields() const { return fields_; }

 private:
  std::vector<access_field> fields_;
};

/// Appends one access line as a JSON object and a line feed.
///
/// Units: milliseconds with three digits after the point where nothing else is said; instants as in RFC 3339, UTC.
/// Cost:  about a microsecond; allocates only when `out` must grow.
void append_access_line(std::string& out, const access_record& record, const access_layout& layout);

}  // namespace cellroute::process
