#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/wire/diagnostic.hpp"
#include "adapters/wire/name_list.hpp"
#include "adapters/wire/quarantine.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/key_rows.hpp"

/// Files of routing keys, a key a line: for tables that a configuration is too slow and too large for.
///
///   keys.tsv    key <tab> placement
///   keys.csv    the first line names the columns, `key,placement`; quotes as in RFC 4180
///   keys.jsonl  {"key": "acme", "placement": "tier1"} on each line
///   keys.ctab   a table that `cellroute compile` made: see `table_file.hpp`
///
/// The name's ending tells which. Empty lines say nothing, and a line may end with CR LF.
namespace cellroute::wire {

/// What a row may say beside key and placement, once the parts are built that act on it.
inline constexpr std::string_view later_row_attributes[] = {"rate", "burst", "concurrency", "weight", "state"};

/// The rows of one file. Their keys are views into `text`, or into `unescaped` where the text spells them otherwise.
struct key_file {
  key_file() = default;
  key_file(key_file&&) noexcept = default;  // a copy's views would be those of the original
  key_file& operator=(key_file&&) noexcept = default;

  std::string name;                         ///< for messages
  std::unique_ptr<const std::string> text;  ///< at one place for ever: the views lead there
  std::vector<std::unique_ptr<const std::string>> unescaped;
  std::vector<key_row> rows;         ///< an outcome is the index of a placement
  std::vector<std::uint32_t> lines;  ///< where each row stands, counted from 1
};

/// Reads `file.text` into rows.
///
/// Range:  there is a text.
/// Errors: all at once, at most `mistakes_max`: no placement of that name, a key of 0 or more than 256 bytes, a column
///         or member that has no meaning, or none yet; a file whose name ends otherwise. A key that stands twice is not
///         found here: see `duplicates_in`.
///         With `bad_rows`, a row that cannot be served goes there, and only what is wrong with the file as a whole is
///         an error.
/// Cost:   about 50 ns a row of TSV.
[[nodiscard]] diagnostics read_key_file(key_file& file, std::span<const placement> placements,
                                        quarantine* bad_rows = nullptr);

/// As above, where any name is a placement's: an outcome is a number of `names`, which grows.
[[nodiscard]] diagnostics read_key_file(key_file& file, name_list& names);

/// Every key that stands twice, in these files or in one of them and in the configuration, with both places. Cost: a
/// hash set of all keys; to be called once it is known that there is one.
[[nodiscard]] diagnostics duplicates_in(std::span<const key_file> files, std::span<const key_row> inline_rows);

/// What is said of a row whose key stands elsewhere, too.
[[nodiscard]] std::string stands_twice(std::string_view key, std::string_view where);

/// Takes rows out of a file: their numbers, in growing order.
void remove_rows(key_file& file, std::span<const std::size_t> rows);

/// Takes out of files each row whose key stands in a row before, or in a row of the configuration.
void quarantine_duplicates(std::span<key_file> files, std::span<const key_row> inline_rows, quarantine& bad_rows);

/// A million rows of configuration are 64 MiB and more; this is for ten million and more.
inline constexpr std::size_t key_file_bytes_max = std::size_t{4} << 30;

}  // namespace cellroute::wire
