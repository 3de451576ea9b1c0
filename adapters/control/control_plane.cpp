#include "adapters/control/control_plane.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/control/control_metrics.hpp"
#include "adapters/control/listener_tls.hpp"
#include "adapters/io/certificate_end.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/fd_limit.hpp"
#include "adapters/process/json_writer.hpp"
#include "adapters/process/listening.hpp"
#include "adapters/process/process_usage.hpp"
#include "adapters/wire/scalars.hpp"

namespace cellroute::control {

using process::drain_state;
using process::log_level;

namespace {

constexpr duration native_ping_max = 2s;  // of `cellroute.v1`, whatever slower beat the base protocol has
constexpr duration goaway_spread = 2s;    // over which routers come back, to another control plane or to this one again
constexpr duration drain_timeout = 5s;    // for their last words
constexpr duration renewal_period = 5s;   // in which files of certificates are looked at
constexpr std::size_t records_a_router = 2;  // that are kept, for each session that there may be

log_level level_of(wire::log_level level) {
  switch (level) {
    case wire::log_level::debug:
      return log_level::debug;
    case wire::log_level::info:
      return log_level::info;
    case wire::log_level::warn:
      return log_level::warn;
    case wire::log_level::error:
      return log_level::error;
  }
  return log_level::info;
}

sync::hub_settings hub_settings_of(const push_settings& push, std::uint64_t salt) {
  sync::hub_settings made;
  made.push.salt = salt;
  made.seed = salt;
  made.push.ping = std::min(push.ping, native_ping_max);
  made.push.dead_after = static_cast<int>(push.dead_after);
  made.base.ping = push.ping;
  made.base.dead_after = static_cast<int>(push.dead_after);
  made.sessions_max = push.routers_max;
  made.hellos_per_second = push.hellos_per_second;
  made.session_age = push.session_age_max.value_or(duration(0));
  made.records_max = records_a_router * std::size_t{push.routers_max};
  return made;
}

std::string_view words_for(sync::hub_event_kind kind) {
  switch (kind) {
    case sync::hub_event_kind::joined:
      return "a router is here";
    case sync::hub_event_kind::left:
      return "a router's session is over";
    case sync::hub_event_kind::applied:
      return "a router runs a content that it did not run before";
    case sync::hub_event_kind::refused:
      return "a router does not take what is published";
    case sync::hub_event_kind::duplicate:
      return "another process has come with a router's id; the newer one is kept";
    case sync::hub_event_kind::corrupted:
      return "a router makes another content of what it was sent; it is sent all of it again";
    case sync::hub_event_kind::damaged:
      return "the rows that a router runs are not those that it was sent any more: its memory is at fault; it asks for "
             "them again";
    case sync::hub_event_kind::conflict:
      return "a router runs another content under this version: another control plane gave it that";
  }
  return {};
}

constexpr std::uint16_t metrics_index = 1;
constexpr std::uint16_t break_glass_index = 2;

std::string tls_path(std::size_t index) { return fmt::format("listeners[{}].tls", index); }

unexpected<start_error> failed(std::string why) { return unexpected(start_error{{std::move(why)}}); }

}  // namespace

control_plane::control_plane(settings wanted, control_options options)
    : settings_(std::move(wanted)),
      options_(std::move(options)),
      signals_(reactor_.context()),
      drain_({duration::zero(), drain_timeout}),
      started_at_(io::read_wall_clock()) {
  reactor_.add_tick_listener(*this);
}

control_plane::~control_plane() {
  reactor_.destroy_spawned();  // where the start failed
  if (api_) api_->stop_asking();
  listeners_.clear();
  if (api_) api_->end();  // waits for its threads
  watched_.reset();       // and so does this
  publisher_.reset();     // and this
  server_.reset();
  reactor_.remove_tick_listener(*this);
}

void control_plane::event(log_level level, std::string_view name, std::string_view message,
                          std::initializer_list<process::event_pair> pairs) {
  if (log_) log_->event(io::read_wall_clock(), level, name, message, pairs);
}

expected<void, start_error> control_plane::start() {
  if (auto r = open_log(); !r) return r;
  auto guard = gate::open(settings_.auth);
  if (!guard) return failed(std::move(guard).error());
  gate_.emplace(*std::move(guard));
  if (auto r = open_registry(); !r) return r;
  push_observer& hears_sessions = *this;
  publish_observer& hears_contents = *this;
  server_.emplace(reactor_, hub_settings_of(settings_.push, home_->of().salt()), hears_sessions);
  publisher_settings how;
  how.base_dialect = settings_.push.base_dialect;
  how.coalesce = settings_.push.coalesce;
  publisher_.emplace(reactor_, *server_, how, hears_contents);
  if (!settings_.watch.empty()) {
    watch_listener& hears_file = *this;
    watched_.emplace(reactor_, settings_.watch, home_->of(), hears_file);
    auto first = watched_->read_first();
    if (!first) return unexpected(start_error{std::move(first).error()});
    on_taken(*first);
  }
  if (auto r = open_api(); !r) return r;
  if (auto r = open_listeners(); !r) return r;
  share_descriptors();
  if (options_.takes_signals) {
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) signals_.add(number);
    wait_for_signal();
  }
  home_->begin();
  if (watched_) {
    watched_->tell_first();
    watched_->start();
  }
  for (const edge::listener& l : listeners_) {
    if (l.options().is_local) {
      event(log_level::info, "listening", "whoever may open it may do everything, and each request is audited",
            {{"listener", "break_glass"}, {"address", std::string_view(settings_.break_glass_socket)}, {"tls", false}});
      continue;
    }
    const bool is_metrics = l.options().index == metrics_index;
    event(log_level::info, "listening",
          is_metrics                ? "whoever reaches it may read metrics"
          : gate_->asks_for_token() ? "whoever has the token may connect"
                                    : "only this machine may connect, without a token",
          {{"listener", is_metrics ? "metrics" : "control"},
           {"address", io::to_string(l.options().address)},
           {"tls", static_cast<bool>(l.options().tls)}});
  }
  return {};
}

