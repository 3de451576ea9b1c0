#include "tests/simulation/sync_router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace cellroute::simulation {
namespace {

constexpr std::size_t requests_max = 4;

}  // namespace

sync_router::sync_router(sync_network& network, sync_control& control, std::size_t index, bool repairs)
    : network_(network), control_(control), repairs_(repairs) {
  way_.router = index;
  start();
}

void sync_router::start() {
  ++life_;
  contents_.clear();
  before_.reset();
  is_going_back_ = false;
  sync::intake_memory memory;
  if (last_known_good_) {
    const auto& [id, content] = *last_known_good_;
    memory.held.push_back(id);
    contents_.emplace(id.sum, held_content{content, digest_of(content)});
    show(id, content);  // before there is any control plane
  }
  memory.quarantined = quarantined_;
  sync::link_settings settings;
  settings.ping = beat;
  sync::router_identity who{fmt::format("rt-{}", way_.router), fmt::format("{}", life_), "", {}, ""};
  sync::intake_limits limits;
  limits.can.content_bytes_max = 1 << 20;
  limits.can.keys_max = 1'000'000;
  limits.can.repair = repairs_;
  target_seen_ = {};
  link_ = std::make_unique<sync::router_link>(settings, who, limits, memory, network_.rng());
  network_.tell(fmt::format("router {} starts", way_.router));
  link_->tick(network_.now);
  carry_out();
}

void sync_router::crash() {
  network_.tell(fmt::format("router {} crashes", way_.router));
  link_.reset();
  control_.close(way_);
  way_.connection = 0;
  requests_.clear();
  tables_.clear();
  up_at = network_.now + network_.up_to(5s);
}

void sync_router::cut() {
  control_.close(way_);
  way_.connection = 0;
  if (!link_) return;
  link_->closed(network_.now);
  carry_out();
}

void sync_router::tick() {
  if (!link_ || link_->next_tick() > network_.now) return;
  link_->tick(network_.now);
  carry_out();
}

void sync_router::rot() {
  if (contents_.empty()) return;
  auto at = contents_.begin();
  std::advance(at, network_.rng.below(contents_.size()));
  const auto runs = running();
  if (runs && runs->sum == at->first) return rot_what_runs();
  network_.tell(fmt::format("router {}: a content changes in its memory", way_.router));
  change(at->second);
}

void sync_router::rot_what_runs() {
  const auto runs = running();
  if (!runs) return;
  network_.tell(fmt::format("router {}: what runs changes in its memory", way_.router));
  held_content& content = contents_.at(runs->sum);
  change(content);
  content.is_damaged = true;
  link_->damaged(runs->sum, network_.now);
  carry_out();
}

void sync_router::go_back() {
  const auto runs = running();
  if (!runs || !before_ || before_->first.sum == runs->sum) return;
  if (!link_->go_back(runs->sum, before_->first, {wire::refusal_code::local_guard, "requests fail"})) return;
  network_.tell(fmt::format("router {}: what runs does harm", way_.router));
  is_going_back_ = true;
  contents_.insert_or_assign(before_->first.sum, before_->second);
  carry_out();
}

void sync_router::change(held_content& content) {
  content.content.rows[-1] = 666;
  content.actual = digest_of(content.content);
}

std::optional<wire::content_id> sync_router::running() const {
  return link_ ? link_->contents().running() : std::nullopt;
}

bool sync_router::is_sound() const {
  const auto runs = running();
  const auto at = runs ? contents_.find(runs->sum) : contents_.end();
  return at != contents_.end() && at->second.actual == runs->sum;
}

void sync_router::take(event& e) {
  if (!link_) return;
  if (std::holds_alternative<opened>(e.what)) link_->opened(true, network_.now);
  if (std::holds_alternative<refused>(e.what)) {
    way_.connection = 0;
    link_->failed(sync::open_failure::unreachable, duration(0), network_.now);
  }
  if (std::holds_alternative<ended>(e.what)) return cut();
  if (const auto* t = std::get_if<text>(&e.what)) link_->take_text(t->bytes, network_.now);
  if (const auto* b = std::get_if<binary>(&e.what)) link_->take_binary(b->bytes, network_.now);
  if (const auto* c = std::get_if<check_done>(&e.what)) check(c->job);
  if (const auto* a = std::get_if<activate_done>(&e.what)) activate(a->content);
  if (const auto* s = std::get_if<sum_done>(&e.what)) sum_up(s->job);
  carry_out();
  verify();
}

void sync_router::carry_out() {
  const auto later = [this](duration longest, parcel what) {
    network_.post({network_.now + network_.up_to(longest), 0, way_.router, life_, true, std::move(what)});
  };
  for (sync::link_action& action : link_->take_actions()) {
    if (std::holds_alternative<sync::open_connection>(action)) {
      network_.connect(way_, control_.is_up());
    } else if (std::holds_alternative<sync::close_connection>(action)) {
      control_.close(way_);  // it sees the end at once: that it may come late is what `dead_after` is for
      way_.connection = 0;
    } else if (const auto* m = std::get_if<wire::message>(&action)) {
      if (way_.connection != 0) network_.send(way_, false, text{wire::write_message(*m)});
    } else if (auto* job = std::get_if<sync::check_content>(&action)) {
      later(50ms, check_done{std::move(*job)});
    } else if (const auto* a = std::get_if<sync::activate_content>(&action)) {
      later(20ms, activate_done{a->content});
    } else if (const auto* rows = std::get_if<sync::sum_up_rows>(&action)) {
      later(50ms, sum_done{*rows});
    } else if (const auto* d = std::get_if<sync::drop_content>(&action)) {
      contents_.erase(d->content.sum);
    } else if (const auto* t = std::get_if<sync::tell>(&action)) {
      network_.tell(fmt::format("router {}: {}: {}", way_.router, t->event, t->message));
    }
  }
}

