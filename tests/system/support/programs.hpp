#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/support/sanitizer.hpp"

/// The programs that the system tests try: of the build that the tests belong to, or of the one that CELLROUTE_BIN
/// names (a folder). So the tests are compiled once and try what every build made.
namespace cellroute::system_test {

[[nodiscard]] inline std::string program_path(std::string_view name) {
  const char* const other = std::getenv("CELLROUTE_BIN");
  return std::string(other == nullptr ? CELLROUTE_BIN_DIR : other).append("/").append(name);
}

[[nodiscard]] inline std::string router_path() { return program_path("cellroute-router"); }
[[nodiscard]] inline std::string control_path() { return program_path("cellroute-control"); }
[[nodiscard]] inline std::string tool_path() { return program_path("cellroute"); }
[[nodiscard]] inline std::string demo_cell_path() { return program_path("demo-cell"); }

/// Whether a sanitizer looks at the programs: it looks for mistakes, and its figures of memory and system calls are its
/// own.
[[nodiscard]] inline bool is_sanitized() {
  const char* const said = std::getenv("CELLROUTE_BIN_SANITIZED");
  return CELLROUTE_SANITIZER != 0 || (said != nullptr && std::string_view(said) == "1");
}

}  // namespace cellroute::system_test
