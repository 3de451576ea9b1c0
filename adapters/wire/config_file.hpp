#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/overrides.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/model/ids.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::wire {

/// Where a process has its configuration from: a file, and what was said outside of it.
struct config_file {
  std::string path;
  overrides flags;
  overrides environment;
  bool may_lack_routing = false;  ///< whatever it names: there is another one that goes on
};

/// Why a file gives no configuration.
struct load_error {
  diagnostics mistakes{};            ///< in it, or in a key file that it names
  std::string otherwise{};           ///< what else there is: the file itself, or what was said outside of it
  bool is_missing = false;           ///< there is no such file
  bool is_override = false;          ///< what was said outside of it
  std::uint64_t content = 0;         ///< a hash of what was read until then
  std::vector<std::string> files{};  ///< as `files_of`, as far as they are known
};
/// A line for the operator for each mistake.
[[nodiscard]] std::vector<std::string> lines_of(const load_error& error);

/// Reads the configuration, completes it, and reads the key files that it names.
///
/// A key file that is a compiled table lies in memory of `resource`, which outlives it.
/// Errors and cost: as `read_configuration`, `read_key_file` and `key_table::open`; a table that leads keys to a
///                  placement which there is not.
[[nodiscard]] expected<configuration, load_error> load(
    const config_file& from, std::pmr::memory_resource* resource = std::pmr::get_default_resource());

/// Compiles what was loaded: a table that is alone stays as it is, the largest of several takes the rows of all others.
/// Frees what is in the table then: the rows with their texts, and the tree.
///
/// Errors: a key that stands twice; size.
[[nodiscard]] expected<routing_table, diagnostics> compile(
    configuration& loaded, generation_number generation, std::uint64_t seed,
    std::pmr::memory_resource* resource = std::pmr::get_default_resource());

/// The files that a configuration is in, as the process opens them: its own first.
[[nodiscard]] std::vector<std::string> files_of(const configuration& c);

/// The `content` of files, read now; nothing where one cannot be read. Whether anything has changed.
[[nodiscard]] std::optional<std::uint64_t> content_of(std::span<const std::string> files);

}  // namespace cellroute::wire
