#include "adapters/proxy/router.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "adapters/io/certificate_end.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/fd_limit.hpp"
#include "adapters/process/listening.hpp"
#include "adapters/process/privileges.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/proxy/metrics_page.hpp"
#include "adapters/proxy/router_log.hpp"

namespace cellroute::proxy {

using process::drain_state;

namespace {

constexpr duration report_period = 1s;
constexpr duration first_names_timeout = 5s;  // how long a start waits for the names of endpoints

}  // namespace

router::router(wire::configuration configuration, router_options options)
    : configuration_(std::move(configuration)),
      options_(std::move(options)),
      signals_(reactor_.context()),
      resolver_(reactor_.context(), name_table_, *this),
      table_memory_(options_.table_memory != nullptr ? *options_.table_memory : own_table_memory_),
      listeners_(names_),
      drain_({configuration_.local.process.drain_unready_for, configuration_.local.process.drain_timeout}),
      started_at_(io::read_wall_clock()),
      applied_at_(started_at_) {
  random_numbers names(options_.seed ^ static_cast<std::uint64_t>(started_at_.time_since_epoch().count()));
  default_reason_ = names_.intern(label_kind::reason, to_string(reason::default_));
  boot_id_ = fmt::format("{:016x}", names());
  reactor_.add_tick_listener(*this);
}

router::~router() {
  reactor_.destroy_spawned();  // where the start failed
  for (const auto& w : workers_) w->stop();
  for (const auto& w : workers_) w->join();
  log_.reset();                                            // writes what the rings of the workers still hold
  pushed_.reset();                                         // waits for its threads, as the next ones
  if (known_good_) (void)known_good_->contents().ended();  // the start failed, and said why
  config_source_.reset();
  keeper_.reset();
  admin_port_.reset();
  admin_.reset();
  workers_.clear();
  reactor_.remove_tick_listener(*this);
}

void router::event(process::log_level level, std::string_view name, std::string_view message,
                   std::initializer_list<process::event_pair> pairs) {
  if (log_) log_->event(io::read_wall_clock(), level, name, message, pairs);
}

expected<void, start_error> router::start() {
  const io::loop_clock begin = io::read_clock();
  if (auto r = open_log(); !r) return r;
  if (auto r = open_state(); !r) return r;
  load_known_good();
  const bool was_kept = configuration_.kept.table.has_value();
  if (auto r = compile_table(); !r) return r;
  local_part_ = local_part_of(configuration_);
  take_known_good();
  // Whatever ends this process from here on to its first request is not what was pushed.
  if (known_good_) (void)known_good_->contents().ended();
  resolve_names();
  if (auto r = open_listeners(); !r) return r;
  if (auto r = open_admin(); !r) return r;
  share_descriptors();
  if (auto r = drop_privileges(); !r) return r;
  if (found_) {
    if (const auto begun = known_good_->contents().begin(found_->id.sum); !begun) on_not_kept(begun.error());
  }
  if (options_.takes_signals) {
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) signals_.add(number);
    wait_for_signal();
  }
  const io::loop_clock end = io::read_clock();
  applied_at_ = end.wall;
  apply_elapsed_ = end.now - begin.now;
  for (const auto& w : workers_) w->start();
  if (options_.file) {
    config_listener& told = *this;
    config_source_.emplace(reactor_, *options_.file, *configurations_, table_memory_, options_.seed, told);
    config_source_->set_fleet_source(origin_);
    config_source_->start(configuration_);
  }
  reader<active_configuration> current(*configurations_);
  const routing_table& table = current.current().value.table;
  state_.store(table.is_none() ? readiness::unconfigured : readiness::ready, std::memory_order_relaxed);
  tell_applied(table, origin_ == fleet_source::file ? std::string_view(configuration_.file) : to_string(origin_),
               nullptr);
  tell_of_health_checks(configuration_);
  tell_quarantined();
  keep_table(configuration_, was_kept);
  for (const router_listeners::entry& l : listeners_.entries()) announce(l);
  for (const std::string& name : options_.unused_variables) {
    event(process::log_level::warn, "variable_unused", "a variable of the environment is set and has no effect yet",
          {{"variable", std::string_view(name)}});
  }
  event(process::log_level::info, "listening", "administration",
        {{"listener", "admin"}, {"address", io::to_string(admin_port_->address())}});
  if (configuration_.local.control_plane) follow_control_plane({});
  return {};
}