expected<void, start_error> control_plane::open_log() {
  process::log_settings log;
  log.output = to_string(settings_.log.output);
  log.level = level_of(settings_.log.level);
  log.now = &io::read_wall_clock;
  auto opened = process::log_writer::open(std::move(log));
  if (!opened) return failed(std::move(opened).error());
  log_ = *std::move(opened);
  // Ids that nobody has to guess, and no two processes share: not of the seed, which is a secret.
  requests_.emplace(log_.get(), reactor_.clock(), static_cast<std::uint64_t>(started_at_.time_since_epoch().count()));
  return {};
}

expected<void, start_error> control_plane::open_registry() {
  if (settings_.store.empty()) {
    event(
        log_level::warn, "nothing_kept",
        "no store is named: versions are counted anew at each start, in an epoch of their own, and their history goes");
  }
  content_listener& hears_contents = *this;
  registry_settings how;
  how.guard = settings_.guard;
  how.seed = options_.seed;
  auto opened =
      registry_home::open(reactor_, std::string(file_of_store(settings_.store)), how, started_at_, hears_contents);
  if (!opened) return failed("store: " + std::move(opened).error());
  home_ = *std::move(opened);
  return {};
}

expected<void, start_error> control_plane::open_api() {
  const api_surface about{home_->of(), *server_, *publisher_, watched_ ? &*watched_ : nullptr,
                          *gate_,      *log_,    *requests_};
  api_.emplace(reactor_, settings_, about);
  if (auto r = api_->open(options_.version); !r) return failed(std::move(r).error());
  return {};
}

expected<void, start_error> control_plane::open_listeners() {
  page_source& facts = *this;
  pages_.emplace(reactor_.clock(), facts, *requests_);
  front_.emplace(reactor_.clock(), *gate_, *server_, api_->handler(), *pages_, *requests_);
  for (const listener_settings& l : settings_.listeners) {
    if (auto r = open_listener(l, *front_, "control"); !r) return r;
  }
  if (auto r = open_break_glass(); !r) return r;
  if (!settings_.metrics_address) return {};
  return open_listener({*settings_.metrics_address}, *pages_, "metrics");
}

