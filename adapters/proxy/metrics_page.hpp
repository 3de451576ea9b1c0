#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/process/certificate_metrics.hpp"
#include "adapters/process/log_writer.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/proxy/router_metrics.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

/// How often a configuration of one source was applied, or refused.
struct apply_count {
  std::string result;  ///< `applied`, `rejected`, or `unchanged`: it ran already
  std::string source;  ///< `file`, `push`, ...
  std::uint64_t count = 0;
};

/// What the publisher of snapshots knows, at the moment of a scrape.
struct config_facts {
  std::string source;
  std::uint64_t generation = 0;
  std::uint64_t keys = 0;
  std::uint64_t rows_quarantined = 0;
  std::uint64_t bytes = 0;  ///< of the key table in memory
  std::optional<wall_time> last_applied{};
  std::optional<duration> last_apply_duration{};
  std::vector<apply_count> applies;
};

/// The link to the control plane, where there is one.
struct control_plane_facts {
  bool is_connected = false;
  std::uint64_t reconnects = 0;
  std::array<std::uint64_t, sync::open_failure_count> failed_tries{};  ///< by reason
  std::uint64_t unknown_messages = 0;
  duration confirmed_age{};  ///< since it was last known that what runs is what should run
  std::optional<wire::scrub_result> scrub{};
};

/// Everything in an exposition that no reactor counts.
struct router_facts {
  std::string version;
  std::string commit;
  wall_time started{};
  wall_time now{};
  config_facts config;
  std::optional<control_plane_facts> control_plane{};
  std::vector<process::certificate_facts> certificates{};
  process::log_counts log;
  process::process_usage usage;
  bool has_gateway_names = false;  ///< `metrics.compat: [gateway]`: what such dashboards ask for is there, too
  double requests_per_second = 0;  ///< shown only then
};

/// The whole exposition: series of all reactors summed, gauges of the process after them.
///
/// Cost: reads every series; for a scrape. Threads: any.
[[nodiscard]] std::string render_metrics(std::span<const reactor_metrics* const> reactors, const label_names& names,
                                         const router_facts& facts);

}  // namespace cellroute::proxy
