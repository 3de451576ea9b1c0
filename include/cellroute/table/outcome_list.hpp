#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cellroute/table/key_format.hpp"

namespace cellroute {

/// The texts of a table's outcomes, and what is added to them: each text has one number, and keeps it.
///
/// A map that keeps order, because names may be a stranger's, who could make all of their hashes the same.
class outcome_list {
 public:
  outcome_list() = default;

  /// Starts with those of a table. The texts are views of the caller's, here and below.
  explicit outcome_list(std::span<const std::string_view> texts) : texts_(texts.begin(), texts.end()) {
    for (std::size_t i = 0; i < texts.size(); ++i) numbers_.emplace(texts[i], static_cast<std::uint16_t>(i));
  }

  /// The number of a text, a new one where it is new; nothing where a table can have no more.
  [[nodiscard]] std::optional<std::uint16_t> add(std::string_view text) {
    const auto at = numbers_.find(text);
    if (at != numbers_.end()) return at->second;
    if (texts_.size() >= key_format::outcomes_max) return std::nullopt;
    const auto number = static_cast<std::uint16_t>(texts_.size());
    numbers_.emplace(text, number);
    texts_.push_back(text);
    return number;
  }

  /// The number of a text that is there.
  [[nodiscard]] std::optional<std::uint16_t> find(std::string_view text) const {
    const auto at = numbers_.find(text);
    return at == numbers_.end() ? std::nullopt : std::optional(at->second);
  }

  /// All texts, by number.
  [[nodiscard]] std::span<const std::string_view> texts() const { return texts_; }

 private:
  std::vector<std::string_view> texts_;
  std::map<std::string_view, std::uint16_t> numbers_;
};

}  // namespace cellroute
