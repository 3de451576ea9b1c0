#pragma once

#include <string>
#include <string_view>

#include "adapters/tool/tool.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::tool {

/// Rows as the API takes them.
struct sent_rows {
  std::string body;
  std::string_view format;  ///< by the API's name for it
  std::string_view type;
};

/// The rows of a file, by how its name ends: `.csv`, `.json`, `.jsonl`, `.ndjson`; without an ending, lines of JSON.
/// The API has no TSV: `.tsv` goes as lines of JSON, each row on the line where it stands.
///
/// Errors: another ending; mistakes in TSV, each with its place.
[[nodiscard]] expected<sent_rows, outcome> rows_to_send(const std::string& file, std::string text);

}  // namespace cellroute::tool
