#pragma once

#include <string>

#include "adapters/process/log_writer.hpp"
#include "adapters/wire/configuration.hpp"

/// A router's log as its configuration words it, in the terms of what writes it.
namespace cellroute::proxy {

[[nodiscard]] process::log_level level_of(wire::log_level level);
[[nodiscard]] process::access_layout layout_of(const wire::access_settings& access);
/// As `process::log_output::open` names it.
[[nodiscard]] std::string output_of(const wire::configuration& c);

}  // namespace cellroute::proxy
