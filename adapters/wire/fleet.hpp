#pragma once

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/section.hpp"

namespace cellroute::wire {

/// Reads the fleet sections from the top of a tree; whoever delivers only those calls only this.
void read_fleet(section& top, table_spec& spec, key_settings& key, std::vector<std::string>& key_files);

/// The fleet sections as a tree, with everything that applies written out.
[[nodiscard]] node print_fleet(const table_spec& spec, const key_settings& key,
                               const std::vector<std::string>& key_files);

}  // namespace cellroute::wire
