#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/settings.hpp"
#include "cellroute/table/diff.hpp"

namespace cellroute::wire {

/// Percentages of fewer keys than these say nothing: moving two of ten is everyday.
inline constexpr std::size_t keys_for_percentages = 1'000;

/// The guards by name.
inline constexpr std::string_view guard_names[] = {"max_moved_percent", "max_removed_percent", "min_keys"};

/// Which bounds of the operator's a change would break, each as a line for the operator. The one named `lifted` does
/// not count; `call` is what lifts it, but for the name, or empty where a control plane made the change.
[[nodiscard]] std::vector<std::string> broken_guards(const guard_settings& guard, const table_diff& change,
                                                     std::size_t keys_before, std::size_t keys_after,
                                                     std::string_view lifted,
                                                     std::string_view call = "POST /v1/reload");

}  // namespace cellroute::wire
