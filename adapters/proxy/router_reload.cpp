// What a router does with a configuration that comes while it runs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/io/address.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/proxy/router.hpp"
#include "adapters/proxy/router_log.hpp"
#include "adapters/wire/regex_compiler.hpp"

namespace cellroute::proxy {
namespace {

constexpr duration new_names_timeout = 5s;  // how long a change waits for names it brought; then those are answered 502

// What a control plane may send at most.
constexpr std::uint64_t pushed_bytes_max = std::uint64_t{1} << 30;
constexpr std::uint64_t pushed_keys_max = 50'000'000;

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
  keep("process.state_dir", running.process.state_dir, wanted.process.state_dir);
  keep("process.workers", running.process.workers, wanted.process.workers);
  keep("control_plane", running.control_plane, wanted.control_plane);
  keep("process.privileges", running.process.privileges, wanted.process.privileges);
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
  loaded_configuration next = std::move(loaded_.front());
  loaded_.pop_front();
  // Of two that waited, the first one is in use by now.
  if (next.origin == fleet_source::push) {
    next.configuration.local = configuration_.local;
    next.configuration.file = configuration_.file;
    next.configuration.content = configuration_.content;
  } else if (origin_ != fleet_source::file) {
    next = around_current(std::move(next));
  } else if (!next.configuration.has_routing && has_table()) {
    if (configuration_.has_routing) {
      event(process::log_level::warn, "routing_kept",
            "the file has no routing any more: what was in use stays until a control plane sends another, or a restart",
            {{"source", configuration_.file}});
    }
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
  auto opened = open_new_parts(loaded.configuration);
  if (!opened) {
    refuse_for_now(loaded, opened.error().what);
    return;
  }
  if (!configurations_->publish({generation, {std::move(loaded.table), request_settings_of(loaded.configuration)}})) {
    drop_new_parts(*opened);
    refuse_for_now(loaded, fmt::format("generation {} was overtaken; have it read again", generation));
    return;
  }
  const bool is_of_file = loaded.is_of_file();
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
  configuration_ = std::move(loaded.configuration);
  if (!is_stopping) state_.store(is_none ? readiness::unconfigured : readiness::ready, std::memory_order_relaxed);
  if (!is_of_file) return pushed_->applied();
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

void router::start_control_plane() {
  if (!configuration_.local.control_plane) return;
  const wire::control_plane_settings& wished = *configuration_.local.control_plane;
  control_link_options link;
  link.urls = wished.urls;
  if (wished.token_file) link.token_file = wire::path_from_file(configuration_, *wished.token_file);
  const auto file = [this](const std::string& written) {
    return written.empty() ? std::string() : wire::path_from_file(configuration_, written);
  };
  link.tls.ca_file = file(wished.tls.ca_file);
  link.tls.cert_file = file(wished.tls.cert_file);
  link.tls.key_file = file(wished.tls.key_file);
  if (wished.backoff) link.backoff = {wished.backoff->min, wished.backoff->max};
  if (!wished.ring.empty()) link.who.labels.push_back({"ring", wished.ring});
  link.seed = options_.seed;
  link.who.build = options_.version;
  link.who.source = to_string(origin_);
  random_numbers names(options_.seed ^ static_cast<std::uint64_t>(started_at_.time_since_epoch().count()));
  link.who.router_id = router_id();
  link.who.boot_id = fmt::format("{:016x}", names());
  link.limits.can.compressions = {"zstd"};
  link.limits.can.repair = true;
  link.limits.can.content_bytes_max = pushed_bytes_max;
  link.limits.can.keys_max = pushed_keys_max;
  pushed_listener& told = *this;
  if (found_) link.memory.held = {found_->id};
  if (known_good_) link.memory.quarantined = known_good_->quarantined();
  last_known_good* const kept = known_good_ ? &*known_good_ : nullptr;
  pushed_.emplace(reactor_, std::move(link), *configurations_, table_memory_, options_.seed, kept, told);
  linked_since_ = reactor_.now();
  pushed_->start(local_part_, std::exchange(found_, {}));
}

void router::load_known_good() {
  if (!state_lock_ || !configuration_.local.control_plane) return;
  auto folder = process::disk_folder::open_folder(*wire::state_folder_of(configuration_));
  if (!folder) return on_not_kept(folder.error().message());
  state_folder_.emplace(*std::move(folder));
  known_good_.emplace(*state_folder_);
  found_ = tell_not_taken(known_good_->load({0, options_.seed, &table_memory_}));
}

std::optional<kept_content> router::tell_not_taken(found_contents found) {
  for (const std::string& line : found.told) {
    event(process::log_level::warn, "kept_content_refused", "of what a control plane pushed before, this is not taken",
          {{"reason", std::string_view(line)}});
  }
  return std::move(found.newest);
}

/// What was pushed last comes before the file's own fleet sections; where it makes no table here, what was pushed
/// before.
void router::take_known_good() {
  if (!found_) return;
  auto made = compile_content(found_->content, generation_number{2}, options_.seed);
  if (!made) {
    (void)tell_not_taken({{}, {made.error().error}});
    found_ = tell_not_taken(known_good_->load_previous({0, options_.seed, &table_memory_}));
    if (!found_) return;
    made = compile_content(found_->content, generation_number{2}, options_.seed);
  }
  if (!made) {
    (void)tell_not_taken({{}, {made.error().error}});
    return found_.reset();
  }
  configuration_.spec = std::move(made->configuration.spec);
  configuration_.key = std::move(made->configuration.key);
  configuration_.kept = {};
  origin_ = fleet_source::state;
  content_ = found_->id;
  (void)configurations_->publish({2, {std::move(made->table), request_settings_of(configuration_)}});  // the second one
}

void router::on_not_kept(const std::string& why) {
  event(process::log_level::warn, "state_not_kept", "a restart would not find what the control plane pushed last",
        {{"reason", std::string_view(why)}});
}

/// Routers of one host have admin ports of their own.
std::string router::router_id() const {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  return fmt::format("{}:{}", host.front() == '\0' ? "router" : host.data(), admin_port_->address().port);
}

void router::on_push_refused(const std::string& label, const std::string& why) {
  ++push_refused_count_;
  refused_at_ = io::read_wall_clock();
  push_refusal_ = fmt::format("push {}: {}", label, why);
  event(process::log_level::error, "config_rejected", "the configuration is refused; what was in use stays in use",
        {{"source", std::string_view("push")},
         {"version", std::string_view(label)},
         {"generation", configurations_->generation()},
         {"reason", std::string_view(why)}});
}

void router::on_link_event(const std::string& name, const std::string& message) {
  const bool is_good = name == "control_plane_connected";
  event(is_good ? process::log_level::info : process::log_level::warn, name, message);
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