/// What the real one does in a thread of its own: unpacks, checks, builds.
void sync_router::check(const sync::check_content& job) {
  const wire::content_id& content = job.what.content;
  const auto refuse = [&](wire::refusal_code code, std::string why) {
    link_->checked(content, {code, std::move(why)});
  };
  if (digest_of_bytes(job.bytes) != job.what.artifact) return refuse(wire::refusal_code::crc, "damaged");
  small_content base;
  if (job.what.base) {
    const auto at = contents_.find(*job.what.base);
    if (at == contents_.end()) return refuse(wire::refusal_code::base_mismatch, "gone");
    base = at->second.content;
  }
  const std::string_view lines(static_cast<const char*>(static_cast<const void*>(job.bytes.data())), job.bytes.size());
  auto made = decode(lines, std::move(base));
  if (!made || digest_of(*made) != content.sum) return refuse(wire::refusal_code::digest_mismatch, "not what was said");
  if (made->is_bad) {
    quarantined_.push_back({content.sum, "schema"});
    return refuse(wire::refusal_code::schema, "bad");
  }
  const std::size_t keys = made->rows.size();
  contents_.insert_or_assign(content.sum, held_content{*std::move(made), content.sum});
  link_->checked(content, keys);
}

void sync_router::activate(const wire::content_id& content) {
  const auto at = contents_.find(content.sum);
  if (at == contents_.end()) return fail("a content is to run that is not here");
  if (at->second.actual != content.sum) {
    // It changed in memory since it was checked: who holds it looks again before it runs.
    contents_.erase(at);
    is_going_back_ = false;
    link_->activated(content, {wire::refusal_code::digest_mismatch, "it has changed in memory"});
    return;
  }
  const bool durable = !network_.chance(network_.faults.disk);
  if (durable) last_known_good_ = {content, at->second.content};
  network_.tell(fmt::format("router {} runs {}", way_.router, content.version));
  show(content, at->second.content);
  const auto left = running();
  if (left && contents_.contains(left->sum)) before_ = {*left, contents_.at(left->sum)};
  if (std::exchange(is_going_back_, false)) before_.reset();
  link_->activated(content, durable);
  quarantined_ = link_->contents().quarantined();
}

void sync_router::sum_up(const sync::sum_up_rows& job) {
  const auto at = contents_.find(job.base.sum);
  std::vector<wire::digest> sums;
  if (at != contents_.end()) {
    const key_digest rows = digest_rows(at->second.content);
    if (job.asked.groups.empty()) sums.assign(rows.groups().begin(), rows.groups().end());
    for (const std::uint32_t group : job.asked.groups) {
      sums.insert(sums.end(), rows.buckets(group).begin(), rows.buckets(group).end());
    }
  }
  link_->summed_up(job, std::move(sums));
}

// --- its data plane ---

/// From now on new requests see this; those that run keep what they saw.
void sync_router::show(const wire::content_id& id, const small_content& content) {
  tables_.push_front({id, content, 0});
  for (auto at = std::next(tables_.begin()); at != tables_.end();) {
    at = at->users == 0 ? tables_.erase(at) : std::next(at);
  }
}

bool sync_router::begin_request() {
  if (!link_ || requests_.size() >= requests_max) return false;
  if (tables_.empty()) {
    if (last_known_good_ || running()) fail("a request finds no table");
    return false;
  }
  table& seen = tables_.front();
  const auto row = seen.content.rows.find(common_row);
  if (row == seen.content.rows.end()) {
    fail("a request finds no row");
    return false;
  }
  ++seen.users;
  requests_.push_back({&seen, row->second, network_.now + network_.up_to(1s)});
  return true;
}

void sync_router::end_requests() {
  std::erase_if(requests_, [this](const request& r) {
    if (r.ends_at > network_.now) return false;
    const auto row = r.seen->content.rows.find(common_row);
    if (row == r.seen->content.rows.end() || row->second != r.value) fail("a table changed under a request");
    --r.seen->users;
    return true;
  });
}

// --- what must hold ---

void sync_router::fail(const char* what) { network_.fail(fmt::format("router {}: {}", way_.router, what)); }

void sync_router::verify() {
  const sync::content_intake& intake = link_->contents();
  const std::size_t more = is_going_back_ ? 1 : 0;
  if (intake.held().size() > 3 + more || contents_.size() > 4 + more) fail("it holds more than three contents");
  if (tables_.size() > requests_max + 1) fail("it keeps tables that nobody sees");
  if (intake.target()) {
    const auto seen = std::pair(intake.target()->epoch, intake.target()->rev);
    if (seen < target_seen_) fail("its orders went back");
    target_seen_ = seen;
  }
  const auto runs = intake.running();
  if (!runs) return;
  const auto at = contents_.find(runs->sum);
  if (at == contents_.end()) return fail("it runs a content that it does not hold");
  if (at->second.actual != runs->sum && !at->second.is_damaged) fail("it runs something else than it says");
  if (at->second.content.is_bad) fail("it runs a content that its checks refuse");
  if (tables_.empty() || tables_.front().id.sum != runs->sum) fail("requests see something else than it says");
  if (!control_.has(runs->sum)) fail("it runs what no store has");
}

}  // namespace cellroute::simulation
