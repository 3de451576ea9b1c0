#pragma once

#include <optional>
#include <string>

#include "adapters/wire/settings.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// What was said outside of the file, as it was typed: by flags, or by the environment.
struct overrides {
  std::optional<std::string> listen;           ///< --listen: the address of the first listener
  std::optional<std::string> admin;            ///< --admin: the address of the admin listener
  std::optional<std::string> port;             ///< PORT: only the port of the first listener
  std::optional<std::string> control_plane{};  ///< CONTROL_PLANE_URL: the control plane, instead of the file's
  std::optional<std::string> state_dir{};  ///< --state-dir: process.state_dir, from the folder that the process is in
};

/// The settings that run: flags win over the environment, and that over the file.
///
/// Errors: one line for the operator, with the name of what was wrong. An empty PORT counts as none, as shells leave
/// it.
[[nodiscard]] expected<settings, std::string> effective(settings local, const overrides& flags,
                                                        const overrides& environment);

}  // namespace cellroute::wire
