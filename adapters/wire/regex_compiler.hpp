#pragma once

#include <memory>
#include <string>

#include "cellroute/match/key_pattern.hpp"

namespace cellroute::wire {

/// The most instructions that a regular expression may compile to: what one step of a match may cost.
inline constexpr int regex_program_max = 4'000;

/// Regular expressions by RE2: linear time whatever the key, no back references.
///
/// A pattern that begins with ^ and is plain, as `^tier(?P<n>[0-9]+)-`, is matched without a lock and without memory;
/// others may take RE2's own lock, shared for reading, and memory for the time of a match.
class regex_compiler final : public pattern_compiler {
 public:
  /// Errors: RE2's own words; a program of more than `regex_program_max`; more groups than `pattern_groups_max`.
  [[nodiscard]] expected<std::unique_ptr<const key_pattern>, std::string> compile(
      const std::string& regex) const override;
};

inline constexpr regex_compiler by_re2{};

}  // namespace cellroute::wire
