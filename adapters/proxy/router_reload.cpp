// What a router does with a configuration that comes while it runs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "adapters/io/address.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/proxy/router.hpp"
#include "adapters/proxy/router_log.hpp"
#include "adapters/wire/regex_compiler.hpp"

namespace cellroute::proxy {
namespace {

constexpr duration new_names_timeout = 5s;  // how long a change waits for names it brought; then those are answered 502

constexpr duration table_memory_kept = 3s;  // for the table of a change that follows at once

/// Puts back what only a restart changes, and names it. Who stops opens nothing any more.
std::vector<std::string> keep_what_needs_a_restart(const wire::settings& running, wire::settings& wanted,
                                                   bool is_stopping) {
  std::vector<std::string> kept;
  const auto keep = [&kept](std::string_view name, const auto& is, auto& wished) {
    if (is == wished) return;
    wished = is;
    kept.emplace_back(name);
  };
  keep("process.workers", running.process.workers, wanted.process.workers);
  keep("process.privileges", running.process.privileges, wanted.process.privileges);
  if (is_stopping) keep("process.state_dir", running.process.state_dir, wanted.process.state_dir);
  if (is_stopping) keep("control_plane", running.control_plane, wanted.control_plane);
  if (is_stopping) keep("listeners", running.listeners, wanted.listeners);
  if (is_stopping) keep("admin.address", running.admin.address, wanted.admin.address);
  return kept;
}

/// `tier3 -> visa: 12`; what was not there, or is no more, is called `(none)`.
std::vector<std::string> moves_of(const table_diff& moved) {
  std::vector<std::string> lines;
  const auto name = [](const std::string& placement) { return placement.empty() ? "(none)" : placement.c_str(); };
  for (const placement_change& change : moved.changes) {
    lines.push_back(fmt::format("{} -> {}: {}", name(change.from), name(change.to), change.keys));
  }
  return lines;
}

}  // namespace

expected<void, publish_error> router::publish(routing_table table) {
  const std::uint64_t generation = table.generation().value;
  request_settings settings;
  {
    reader<active_configuration> current(*configurations_);
    settings = current.current().value.settings;
  }
  return configurations_->publish({generation, {std::move(table), std::move(settings)}});
}

request_settings router::request_settings_of(const wire::configuration& configuration) const {
  request_settings made;
  made.http = configuration.local.http;
  made.decision = configuration.local.decision;
  made.key_printing = configuration.local.log.access.routing_key;
  made.sampling = configuration.local.log.access.sampling;
  made.logs_access = configuration.local.log.access.output.sink != wire::access_sink::off;
  made.key_header = configuration.key.header;
  made.listeners = listeners_.facts(configuration.local.listeners);
  return made;
}

std::set<std::string> router::host_names(const table_spec& spec) const {
  std::set<std::string> hosts;
  for (const cell& c : spec.cells) {
    for (const endpoint& e : c.endpoints) {
      if (!io::parse_address(e.host, e.port)) hosts.insert(e.host);
    }
  }
  return hosts;
}

void router::on_loaded(loaded_configuration loaded) {
  local_part_ = local_part_of(loaded.configuration);
  if (pushed_) pushed_->set_local(local_part_);
  wait_for_names(std::move(loaded));
}

void router::on_pushed(loaded_configuration loaded) { wait_for_names(std::move(loaded)); }

void router::wait_for_names(loaded_configuration loaded) {
  std::set<std::string> hosts = host_names(configuration_.spec);
  hosts.merge(host_names(loaded.configuration.spec));
  resolver_.watch(std::move(hosts));
  loaded_.push_back(std::move(loaded));
  named_at_latest_ = reactor_.now() + new_names_timeout;
  apply_when_named(reactor_.now());
}

local_part router::local_part_of(const wire::configuration& c) { return {c.spec, c.defaults, c.key, c.local.guard}; }

bool router::has_table() const {
  reader<active_configuration> current(*configurations_);
  return !current.current().value.table.is_none();
}

loaded_configuration router::around_current(loaded_configuration file) {
  reader<active_configuration> current(*configurations_);
  auto table = routing_table::compile(configuration_.spec, file.table.generation(), options_.seed,
                                      current.current().value.table.keys().shared(), wire::by_re2);
  if (!table) return file;
  file.table = *std::move(table);
  file.moved = {};
  file.was_kept = false;
  file.origin = origin_;
  file.configuration.spec = configuration_.spec;
  file.configuration.key = configuration_.key;
  file.configuration.kept = {};
  file.configuration.quarantined = configuration_.quarantined;
  file.is_local_only = true;
  return file;
}

void router::refuse_for_now(const loaded_configuration& loaded, std::string why) {
  if (loaded.is_of_file()) {
    config_source_->refuse_for_now(std::move(why));
  } else {
    pushed_->refused(std::move(why));
  }
}

void router::apply_when_named(time_point now) {
  const std::set<std::string> hosts = host_names(loaded_.front().configuration.spec);
  const bool all_known =
      std::ranges::all_of(hosts, [this](const std::string& h) { return name_table_.find(h).has_value(); });
  if (!all_known && resolver_.pending() > 0 && now < named_at_latest_) return;
  const bool is_of_file = loaded_.front().is_of_file();
  if (is_of_file && !is_state_ready(loaded_.front().configuration)) return;
  loaded_configuration next = std::move(loaded_.front());
  loaded_.pop_front();
  if (is_of_file && state_move_ && !state_move_->why_not.empty()) {
    std::string why = std::move(state_move_->why_not);
    state_move_.reset();
    refuse_for_now(next, std::move(why));
    if (!loaded_.empty()) apply_when_named(now);
    return;
  }
  // Of two that waited, the first one is in use by now.
  if (next.origin == fleet_source::push) {
    next.configuration.local = configuration_.local;
    next.configuration.file = configuration_.file;
    next.configuration.content = configuration_.content;
  } else if (!next.configuration.has_routing && has_table()) {
    const bool is_told = next.configuration.local.control_plane.has_value();
    const bool was_told = configuration_.local.control_plane.has_value();
    if (is_told && origin_ == fleet_source::file && configuration_.has_routing) {
      event(process::log_level::warn, "routing_kept",
            "the file has no routing any more: what was in use stays until a control plane sends another, or a restart",
            {{"source", configuration_.file}});
    } else if (!is_told && (was_told || configuration_.has_routing)) {
      event(process::log_level::warn, "routing_kept",
            "the file names no control plane any more, and has no routing: what was in use stays until it has one of "
            "both; a restart needs it",
            {{"source", configuration_.file}});
    }
    next = around_current(std::move(next));
  } else if (origin_ != fleet_source::file && next.configuration.local.control_plane) {
    next = around_current(std::move(next));
  }
  apply(std::move(next));
  if (!loaded_.empty()) apply_when_named(now);
}

void router::apply(loaded_configuration loaded) {
  const std::uint64_t generation = loaded.table.generation().value;
  wire::settings& local = loaded.configuration.local;
  const bool is_stopping = drain_.state() != process::drain_state::serving;
  const std::vector<std::string> kept = keep_what_needs_a_restart(configuration_.local, local, is_stopping);
  const auto refuse = [this, &loaded](std::string why) {
    if (state_move_ && pushed_ && loaded.is_of_file()) pushed_->forget_prepared();
    if (loaded.is_of_file()) state_move_.reset();
    refuse_for_now(loaded, std::move(why));
  };
  auto opened = open_new_parts(loaded.configuration);
  if (!opened) return refuse(opened.error().what);
  if (!configurations_->publish({generation, {std::move(loaded.table), request_settings_of(loaded.configuration)}})) {
    drop_new_parts(*opened);
    return refuse(fmt::format("generation {} was overtaken; have it read again", generation));
  }
  const bool is_of_file = loaded.is_of_file();
  const bool leaves_push = origin_ != fleet_source::file && loaded.origin == fleet_source::file;
  ++(is_of_file ? applied_count_ : pushed_count_);
  origin_ = loaded.origin;
  if (config_source_) config_source_->set_fleet_source(origin_);
  trim_at_ = reactor_.now() + table_memory_kept;
  applied_at_ = io::read_wall_clock();
  apply_elapsed_ = loaded.elapsed;
  apply_log(local.log.access, std::move(opened->log));
  if (!is_of_file) push_refusal_.reset();
  if (!loaded.is_local_only) content_ = loaded.pushed;
  bool is_none = false;
  {
    reader<active_configuration> current(*configurations_);
    const routing_table& table = current.current().value.table;
    is_none = table.is_none();
    tell_applied(table, is_of_file ? std::string_view(configuration_.file) : to_string(origin_), &loaded.moved);
  }
  if (!kept.empty()) {
    event(process::log_level::warn, "restart_needed", "these settings count from the next start on; the rest is in use",
          {{"settings", std::span<const std::string>(kept)}});
  }
  tell_of_health_checks(loaded.configuration);
  apply_local(local);
  for (const router_listeners::opened& o : opened->listeners) {
    listeners_.give(o, local, workers_);
    announce(listeners_.entries()[o.place]);
  }
  for (const std::size_t place : listeners_.close_unwanted(local, workers_)) {
    const router_listeners::entry& closed = listeners_.entries()[place];
    tell_closed(closed.name, closed.address);
  }
  if (opened->admin) move_admin(*opened->admin, local);
  const auto told_before = std::exchange(configuration_, std::move(loaded.configuration)).local.control_plane;
  if (!is_stopping) state_.store(is_none ? readiness::unconfigured : readiness::ready, std::memory_order_relaxed);
  if (!is_of_file) {
    watch_from_now_on(loaded.is_way_back);
    return pushed_->applied();
  }
  use_moved_state();
  follow_control_plane(told_before);
  if (leaves_push && pushed_) {
    watch_.ended();
    pushed_->left();
  }
  tell_quarantined();
  keep_table(configuration_, loaded.was_kept);
  config_source_->applied(configuration_);
}

void router::tell_applied(const routing_table& table, std::string_view source, const table_diff* moved) {
  std::vector<process::event_pair> pairs{{"source", source}, {"version", std::string_view(table.version())}};
  const std::string digest = content_ ? wire::to_short_hex(content_->sum) : std::string();
  if (content_) {
    pairs.emplace_back("pushed_epoch", content_->epoch);
    pairs.emplace_back("pushed_version", content_->version);
    pairs.emplace_back("digest", std::string_view(digest));
  }
  pairs.emplace_back("generation", table.generation().value);
  pairs.emplace_back("keys", std::uint64_t{table.keys().size()});
  pairs.emplace_back("placements", std::uint64_t{table.placements().size()});
  std::vector<std::string> moves;
  if (moved != nullptr) {
    moves = moves_of(*moved);
    pairs.emplace_back("keys_moved", std::uint64_t{moved->moved});
    pairs.emplace_back("keys_added", std::uint64_t{moved->added});
    pairs.emplace_back("keys_removed", std::uint64_t{moved->removed});
    pairs.emplace_back("moves", std::span<const std::string>(moves));
  }
  log_->event(
      {io::read_wall_clock(), process::log_level::info, "config_applied", "the configuration is in use", pairs});
}

void router::tell_of_health_checks(const wire::configuration& configuration) {
  if (!wire::expects_health_checks(configuration)) return;
  event(process::log_level::warn, "health_checks_inactive",
        "each endpoint of such a file is asked for /health where it comes from; health checks are not active here yet",
        {{"source", configuration.file}});
}

void router::apply_local(const wire::settings& local) {
  log_->set_level(level_of(local.log.level));
  admin_->set_metrics_path(local.metrics.path);
  drain_.set_policy({local.process.drain_unready_for, local.process.drain_timeout});
  listeners_.set_options(local, workers_);
}

void router::apply_log(const wire::access_settings& access, std::unique_ptr<process::log_output> opened) {
  if (access == configuration_.local.log.access) return;
  if (opened != nullptr) {
    event(process::log_level::info, "log_moved", "the log goes on elsewhere",
          {{"output", std::string_view(opened->name())}});
  }
  log_->change(std::move(opened), layout_of(access));
}

void router::move_admin(const opened_admin& opened, const wire::settings& local) {
  const io::socket_address before = admin_port_->address();
  if (admin_port_->serve(opened.descriptor, opened.address, local.process.drain_timeout) != 0) return;  // out of memory
  admin_is_private_ = wire::is_loopback(local.admin.address);
  event(process::log_level::info, "listening", "administration",
        {{"listener", "admin"}, {"address", io::to_string(opened.address)}});
  tell_closed("admin", before);
}

expected<router::new_parts, start_error> router::open_new_parts(const wire::configuration& wanted) {
  new_parts parts;
  auto listeners = listeners_.open_missing(wanted.local.listeners, workers_.size());
  if (!listeners) return unexpected(start_error{std::move(listeners).error()});
  parts.listeners = *std::move(listeners);
  if (wanted.local.admin.address != configuration_.local.admin.address) {
    auto admin = open_admin_socket(wanted.local.admin.address);
    if (!admin) {
      drop_new_parts(parts);
      start_error error = std::move(admin).error();
      if (wanted.local.admin.address.port == admin_port_->address().port) {
        error.what += "; it is the admin listener's own port: choose another, or restart";
      }
      return unexpected(std::move(error));
    }
    parts.admin = *admin;
  }
  if (output_of(wanted) != output_of(configuration_)) {
    auto log = process::log_output::open(output_of(wanted));
    if (!log) {
      drop_new_parts(parts);
      return unexpected(start_error{std::move(log).error()});
    }
    parts.log = *std::move(log);
  }
  return parts;
}

void router::drop_new_parts(const new_parts& parts) {
  listeners_.drop(parts.listeners);
  if (parts.admin) ::close(parts.admin->descriptor);
}

void router::on_refused(const std::vector<std::string>& mistakes) {
  ++refused_count_;
  refused_at_ = io::read_wall_clock();
  event(process::log_level::error, "config_rejected", "the configuration is refused; what was in use stays in use",
        {{"source", configuration_.file},
         {"generation", configurations_->generation()},
         {"mistakes", std::span<const std::string>(mistakes)}});
}

void router::on_unchanged() {
  event(process::log_level::info, "config_unchanged", "the file was read again and holds what is in use",
        {{"source", configuration_.file}, {"generation", configurations_->generation()}});
}

config_refusal router::last_refusal() const {
  config_refusal last{refused_at_, {}};
  if (config_source_) last.mistakes = config_source_->mistakes();
  if (push_refusal_) last.mistakes.push_back(*push_refusal_);
  return last;
}

bool router::may_reload() const { return admin_is_private_; }

io::task<reload_report> router::reload(std::string lifted) {
  if (config_source_) co_return co_await config_source_->reload(std::move(lifted));
  reload_report nothing;
  nothing.generation = configurations_->generation();
  co_return nothing;
}

}  // namespace cellroute::proxy
