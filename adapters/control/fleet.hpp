#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/fleet_drift.hpp"
#include "adapters/control/fleet_memory.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/control/router_view.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/sync/push_hub.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

/// What is known of the routers, as values: for pages, for metrics, for whoever else asks.
namespace cellroute::control {

/// What is known at a moment. Cost: a value for each router; 10,000 of them take some milliseconds.
class fleet {
 public:
  /// `past` may be null: then only who was here since the process was started is known.
  fleet(const push_server& server, std::optional<wire::content_id> target, const io::loop_clock& clock,
        const fleet_memory* past = nullptr)
      : server_(server), target_(target), now_(clock.now), wall_(clock.wall), past_(past) {}

  /// All, by id; those of the base protocol behind the others.
  [[nodiscard]] std::vector<router_view> routers() const;
  [[nodiscard]] std::optional<router_view> router(std::string_view id) const;
  [[nodiscard]] fleet_drift drift(const drift_bounds& bounds = {}) const;

 private:
  [[nodiscard]] router_view native(const std::string& id, const sync::router_record& record) const;
  [[nodiscard]] router_view missing(const known_router& before) const;
  [[nodiscard]] bool is_forgotten(const router_view& v) const;
  [[nodiscard]] router_view base(const push_session_facts& facts, const sync::base_session& session) const;

  const push_server& server_;
  std::optional<wire::content_id> target_;
  time_point now_;
  wall_time wall_;
  const fleet_memory* past_;
};

}  // namespace cellroute::control
