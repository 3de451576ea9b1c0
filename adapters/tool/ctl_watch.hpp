#pragma once

#include "adapters/tool/ctl.hpp"

namespace cellroute::tool {

/// `ctl watch`: tells what happens as it happens, until somebody ends it, and goes on where it was cut. What was missed
/// is told, too.
[[nodiscard]] outcome watch(const ctl_request& asked, api_transport& way, ctl_console& console);

}  // namespace cellroute::tool
