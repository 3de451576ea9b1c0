#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/access_ring.hpp"
#include "adapters/proxy/failure.hpp"
#include "adapters/proxy/head_edits.hpp"
#include "adapters/proxy/http_date.hpp"
#include "adapters/proxy/route_view.hpp"
#include "adapters/proxy/router_metrics.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/base/random.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/snapshot/published.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::proxy {

/// What forwarding needs to know of a listener.
struct listener_facts {
  std::string name;
  label_id label = 0;
  std::vector<wire::network_prefix> trusted_proxies;
};

/// The local settings that shape requests and answers.
struct forward_settings {
  wire::http_settings http;
  wire::decision_settings decision;
  wire::key_printing key_printing = wire::key_printing::plain;
  key_header key;
  std::vector<listener_facts> listeners;
};

/// Routes exchanges and carries them to their cells: the router's own handler, on one reactor.
///
/// Knows no protocol, no socket and no clock but the one it is given, so that all of it runs in simulation.
/// Threads: the reactor's. What it refers to outlives it.
class forwarder final : public edge::exchange_handler {
 public:
  forwarder(const io::loop_clock& clock, published<routing_table>& tables, endpoint_maker& maker, label_names& names,
            reactor_metrics& metrics, process::access_ring* log, forward_settings settings, std::uint64_t seed);

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

  /// Takes a newer table, if there is one. Called for every request, and once a tick so that an idle reactor lets go of
  /// the old one.
  void refresh();
  [[nodiscard]] route_view& view() { return *view_; }
  [[nodiscard]] std::size_t active_count() const { return active_; }
  /// The value of Date, now.
  [[nodiscard]] std::string_view date() { return date_.at(clock_.wall); }

 private:
  friend class forwarding;

  const io::loop_clock& clock_;
  reader<routing_table> tables_;
  endpoint_maker& maker_;
  label_names& names_;
  reactor_metrics& metrics_;
  process::access_ring* log_;  // null: no access log
  forward_settings settings_;
  request_id_rule request_id_rule_;
  http_date date_;
  random_numbers ids_;
  local_ref<route_view> view_;
  std::array<label_id, 16> reason_labels_{};
  std::string allowed_methods_;
  std::string key_missing_message_;  // names the header, whichever it is
  std::size_t active_ = 0;
};

}  // namespace cellroute::proxy
