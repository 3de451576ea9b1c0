#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/key_format.hpp"

namespace cellroute {

/// A routing key and the number of its outcome.
struct key_row {
  std::string_view key;  ///< 1 to 256 bytes of any value
  std::uint16_t outcome = 0;
};

/// What becomes of one key in an update: a new outcome, or none at all any more.
struct key_change {
  std::string_view key;
  std::optional<std::uint16_t> outcome;  ///< empty: erased, if it was there
};

/// Why rows make no table.
enum class key_table_error {
  empty_key,
  key_too_long,
  duplicate_key,
  too_many_keys,         ///< 2^32 of them, or 8 GiB of memory
  outcome_out_of_range,  ///< a row's outcome is not in the list of outcomes
  bad_outcome_text,      ///< empty or with a line end, or more than 65,535 of them, or fewer than before
  unlucky_seed,          ///< sixteen seeds in a row put more than 32 keys into one bucket: not by chance
};

[[nodiscard]] constexpr std::string_view to_string(key_table_error error) {
  switch (error) {
    case key_table_error::empty_key:
      return "empty_key";
    case key_table_error::key_too_long:
      return "key_too_long";
    case key_table_error::duplicate_key:
      return "duplicate_key";
    case key_table_error::too_many_keys:
      return "too_many_keys";
    case key_table_error::outcome_out_of_range:
      return "outcome_out_of_range";
    case key_table_error::bad_outcome_text:
      return "bad_outcome_text";
    case key_table_error::unlucky_seed:
      return "unlucky_seed";
  }
  return {};
}

/// Why rows make no table, and which of them: indices into the rows, or into the list of outcomes.
struct build_error {
  key_table_error what{};
  std::size_t row = 0;
  std::size_t other_row = 0;  ///< of `duplicate_key`: the later one of the two
  friend bool operator==(const build_error&, const build_error&) = default;
};

/// Whether these can be the texts of the outcomes.
[[nodiscard]] inline std::optional<build_error> check_outcomes(std::span<const std::string_view> outcomes) {
  if (outcomes.size() > key_format::outcomes_max) {
    return build_error{key_table_error::bad_outcome_text, key_format::outcomes_max, 0};
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].empty() || outcomes[i].find('\n') != std::string_view::npos) {
      return build_error{key_table_error::bad_outcome_text, i, 0};
    }
  }
  return std::nullopt;
}

/// Whether row number `row` can stand in a table with so many outcomes; 0 for those whose outcomes have no text.
[[nodiscard]] inline std::optional<build_error> check_row(std::string_view key, std::optional<std::uint16_t> outcome,
                                                          std::size_t outcome_count, std::size_t row) {
  if (key.empty()) return build_error{key_table_error::empty_key, row, 0};
  if (key.size() > key_size_max) return build_error{key_table_error::key_too_long, row, 0};
  if (outcome && outcome_count > 0 && *outcome >= outcome_count) {
    return build_error{key_table_error::outcome_out_of_range, row, 0};
  }
  return std::nullopt;
}

}  // namespace cellroute