expected<void, start_error> control_plane::open_listener(const listener_settings& wished_listener,
                                                         edge::exchange_handler& handler, std::string_view name) {
  const wire::socket_address& wished = wished_listener.address;
  auto address = io::parse_address(wished.host.empty() ? "::" : wished.host, wished.port);
  if (!address) return failed(fmt::format("{}: {} is no address", name, wished.host));
  const auto descriptors = process::listen_on(*address, wished.host.empty(), 1);
  if (!descriptors) return failed(descriptors.error());
  io::notice_vanished(descriptors->front());  // a router that vanished would hold its session, and its name
  edge::listener_options options;
  options.index = name == "control" ? 0 : metrics_index;
  options.address = *address;
  options.room = &room_;
  if (wished_listener.tls) {
    auto tls = make_listener_tls(*wished_listener.tls, tls_path(listeners_.size()), io::read_wall_clock());
    if (!tls) return unexpected(start_error{std::move(tls).error()});
    options.tls = *std::move(tls);
  }
  edge::listener_observer& counts = *this;
  edge::listener& made = listeners_.emplace_back(reactor_, options, handler, counts, connections_);
  const int error = made.open(descriptors->front());
  if (error != 0) return failed(process::listen_failure(*address, error));
  return {};
}

expected<void, start_error> control_plane::open_break_glass() {
  if (settings_.break_glass_socket.empty()) return {};
  auto opened = process::local_socket::open(settings_.break_glass_socket);
  if (!opened) return failed("break_glass.socket: " + std::move(opened).error());
  break_glass_.emplace(*std::move(opened));
  edge::listener_options options;
  options.index = break_glass_index;
  options.is_local = true;
  options.room = &room_;
  edge::listener_observer& counts = *this;
  edge::listener& made = listeners_.emplace_back(reactor_, options, *front_, counts, connections_);
  const int error = made.open(break_glass_->release_descriptor());
  if (error != 0) return failed(fmt::format("break_glass.socket: {}", std::strerror(error)));
  return {};
}

void control_plane::share_descriptors() {
  const process::process_usage usage = process::read_process_usage();
  if (!usage.max_fds || !usage.open_fds) return;
  room_.open_max = process::descriptors_for_clients(*usage.max_fds, *usage.open_fds);
  if (settings_.push.routers_max <= room_.open_max) return;
  event(
      log_level::warn, "descriptors_too_few",
      "the limit of descriptors allows fewer routers than push.max_routers: raise it (ulimit -n, LimitNOFILE)",
      {{"descriptors", *usage.max_fds}, {"connections", room_.open_max}, {"max_routers", settings_.push.routers_max}});
}

void control_plane::run() { reactor_.run(); }

// --- what happens ---

void control_plane::on_session_opened(const push_session_facts& session) {
  event(log_level::debug, "session_opened", "a router has connected",
        {{"session", session.number}, {"peer", std::string_view(session.peer)}, {"native", session.is_native}});
  publisher_->look();
}

void control_plane::on_session_ended(const push_session_facts& session, std::string_view why) {
  event(why.empty() || drain_.state() != drain_state::serving ? log_level::debug : log_level::warn, "session_ended",
        why.empty() ? "a router has left" : "a router's session was ended",
        {{"session", session.number},
         {"peer", std::string_view(session.peer)},
         {"native", session.is_native},
         {"reason", why}});
}

void control_plane::on_hub_event(const sync::hub_event& said) {
  const bool is_refused = said.kind == sync::hub_event_kind::refused;
  const bool is_bad = is_refused || said.kind == sync::hub_event_kind::duplicate ||
                      said.kind == sync::hub_event_kind::corrupted || said.kind == sync::hub_event_kind::damaged;
  if (is_refused) router_refusals_.add(said.code);
  if (said.kind != sync::hub_event_kind::left) publisher_->look();
  const bool is_usual = said.kind == sync::hub_event_kind::applied;  // of thousands at each change
  const std::string name(to_string(said.kind));
  const log_level level = is_bad ? log_level::warn : is_usual ? log_level::debug : log_level::info;
  const std::uint64_t version = said.content ? said.content->version : 0;
  const std::string_view router = said.router_id;
  if (said.content || !said.why.empty()) {
    event(
        level, "router_" + name, words_for(said.kind),
        {{"router", router}, {"session", said.session}, {"version", version}, {"reason", std::string_view(said.why)}});
  } else {  // it came or went
    event(level, "router_" + name, words_for(said.kind), {{"router", router}, {"session", said.session}});
  }
  std::string data;
  process::json_writer out(data);
  out.begin_object().field("router", said.router_id).field("session", said.session);
  out.field("version", version).field("reason", said.why).end_object();
  api_->events().add("router." + name, data);
}

