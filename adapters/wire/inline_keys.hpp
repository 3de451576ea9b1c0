#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/wire/diagnostic.hpp"
#include "adapters/wire/name_list.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/quarantine.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/table/key_rows.hpp"

namespace cellroute::wire {

/// The rows of `routing.keys.inline`.
///
/// A row of JSON takes 24 bytes here and no node of the tree: its key is a view into the text, which tells its place,
/// too. Every other row has a node, into which its views lead.
struct inline_keys {
  inline_keys() = default;
  inline_keys(inline_keys&&) noexcept = default;  // a copy's views would be those of the original
  inline_keys& operator=(inline_keys&&) noexcept = default;

  std::string path = "routing.keys.inline";  ///< of the map that they stand in

  std::string_view text;      ///< of the configuration
  std::vector<key_row> rows;  ///< an outcome is a number of `names`, and once they are bound the index of a placement
  name_list names;
  std::vector<std::pair<std::size_t, position>> places;  ///< of the rows that are no part of the text, by row
};

/// Takes the rows of `routing.keys.inline` out of JSON, and those of foreign shapes.
class inline_row_reader final : public row_reader {
 public:
  /// `keys` outlives it.
  explicit inline_row_reader(inline_keys& keys) : keys_(keys) {}

  [[nodiscard]] std::span<const row_place> paths() const override;
  [[nodiscard]] bool take(std::string_view key, std::string_view placement) override;

 private:
  inline_keys& keys_;
};

/// What is wrong with rows: the first of it, and how much more there is.
struct row_mistakes {
  diagnostics found;
  std::size_t more = 0;
};

inline constexpr std::size_t row_mistakes_max = 10'000;

/// Binds rows to placements. With `bad_rows`, those that cannot be served go there, each once, and nothing is an error;
/// of a key that stands twice the first row is served.
///
/// Errors: no placement of that name; a key of 0 or more than 256 bytes; a key that stands twice, with both places,
///         unless there are more than 10,000 rows and all else is right: whoever makes a table of them sees that first,
///         and then asks `keys_given_twice`.
///         Where `placements_are_known` is false, it was told that they cannot be read, and nothing is said of rows
///         that lead nowhere then.
/// Cost:   a few ns a row.
[[nodiscard]] row_mistakes bind_rows(inline_keys& keys, std::span<const placement> placements, std::string_view file,
                                     bool placements_are_known = true, quarantine* bad_rows = nullptr);

/// Takes rows out.
///
/// Range: `rows` are indices, in growing order.
void remove_rows(inline_keys& keys, std::span<const std::size_t> rows);

/// The keys that stand twice. Cost: about 40 ns a row.
[[nodiscard]] row_mistakes keys_given_twice(const inline_keys& keys, std::string_view file);

/// Takes out every row whose key stands in a row before.
void quarantine_keys_given_twice(inline_keys& keys, std::string_view file, quarantine& bad_rows);

/// A row of which nothing is a view into the text. `key` and `placement` outlive the keys.
void add_row(inline_keys& keys, std::string_view key, std::string_view placement, position at);

/// Where rows stand. Cost: a walk over the text, once for all of them.
///
/// Range: `wanted` are indices of rows, in any order.
[[nodiscard]] std::vector<position> places_of(const inline_keys& keys, std::span<const std::size_t> wanted);

/// The path of a row.
[[nodiscard]] std::string row_path(const inline_keys& keys, std::string_view key);

}  // namespace cellroute::wire
