#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"

/// Regular expressions as the core sees them: something that was compiled elsewhere and answers. Which library stands
/// behind it is the edge's choice; the core has none.
namespace cellroute {

/// The most groups that a pattern may have, those without a name included.
inline constexpr std::size_t pattern_groups_max = 8;

/// A compiled pattern.
///
/// Threads: const from birth; any number may ask at once.
class key_pattern {
 public:
  virtual ~key_pattern() = default;

  /// The names of those of its groups that have one, in the order of the text.
  [[nodiscard]] virtual std::span<const std::string> groups() const = 0;

  /// Whether the pattern is found in the key. Then `found` holds for each of `groups()` its part of the key, empty
  /// where the group took no part.
  ///
  /// Range: `found` has the size of `groups()`.
  /// Cost:  linear in the key, whatever was written by whom.
  [[nodiscard]] virtual bool match(std::string_view key, std::span<std::string_view> found) const noexcept = 0;
};

/// Makes patterns out of what an operator wrote.
class pattern_compiler {
 public:
  /// Errors: why the text is no pattern, to stand behind its path.
  [[nodiscard]] virtual expected<std::unique_ptr<const key_pattern>, std::string> compile(
      const std::string& regex) const = 0;

 protected:
  ~pattern_compiler() = default;
};

/// For programs without a library of regular expressions: refuses all.
class no_patterns final : public pattern_compiler {
 public:
  [[nodiscard]] expected<std::unique_ptr<const key_pattern>, std::string> compile(const std::string&) const override {
    return unexpected(std::string("there are no regular expressions here; match by prefix"));
  }
};

inline constexpr no_patterns without_patterns{};

}  // namespace cellroute
