#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/table/key_table.hpp"

namespace cellroute::support {

/// The slow twin of the key table: says what it does, and is linked into nothing else.
class slow_key_table {
 public:
  void apply(std::span<const key_change> changes) {
    for (const key_change& each : changes) {
      if (each.outcome) {
        rows_[std::string(each.key)] = *each.outcome;
      } else {
        rows_.erase(std::string(each.key));
      }
    }
  }

  [[nodiscard]] std::optional<std::uint16_t> find(std::string_view key) const {
    const auto at = rows_.find(std::string(key));
    return at == rows_.end() ? std::nullopt : std::optional(at->second);
  }

  [[nodiscard]] const std::map<std::string, std::uint16_t>& rows() const { return rows_; }

 private:
  std::map<std::string, std::uint16_t> rows_;
};

/// All rows of a key table, sorted.
inline std::map<std::string, std::uint16_t> rows_of(const key_table& table) {
  std::map<std::string, std::uint16_t> rows;
  table.for_each([&rows](std::string_view key, std::uint16_t outcome) { rows.emplace(key, outcome); });
  return rows;
}

}  // namespace cellroute::support
