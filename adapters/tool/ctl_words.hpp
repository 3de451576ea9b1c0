#pragma once

#include <CLI/CLI.hpp>

#include "adapters/tool/ctl.hpp"

namespace cellroute::tool {

/// Adds `ctl` and its verbs; what is typed comes into `asked`, which outlives the parsing.
void add_ctl(CLI::App& app, ctl_request& asked);

}  // namespace cellroute::tool
