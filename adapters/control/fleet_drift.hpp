#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/control/router_view.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

/// Who runs what, out of what is known of each router. Pure, and bounded: what is left out is counted.
namespace cellroute::control {

/// So many routers run a content; none: nothing that they told of.
struct version_count {
  std::optional<wire::content_id> running{};
  std::size_t routers = 0;
  friend bool operator==(const version_count&, const version_count&) = default;
};

/// Versions with their routers, the newest first.
struct version_counts {
  std::vector<version_count> versions{};
  std::size_t versions_left_out = 0;  ///< older ones
  friend bool operator==(const version_counts&, const version_counts&) = default;
};

/// The routers that have a label with this value.
struct label_value {
  std::string value{};
  std::size_t routers = 0;
  version_counts counts{};
  friend bool operator==(const label_value&, const label_value&) = default;
};

struct label_drift {
  std::string name{};
  std::size_t routers = 0;            ///< that have it, whatever its value
  std::vector<label_value> values{};  ///< those of most routers first
  std::size_t values_left_out = 0;    ///< of fewer routers each
  friend bool operator==(const label_drift&, const label_drift&) = default;
};

/// How long ago routers said last that they run what they should; one that never did counts from when it came. Those of
/// the base protocol do not say.
struct confirmed_ages {
  std::size_t routers = 0;
  std::size_t never = 0;  ///< of these
  duration p50{};
  duration p90{};
  duration p99{};
  duration longest{};
  friend bool operator==(const confirmed_ages&, const confirmed_ages&) = default;
};

struct fleet_drift {
  std::optional<wire::content_id> target{};
  std::size_t here = 0;
  std::size_t away = 0;
  std::size_t on_target = 0;
  std::size_t refused = 0;            ///< they do not take the target
  duration clock_skew{};              ///< the most by which a clock goes before this machine's, or behind it
  version_counts counts{};            ///< of those that are here, and so is all below
  std::vector<label_drift> labels{};  ///< those of most routers first
  std::size_t labels_left_out = 0;    ///< of fewer routers each
  confirmed_ages ages{};
  std::vector<router_view> stragglers{};  ///< the first of those that are not on target
  std::size_t stragglers_left_out = 0;
};

struct drift_bounds {
  std::size_t stragglers = 100;
  std::size_t versions = 100;
  std::size_t labels = 16;
  std::size_t label_values = 32;         ///< of each label
  std::size_t label_value_versions = 8;  ///< of each of these
  std::size_t label_bytes = 256;         ///< of a name or value; a longer one is left out
};

/// Only how many there are, for metrics.
inline constexpr drift_bounds counts_alone{0, 0, 0, 0, 0, 0};

[[nodiscard]] fleet_drift drift_of(std::vector<router_view> routers, const std::optional<wire::content_id>& target,
                                   const drift_bounds& bounds = {});

/// What connected routers run, with at most so many ids each.
[[nodiscard]] running_fleet running_of(const std::vector<router_view>& routers, std::size_t ids_max);

}  // namespace cellroute::control
