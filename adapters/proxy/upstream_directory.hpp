#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/edge/http1_upstream.hpp"
#include "adapters/proxy/name_table.hpp"
#include "adapters/proxy/route_view.hpp"

namespace cellroute::proxy {

/// An endpoint with its connections.
class pooled_endpoint final : public endpoint_state {
 public:
  pooled_endpoint(io::reactor& reactor, std::string host, std::uint16_t port, const upstream_policy& policy,
                  http1::head_limits limits);

  [[nodiscard]] edge::upstream_source* source() override { return pool_ ? &*pool_ : nullptr; }
  [[nodiscard]] const std::string& host() const { return host_; }
  /// The name's address, now.
  void set_address(io::socket_address address);
  void set_limits(const http1::head_limits& limits) {
    limits_ = limits;
    if (pool_) pool_->set_limits(limits);
  }
  [[nodiscard]] edge::http1_pool* connections() { return pool_ ? &*pool_ : nullptr; }

 private:
  io::reactor& reactor_;
  std::string host_;
  std::uint16_t port_;
  pool_policy policy_;
  http1::head_limits limits_;
  std::optional<edge::http1_pool> pool_;
};

/// Makes endpoints with real connections, for one reactor.
class upstream_directory final : public endpoint_maker {
 public:
  upstream_directory(io::reactor& reactor, const name_table& addresses, http1::head_limits limits)
      : reactor_(reactor), addresses_(addresses), limits_(limits) {}

  [[nodiscard]] local_ref<endpoint_state> make(const endpoint& e, const upstream_policy& policy) override;
  /// Of the endpoints that are made from now on.
  void set_limits(const http1::head_limits& limits) { limits_ = limits; }

 private:
  io::reactor& reactor_;
  const name_table& addresses_;
  http1::head_limits limits_;
};

}  // namespace cellroute::proxy
