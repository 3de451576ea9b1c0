#pragma once

#include <string>

#include "cellroute/base/expected.hpp"

namespace cellroute::wire {

/// The token that a file holds, without the space around it: one word, in a file for its owner alone (mode 0600).
///
/// Errors: what is wrong, and what to do about it, beginning with the file's name.
[[nodiscard]] expected<std::string, std::string> read_token_file(const std::string& path);

}  // namespace cellroute::wire
