#include "adapters/proxy/router_listeners.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "adapters/process/listening.hpp"

namespace cellroute::proxy {

std::optional<io::socket_address> listen_address(const wire::socket_address& wished) {
  return io::parse_address(wished.host.empty() ? "::" : wished.host, wished.port);
}

http1::head_limits limits_of(const wire::http_settings& http) {
  return {http.head_bytes_max, http.field_bytes_max, http.fields_max, http.target_bytes_max};
}

std::vector<io::socket_address> router_listeners::addresses() const {
  std::vector<io::socket_address> found;
  for (const entry& e : entries_) {
    if (e.is_open) found.push_back(e.address);
  }
  return found;
}

std::vector<listener_facts> router_listeners::facts(const std::vector<wire::listener_settings>& wanted) const {
  std::vector<listener_facts> made;
  for (const entry& e : entries_) {
    const auto same = std::ranges::find(wanted, e.name, &wire::listener_settings::name);
    const bool is_wanted = e.is_open && same != wanted.end();
    made.push_back({e.name, e.label, is_wanted ? same->trusted_proxies : e.trusted_proxies});
  }
  return made;
}

void router_listeners::add(const wire::listener_settings& l) {
  entry e;
  e.name = l.name;
  e.wished = l.address;
  e.label = names_->intern(label_kind::listener, l.name);
  e.trusted_proxies = l.trusted_proxies;
  e.count = std::make_unique<edge::connection_count>();
  e.accepts = std::make_unique<edge::accept_limit>(l.limits.accept_rate, l.limits.accept_burst);
  entries_.push_back(std::move(e));
}

expected<router_listeners::opened, std::string> router_listeners::open(std::size_t place, std::size_t worker_count) {
  entry& e = entries_[place];
  std::optional<io::socket_address> address = listen_address(e.wished);
  if (!address) return unexpected(fmt::format("listener {}: {} is no address", e.name, e.wished.host));
  auto descriptors = process::listen_on(*address, e.wished.host.empty(), worker_count);
  if (!descriptors) return unexpected(std::move(descriptors).error());
  e.address = *address;
  return opened{place, *std::move(descriptors)};
}

expected<std::vector<router_listeners::opened>, std::string> router_listeners::open_missing(
    const std::vector<wire::listener_settings>& wanted, std::size_t worker_count) {
  std::vector<opened> made;
  for (const wire::listener_settings& l : wanted) {
    if (std::ranges::any_of(entries_, [&l](const entry& e) { return e.is_for(l); })) continue;
    add(l);
    auto one = open(entries_.size() - 1, worker_count);
    if (!one) {
      entries_.pop_back();
      drop(made);
      return unexpected(std::move(one).error());
    }
    made.push_back(*std::move(one));
  }
  return made;
}

void router_listeners::drop(const std::vector<opened>& listeners) {
  for (const opened& o : listeners) {
    for (const int descriptor : o.descriptors) ::close(descriptor);
  }
  entries_.resize(entries_.size() - listeners.size());  // they are the last ones
}

expected<void, std::string> router_listeners::give_first(const opened& o, const wire::settings& local,
                                                         const worker_list& workers) {
  const entry& e = entries_[o.place];
  const edge::listener_options options = options_of(o.place, local);
  for (std::size_t w = 0; w < workers.size(); ++w) {
    const int error = workers[w]->add_listener(options, o.descriptors[w], *e.count, e.label);
    if (error != 0) return unexpected(process::listen_failure(e.address, error));
  }
  return {};
}

void router_listeners::give(const opened& o, const wire::settings& local, const worker_list& workers) {
  const entry& e = entries_[o.place];
  for (std::size_t w = 0; w < workers.size(); ++w) {
    workers[w]->open_listener(options_of(o.place, local), o.descriptors[w], *e.count, e.label);
  }
}

void router_listeners::set_options(const wire::settings& local, const worker_list& workers) {
  std::vector<std::optional<edge::listener_options>> options(entries_.size());
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    entry& e = entries_[place];
    const auto l = std::ranges::find_if(local.listeners, [&e](const auto& each) { return e.is_for(each); });
    if (l == local.listeners.end()) continue;
    e.accepts->set(l->limits.accept_rate, l->limits.accept_burst);
    e.trusted_proxies = l->trusted_proxies;
    options[place] = options_of(place, local);
  }
  for (const auto& w : workers) w->set_options(options, limits_of(local.http));
}

std::vector<std::size_t> router_listeners::close_unwanted(const wire::settings& local, const worker_list& workers) {
  std::vector<std::size_t> closed;
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    entry& e = entries_[place];
    const bool is_wanted = std::ranges::any_of(local.listeners, [&e](const auto& l) { return e.is_for(l); });
    if (!e.is_open || is_wanted) continue;
    e.is_open = false;
    for (const auto& w : workers) w->close_listener(place, local.process.drain_timeout);
    closed.push_back(place);
  }
  return closed;
}

edge::listener_options router_listeners::options_of(std::size_t place, const wire::settings& local) {
  const entry& e = entries_[place];
  const wire::listener_settings& l = *std::ranges::find(local.listeners, e.name, &wire::listener_settings::name);
  edge::listener_options options;
  options.index = static_cast<std::uint16_t>(place);
  options.address = e.address;
  options.half_close = l.half_close;
  options.connections_max = l.limits.connections_max;
  options.accepts = e.accepts.get();
  options.room = &room_;
  options.limits = limits_of(local.http);
  options.header_timeout = local.http.header_timeout;
  options.keep_alive_timeout = local.http.keep_alive_timeout;
  return options;
}

}  // namespace cellroute::proxy
