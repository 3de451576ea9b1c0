#pragma once

#include <cstdlib>
#include <string_view>

namespace cellroute::support {

/// Whether a test that has two sizes shall be of the one that is promised: `scripts/soak` asks for it. Every change
/// runs the short one.
[[nodiscard]] inline bool is_full_size() {
  const char* const said = std::getenv("CELLROUTE_PROOFS");
  return said != nullptr && std::string_view(said) == "full";
}

}  // namespace cellroute::support
