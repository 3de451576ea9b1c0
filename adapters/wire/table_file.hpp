#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>

#include "adapters/wire/configuration.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/table/key_table.hpp"

/// Compiled tables as files: the bytes of `key_format.hpp`, with the names of placements as the texts of outcomes.
namespace cellroute::wire {

/// Whether a file begins as a compiled table does, whatever its name is.
[[nodiscard]] bool is_table_file(const std::string& path);

/// What a file that may be a table held.
struct table_file {
  expected<key_table, open_error> table;
  std::uint64_t content = 0;  ///< as `content_of_bytes`, whether it is a table or not
};

/// Reads a file straight into memory of `resource`, each part checked while it is in the cache.
/// Errors: as `read_file`; `too_large` beyond `key_file_bytes_max`.
/// Cost:   one pass over the bytes.
[[nodiscard]] expected<table_file, file_error> open_table_file(const std::string& path,
                                                               std::pmr::memory_resource* resource);

/// What the content of a file is known by. Not a signature: who can write the file can fit it.
[[nodiscard]] std::uint64_t content_of_bytes(std::span<const std::byte> bytes);

/// The same of a file, which takes little memory, however large it is.
/// Errors: as `read_file`; `too_large` beyond `key_file_bytes_max`.
[[nodiscard]] expected<std::uint64_t, file_error> content_of_file(const std::string& path);

/// Why bytes are no table, to stand behind a file's name.
[[nodiscard]] std::string what_is_wrong(open_error error);

/// Writes a file so that whoever opens its name sees all of it or what was there before, after a loss of power, too: a
/// temporary file beside it, brought to the disk, takes its name.
/// Errors: what the system says.
[[nodiscard]] expected<void, std::string> write_table_file(const std::string& path, const key_table& table);

}  // namespace cellroute::wire
