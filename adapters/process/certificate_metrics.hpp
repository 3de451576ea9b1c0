#pragma once

#include <span>
#include <string>
#include <string_view>

#include "adapters/process/exposition.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// A certificate that a configuration names, and when it ends.
struct certificate_facts {
  std::string listener;  ///< where it is shown, or what it is for
  std::string name;      ///< its file, as the process opens it
  wall_time ends{};
};

/// The family `name`: the seconds until each of them ends.
void write_certificate_ends(exposition& to, std::string_view name, std::span<const certificate_facts> all,
                            wall_time now);

}  // namespace cellroute::process
