#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/tool/tool.hpp"
#include "adapters/wire/configuration.hpp"

namespace cellroute::tool {

inline constexpr int exit_invalid = 1;
inline constexpr int exit_usage = 2;

/// What was asked for on the command line.
struct request {
  std::optional<std::string> file;  ///< without one: what CONFIG_PATH names
  std::string key;
  std::vector<std::string> key_files;  ///< of `compile`
  std::string output_file;
  bool print = false;
  bool as_json = false;

  // Of `capacity`.
  std::uint64_t cells = 0;  ///< 0: those of the configuration
  std::uint64_t size = 0;
  std::uint64_t lost = 1;
  std::uint64_t keys = 0;  ///< 0: shares only
};

/// Reads the named configuration, or says why not in `result`.
[[nodiscard]] std::optional<wire::configuration> load(const request& asked, const surroundings& around,
                                                      outcome& result);

/// Reads a configuration and tells every mistake, or what it holds, or with `print` what would run.
[[nodiscard]] outcome check(const request& asked, const surroundings& around);

/// Tells where a key leads, by the engine that routes requests.
[[nodiscard]] outcome explain(const request& asked, const surroundings& around);

/// Makes one table of key files and writes it to a file.
[[nodiscard]] outcome compile(const request& asked);

/// Tells how many keys lose what when cells are lost, in the shards of a configuration or in one on paper.
[[nodiscard]] outcome capacity(const request& asked, const surroundings& around);

[[nodiscard]] outcome print_version(const request& asked, const surroundings& around);

}  // namespace cellroute::tool
