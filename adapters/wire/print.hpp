#pragma once

#include <string>

#include "adapters/wire/configuration.hpp"

namespace cellroute::wire {

/// A configuration with every default written out: what runs, and nothing else. Reading it gives the same
/// configuration.
[[nodiscard]] node to_tree(const configuration& c);

/// The fleet sections alone, as a text of JSON that `read_configuration` takes: what is delivered beside the rows of
/// keys. Rows that `c` still has go with it.
[[nodiscard]] std::string write_fleet(const configuration& c);

/// A tree as a text that its reader takes back.
[[nodiscard]] std::string write_yaml(const node& tree);
[[nodiscard]] std::string write_json(const node& tree);

}  // namespace cellroute::wire
