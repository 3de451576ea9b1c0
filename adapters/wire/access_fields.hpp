#pragma once

#include <span>
#include <string_view>

#include "adapters/wire/settings.hpp"

namespace cellroute::wire {

/// The names that `log.access.fields` may choose from, in the order in which a line has them: those of the log's writer
/// (`process::access_fields`), which a test of `proxy` compares.
[[nodiscard]] std::span<const std::string_view> access_field_names(access_preset preset);

}  // namespace cellroute::wire
