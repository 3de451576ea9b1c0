#pragma once

#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"

namespace cellroute::tool {

/// file     a regular one, or none yet
/// no_file  a pipe, a terminal, a device: something that is written into, and stays
enum class output_kind : unsigned char { file, no_file };

[[nodiscard]] output_kind kind_of_output(const std::string& path);

/// A file is there wholly or as it was, and is for this user alone; a link stays, and what it leads to is replaced.
/// What is no file is written into.
///
/// Errors: what went wrong, beginning with the name.
[[nodiscard]] expected<void, std::string> write_output(const std::string& path, std::string_view bytes);

}  // namespace cellroute::tool
