#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/fleet_memory.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/sync/push_hub.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/time.hpp"

/// What is known of the routers, as values: for pages, for metrics, for whoever else asks.
namespace cellroute::control {

/// A router that speaks `cellroute.v1`, here or gone; or a session of the base protocol, whose router does not say who
/// it is.
struct router_view {
  std::string id{};     ///< empty in the base protocol
  std::string state{};  ///< as the session's; `away`: it is not here
  std::uint64_t session = 0;
  std::string peer{};
  std::string build{};
  std::string boot_id{};
  std::string source{};
  std::vector<wire::label> labels{};
  std::optional<wire::content_id> running{};  ///< without digest in the base protocol
  std::string last_refusal{};
  bool is_native = true;
  bool is_on_target = false;
  duration seen_ago{};
  std::optional<wall_time> away_since{};  ///< where it is not here: when it was seen last
};

/// So many routers run a content; none: nothing that they told of.
struct version_count {
  std::optional<wire::content_id> running{};
  std::size_t routers = 0;
};

struct fleet_drift {
  std::optional<wire::content_id> target{};
  std::size_t here = 0;
  std::size_t on_target = 0;
  std::size_t refused = 0;                ///< they do not take the target
  std::vector<version_count> versions{};  ///< of those that are here, the newest first
  std::vector<router_view> stragglers{};  ///< the first of those that are here and not on target
};

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
  [[nodiscard]] fleet_drift drift(std::size_t stragglers_max = 100) const;

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