expected<void, start_error> router::open_log() {
  process::log_settings settings;
  settings.output = output_of(configuration_);
  settings.layout = layout_of(configuration_.local.log.access);
  settings.level = level_of(configuration_.local.log.level);
  settings.now = &io::read_wall_clock;
  auto opened = process::log_writer::open(std::move(settings));
  if (!opened) return unexpected(start_error{std::move(opened).error()});
  log_ = *std::move(opened);
  return {};
}

expected<void, start_error> router::open_state() {
  const auto folder = wire::state_folder_of(configuration_);
  if (!folder) return {};
  const auto who = later_identity();
  if (!who) return unexpected(who.error());
  auto lock = process::state_lock::take(*folder, *who);
  if (lock) {
    state_lock_.emplace(*std::move(lock));
    return {};
  }
  if (!lock.error().is_unusable) return unexpected(start_error{lock.error().what});
  event(process::log_level::warn, "state_unusable", "nothing is kept for the next start; all else works",
        {{"reason", std::string_view(lock.error().what)}});
  return {};
}

void router::tell_quarantined() {
  constexpr std::size_t told_max = 20;
  const wire::quarantine& bad = configuration_.quarantined;
  for (const wire::quarantined_row& row : bad.rows().first(std::min(bad.rows().size(), told_max))) {
    event(process::log_level::warn, "row_quarantined", "a row is not served",
          {{"row", to_string(row.told)}, {"key", std::string_view(row.key)}});
  }
  if (bad.size() > told_max) {
    event(process::log_level::warn, "rows_quarantined", "more rows are not served",
          {{"rows", std::uint64_t{bad.size()}}, {"told", std::uint64_t{told_max}}});
  }
}

void router::keep_table(const wire::configuration& c, bool was_kept) {
  if (!c.kept.refused.empty()) {
    event(process::log_level::warn, "kept_keys_refused", "a table that was kept cannot be used, and is made anew",
          {{"reason", std::string_view(c.kept.refused)}});
  }
  if (was_kept) event(process::log_level::info, "kept_keys_used", "the key files are those of a table that was kept");
  if (!state_lock_ || !c.kept.content) return;
  if (!keeper_) {
    keeping_listener& told = *this;
    keeper_.emplace(reactor_, *configurations_, told);
  }
  auto lock = state_lock_->share();
  if (!lock) return on_kept(lock.error().what);
  keeper_->keep(*wire::state_folder_of(configuration_), *std::move(lock), *c.kept.content, was_kept);
}

void router::on_kept(const std::string& error) {
  if (error.empty()) {
    return event(process::log_level::info, "keys_kept", "the table of keys is kept for the next start");
  }
  if (std::exchange(has_told_keeping_failed_, true)) return;
  event(process::log_level::warn, "keys_not_kept", "the table of keys cannot be kept; all else works",
        {{"reason", std::string_view(error)}});
}

expected<void, start_error> router::compile_table() {
  auto compiled = wire::compile(configuration_, generation_number{1}, options_.seed, &table_memory_);
  if (!compiled) {
    std::string lines;
    for (const wire::diagnostic& d : compiled.error()) lines += "\n" + to_string(d);
    return unexpected(start_error{"the routing keys make no table:" + lines});
  }
  for (const wire::listener_settings& l : configuration_.local.listeners) listeners_.add(l);
  configurations_.emplace(
      snapshot<active_configuration>{1, {*std::move(compiled), request_settings_of(configuration_)}});
  table_memory_.trim();
  process::give_back_memory();
  return {};
}

void router::resolve_names() {
  std::set<std::string> hosts = host_names(configuration_.spec);
  if (hosts.empty()) return;
  resolver_.watch(std::move(hosts));
  // A name that has no address yet is no reason not to start: the others are served, and it is asked for again.
  const time_point until = reactor_.now() + first_names_timeout;
  while (resolver_.pending() > 0 && io::read_clock().now < until) reactor_.context().run_one_for(100ms);
}

