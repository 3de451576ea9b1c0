#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "adapters/edge/exchange.hpp"
#include "adapters/edge/http_date.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/access_ring.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "adapters/proxy/route_view.hpp"
#include "adapters/proxy/router_metrics.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/snapshot/published.hpp"

namespace cellroute::proxy {

/// Routes exchanges and carries them to their cells: the router's own handler, on one reactor.
///
/// Knows no protocol, no socket and no clock but the one it is given, so that all of it runs in simulation.
/// Threads: the reactor's. What it refers to outlives it.
class forwarder final : public edge::exchange_handler {
 public:
  forwarder(const io::loop_clock& clock, published<active_configuration>& configurations, endpoint_maker& maker,
            label_names& names, reactor_metrics& metrics, process::access_ring& log, std::uint64_t seed);

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

  /// Takes a newer configuration, if there is one: `view` is of the one that is returned. Called for every request, and
  /// once a tick so that an idle reactor lets go of the old one. The reference holds until the next call.
  const active_configuration& refresh();
  [[nodiscard]] route_view& view() { return *view_; }
  [[nodiscard]] std::size_t active_count() const { return active_; }
  /// The value of Date, now.
  [[nodiscard]] std::string_view date() { return date_.at(clock_.wall); }

 private:
  friend class forwarding;

  const io::loop_clock& clock_;
  reader<active_configuration> configurations_;
  endpoint_maker& maker_;
  label_names& names_;
  reactor_metrics& metrics_;
  process::access_ring& log_;
  edge::http_date date_;
  random_numbers ids_;
  random_numbers chance_;  // of the log's sampling
  local_ref<route_view> view_;
  std::array<label_id, 16> reason_labels_{};
  std::size_t active_ = 0;
};

}  // namespace cellroute::proxy
