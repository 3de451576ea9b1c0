#include "adapters/sync/push_hub.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cellroute::sync {

std::string_view to_string(hub_event_kind kind) {
  switch (kind) {
    case hub_event_kind::joined:
      return "joined";
    case hub_event_kind::left:
      return "left";
    case hub_event_kind::applied:
      return "applied";
    case hub_event_kind::refused:
      return "refused";
    case hub_event_kind::duplicate:
      return "duplicate";
    case hub_event_kind::corrupted:
      return "corrupted";
    case hub_event_kind::damaged:
      return "damaged";
    case hub_event_kind::conflict:
      return "conflict";
  }
  return {};
}

std::optional<std::uint64_t> push_hub::open(bool is_native, time_point now) {
  if (sessions_.size() >= settings_.sessions_max) return std::nullopt;
  const std::uint64_t number = ++numbers_;
  if (is_native) {
    session& made = sessions_.emplace(number, session{push_session(settings_.push, number, now)}).first->second;
    made.ends_at = end_of_session(now);
    if (is_published_) std::get<push_session>(made.machine).publish(published_, now);
  } else {
    session& made = sessions_.emplace(number, session{base_session(settings_.base, now)}).first->second;
    ++base_sessions_;
    std::get<base_session>(made.machine).publish(base_.back(), now);
    look(number, made);
  }
  return number;
}

void push_hub::closed(std::uint64_t number, time_point now) {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return;
  if (std::holds_alternative<base_session>(at->second.machine)) --base_sessions_;
  const auto record = routers_.find(at->second.router_id);
  if (record != routers_.end() && record->second.session == number) {
    record->second.session = 0;
    record->second.state = session_state::ended;
    record->second.seen = now;
    record->second.needs_all = false;
    record->second.needs.reset();
    events_.push_back({hub_event_kind::left, at->second.router_id, {}, {}, number});
  }
  sessions_.erase(at);
}

void push_hub::take_text(std::uint64_t number, std::string_view text, time_point now) {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return;
  session& of = at->second;
  if (auto* base = std::get_if<base_session>(&of.machine)) {
    take_base(number, *base, text, now);
  } else if (const auto said = wire::read_message(text)) {
    take_native(number, of, *said, now);
  } else {
    std::get<push_session>(of.machine).end("protocol", to_string(said.error()));
  }
  look(number, of);
}

void push_hub::take_base(std::uint64_t number, base_session& machine, std::string_view text, time_point now) {
  // Who says what is no message is not understood; that is no reason to send it nothing.
  const auto said = wire::read_base_message(text);
  if (!said) return;
  const std::uint64_t acked = machine.acked();
  const bool was_rejected = machine.state() == base_state::rejected;
  const wire::content_id content{0, machine.sent()};
  machine.take(*said, now);
  if (machine.acked() != acked) events_.push_back({hub_event_kind::applied, {}, content, {}, number});
  if (!was_rejected && machine.state() == base_state::rejected)
    events_.push_back({hub_event_kind::refused, {}, content, machine.last_refusal(), number});
}

void push_hub::take_native(std::uint64_t number, session& of, const wire::message& said, time_point now) {
  auto& machine = std::get<push_session>(of.machine);
  if (const auto* hello = std::get_if<wire::hello>(&said); hello != nullptr && of.router_id.empty()) {
    if (!admit(machine, *hello, number, now)) return;
    join(number, of, *hello, now);
  }
  const std::uint64_t unknown_before = machine.unknown_messages();
  machine.take(said, now);
  unknown_messages_ += machine.unknown_messages() - unknown_before;
  const auto* done = std::get_if<wire::ack>(&said);
  if (done != nullptr && done->status == wire::ack_status::rejected) {
    const std::string why = done->code + ": " + done->error;
    events_.push_back({hub_event_kind::refused, of.router_id, done->content, why, number, done->code});
    const auto record = routers_.find(of.router_id);
    if (record != routers_.end() && record->second.session == number)
      record->second.facts.last_refusal = machine.router().last_refusal;
    const bool is_given_up = std::ranges::find(machine.refused(), done->content.sum) != machine.refused().end();
    const auto code = wire::parse_refusal_code(done->code);
    if (is_given_up && (code == wire::refusal_code::digest_mismatch || code == wire::refusal_code::crc))
      events_.push_back({hub_event_kind::corrupted, of.router_id, done->content, why, number});
  }
  note(of, machine, now);
  if (const auto* told = std::get_if<wire::pong>(&said)) keep_status(of.router_id, number, *told, now);
  confirm(of.router_id, number, now);
}

/// A router has spoken: whether it runs what is published is known as of now.
void push_hub::confirm(const std::string& router_id, std::uint64_t number, time_point now) {
  const auto at = routers_.find(router_id);
  if (!is_published_ || at == routers_.end() || at->second.session != number) return;
  const auto& running = at->second.facts.running;
  if (running && running->sum == published_.target.run.sum) at->second.confirmed = now;
}

