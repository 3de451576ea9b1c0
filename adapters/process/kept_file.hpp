#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/process/disk.hpp"
#include "cellroute/base/expected.hpp"

/// Files that are there as a whole after a crash at any moment, or as they were before.
namespace cellroute::process {

using byte_parts = std::initializer_list<std::span<const std::byte>>;

/// Why a file was not replaced, to stand in a sentence: its name, and what the system says.
struct replace_error {
  std::string what;
  bool may_be_there = false;  ///< it got its name, and a crash may leave either; otherwise it is as it was
};

/// The end of the names under which files are written before they get their own.
inline constexpr const char* unfinished_ending = ".tmp";

/// Writes a file anew: under another name first, brought to the disk, renamed, and the name brought to the disk.
/// What fails leaves nothing behind, as far as the disk lets it.
[[nodiscard]] expected<void, replace_error> replace_file(disk& on, const std::string& name, byte_parts parts);

/// The same for what only has to outlive the process: nothing waits for the disk, and a power cut may leave either, or
/// none.
[[nodiscard]] expected<void, std::string> write_file(disk& on, const std::string& name, byte_parts parts);

/// Writes behind what a file has, and brings it to the disk; the name of a file that is new is not brought there.
/// Errors: as above. The file may have any part of the bytes then, now or after a crash: nothing more must follow.
[[nodiscard]] expected<void, std::string> append_to_file(disk& on, const std::string& name, byte_parts parts);

/// All of a file; nothing where there is none.
/// Errors: as above; more than `size_max` bytes.
[[nodiscard]] expected<std::optional<std::vector<std::byte>>, std::string> read_file(disk& on, const std::string& name,
                                                                                     std::size_t size_max);

}  // namespace cellroute::process