expected<void, start_error> router::open_listeners() {
  const wire::settings& local = configuration_.local;
  const std::size_t worker_count =
      local.process.workers != 0 ? local.process.workers : std::max(1u, std::thread::hardware_concurrency());
  random_numbers seeds(options_.seed);
  for (std::size_t i = 0; i < worker_count; ++i) {
    workers_.push_back(std::make_unique<worker>(*configurations_, name_table_, names_, limits_of(local.http), seeds()));
    log_->add_ring(workers_.back()->ring());
  }
  for (std::size_t place = 0; place < listeners_.entries().size(); ++place) {
    const auto opened = listeners_.open(place, workers_.size());
    if (!opened) return unexpected(start_error{opened.error()});
    if (const auto given = listeners_.give_first(*opened, local, workers_); !given) {
      return unexpected(start_error{given.error()});
    }
  }
  return {};
}

void router::announce(const router_listeners::entry& listener) {
  event(process::log_level::info, "listening", "requests are taken",
        {{"listener", std::string_view(listener.name)}, {"address", io::to_string(listener.address)}});
}

void router::tell_closed(std::string_view listener, const io::socket_address& address) {
  event(process::log_level::info, "listener_closed", "it takes no new connection; what runs there may finish",
        {{"listener", listener}, {"address", io::to_string(address)}});
}

expected<router::opened_admin, start_error> router::open_admin_socket(const wire::socket_address& wished) {
  std::optional<io::socket_address> address = listen_address(wished);
  if (!address) return unexpected(start_error{"admin.address is no address"});
  const auto descriptors = process::listen_on(*address, wished.host.empty(), 1);
  if (!descriptors) return unexpected(start_error{descriptors.error()});
  return opened_admin{*address, descriptors->front()};
}

expected<void, start_error> router::open_admin() {
  const wire::socket_address& wished = configuration_.local.admin.address;
  const auto opened = open_admin_socket(wished);
  if (!opened) return unexpected(opened.error());
  admin_source& facts = *this;
  admin_.emplace(reactor_.clock(), *configurations_, facts,
                 admin_options{configuration_.local.metrics.path, options_.version, options_.commit});
  admin_port_.emplace(reactor_, *admin_);
  if (const int error = admin_port_->serve(opened->descriptor, opened->address, duration::zero()); error != 0) {
    return unexpected(start_error{process::listen_failure(opened->address, error)});
  }
  admin_is_private_ = wire::is_loopback(wished);
  return {};
}

expected<std::optional<process::identity>, start_error> router::later_identity() const {
  const std::optional<wire::privilege_settings>& wished = configuration_.local.process.privileges;
  if (!wished) return std::optional<process::identity>();
  auto who = process::find_identity(wished->user, wished->group);
  if (!who) return unexpected(start_error{"process.privileges: " + who.error().what});
  return std::optional(*std::move(who));
}

expected<void, start_error> router::drop_privileges() {
  const std::optional<wire::privilege_settings>& wished = configuration_.local.process.privileges;
  const auto who = later_identity();
  if (!who) return unexpected(who.error());
  if (!*who) return {};
  if (const auto dropped = process::drop_privileges(**who); !dropped) {
    return unexpected(start_error{"process.privileges: " + dropped.error().what});
  }
  event(process::log_level::info, "privileges_dropped",
        "from now on files are opened as this user: the configuration's, those of keys, the log's when it is opened "
        "again",
        {{"user", std::string_view(wished->user)}, {"group", std::string_view(wished->group)}});
  return {};
}

void router::share_descriptors() {
  const process::process_usage usage = process::read_process_usage();
  if (!usage.max_fds || !usage.open_fds) return;
  const std::uint64_t open_max = process::descriptors_for_clients(*usage.max_fds, *usage.open_fds);
  listeners_.room().open_max = open_max;
  std::uint64_t wanted = 0;
  for (const wire::listener_settings& l : configuration_.local.listeners) wanted += l.limits.connections_max;
  if (wanted <= open_max) return;
  event(process::log_level::warn, "descriptors_too_few",
        "the limit of descriptors allows fewer connections than max_connections: raise it (ulimit -n, LimitNOFILE)",
        {{"descriptors", *usage.max_fds}, {"connections", open_max}, {"max_connections", wanted}});
}

void router::run() { reactor_.run(); }

void router::stop() { reactor_.stop(); }

