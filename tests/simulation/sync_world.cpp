#include "tests/simulation/sync_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>

#include "adapters/wire/chunk_frame.hpp"
#include "cellroute/base/hash.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint32_t chunk_bytes = 64;  // small, so that a content has many
constexpr std::uint32_t window = 4;
constexpr std::size_t deltas_kept = 4;  // who is further behind takes a snapshot
constexpr std::size_t story_lines = 400;
constexpr duration beat = 2s;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

wire::digest digest_of_bytes(std::span<const std::byte> bytes) {
  wire::digest d{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t part = checksum(bytes, i + 1);
    std::memcpy(d.data() + 8 * i, &part, sizeof part);
  }
  return d;
}

/// `bad` where it is, then a line `key value` each; of a delta, `key -` where the row goes.
std::string encode(const small_content& c) {
  std::string text = c.is_bad ? "bad\n" : "good\n";
  for (const auto& [key, value] : c.rows) text += fmt::format("{} {}\n", key, value);
  return text;
}

std::string encode_delta(const small_content& from, const small_content& to) {
  std::string text = to.is_bad ? "bad\n" : "good\n";
  for (const auto& [key, value] : to.rows) {
    const auto at = from.rows.find(key);
    if (at == from.rows.end() || at->second != value) text += fmt::format("{} {}\n", key, value);
  }
  for (const auto& [key, value] : from.rows) {
    if (!to.rows.contains(key)) text += fmt::format("{} -\n", key);
  }
  return text;
}

/// Makes of `base` what the text says. Nothing where it is no such text.
std::optional<small_content> decode(std::string_view text, small_content base) {
  bool is_first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(is_first, false)) {
      if (line != "good" && line != "bad") return std::nullopt;
      base.is_bad = line == "bad";
      continue;
    }
    int key = 0;
    int value = 0;
    const auto [at, ec] = std::from_chars(line.data(), line.data() + line.size(), key);
    if (ec != std::errc() || at == line.data() + line.size()) return std::nullopt;
    const std::string_view rest(at + 1, static_cast<std::size_t>(line.data() + line.size() - at - 1));
    if (rest == "-") {
      base.rows.erase(key);
    } else if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc()) {
      base.rows[key] = value;
    } else {
      return std::nullopt;
    }
  }
  return is_first ? std::nullopt : std::optional(std::move(base));
}

sync::artifact_use::counted artifact_of(const std::string& text, const wire::content_id& content, std::size_t keys) {
  sync::artifact_use::counted made;
  made.what.content = content;
  made.what.sum = digest_of_bytes(as_bytes(text));
  made.what.bytes.assign(as_bytes(text).begin(), as_bytes(text).end());
  made.what.raw_bytes = text.size();
  made.what.keys = keys;
  return made;
}

}  // namespace

wire::digest digest_of(const small_content& c) { return digest_of_bytes(as_bytes(encode(c))); }

struct sync_world::router_node {
  std::size_t index = 0;
  std::uint64_t life = 0;
  std::unique_ptr<sync::router_link> link;  ///< none while it is down
  time_point up_at{};                       ///< while it is down
  std::uint64_t connection = 0;             ///< 0: none
  time_point stalled_until{};
  std::map<wire::digest, small_content> contents;  ///< in memory
  // On the disk:
  std::optional<std::pair<wire::content_id, small_content>> last_known_good;
  std::vector<wire::quarantined_content> quarantined;
  // What an observer knows.
  std::pair<std::uint64_t, std::uint64_t> target_seen{};
  std::set<wire::digest> refused_for_good;
  std::uint64_t session = 0;       ///< the control plane's number of it; 0: none
  time_point control_to_router{};  ///< when the last message on the way arrives: none overtakes it
  time_point router_to_control{};
};

struct sync_world::control_node {
  bool is_up = true;
  time_point up_at{};
  // On the disk:
  std::vector<std::pair<wire::content_id, small_content>> history;
  std::uint64_t rev = 0;
  // In memory:
  std::deque<sync::artifact_use::counted> artifacts;  ///< before the hub, whose sessions use them
  std::unique_ptr<sync::push_hub> hub;
  std::map<std::uint64_t, std::size_t> routers;  ///< by session

  void make_hub() {
    sync::hub_settings settings;
    settings.push.chunk_bytes = chunk_bytes;
    settings.push.window = window;
    settings.push.ping = beat;
    hub = std::make_unique<sync::push_hub>(settings);
    routers.clear();
  }
};