bool control_plane::may_stay(const push_session_facts& session) {
  return !session.token || gate_->still_opens(*session.token, door::routers, reactor_.clock().wall);
}

void control_plane::on_published(const published_content& what, duration made_ready_in) {
  ++published_count_;
  const std::string digest = wire::to_hex(what.id.sum);
  event(log_level::info, "config_published", "routers are told to run it",
        {{"epoch", what.id.epoch},
         {"version", what.id.version},
         {"digest", std::string_view(digest)},
         {"label", std::string_view(what.label)},
         {"keys", std::uint64_t{what.content.keys.size()}},
         {"made_ready_ms", std::chrono::duration<double, std::milli>(made_ready_in).count()}});
  std::string data;
  process::json_writer out(data);
  out.begin_object().field("epoch", what.id.epoch).field("version", what.id.version).field("digest", digest);
  out.field("label", what.label).field("keys", std::uint64_t{what.content.keys.size()}).end_object();
  api_->events().add("config.published", data);
}

void control_plane::on_overtaken(const wire::content_id& id) {
  event(log_level::info, "config_overtaken", "a newer one came before routers were told of it",
        {{"version", id.version}});
  std::string data;
  process::json_writer out(data);
  out.begin_object().field("epoch", id.epoch).field("version", id.version).end_object();
  api_->events().add("config.overtaken", data);
}

void control_plane::on_taken(std::uint64_t rows_quarantined) {
  if (rows_quarantined == 0) return;
  event(log_level::warn, "rows_quarantined", "some rows of the file are not served",
        {{"source", std::string_view(settings_.watch)}, {"rows", rows_quarantined}});
}

void control_plane::on_next_content(published_content next) { publisher_->publish(std::move(next)); }

void control_plane::on_refused(const std::vector<std::string>& mistakes) {
  ++refused_count_;
  event(log_level::error, "config_rejected", "the file is refused; what is published stays published",
        {{"source", std::string_view(settings_.watch)}, {"mistakes", std::span<const std::string>(mistakes)}});
  std::string data;
  process::json_writer out(data);
  out.begin_object().field("source", settings_.watch).field("mistakes", std::span<const std::string>(mistakes));
  out.end_object();
  api_->events().add("config.rejected", data);
}

void control_plane::on_unchanged(bool) {
  event(log_level::info, "config_unchanged", "the file was read again and says what is published",
        {{"source", std::string_view(settings_.watch)}});
}

control_state control_plane::state() const {
  if (drain_.state() != drain_state::serving) return control_state::draining;
  // Without a file to follow it is ready for the first publish, too.
  return publisher_->current() != nullptr || !watched_ ? control_state::ready : control_state::starting;
}

std::vector<process::certificate_facts> control_plane::certificates() const {
  std::vector<process::certificate_facts> all;
  const auto add = [&all](const std::string& listener, const std::string& file, wall_time ends) {
    const auto is_it = [&](const process::certificate_facts& c) { return c.listener == listener && c.name == file; };
    if (std::ranges::none_of(all, is_it)) all.push_back({listener, file, ends});
  };
  std::size_t index = 0;
  for (const edge::listener& l : listeners_) {
    const std::size_t i = index++;
    if (!l.options().tls) continue;
    const std::string where = io::to_string(l.options().address);
    // As they are in use, which is what came last and was good.
    for (const io::tls_certificate_facts& c : l.options().tls.certificates()) add(where, c.file, c.not_after);
    const std::string& authority = settings_.listeners[i].tls->client_auth.ca_file;
    if (authority.empty()) continue;
    if (const auto ends = io::certificate_end(authority)) add(where, authority, *ends);
  }
  return all;
}

