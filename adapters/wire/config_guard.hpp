#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/settings.hpp"
#include "cellroute/table/diff.hpp"

namespace cellroute::wire {

/// Percentages of fewer keys than these say nothing: moving two of ten is everyday, and so is losing both of two.
inline constexpr std::size_t keys_for_percentages = 1'000;

/// The guards by name.
inline constexpr std::string_view guard_names[] = {"max_moved_percent", "max_removed_percent", "min_keys"};

/// The guards that a text names, with commas between: each once, in the order above. Nothing where a name is none.
[[nodiscard]] std::optional<std::string> read_guards(std::string_view text);

/// What a guard says of a change.
struct guard_verdict {
  std::string_view name{};
  double value = 0;               ///< of the change
  std::optional<double> limit{};  ///< none: this guard is off
  bool ok = true;
  std::string detail{};  ///< where the value is beyond the limit: what to do, or why it does not count
};

/// What all guards say of a change, in their order. Without a word about `min_keys` a table of that many keys is not
/// emptied: an export that came to nothing looks like that. Those named in `lifted`, with commas between, do not count;
/// `call` is what lifts them, but for the names, or empty where a control plane made the change.
[[nodiscard]] std::vector<guard_verdict> judge_guards(const guard_settings& guard, const table_diff& change,
                                                      std::size_t keys_before, std::size_t keys_after,
                                                      std::string_view lifted,
                                                      std::string_view call = "POST /v1/reload");

/// Those that it would break, each as a line for the operator.
[[nodiscard]] std::vector<std::string> lines_of_broken(const std::vector<guard_verdict>& verdicts);

/// The same at once.
[[nodiscard]] std::vector<std::string> broken_guards(const guard_settings& guard, const table_diff& change,
                                                     std::size_t keys_before, std::size_t keys_after,
                                                     std::string_view lifted,
                                                     std::string_view call = "POST /v1/reload");

}  // namespace cellroute::wire
