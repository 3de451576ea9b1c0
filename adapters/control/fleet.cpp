#include "adapters/control/fleet.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace cellroute::control {
namespace {

constexpr std::string_view away = "away";
constexpr std::string_view suspect = "suspect";

/// Of milliseconds since 1970; a router may say any number.
wall_time instant_of(std::uint64_t at_ms) {
  constexpr std::uint64_t latest_ms = 9'000'000'000'000;  // the year 2255
  return wall_time(std::chrono::milliseconds(std::min(at_ms, latest_ms)));
}

}  // namespace

router_view fleet::native(const std::string& id, const sync::router_record& record) const {
  router_view v;
  v.id = id;
  v.state = to_string(record.state);
  if (record.state != sync::session_state::rejected && server_.hub().is_suspect(record, now_)) v.state = suspect;
  v.session = record.session;
  v.build = record.facts.build;
  v.boot_id = record.facts.boot_id;
  v.source = record.facts.source;
  v.status = record.status;
  if (v.status && v.status->clock_ms > 0)
    v.clock_ahead = instant_of(v.status->clock_ms) - (wall_ - (now_ - record.status_at));
  v.apply_ms = record.facts.apply_ms;
  v.labels = record.facts.labels;
  v.running = record.facts.running;
  if (record.facts.last_refusal)
    v.last_refusal = record.facts.last_refusal->code + ": " + record.facts.last_refusal->error;
  v.is_on_target = target_ && v.running && v.running->sum == target_->sum;
  v.seen_ago = now_ - record.seen;
  v.known_for = now_ - record.known_since;
  if (record.confirmed) v.confirmed_ago = now_ - *record.confirmed;
  if (record.session == 0) {
    v.state = away;
    v.away_since = wall_ - v.seen_ago;
  }
  return v;
}

router_view fleet::missing(const known_router& before) const {
  router_view v;
  v.id = before.id;
  v.state = away;
  v.build = before.build;
  v.running = before.running;
  v.last_refusal = before.last_refusal;
  v.is_on_target = target_ && v.running && v.running->sum == target_->sum;
  v.seen_ago = wall_ - before.seen;
  v.away_since = before.seen;
  return v;
}

bool fleet::is_forgotten(const router_view& v) const {
  return past_ != nullptr && v.away_since && !past_->is_remembered(*v.away_since);
}

router_view fleet::base(const push_session_facts& facts, const sync::base_session& session) const {
  router_view v;
  v.state = to_string(session.state());
  v.session = facts.number;
  v.peer = facts.peer;
  v.is_native = false;
  if (session.acked() != 0) v.running = wire::content_id{0, session.acked()};
  v.last_refusal = session.last_refusal();
  v.is_on_target = target_ && session.acked() == target_->version;
  return v;
}

std::vector<router_view> fleet::routers() const {
  std::vector<router_view> all;
  std::map<std::uint64_t, std::size_t> by_session;
  static const std::map<std::string, known_router> nobody;
  const auto& before = past_ != nullptr ? past_->missing() : nobody;
  auto next = before.begin();
  const auto add_missing = [&](const std::string* up_to) {
    for (; next != before.end() && (up_to == nullptr || next->first < *up_to); ++next)
      all.push_back(missing(next->second));
    if (up_to != nullptr && next != before.end() && next->first == *up_to) ++next;  // it has come
  };
  for (const auto& [id, record] : server_.hub().routers()) {
    add_missing(&id);
    router_view v = native(id, record);
    if (is_forgotten(v)) continue;
    if (record.session != 0) by_session.emplace(record.session, all.size());
    all.push_back(std::move(v));
  }
  add_missing(nullptr);
  for (const push_session_facts& facts : server_.sessions()) {
    const auto known = by_session.find(facts.number);
    if (known != by_session.end()) all[known->second].peer = facts.peer;
    if (const auto* session = server_.hub().base(facts.number)) all.push_back(base(facts, *session));
  }
  return all;
}

std::optional<router_view> fleet::router(std::string_view id) const {
  const auto at = server_.hub().routers().find(std::string(id));
  if (at == server_.hub().routers().end()) {
    if (past_ == nullptr) return std::nullopt;
    const auto before = past_->missing().find(std::string(id));
    return before == past_->missing().end() ? std::nullopt : std::optional(missing(before->second));
  }
  router_view v = native(at->first, at->second);
  if (is_forgotten(v)) return std::nullopt;
  for (const push_session_facts& facts : server_.sessions()) {
    if (facts.number == v.session) v.peer = facts.peer;
  }
  return v;
}

fleet_drift fleet::drift(const drift_bounds& bounds) const { return drift_of(routers(), target_, bounds); }

}  // namespace cellroute::control