/// False: it has no session here, and is told why.
bool push_hub::admit(push_session& machine, const wire::hello& said, std::uint64_t number, time_point now) {
  if (said.router_id.empty()) {
    machine.end("protocol", "router_id is empty");
    return false;
  }
  if (const auto wait = gate_.admit(now)) {
    ++turned_away_;
    machine.turn_away(*wait);
    return false;
  }
  const auto record = routers_.find(said.router_id);
  if (record == routers_.end() || record->second.session == 0) return true;
  if (std::ranges::find(record->second.older_boots, said.boot_id) == record->second.older_boots.end()) return true;
  events_.push_back({hub_event_kind::duplicate, said.router_id, {}, {}, number});
  machine.end("duplicate", "a newer process is here with this router_id");
  return false;
}

/// The newest session of an id is the router's: the one before is dead and does not know it, or another process has the
/// same id.
void push_hub::join(std::uint64_t number, session& of, const wire::hello& said, time_point now) {
  of.router_id = said.router_id;
  if (routers_.size() >= settings_.records_max && !routers_.contains(said.router_id)) forget_some();
  const auto [at, is_new] = routers_.try_emplace(said.router_id);
  router_record& record = at->second;
  if (is_new) record.known_since = now;
  const auto before = sessions_.find(record.session);
  if (before != sessions_.end()) {
    const bool is_other = record.facts.boot_id != said.boot_id;
    if (is_other) {
      events_.push_back({hub_event_kind::duplicate, said.router_id, {}, {}, number});
      constexpr std::size_t boots_max = 8;
      if (record.older_boots.size() == boots_max) record.older_boots.erase(record.older_boots.begin());
      record.older_boots.push_back(record.facts.boot_id);
    }
    std::get<push_session>(before->second.machine)
        .end(is_other ? "duplicate" : "replaced", "another connection has come with this router_id");
    look(before->first, before->second);
  }
  std::erase(record.older_boots, said.boot_id);
  record.session = number;
  record.facts.running.reset();
  record.status.reset();
  record.seen = now;
  std::get<push_session>(of.machine).remember_refusals(record.refused, record.facts.last_refusal);
  events_.push_back({hub_event_kind::joined, said.router_id, {}, {}, number});
}

void push_hub::keep_status(const std::string& router_id, std::uint64_t number, const wire::pong& told, time_point now) {
  constexpr std::size_t prepared_max = 8;  // more than a router keeps, and than one has bounds
  constexpr std::size_t buckets_max = 32;
  const auto at = routers_.find(router_id);
  if (at == routers_.end() || at->second.session != number) return;
  const auto is_damaged = [](const std::optional<wire::pong>& said) { return said && said->scrub && !said->scrub->ok; };
  const bool was_damaged = is_damaged(at->second.status);
  wire::pong& status = at->second.status.emplace(told);
  at->second.status_at = now;
  if (is_damaged(status) && !was_damaged)
    events_.push_back({hub_event_kind::damaged, router_id, told.running, {}, number});
  if (status.prepared.size() > prepared_max) status.prepared.resize(prepared_max);
  if (status.latency.size() > buckets_max) status.latency.resize(buckets_max);
  status.prepared.shrink_to_fit();
  status.latency.shrink_to_fit();
}

/// Brings what a session has learnt into the record of its router.
void push_hub::note(session& of, const push_session& machine, time_point now) {
  const auto at = routers_.find(of.router_id);
  if (at == routers_.end() || at->second.session != machine.number()) return;
  router_record& record = at->second;
  const auto ran = record.facts.running;
  const auto& why = machine.router().last_refusal;
  if (why && why != record.facts.last_refusal)  // it is no ack's, which was told
    events_.push_back({hub_event_kind::refused, of.router_id, why->content, why->code + ": " + why->error,
                       machine.number(), why->code});
  const bool is_first = record.state == session_state::ended;
  record.facts = machine.router();
  record.state = machine.state();
  record.refused = machine.refused();
  record.seen = now;
  const repair_need* const needs = machine.needs_repair();
  has_needs_ = has_needs_ || (machine.needs_all() && !record.needs_all) || (needs != nullptr && record.needs != *needs);
  record.needs_all = machine.needs_all();
  record.needs = needs != nullptr ? std::optional(*needs) : std::nullopt;
  if (!record.facts.running || record.facts.running == ran) return;
  if (!is_first) events_.push_back({hub_event_kind::applied, of.router_id, record.facts.running, {}, machine.number()});
  if (is_conflict(*record.facts.running))
    events_.push_back({hub_event_kind::conflict, of.router_id, record.facts.running,
                       "another control plane gave it another content under this number", machine.number()});
}

bool push_hub::is_suspect(const router_record& router, time_point now) const {
  const auto at = sessions_.find(router.session);
  const auto* machine = at != sessions_.end() ? std::get_if<push_session>(&at->second.machine) : nullptr;
  return machine != nullptr && machine->is_suspect(now);
}

bool push_hub::is_conflict(const wire::content_id& running) const {
  const wire::content_id& mine = published_.target.run;
  return is_published_ && running.epoch == mine.epoch && running.version == mine.version && running.sum != mine.sum;
}