std::string control_plane::metrics() const {
  control_counts counts;
  counts.version = options_.version;
  counts.commit = options_.commit;
  counts.started = started_at_;
  counts.published = published_count_;
  counts.refused_files = refused_count_;
  counts.router_refusals = router_refusals_;
  counts.connections = open_connections();
  counts.connections_dropped = connections_dropped_;
  counts.requests = front_->requests();
  counts.requests_refused = front_->refused();
  counts.is_store_in_trouble = !api_->why_not_ready().empty();
  counts.store_errors = home_->of().store_errors();
  if (const store_check* check = api_->check()) {
    counts.is_store_whole = check->is_whole();
    counts.store_verified_at = check->at();
  }
  counts.certificates = certificates();
  counts.log = log_->counts();
  counts.usage = process::read_process_usage();
  return render_control_metrics(counts, *server_, *publisher_, reactor_.clock());
}

// --- how it stops ---

void control_plane::wait_for_signal() {
  signals_.async_wait([this](const asio::error_code& error, int number) {
    if (error) return;
    on_signal(number);
    wait_for_signal();
  });
}

void control_plane::on_signal(int number) {
  switch (number) {
    case SIGUSR1:
      log_->reopen();
      event(log_level::info, "log_reopen", "SIGUSR1: the log goes on in a file opened anew, where it is one");
      return;
    case SIGHUP:
      if (watched_) return watched_->demand();
      event(log_level::warn, "signal_ignored", "SIGHUP means nothing here: no file is followed");
      return;
    case SIGUSR2:
      event(log_level::warn, "signal_ignored", "SIGUSR2 means nothing here");
      return;
    default:
      break;
  }
  if (drain_.state() != drain_state::serving) {
    event(log_level::warn, "drain_cut", "a second signal: ending at once");
  }
  enter(drain_.ask(reactor_.now()));
}

void control_plane::renew_certificates(time_point now) {
  if (now < renew_at_) return;
  renew_at_ = now + renewal_period;
  std::vector<std::string> mistakes;
  std::size_t index = 0;
  for (edge::listener& l : listeners_) {
    const std::size_t i = index++;
    if (!l.options().tls || !l.options().tls.have_files_changed()) continue;
    auto tls = make_listener_tls(*settings_.listeners[i].tls, tls_path(i), io::read_wall_clock());
    if (!tls) {
      mistakes.insert(mistakes.end(), tls.error().begin(), tls.error().end());
      continue;
    }
    edge::listener_options options = l.options();
    options.tls = *std::move(tls);
    l.set_options(options);
    event(log_level::info, "certificates_renewed", "connections from now on are shown the certificates that came",
          {{"address", io::to_string(options.address)}});
  }
  if (!mistakes.empty() && mistakes != renewal_mistakes_) {
    event(log_level::error, "certificates_rejected", "the certificates of before stay in use",
          {{"mistakes", std::span<const std::string>(mistakes)}});
  }
  renewal_mistakes_ = std::move(mistakes);
}

void control_plane::on_tick(time_point now) {
  renew_certificates(now);
  if (log_ && certificate_watch_.is_due(now)) {
    const wall_time wall = io::read_wall_clock();
    process::tell(*log_, certificate_watch_.look(certificates(), wall), wall);
  }
  if (api_) api_->on_tick(now);
  if (drain_.state() == drain_state::serving) return;
  const drain_state before = drain_.state();
  const drain_state after = drain_.tick(now, open_connections());
  if (after != before) enter(after);
}

void control_plane::enter(drain_state state) {
  switch (state) {
    case drain_state::serving:
      return;
    case drain_state::unready:
      event(log_level::info, "drain_started", "routers are sent away; what they run they go on running",
            {{"sessions", std::uint64_t{server_->hub().session_count()}}});
      server_->stop("the control plane stops", goaway_spread);
      api_->stop_watchers();  // what has no end; other requests are answered
      return;
    case drain_state::closing:
      for (edge::listener& l : listeners_) l.drain();
      return;
    case drain_state::cutting:
      event(log_level::warn, "drain_cut", "what was still connected is cut",
            {{"connections", std::uint64_t{open_connections()}}});
      api_->cut();
      for (edge::listener& l : listeners_) l.cut();
      return;
    case drain_state::ended:
      event(log_level::info, "drain_done", "it ends", {{"connections", std::uint64_t{open_connections()}}});
      reactor_.stop();
      return;
  }
}

std::size_t control_plane::open_connections() const {
  std::size_t open = 0;
  for (const edge::listener& l : listeners_) open += l.open_count();
  return open;
}

}  // namespace cellroute::control