sync_world::sync_world(std::uint64_t seed, std::size_t routers, sync_faults faults)
    : rng_(seed), faults_(faults), control_(std::make_unique<control_node>()) {
  control_->make_hub();
  for (std::size_t i = 0; i < routers; ++i) {
    routers_.push_back(std::make_unique<router_node>());
    routers_.back()->index = i;
    start_router(*routers_.back());
  }
}

sync_world::~sync_world() = default;

std::string sync_world::story() const {
  std::string all;
  for (const std::string& line : story_) all += line + "\n";
  return all;
}

void sync_world::tell(std::string line) {
  story_.push_back(fmt::format("{:>9.3f} {}", static_cast<double>((now_.time_since_epoch() - 1h).count()) / 1e9, line));
  if (story_.size() > story_lines) story_.pop_front();
}

void sync_world::fail(std::string what) {
  tell("BROKEN: " + what);
  if (broken_.empty()) broken_ = std::move(what);
}

void sync_world::post(event e) {
  e.order = ++order_;
  events_.push_back(std::move(e));
  std::push_heap(events_.begin(), events_.end(), later());
}

void sync_world::run(duration for_so_long) {
  const time_point end = now_ + for_so_long;
  constexpr duration step = 10ms;
  while (now_ < end && broken_.empty()) {
    const time_point next = now_ + step;
    while (!events_.empty() && events_.front().at <= next) {
      std::pop_heap(events_.begin(), events_.end(), later());
      event e = std::move(events_.back());
      events_.pop_back();
      now_ = std::max(now_, e.at);
      deliver(std::move(e));
    }
    now_ = next;
    fault();
    if (!control_->is_up && now_ >= control_->up_at) start_control();
    if (control_->is_up) {
      control_->hub->tick(now_);
      flush();
    }
    for (auto& r : routers_) {
      if (!r->link && now_ >= r->up_at) start_router(*r);
      if (r->link && r->link->next_tick() <= now_) {
        r->link->tick(now_);
        carry_out(*r);
      }
    }
  }
}

void sync_world::fault() {
  router_node& r = *routers_[rng_.below(routers_.size())];
  if (chance(faults_.cut) && r.connection != 0) {
    tell(fmt::format("router {}: its connection is cut", r.index));
    cut(r);
  }
  if (chance(faults_.router_crash) && r.link) stop_router(r);
  if (chance(faults_.stall)) r.stalled_until = now_ + up_to(20s);
  if (chance(faults_.control_crash) && control_->is_up) stop_control();
  if (chance(faults_.rot) && !r.contents.empty()) {
    tell(fmt::format("router {}: a content changes in its memory", r.index));
    auto at = r.contents.begin();
    std::advance(at, rng_.below(r.contents.size()));
    const auto running = r.link ? r.link->contents().running() : std::nullopt;
    if (!running || running->sum != at->first) at->second.rows[-1] = 666;
  }
}

void sync_world::heal() {
  tell("all is well from here on");
  faults_ = {};
  for (auto& r : routers_) {
    r->stalled_until = now_;
    r->up_at = std::min(r->up_at, now_);
  }
  control_->up_at = std::min(control_->up_at, now_);
}

// --- what goes between them ---

void sync_world::send(router_node& r, bool to_router,
                      std::variant<opened, refused, ended, text, binary, check_done, activate_done> what) {
  if (std::holds_alternative<text>(what) || std::holds_alternative<binary>(what)) {
    if (chance(faults_.lost)) return;
    if (auto* b = std::get_if<binary>(&what); b != nullptr && chance(faults_.damage)) {
      b->bytes[rng_.below(b->bytes.size())] ^= std::byte{16};
    }
  }
  time_point& last = to_router ? r.control_to_router : r.router_to_control;
  time_point at = std::max(last, now_ + 1ms + up_to(5ms));
  const bool is_late = chance(faults_.late);
  if (is_late) {
    at += up_to(500ms);
  } else {
    last = at;
  }
  const bool is_doubled = chance(faults_.doubled);
  event e{at, 0, r.index, r.connection, to_router, std::move(what)};
  if (is_doubled) post(e);
  post(std::move(e));
}

