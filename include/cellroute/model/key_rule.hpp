#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cellroute/model/ids.hpp"

namespace cellroute {

/// A placement, and its share of the keys of a rule.
struct placement_share {
  placement_id placement;
  std::uint32_t weight = 1;  ///< in relation to the others of the rule; 0 takes none
  friend bool operator==(const placement_share&, const placement_share&) = default;
};

/// Where keys lead that are not in the table. A rule without `prefix` and `regex` matches every key.
struct key_rule {
  std::optional<std::string> prefix;  ///< how the key begins
  std::optional<std::string> regex;   ///< or what is found in it; its named groups fill the template
  std::string placement;              ///< a name, or a template of one: in `tier{n}` stands what the group `n` holds
  std::vector<placement_share> hash;  ///< or several, and the key's hash chooses one
  friend bool operator==(const key_rule&, const key_rule&) = default;
};

}  // namespace cellroute
