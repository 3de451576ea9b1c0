#include "adapters/proxy/worker.hpp"

#include <map>
#include <utility>

namespace cellroute::proxy {
namespace {

constexpr duration sweep_every = 1s;

drop_reason counted_as(edge::drop_reason reason) {
  switch (reason) {
    case edge::drop_reason::connections_max:
      return drop_reason::connection_limit;
    case edge::drop_reason::accept_rate:
      return drop_reason::accept_rate;
  }
  return drop_reason::connection_limit;
}

}  // namespace

worker::worker(published<active_configuration>& configurations, const name_table& addresses, label_names& names,
               http1::head_limits limits, std::uint64_t seed)
    : directory_(reactor_, addresses, limits), swept_at_(reactor_.now()) {
  forwarder_.emplace(reactor_.clock(), configurations, directory_, names, metrics_, ring_, seed);
  reactor_.add_tick_listener(*this);
}

worker::~worker() {
  stop();
  join();
  reactor_.destroy_spawned();  // where it was never started
  reactor_.remove_tick_listener(*this);
}

int worker::add_listener(edge::listener_options options, int descriptor, edge::connection_count& count,
                         label_id label) {
  listener_labels_.push_back(label);
  listeners_.push_back({std::make_unique<edge::listener>(reactor_, options, *forwarder_, *this, count)});
  return listeners_.back().listener->open(descriptor);
}

void worker::open_listener(edge::listener_options options, int descriptor, edge::connection_count& count,
                           label_id label) {
  reactor_.post([this, options, descriptor, &count, label] {
    (void)add_listener(options, descriptor, count, label);  // the descriptor listens; what can fail is out of memory
  });
}

void worker::close_listener(std::size_t index, duration timeout) {
  reactor_.post([this, index, timeout] {
    place& p = listeners_[index];
    if (!p.listener) return;
    p.listener->drain();
    p.cut_at = reactor_.now() + timeout;
  });
}

void worker::start() {
  thread_ = std::thread([this] { reactor_.run(); });
}

void worker::join() {
  if (thread_.joinable()) thread_.join();
}

void worker::drain() {
  reactor_.post([this] {
    for (const place& p : listeners_) {
      if (p.listener) p.listener->drain();
    }
  });
}

void worker::cut() {
  reactor_.post([this] {
    for (const place& p : listeners_) {
      if (p.listener) p.listener->cut();
    }
  });
}

void worker::stop() { reactor_.stop(); }

void worker::set_address(std::string host, io::socket_address address) {
  reactor_.post([this, host = std::move(host), address] {
    for (const local_ref<endpoint_state>& e : forwarder_->view().endpoints()) {
      auto& endpoint = static_cast<pooled_endpoint&>(*e);
      if (endpoint.host() == host) endpoint.set_address(address);
    }
  });
}

void worker::set_options(std::vector<std::optional<edge::listener_options>> options, http1::head_limits limits) {
  reactor_.post([this, options = std::move(options), limits] {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {  // new ones come behind, with theirs
      if (options[i] && listeners_[i].listener) listeners_[i].listener->set_options(*options[i]);
    }
    directory_.set_limits(limits);
    for (const local_ref<endpoint_state>& e : forwarder_->view().endpoints()) {
      static_cast<pooled_endpoint&>(*e).set_limits(limits);
    }
  });
}

void worker::on_opened(std::uint16_t listener) {
  open_.fetch_add(1, std::memory_order_relaxed);
  metrics_.connection_opened(listener_labels_[listener], protocol_label::http1);
}

void worker::on_closed(std::uint16_t listener) {
  open_.fetch_sub(1, std::memory_order_relaxed);
  metrics_.connection_closed(listener_labels_[listener], protocol_label::http1);
}

void worker::on_dropped(std::uint16_t listener, edge::drop_reason reason) {
  metrics_.connection_dropped(listener_labels_[listener], counted_as(reason));
}

void worker::on_paused(std::uint16_t listener) { metrics_.accept_paused(listener_labels_[listener]); }

void worker::on_tick(time_point now) {
  forwarder_->refresh();
  sweep_listeners(now);
  if (now - swept_at_ < sweep_every) return;
  swept_at_ = now;
  for (auto& [placement, counts] : connection_counts_) counts = {};
  for (const local_ref<endpoint_state>& e : forwarder_->view().endpoints()) {
    edge::http1_pool* const pool = static_cast<pooled_endpoint&>(*e).connections();
    if (pool == nullptr) continue;
    pool->sweep(now);
    upstream_counts& counts = connection_counts_[e->placement_label];
    counts.idle += pool->idle_count();
    counts.active += pool->lent_count();
  }
  for (const auto& [placement, counts] : connection_counts_) {
    metrics_.upstream_connections_are(placement, upstream_state::idle, counts.idle);
    metrics_.upstream_connections_are(placement, upstream_state::active, counts.active);
  }
}

void worker::sweep_listeners(time_point now) {
  for (place& p : listeners_) {
    if (p.cut_at == time_point::max()) continue;
    if (p.listener && now >= p.cut_at) p.listener->cut();
    if (p.listener && p.listener->open_count() > 0) continue;
    p.listener.reset();
    p.cut_at = time_point::max();
  }
}

}  // namespace cellroute::proxy