void sync_world::deliver(event e) {
  router_node& r = *routers_[e.router];
  const bool is_own = std::holds_alternative<check_done>(e.what) || std::holds_alternative<activate_done>(e.what);
  if (is_own) {
    if (!r.link || e.connection != r.life) return;
    deliver_to_router(r, e);
    return;
  }
  if (e.connection != r.connection) return;  // of a connection that is over
  if (e.to_router && now_ < r.stalled_until) {
    e.at = r.stalled_until;
    post(std::move(e));
    return;
  }
  e.to_router ? deliver_to_router(r, e) : deliver_to_control(r, e);
}

void sync_world::deliver_to_router(router_node& r, event& e) {
  if (!r.link) return;
  sync::router_link& link = *r.link;
  if (std::holds_alternative<opened>(e.what)) link.opened(true, now_);
  if (std::holds_alternative<refused>(e.what)) {
    r.connection = 0;
    link.failed(sync::open_failure::unreachable, duration(0), now_);
  }
  if (std::holds_alternative<ended>(e.what)) {
    cut(r);
    return;
  }
  if (const auto* t = std::get_if<text>(&e.what)) link.take_text(t->bytes, now_);
  if (const auto* b = std::get_if<binary>(&e.what)) link.take_binary(b->bytes, now_);
  if (auto* c = std::get_if<check_done>(&e.what)) check(r, std::move(c->job));
  if (const auto* a = std::get_if<activate_done>(&e.what)) activate(r, a->content);
  carry_out(r);
  verify(r);
}

void sync_world::deliver_to_control(router_node& r, event& e) {
  if (!control_->is_up) return;
  if (std::holds_alternative<opened>(e.what)) {
    r.session = control_->hub->open(true, now_).value();
    control_->routers[r.session] = r.index;
    send(r, true, opened{});
    return;
  }
  const auto* t = std::get_if<text>(&e.what);
  if (t == nullptr || r.session == 0) return;
  const auto said = wire::read_message(t->bytes);
  if (!said) return fail("the control plane cannot read: " + t->bytes);
  if (const auto* a = std::get_if<wire::ack>(&*said)) {
    tell(fmt::format("router {}: ack {} {} {}", r.index, static_cast<int>(a->status), a->content.version, a->code));
    if (a->status == wire::ack_status::rejected && a->code == "schema") r.refused_for_good.insert(a->content.sum);
  }
  control_->hub->take_text(r.session, t->bytes, now_);
  flush();
}

/// Gives the network what the sessions have to say.
void sync_world::flush() {
  for (const std::uint64_t session : control_->hub->take_ready()) {
    const auto at = control_->routers.find(session);
    if (at != control_->routers.end() && routers_[at->second]->session == session) flush_session(*routers_[at->second]);
  }
}

void sync_world::flush_session(router_node& r) {
  while (auto out = control_->hub->next_output(r.session, now_)) {
    if (const auto* m = std::get_if<wire::message>(&*out)) {
      if (const auto* b = std::get_if<wire::config_begin>(m)) {
        tell(fmt::format("to {}: begin {} of {} ({} bytes)", r.index, static_cast<int>(b->kind), b->content.version,
                         b->bytes));
        if (r.refused_for_good.contains(b->content.sum))
          fail(fmt::format("router {}: a content is sent that was refused for what it is", r.index));
      }
      send(r, true, text{wire::write_message(*m)});
    } else {
      const auto& c = std::get<sync::send_chunk>(*out);
      content_bytes_ += c.payload.size();
      const auto head = wire::write_chunk_head({c.transfer, c.seq, c.total, c.offset, c.payload});
      binary b;
      b.bytes.assign(head.begin(), head.end());
      b.bytes.insert(b.bytes.end(), c.payload.begin(), c.payload.end());
      send(r, true, std::move(b));
    }
  }
  if (control_->hub->has_ended(r.session)) {
    tell(fmt::format("the session of {} ends", r.index));
    send(r, true, ended{});
    end_session(r);
  }
}

void sync_world::end_session(router_node& r) {
  if (r.session != 0) control_->hub->closed(r.session, now_);
  control_->routers.erase(std::exchange(r.session, 0));
}

void sync_world::cut(router_node& r) {
  end_session(r);
  r.connection = 0;
  if (r.link) {
    r.link->closed(now_);
    carry_out(r);
  }
}

// --- routers ---

