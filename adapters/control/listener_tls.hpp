#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/io/tls_context.hpp"
#include "adapters/wire/tls_settings.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// Reads the files that a listener's `tls` names. `path` is where it stands in the settings.
///
/// Errors: a line for each mistake, with the field and what to do.
[[nodiscard]] expected<io::tls_context, std::vector<std::string>> make_listener_tls(
    const wire::listener_tls_settings& tls, std::string_view path, wall_time now);

}  // namespace cellroute::control