/// Those that left first.
void push_hub::forget_some() {
  auto oldest = routers_.end();
  for (auto at = routers_.begin(); at != routers_.end(); ++at) {
    if (at->second.session == 0 && (oldest == routers_.end() || at->second.seen < oldest->second.seen)) oldest = at;
  }
  if (oldest != routers_.end()) routers_.erase(oldest);
}

void push_hub::publish(publication what, time_point now) {
  published_ = std::move(what);
  is_published_ = true;
  for (auto& [number, of] : sessions_) {
    auto* machine = std::get_if<push_session>(&of.machine);
    if (machine == nullptr) continue;
    machine->publish(published_, now);
    note(of, *machine, now);
    look(number, of);
  }
}

void push_hub::publish_base(base_publication what, time_point now) {
  base_.emplace_back().what = std::move(what);
  for (auto& [number, of] : sessions_) {
    auto* machine = std::get_if<base_session>(&of.machine);
    if (machine == nullptr) continue;
    machine->publish(base_.back(), now);
    look(number, of);
  }
  for (auto at = base_.begin(); at != std::prev(base_.end());) at = at->users == 0 ? base_.erase(at) : std::next(at);
}

void push_hub::goaway(const std::string& reason, duration after, duration spread) {
  for (auto& [number, of] : sessions_) {
    if (auto* machine = std::get_if<push_session>(&of.machine)) {
      machine->goaway(reason, after, spread);
    } else {
      std::get<base_session>(of.machine).end(reason);
    }
    look(number, of);
  }
}

push_hub::session* push_hub::session_of(const std::string& router_id) {
  const auto record = routers_.find(router_id);
  const auto at = record != routers_.end() ? sessions_.find(record->second.session) : sessions_.end();
  return at != sessions_.end() ? &at->second : nullptr;
}

bool push_hub::dismiss(const std::string& router_id, const std::string& reason, duration after, duration spread) {
  session* const of = session_of(router_id);
  if (of == nullptr) return false;
  std::get<push_session>(of->machine).goaway(reason, after, spread);  // one of the base protocol has no id
  look(routers_.find(router_id)->second.session, *of);
  return true;
}

bool push_hub::resync(const std::string& router_id, time_point now) {
  session* const of = session_of(router_id);
  if (of == nullptr) return false;
  auto& machine = std::get<push_session>(of->machine);
  machine.forget_refusals();
  if (is_published_) machine.publish(published_, now);
  note(*of, machine, now);
  look(machine.number(), *of);
  return true;
}

void push_hub::tick(time_point now) {
  for (auto& [number, of] : sessions_) {
    if (auto* machine = std::get_if<push_session>(&of.machine)) {
      if (now >= of.ends_at) machine->goaway("its session is old", 0s, 1s);
      const bool needed_all = machine->needs_all();
      machine->tick(now);
      if (machine->needs_all() != needed_all) note(of, *machine, now);
    } else {
      std::get<base_session>(of.machine).tick(now);
    }
    look(number, of);
  }
}

time_point push_hub::end_of_session(time_point now) {
  const auto fifth = settings_.session_age / 5;
  if (fifth <= duration(0)) return time_point::max();
  const auto more = rng_.below(static_cast<std::uint64_t>(2 * fifth.count()) + 1);
  return now + settings_.session_age - fifth + duration(static_cast<std::int64_t>(more));
}

void push_hub::look(std::uint64_t number, session& of) {
  const bool has_more = std::visit([](const auto& machine) { return machine.has_output(); }, of.machine);
  if (of.is_ready || (!has_more && !has_ended(number))) return;
  of.is_ready = true;
  ready_.push_back(number);
}

std::optional<push_hub::output> push_hub::next_output(std::uint64_t number, time_point now) {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return std::nullopt;
  at->second.is_ready = false;
  const auto as_output = [](auto& one) -> output { return std::move(one); };
  if (auto* machine = std::get_if<push_session>(&at->second.machine)) {
    auto next = machine->next_output();
    return next ? std::optional(std::visit(as_output, *next)) : std::nullopt;
  }
  auto next = std::get<base_session>(at->second.machine).next_output(now);
  return next ? std::optional(std::visit(as_output, *next)) : std::nullopt;
}

bool push_hub::has_ended(std::uint64_t number) const {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return true;
  const auto* machine = std::get_if<push_session>(&at->second.machine);
  return machine != nullptr ? machine->state() == session_state::ended
                            : std::get<base_session>(at->second.machine).state() == base_state::ended;
}

std::string_view push_hub::why_ended(std::uint64_t number) const {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return {};
  return std::visit([](const auto& machine) { return std::string_view(machine.why()); }, at->second.machine);
}

const base_session* push_hub::base(std::uint64_t number) const {
  const auto at = sessions_.find(number);
  return at == sessions_.end() ? nullptr : std::get_if<base_session>(&at->second.machine);
}

}  // namespace cellroute::sync