void sync_world::start_router(router_node& r) {
  ++r.life;
  r.contents.clear();
  sync::intake_memory memory;
  if (r.last_known_good) {
    memory.held.push_back(r.last_known_good->first);
    r.contents.emplace(r.last_known_good->first.sum, r.last_known_good->second);
  }
  memory.quarantined = r.quarantined;
  sync::link_settings settings;
  settings.ping = beat;
  sync::router_identity who{fmt::format("rt-{}", r.index), fmt::format("{}", r.life), "", {}, ""};
  sync::intake_limits limits;
  limits.can.content_bytes_max = 1 << 20;
  limits.can.keys_max = 1'000'000;
  r.target_seen = {};
  r.link = std::make_unique<sync::router_link>(settings, who, limits, memory, rng_());
  tell(fmt::format("router {} starts", r.index));
  r.link->tick(now_);
  carry_out(r);
}

void sync_world::stop_router(router_node& r) {
  tell(fmt::format("router {} crashes", r.index));
  r.link.reset();
  end_session(r);
  r.connection = 0;
  r.up_at = now_ + up_to(5s);
}

void sync_world::carry_out(router_node& r) {
  for (sync::link_action& action : r.link->take_actions()) {
    if (std::holds_alternative<sync::open_connection>(action)) {
      r.connection = ++order_;
      r.control_to_router = r.router_to_control = now_;
      const event e{now_ + 1ms + up_to(5ms), 0, r.index, r.connection, false, opened{}};
      control_->is_up ? post(e) : post({e.at, 0, r.index, r.connection, true, refused{}});
    } else if (std::holds_alternative<sync::close_connection>(action)) {
      end_session(r);  // the control plane sees the end at once: that it may come late is what `dead_after` is for
      r.connection = 0;
    } else if (auto* m = std::get_if<wire::message>(&action)) {
      if (r.connection != 0) send(r, false, text{wire::write_message(*m)});
    } else if (auto* job = std::get_if<sync::check_content>(&action)) {
      post({now_ + up_to(50ms), 0, r.index, r.life, true, check_done{std::move(*job)}});
    } else if (auto* a = std::get_if<sync::activate_content>(&action)) {
      post({now_ + up_to(20ms), 0, r.index, r.life, true, activate_done{a->content}});
    } else if (auto* d = std::get_if<sync::drop_content>(&action)) {
      r.contents.erase(d->content.sum);
    } else if (auto* t = std::get_if<sync::tell>(&action)) {
      tell(fmt::format("router {}: {}: {}", r.index, t->event, t->message));
    }
  }
}

/// What the real one does in a thread of its own: unpacks, checks, builds.
void sync_world::check(router_node& r, sync::check_content job) {
  const wire::content_id& content = job.what.content;
  const auto refuse = [&](wire::refusal_code code, std::string why) {
    r.link->checked(content, {code, std::move(why)});
  };
  if (digest_of_bytes(job.bytes) != job.what.artifact) return refuse(wire::refusal_code::crc, "damaged");
  small_content base;
  if (job.what.base) {
    const auto at = r.contents.find(*job.what.base);
    if (at == r.contents.end()) return refuse(wire::refusal_code::base_mismatch, "gone");
    base = at->second;
  }
  const std::string_view lines(static_cast<const char*>(static_cast<const void*>(job.bytes.data())), job.bytes.size());
  auto made = decode(lines, std::move(base));
  if (!made || digest_of(*made) != content.sum) return refuse(wire::refusal_code::digest_mismatch, "not what was said");
  if (made->is_bad) {
    r.quarantined.push_back({content.sum, "schema"});
    return refuse(wire::refusal_code::schema, "bad");
  }
  const std::size_t keys = made->rows.size();
  r.contents.insert_or_assign(content.sum, *std::move(made));
  r.link->checked(content, keys);
}

void sync_world::activate(router_node& r, const wire::content_id& content) {
  const auto at = r.contents.find(content.sum);
  if (at == r.contents.end()) return fail(fmt::format("router {}: a content is to run that is not here", r.index));
  if (digest_of(at->second) != content.sum) {
    // It changed in memory since it was checked: who holds it looks again before it runs.
    r.contents.erase(at);
    r.link->activated(content, {wire::refusal_code::digest_mismatch, "it has changed in memory"});
    return;
  }
  const bool durable = !chance(faults_.disk);
  if (durable) r.last_known_good = {content, at->second};
  tell(fmt::format("router {} runs {}", r.index, content.version));
  r.link->activated(content, durable);
}

