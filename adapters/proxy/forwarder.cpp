#include "adapters/proxy/forwarder.hpp"

#include <utility>

#include "adapters/proxy/forwarding.hpp"

namespace cellroute::proxy {

forwarder::forwarder(const io::loop_clock& clock, published<routing_table>& tables, endpoint_maker& maker,
                     label_names& names, reactor_metrics& metrics, process::access_ring* log, forward_settings settings,
                     std::uint64_t seed)
    : clock_(clock),
      tables_(tables),
      maker_(maker),
      names_(names),
      metrics_(metrics),
      log_(log),
      settings_(std::move(settings)),
      request_id_rule_(settings_.http.request_id),
      ids_(seed),
      key_missing_message_(std::string(outcome_of(failure::key_missing).message) + ": send it in " +
                           std::string(settings_.key.name)) {
  for (std::size_t i = 0; i < reason_labels_.size() && i <= static_cast<std::size_t>(reason::route); ++i) {
    reason_labels_[i] = names_.intern(label_kind::reason, to_string(static_cast<reason>(i)));
  }
  for (const std::string& method : settings_.http.methods) {
    if (!allowed_methods_.empty()) allowed_methods_ += ", ";
    allowed_methods_ += method;
  }
  if (allowed_methods_.empty()) allowed_methods_ = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";
  refresh();
}

void forwarder::refresh() {
  const snapshot<routing_table>& current = tables_.current();
  if (view_ && view_->generation() == current.generation) return;
  view_ = make_local<route_view>(current.value, view_ ? &*view_ : nullptr, maker_, names_);
}

io::task<void> forwarder::serve(edge::exchange& x) {
  forwarding request(*this, x);
  co_await request.run();
}

}  // namespace cellroute::proxy
