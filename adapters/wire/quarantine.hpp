#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/diagnostic.hpp"

namespace cellroute::wire {

/// What becomes of a row that cannot be served: the whole configuration is refused, or the rest of it is served.
enum class invalid_row_policy { reject, quarantine };

/// A row that is not served.
struct quarantined_row {
  diagnostic told;  ///< where, and why
  std::string key;  ///< empty where the row names none
};

/// Rows that are not served: the first of them, and the number of all.
class quarantine {
 public:
  void add(diagnostic told, std::string_view key) {
    if (rows_.size() < rows_max) rows_.push_back({std::move(told), std::string(key)});
    ++size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::span<const quarantined_row> rows() const { return rows_; }

  /// The first row of that key, or null. Cost: a walk over those that are kept; for people, not for requests.
  [[nodiscard]] const quarantined_row* find(std::string_view key) const {
    for (const quarantined_row& row : rows_) {
      if (row.key == key) return &row;
    }
    return nullptr;
  }

  static constexpr std::size_t rows_max = 10'000;  ///< beyond, rows are counted and not kept

 private:
  std::vector<quarantined_row> rows_;
  std::size_t size_ = 0;
};

/// Adds to an explanation, as `write_explanation` and `write_explanation_json` leave it, that a row of the key is not
/// served.
void add_quarantined(std::string& explanation, const quarantined_row& row);
void add_quarantined_json(std::string& explanation, const quarantined_row& row);

}  // namespace cellroute::wire
