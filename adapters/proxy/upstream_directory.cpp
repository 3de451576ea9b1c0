#include "adapters/proxy/upstream_directory.hpp"

#include <utility>

namespace cellroute::proxy {

pooled_endpoint::pooled_endpoint(io::reactor& reactor, std::string host, std::uint16_t port,
                                 const upstream_policy& policy, http1::head_limits limits)
    : reactor_(reactor), host_(std::move(host)), port_(port), policy_(policy.pool), limits_(limits) {}

void pooled_endpoint::set_address(io::socket_address address) {
  address.port = port_;
  if (pool_) {
    pool_->move_to(address);
  } else {
    pool_.emplace(reactor_, edge::pool_options{address, policy_, limits_});
  }
}

local_ref<endpoint_state> upstream_directory::make(const endpoint& e, const upstream_policy& policy) {
  local_ref<pooled_endpoint> made = make_local<pooled_endpoint>(reactor_, e.host, e.port, policy, limits_);
  std::optional<io::socket_address> address = io::parse_address(e.host, e.port);
  if (!address) address = addresses_.find(e.host);
  if (address) made->set_address(*address);
  return local_ref<endpoint_state>(made);
}

}  // namespace cellroute::proxy