void router::wait_for_signal() {
  signals_.async_wait([this](const asio::error_code& error, int number) {
    if (error) return;
    on_signal(number);
    wait_for_signal();
  });
}

void router::on_signal(int number) {
  switch (number) {
    case SIGUSR1:
      log_->reopen();
      event(process::log_level::info, "log_reopen", "SIGUSR1: the log goes on in a file opened anew, where it is one");
      return;
    case SIGHUP:
      if (config_source_) config_source_->demand();
      return;
    case SIGUSR2:
      event(process::log_level::warn, "signal_ignored", "SIGUSR2 means nothing here");
      return;
    default:
      break;
  }
  if (drain_.state() != drain_state::serving) {
    event(process::log_level::warn, "drain_cut", "a second signal: ending at once");
  }
  enter(drain_.ask(reactor_.now()), 0);
}

void router::begin_drain() {
  reactor_.post([this] {
    if (drain_.state() == drain_state::serving) enter(drain_.ask(reactor_.now()), 0);
  });
}

void router::on_tick(time_point now) {
  if (admin_) admin_->refresh();
  if (admin_port_) admin_port_->sweep(now);
  configurations_->collect();
  if (!loaded_.empty()) apply_when_named(now);
  if (now >= trim_at_) {  // no change has followed: the next one need not find the memory of the last
    trim_at_ = time_point::max();
    table_memory_.trim();
  }
  if (has_gateway_names()) sample_rate(now);
  report_to_control_plane(now);
  if (log_ && certificate_watch_.is_due(now)) {
    const wall_time wall = io::read_wall_clock();
    process::tell(*log_, certificate_watch_.look(certificates(), wall), wall);
  }
  if (drain_.state() == drain_state::serving) return;
  std::size_t open = 0;
  for (const auto& w : workers_) open += w->open_connections();
  const drain_state before = drain_.state();
  const drain_state after = drain_.tick(now, open);
  if (after == before) return;
  if (after == drain_state::ended && open == 0) {
    event(process::log_level::info, "drain_done", "every connection has ended");
  }
  enter(after, open);
}

void router::enter(drain_state state, std::size_t open_connections) {
  switch (state) {
    case drain_state::serving:
      return;
    case drain_state::unready:
      state_.store(readiness::draining, std::memory_order_relaxed);
      event(process::log_level::info, "drain_started", "not ready any more; requests are still taken for a while");
      return;
    case drain_state::closing:
      for (const auto& w : workers_) w->drain();
      event(process::log_level::info, "drain_closing", "no new connection is taken",
            {{"connections", open_connections}});
      return;
    case drain_state::cutting:
      for (const auto& w : workers_) w->cut();
      event(process::log_level::warn, "drain_cut", "what still ran was cut", {{"connections", open_connections}});
      return;
    case drain_state::ended:
      stop();
      return;
  }
}

void router::on_address(const std::string& host, const io::socket_address& address) {
  for (const auto& w : workers_) w->set_address(host, address);
  event(process::log_level::info, "name_resolved", "a cell's name has an address",
        {{"host", std::string_view(host)}, {"address", io::host_text(address)}});
}

void router::on_unresolved(const std::string& host, const std::string& why) {
  event(process::log_level::warn, "name_unresolved", "a cell's name has no address; its requests are answered 502",
        {{"host", std::string_view(host)}, {"reason", std::string_view(why)}});
}

bool router::has_gateway_names() const {
  const auto& compat = configuration_.local.metrics.compat;
  return std::ranges::find(compat, wire::metrics_dialect::gateway) != compat.end();
}

void router::sample_rate(time_point now) {
  if (!rate_.is_due(now)) return;
  std::uint64_t finished = 0;
  for (const auto& w : workers_) finished += w->metrics().requests_finished();
  rate_.sample(finished, now);
}

reactor_metrics::traffic router::count_requests() const {
  reactor_metrics::traffic all;
  for (const auto& w : workers_) all += w->metrics().traffic_by(default_reason_);
  return all;
}

