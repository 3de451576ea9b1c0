#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/proxy/local_ref.hpp"
#include "adapters/proxy/request_rules.hpp"
#include "adapters/proxy/router_metrics.hpp"
#include "cellroute/balance/round_robin.hpp"
#include "cellroute/model/policy.hpp"

namespace cellroute::proxy {

/// One endpoint on one reactor: its connections and its names, kept over reloads that leave it as it is.
class endpoint_state : public locally_counted {
 public:
  virtual ~endpoint_state() = default;
  /// Connections to it; null while its name has no address.
  [[nodiscard]] virtual edge::upstream_source* source() = 0;

  std::string url;        ///< `http://host:port`, for the log
  std::string authority;  ///< `host:port`, where the upstream shall see its own name
  std::string id;
  pool_policy pool;
  label_id label = 0;
  label_id placement_label = 0;  ///< of the first placement that uses it; connections are counted there
};

/// Makes endpoints: with real connections in the router, with scripted ones in tests.
class endpoint_maker {
 public:
  [[nodiscard]] virtual local_ref<endpoint_state> make(const endpoint& e, const upstream_policy& policy) = 0;

 protected:
  ~endpoint_maker() = default;
};

/// One cell on one reactor. Its balancer's place is kept while the set of endpoints is unchanged.
struct cell_state : locally_counted {
  std::string id;
  label_id label = 0;
  std::vector<local_ref<endpoint_state>> endpoints;
  round_robin balancer;
};

/// One cell of a placement, as requests need it.
struct routed_cell {
  std::uint16_t index = 0;  ///< in the fleet
  local_ref<cell_state> state;
  std::string routed_to;  ///< the value of X-Routed-To
};

/// One placement as requests need it: names already as header text, policy by value.
struct placement_view {
  std::string id;
  label_id label = 0;
  std::vector<routed_cell> cells;  ///< one, or those of a shard, by their index
  upstream_policy policy;

  /// The cell that a decision chose. Cost: a search among the cells of a shard.
  [[nodiscard]] const routed_cell& cell_at(std::uint16_t index) const;
};

/// The small part of a configuration, made for one reactor: what a request holds on to while it waits. The key table is
/// only ever touched in the look-up, so a request that streams for hours keeps kilobytes alive and not 300 MB.
///
/// Threads: the reactor's.
class route_view : public locally_counted {
 public:
  /// Takes over from `before` (null at the start) what did not change: connections, balancing, names.
  route_view(const active_configuration& active, const route_view* before, endpoint_maker& maker, label_names& names);

  [[nodiscard]] placement_view& placement_at(std::size_t index) { return placements_[index]; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] const request_rules& rules() const { return rules_; }
  /// Every endpoint once.
  [[nodiscard]] const std::vector<local_ref<endpoint_state>>& endpoints() const { return endpoints_; }

 private:
  [[nodiscard]] local_ref<endpoint_state> endpoint_of(const endpoint& e, const upstream_policy& policy,
                                                      const route_view* before, endpoint_maker& maker,
                                                      label_names& names);
  /// Connections belong to a cell and a pool policy: placements that share both share the connections.
  using shared_cells =
      std::map<std::pair<std::size_t, std::tuple<std::uint32_t, duration, std::uint64_t>>, local_ref<cell_state>>;
  [[nodiscard]] local_ref<cell_state> make_cell(const cell& c, const upstream_policy& policy, label_id placement_label,
                                                const route_view* before, endpoint_maker& maker, label_names& names);

  std::uint64_t generation_;
  request_rules rules_;
  std::vector<local_ref<cell_state>> cells_;
  std::vector<placement_view> placements_;
  std::vector<local_ref<endpoint_state>> endpoints_;
};

}  // namespace cellroute::proxy
