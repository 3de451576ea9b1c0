#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

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
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  const char* const said = std::getenv("CELLROUTE_BIN_SANITIZED");
  return said != nullptr && std::string_view(said) == "1";
#endif
}

}  // namespace cellroute::system_test
