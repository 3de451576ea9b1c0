#include "adapters/wire/config_guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace cellroute::wire {
namespace {

bool is_in(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == name) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

/// What lets a change pass: all that it breaks, and what was lifted already.
std::string advice(std::string_view call, std::string_view names) {
  if (call.empty()) {
    return "check the change; to let it pass, change this guard in the router's own file and send it again: "
           "cellroute ctl resync ID, or POST /v1/routers/ID:resync at the control plane";
  }
  const char separator = call.find('?') == std::string_view::npos ? '?' : '&';
  return fmt::format("check the change; to let it pass once, {}{}override={}", call, separator, names);
}

}  // namespace

std::optional<std::string> read_guards(std::string_view text) {
  std::string found;
  for (const std::string_view name : guard_names) {
    if (!is_in(text, name)) continue;
    found += (found.empty() ? "" : ",") + std::string(name);
  }
  for (;;) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (std::ranges::find(guard_names, text.substr(0, end)) == std::end(guard_names)) return std::nullopt;
    if (end == text.size()) return found;
    text.remove_prefix(end + 1);
  }
}

std::vector<guard_verdict> judge_guards(const guard_settings& guard, const table_diff& change, std::size_t keys_before,
                                        std::size_t keys_after, std::string_view lifted, std::string_view call) {
  std::vector<guard_verdict> all;
  // What is beyond its limit, and does not count all the same, says why.
  const auto judge = [&](std::string_view name, double value, std::optional<double> limit, bool is_beyond, bool counts,
                         auto what) {
    guard_verdict made{name, value, limit, true, {}};
    if (is_beyond && is_in(lifted, name)) {
      made.detail = "it is lifted, and does not count";
    } else if (is_beyond && !counts) {
      made.detail = fmt::format("percentages of fewer than {} keys do not count", keys_for_percentages);
    } else if (is_beyond) {
      made.ok = false;
      made.detail = what();
    }
    all.push_back(std::move(made));
  };
  const auto percentage = [&](std::string_view name, const std::optional<double>& most, std::size_t keys,
                              std::string_view does) {
    const double share = keys_before == 0 ? 0 : 100.0 * static_cast<double>(keys) / static_cast<double>(keys_before);
    judge(name, share, most, most && share > *most, keys_before >= keys_for_percentages, [&] {
      return fmt::format("{} of {} keys would {}, which is {:.2f} % and not at most {} %", keys, keys_before, does,
                         share, *most);
    });
  };
  percentage("max_moved_percent", guard.moved_percent_max, change.moved, "move");
  percentage("max_removed_percent", guard.removed_percent_max, change.removed, "be removed");
  const std::uint64_t keys_min = guard.keys_min.value_or(keys_before >= keys_for_percentages ? 1 : 0);
  judge("min_keys", static_cast<double>(keys_after),
        keys_min > 0 ? std::optional(static_cast<double>(keys_min)) : std::optional<double>{}, keys_after < keys_min,
        true, [&] { return fmt::format("{} keys would be left, not at least {}", keys_after, keys_min); });
  std::string names(lifted);
  for (const guard_verdict& each : all) {
    if (!each.ok) names += (names.empty() ? "" : ",") + std::string(each.name);
  }
  names = read_guards(names).value_or(names);  // in their order
  for (guard_verdict& each : all) {
    if (!each.ok) each.detail += "; " + advice(call, names);
  }
  return all;
}

std::vector<std::string> lines_of_broken(const std::vector<guard_verdict>& verdicts) {
  std::vector<std::string> lines;
  for (const guard_verdict& each : verdicts) {
    if (!each.ok) lines.push_back(fmt::format("guard.{}: {}", each.name, each.detail));
  }
  return lines;
}

std::vector<std::string> broken_guards(const guard_settings& guard, const table_diff& change, std::size_t keys_before,
                                       std::size_t keys_after, std::string_view lifted, std::string_view call) {
  return lines_of_broken(judge_guards(guard, change, keys_before, keys_after, lifted, call));
}

}  // namespace cellroute::wire
