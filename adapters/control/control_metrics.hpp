#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/publisher.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/process/certificate_metrics.hpp"
#include "adapters/process/log_writer.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// Contents that routers refused, by their reason.
class refusal_counts {
 public:
  /// A code that this program does not know, or none, counts as `other`: a router may say anything.
  void add(std::string_view code);

  template <class F>
  void for_each(F f) const {  // f(name, count)
    for (std::size_t i = 0; i < wire::refusal_code_count; ++i)
      f(wire::to_string(static_cast<wire::refusal_code>(i)), counts_[i]);
    f(std::string_view("other"), counts_.back());
  }

 private:
  std::array<std::uint64_t, wire::refusal_code_count + 1> counts_{};
};

/// What the page of metrics has besides sessions and contents.
struct control_counts {
  std::string version{};
  std::string commit{};
  wall_time started{};
  std::uint64_t published = 0;
  std::uint64_t refused_files = 0;
  refusal_counts router_refusals{};
  std::size_t connections = 0;
  std::uint64_t connections_dropped = 0;
  std::uint64_t requests = 0;
  std::uint64_t requests_refused = 0;
  bool is_store_in_trouble = false;
  std::uint64_t store_errors = 0;
  std::optional<bool> is_store_whole{};  ///< none: not looked at yet
  wall_time store_verified_at{};
  std::vector<process::certificate_facts> certificates{};
  process::log_counts log{};
  process::process_usage usage{};
};

/// The page of metrics, as Prometheus reads it. Cost: a look at each router.
[[nodiscard]] std::string render_control_metrics(const control_counts& counts, const push_server& server,
                                                 const publisher& published, const io::loop_clock& clock);

}  // namespace cellroute::control