// --- the control plane ---

void sync_world::start_control() {
  control_->is_up = true;
  tell("the control plane starts");
  if (!control_->history.empty()) announce();
}

void sync_world::stop_control() {
  tell("the control plane crashes");
  control_->is_up = false;
  control_->up_at = now_ + up_to(5s);
  for (auto& r : routers_) {
    if (r->connection != 0) cut(*r);
  }
  control_->make_hub();
}

void sync_world::publish_change(int rows, bool is_bad) {
  small_content next;
  for (auto at = control_->history.rbegin(); at != control_->history.rend(); ++at) {
    if (at->second.is_bad) continue;
    next = at->second;
    break;
  }
  for (int i = 0; i < rows; ++i) {
    const int key = static_cast<int>(rng_.below(200));
    if (rng_.below(4) == 0) {
      next.rows.erase(key);
    } else {
      next.rows[key] = static_cast<int>(rng_.below(1'000'000));
    }
  }
  next.rows[1000] = static_cast<int>(control_->history.size());  // no two are the same by chance
  next.is_bad = is_bad;
  publish(std::move(next));
}

void sync_world::publish_again() {
  if (control_->history.empty()) return publish_change(20);
  publish(control_->history[rng_.below(control_->history.size())].second);
}

void sync_world::publish(small_content content) {
  wire::content_id id{1, control_->history.size() + 1, digest_of(content)};
  tell(fmt::format("version {} is published{}", id.version, content.is_bad ? ", a bad one" : ""));
  control_->history.emplace_back(id, std::move(content));
  ++control_->rev;
  if (control_->is_up) announce();
}

/// Makes what is sent of the newest content, and tells all sessions.
void sync_world::announce() {
  control_node& c = *control_;
  const auto& [id, content] = c.history.back();
  sync::publication published;
  published.target = {1, c.rev, id};
  const auto keep = [&c](sync::artifact_use::counted made) {
    c.artifacts.push_back(std::move(made));
    return &c.artifacts.back();
  };
  published.snapshot = keep(artifact_of(encode(content), id, content.rows.size()));
  const std::size_t count = c.history.size();
  for (std::size_t i = count > deltas_kept ? count - deltas_kept : 0; i + 1 < count; ++i) {
    const auto& [base, from] = c.history[i];
    if (base.sum == id.sum) continue;
    auto made = artifact_of(encode_delta(from, content), id, content.rows.size());
    made.what.kind = wire::transfer_kind::delta;
    made.what.base = base.sum;
    published.deltas[base.sum] = keep(std::move(made));
  }
  c.hub->publish(std::move(published), now_);
  while (!c.artifacts.empty() && c.artifacts.front().users == 0 && c.artifacts.size() > deltas_kept + 1) {
    c.artifacts.pop_front();
  }
  flush();
}

// --- what must hold ---

void sync_world::verify(router_node& r) {
  if (!r.link) return;
  const sync::content_intake& intake = r.link->contents();
  if (intake.held().size() > 3) fail(fmt::format("router {}: a router holds more than three contents", r.index));
  if (intake.target()) {
    const auto seen = std::pair(intake.target()->epoch, intake.target()->rev);
    if (seen < r.target_seen) fail(fmt::format("router {}: a router's orders went back", r.index));
    r.target_seen = seen;
  }
  const auto running = intake.running();
  if (!running) return;
  const auto at = r.contents.find(running->sum);
  if (at == r.contents.end())
    return fail(fmt::format("router {}: a router runs a content that it does not hold", r.index));
  if (digest_of(at->second) != running->sum)
    fail(fmt::format("router {}: a router runs something else than it says", r.index));
  if (at->second.is_bad) fail(fmt::format("router {}: a router runs a content that its checks refuse", r.index));
}

bool sync_world::runs_target(std::size_t router) const {
  const router_node& r = *routers_[router];
  const auto running = r.link ? r.link->contents().running() : std::nullopt;
  return running && running->sum == control_->history.back().first.sum;
}

std::size_t sync_world::on_target() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < routers_.size(); ++i) count += runs_target(i) ? 1 : 0;
  return count;
}

bool sync_world::target_is_bad() const { return control_->history.back().second.is_bad; }

}  // namespace cellroute::simulation
