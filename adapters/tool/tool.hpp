#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "cellroute/base/time.hpp"

namespace cellroute::tool {

/// What the tool knows of the world around it.
struct surroundings {
  std::string version;
  std::string commit;
  std::optional<std::string> config_path;  ///< CONFIG_PATH
  wall_time now{};                         ///< when the command was given
  time_point (*clock)() = nullptr;         ///< that never goes back, for `ctl`
  bool errors_are_terminal = false;        ///< a person reads them as they come
  std::size_t columns = 0;                 ///< of the terminal; 0: there is none
};

/// What a command leaves behind.
struct outcome {
  int exit_code = 0;  ///< 0 done; 1 the configuration is invalid; 2 wrong usage, or there is no configuration
  std::string output;
  std::string errors;
  std::string problem{};  ///< a failure as a program reads it, where somebody else told it: a problem document
};

/// Runs one command. `arguments` are without the program's name.
[[nodiscard]] outcome run(std::span<const std::string> arguments, const surroundings& around);

}  // namespace cellroute::tool
