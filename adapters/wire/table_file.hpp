#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <string>

#include "adapters/wire/configuration.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/table/arena.hpp"
#include "cellroute/table/key_table.hpp"

/// Compiled tables as files: the bytes of `key_format.hpp`, with the names of placements as the texts of outcomes.
namespace cellroute::wire {

/// Whether a file begins as a compiled table does, whatever its name is.
[[nodiscard]] bool is_table_file(const std::string& path);

/// Reads a whole file straight into memory of `resource`.
/// Errors: as `read_file`; `too_large` beyond `key_file_bytes_max`.
[[nodiscard]] expected<arena, file_error> read_bytes(const std::string& path, std::pmr::memory_resource* resource);

/// Why bytes are no table, to stand behind a file's name.
[[nodiscard]] std::string what_is_wrong(open_error error);

/// Writes a file so that whoever opens its name sees all of it or what was there before, after a loss of power, too: a
/// temporary file beside it, brought to the disk, takes its name.
/// Errors: what the system says.
[[nodiscard]] expected<void, std::string> write_table_file(const std::string& path, const key_table& table);

}  // namespace cellroute::wire
