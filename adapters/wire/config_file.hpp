#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/overrides.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// Where a process has its configuration from: a file, and what was said outside of it.
struct config_file {
  std::string path;
  overrides flags;
  overrides environment;
};

/// Why a file gives no configuration. Each mistake is a line for the operator: where, what, and what to do.
struct load_error {
  std::vector<std::string> mistakes;
  bool is_missing = false;   ///< there is no such file
  bool is_in_file = false;   ///< each line names its place in the file
  bool is_override = false;  ///< not the file: what was said outside of it
};

/// A number that two contents share only by a chance of 2^-64; whether a file has changed.
[[nodiscard]] std::uint64_t content_hash(std::string_view text);

/// Reads, checks and completes the configuration. `text` is what the file holds.
///
/// Errors and cost: as `read_configuration`.
[[nodiscard]] expected<configuration, load_error> load_text(std::string_view text, const config_file& from);

/// As `read_file`, its error as `load_text` has it.
[[nodiscard]] expected<std::string, load_error> read_text(const config_file& from);

}  // namespace cellroute::wire
