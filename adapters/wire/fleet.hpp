#pragma once

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/section.hpp"

namespace cellroute::wire {

/// Reads the fleet sections from the top of a tree; whoever delivers only those calls only this. Rows that the reader
/// of the tree took are in `c.inline_keys` already; the others are added, and are views into the tree.
void read_fleet(section& top, configuration& c);

/// The fleet sections as a tree, with everything that applies written out.
[[nodiscard]] node print_fleet(const configuration& c);

}  // namespace cellroute::wire
