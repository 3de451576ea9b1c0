#include "adapters/wire/config_guard.hpp"

#include <fmt/format.h>

#include <optional>

namespace cellroute::wire {
namespace {

std::string advice(std::string_view call, std::string_view name) {
  if (call.empty()) {
    return "check the change; to let it pass, change this guard in the router's own file and send it again: "
           "POST /v1/routers/ID:resync at the control plane";
  }
  return fmt::format("check the change; to let it pass once, {}?override={}", call, name);
}

}  // namespace

std::vector<std::string> broken_guards(const guard_settings& guard, const table_diff& change, std::size_t keys_before,
                                       std::size_t keys_after, std::string_view lifted, std::string_view call) {
  std::vector<std::string> broken;
  const auto percentage = [&](std::string_view name, const std::optional<double>& most, std::size_t keys,
                              std::string_view does) {
    if (!most || name == lifted || keys_before < keys_for_percentages) return;
    const double share = 100.0 * static_cast<double>(keys) / static_cast<double>(keys_before);
    if (share <= *most) return;
    broken.push_back(fmt::format("guard.{}: {} of {} keys would {}, which is {:.2f} % and not at most {} %; {}", name,
                                 keys, keys_before, does, share, *most, advice(call, name)));
  };
  percentage("max_moved_percent", guard.moved_percent_max, change.moved, "move");
  percentage("max_removed_percent", guard.removed_percent_max, change.removed, "be removed");
  if (keys_after < guard.keys_min && lifted != "min_keys") {
    broken.push_back(fmt::format("guard.min_keys: {} keys would be left, not at least {}; {}", keys_after,
                                 guard.keys_min, advice(call, "min_keys")));
  }
  return broken;
}

}  // namespace cellroute::wire
