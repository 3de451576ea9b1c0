#include "adapters/proxy/forwarder.hpp"

#include "adapters/proxy/forwarding.hpp"

namespace cellroute::proxy {

forwarder::forwarder(const io::loop_clock& clock, published<active_configuration>& configurations,
                     endpoint_maker& maker, label_names& names, reactor_metrics& metrics, process::access_ring& log,
                     std::uint64_t seed)
    : clock_(clock),
      configurations_(configurations),
      maker_(maker),
      names_(names),
      metrics_(metrics),
      log_(log),
      ids_(seed),
      chance_(mix(seed)) {
  for (std::size_t i = 0; i < reason_labels_.size() && i <= static_cast<std::size_t>(reason::route); ++i) {
    reason_labels_[i] = names_.intern(label_kind::reason, to_string(static_cast<reason>(i)));
  }
  refresh();
}

const active_configuration& forwarder::refresh() {
  const snapshot<active_configuration>& current = configurations_.current();
  if (!view_ || view_->generation() != current.generation) {
    view_ = make_local<route_view>(current.value, view_ ? &*view_ : nullptr, maker_, names_);
  }
  return current.value;
}

io::task<void> forwarder::serve(edge::exchange& x) {
  forwarding request(*this, x);
  co_await request.run();
}

}  // namespace cellroute::proxy