void router::report_to_control_plane(time_point now) {
  if (!configuration_.local.control_plane || !pushed_ || now < report_at_) return;
  report_at_ = now + report_period;
  const reactor_metrics::traffic all = count_requests();
  watch_content(all, now);
  wire::pong counts;
  counts.requests = all.finished;
  counts.errors = {all.own_5xx, all.connect, all.timeout, all.no_route};
  counts.default_route_hits = all.hits;
  const process::latency_counts& latency = all.latency;
  for (std::size_t i = 0; i < latency.buckets.size(); ++i) {
    if (latency.buckets[i] == 0) continue;
    wire::latency_bucket& bucket = counts.latency.emplace_back();
    bucket.count = latency.buckets[i];
    if (i < process::latency_bounds.size()) bucket.le_ms = static_cast<std::uint64_t>(process::latency_bounds[i] / 1ms);
  }
  counts.mem_bytes = process::read_process_usage().resident_bytes.value_or(0);
  counts.rejected = push_refused_count_;
  pushed_->report(std::move(counts));
}

std::vector<process::certificate_facts> router::certificates() const {
  std::vector<process::certificate_facts> all;
  if (!configuration_.local.control_plane) return all;
  const wire::link_tls_settings& tls = configuration_.local.control_plane->tls;
  for (const std::string* written : {&tls.ca_file, &tls.cert_file}) {
    if (written->empty() || (written == &tls.cert_file && tls.cert_file == tls.ca_file)) continue;
    std::string file = wire::path_from_file(configuration_, *written);
    if (const auto ends = io::certificate_end(file)) all.push_back({"control_plane", std::move(file), *ends});
  }
  return all;
}

readiness router::ready() const {
  const readiness state = state_.load(std::memory_order_relaxed);
  const std::optional<duration>& age_max = configuration_.local.process.config_age_max;
  if (state != readiness::ready || !configuration_.local.control_plane || !pushed_ || !age_max) return state;
  return facts_of_control_plane().confirmed_age > *age_max ? readiness::stale : state;
}

control_plane_facts router::facts_of_control_plane() const {
  const link_figures& link = pushed_->figures();
  const std::int64_t at = link.confirmed_at.load(std::memory_order_relaxed);
  const std::uint64_t opened = link.opened.load(std::memory_order_relaxed);
  control_plane_facts facts;
  facts.is_connected = link.is_connected.load(std::memory_order_relaxed);
  facts.reconnects = opened > 0 ? opened - 1 : 0;
  for (std::size_t i = 0; i < link.failed.size(); ++i)
    facts.failed_tries[i] = link.failed[i].load(std::memory_order_relaxed);
  facts.unknown_messages = link.unknown_messages.load(std::memory_order_relaxed);
  facts.scrub = pushed_->scrubbed();
  facts.confirmed_age = io::read_clock().now - (at < 0 ? linked_since_ : time_point(duration(at)));
  return facts;
}

std::string router::metrics() const {
  std::vector<const reactor_metrics*> parts;
  for (const auto& w : workers_) parts.push_back(&w->metrics());
  router_facts facts;
  facts.version = options_.version;
  facts.commit = options_.commit;
  facts.started = started_at_;
  facts.now = io::read_wall_clock();
  facts.config.source = config_origin();
  reader<active_configuration> configurations(*configurations_);
  const snapshot<active_configuration>& current = configurations.current();
  facts.config.generation = current.generation;
  facts.config.keys = current.value.table.keys().size();
  facts.config.rows_quarantined = configuration_.quarantined.size();
  facts.config.bytes = current.value.table.keys().memory_bytes();
  facts.config.last_applied = applied_at_;
  facts.config.last_apply_duration = apply_elapsed_;
  facts.config.applies = {{"applied", "file", applied_count_}, {"rejected", "file", refused_count_}};
  if (pushed_) {
    facts.config.applies.push_back({"applied", "push", pushed_count_});
    facts.config.applies.push_back({"unchanged", "push", push_unchanged_count_});
    facts.config.applies.push_back({"rejected", "push", push_refused_count_});
    if (configuration_.local.control_plane) facts.control_plane = facts_of_control_plane();
  }
  facts.certificates = certificates();
  facts.log = log_->counts();
  facts.usage = process::read_process_usage();
  facts.has_gateway_names = has_gateway_names();
  facts.requests_per_second = rate_.per_second();
  return render_metrics(parts, names_, facts);
}

}  // namespace cellroute::proxy
