#include "adapters/sync/router_link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace cellroute::sync {
namespace {

/// Counts never fall: what is there now and was not before.
std::vector<wire::latency_bucket> latency_since(const std::vector<wire::latency_bucket>& before,
                                                std::vector<wire::latency_bucket> now) {
  for (const wire::latency_bucket& old : before) {
    const auto same = std::ranges::find(now, old.le_ms, &wire::latency_bucket::le_ms);
    if (same != now.end()) same->count -= std::min(same->count, old.count);
  }
  std::erase_if(now, [](const wire::latency_bucket& each) { return each.count == 0; });
  return now;
}

}  // namespace

std::string_view to_string(link_state state) {
  switch (state) {
    case link_state::idle:
      return "idle";
    case link_state::connecting:
      return "connecting";
    case link_state::negotiating:
      return "negotiating";
    case link_state::live:
      return "live";
    case link_state::live_base:
      return "live_base";
  }
  return {};
}

std::string_view to_string(open_failure why) {
  switch (why) {
    case open_failure::unreachable:
      return "unreachable";
    case open_failure::unauthorized:
      return "unauthorized";
    case open_failure::busy:
      return "busy";
  }
  return {};
}

router_link::router_link(link_settings settings, router_identity who, intake_limits limits, intake_memory memory,
                         std::uint64_t seed)
    : settings_(settings),
      who_(std::move(who)),
      intake_(std::move(limits), std::move(memory)),
      rng_(seed),
      wait_(settings.wait),
      address_(static_cast<std::size_t>(rng_.below(settings.addresses))) {}

void router_link::tick(time_point now) {
  notice_checks(now);
  end_late_checks(now);
  if (now < due_) return;
  switch (state_) {
    case link_state::idle:
      state_ = link_state::connecting;
      due_ = now + settings_.connect_timeout;
      actions_.emplace_back(open_connection{address_});
      break;
    case link_state::connecting:
      break_off("control_plane_unreachable", "it does not answer in time", now);
      break;
    case link_state::negotiating:
      break_off("control_plane_lost", "it does not answer hello", now);
      break;
    case link_state::live:
    case link_state::live_base:
      break_off("control_plane_lost", "no beat comes any more", now);
      break;
  }
}

void router_link::notice_checks(time_point now) {
  const auto notice = [&](std::optional<watched>& seen, bool is_checking, std::uint64_t number) {
    if (!is_checking) {
      seen.reset();
    } else if (!seen || seen->number != number) {
      seen = watched{number, now + settings_.check_timeout};
    }
  };
  notice(watched_check_, intake_.checking() != nullptr, intake_.checks());
  notice(watched_base_check_, is_base_checking_, base_number_);
}

void router_link::end_late_checks(time_point now) {
  const auto is_over = [now](const std::optional<watched>& seen) { return seen && now >= seen->due; };
  if (!is_over(watched_check_) && !is_over(watched_base_check_)) return;
  const auto why = fmt::format("its check took longer than {} s; it is not used, whatever comes of it later",
                               std::chrono::duration_cast<std::chrono::seconds>(settings_.check_timeout).count());
  if (is_over(watched_check_)) {
    const wire::config_begin late = *intake_.checking();
    intake_.checked(late.content, refusal{wire::refusal_code::timeout, why});
    pull();
    intake_.let_go(late.content);
  }
  if (is_over(watched_base_check_)) {
    base_checked(base_number_, refusal{wire::refusal_code::timeout, why});
  }
  notice_checks(now);
}

void router_link::opened(bool is_native, time_point now) {
  if (state_ != link_state::connecting) return;  // it was given up
  wait_.use(is_native ? settings_.wait : settings_.base_wait);
  if (!is_native) {
    state_ = link_state::live_base;
    live_since_ = now;
    due_ = time_point::max();  // there are control planes that never beat: one that did once has to go on
    base_version_.reset();
    if (damaged_) intake_.forget(*std::exchange(damaged_, std::nullopt));
    intake_.session_opened(1);
    return;
  }
  state_ = link_state::negotiating;
  due_ = now + settings_.hello_timeout;
  wire::hello said;
  said.router_id = who_.router_id;
  said.boot_id = who_.boot_id;
  said.build = who_.build;
  said.labels = who_.labels;
  said.source = who_.source;
  intake_.introduce(said);
  actions_.emplace_back(wire::message(std::move(said)));
}

void router_link::failed(open_failure why, duration retry_after, time_point now) {
  if (state_ != link_state::connecting) return;
  const bool is_final = why == open_failure::unauthorized;
  wait(std::max(std::min(retry_after, settings_.asked_max), is_final ? settings_.unauthorized_wait : duration(0)), now);
}

void router_link::closed(time_point now) {
  if (state_ == link_state::idle) return;
  wait(duration(0), now);
}

/// The next try goes to the next address.
void router_link::wait(duration at_least, time_point now) {
  const bool was_live = state_ == link_state::live || state_ == link_state::live_base;
  if (was_live && now - live_since_ >= settings_.stable_after) wait_.reset();
  intake_.session_closed();
  told_.reset();
  base_.reset();
  base_turns_.clear();
  state_ = link_state::idle;
  address_ = (address_ + 1) % settings_.addresses;
  due_ = now + at_least + wait_.next(rng_);
}

duration router_link::asked(std::uint64_t milliseconds) const {
  const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.asked_max).count();
  return std::chrono::milliseconds(std::min(milliseconds, static_cast<std::uint64_t>(most)));
}

void router_link::break_off(std::string event, std::string why, time_point now, duration at_least) {
  pull();
  actions_.emplace_back(tell{std::move(event), std::move(why)});
  actions_.emplace_back(close_connection{});
  wait(at_least, now);
}

void router_link::activated(const wire::content_id& content, bool durable, duration took) {
  intake_.activated(content, durable, took);
  pull();
  confirm();
}

void router_link::damaged(const wire::digest& sum, time_point now) {
  damaged_ = sum;
  if (state_ == link_state::live_base) ask_again(now);  // the answers to its beats say nothing of it
}

void router_link::ask_again(time_point now) {
  if (!is_damage_held()) return;
  intake_.forget(*std::exchange(damaged_, std::nullopt));
  break_off("content_asked_again",
            "what is held is damaged: the control plane is asked for all of it, in a new session", now);
}

bool router_link::is_damage_held() {
  if (damaged_ && std::ranges::find(intake_.held(), *damaged_, &wire::content_id::sum) == intake_.held().end())
    damaged_.reset();
  return damaged_.has_value();
}

/// What it says itself counts: it may be another control plane than the one whose orders are followed.
void router_link::confirm() {
  const auto running = intake_.running();
  if (running && told_ == running->sum) confirmed_at_ = told_at_;
}

void router_link::take_text(std::string_view text, time_point now) {
  if (state_ == link_state::live_base) return take_base(text, now);
  if (state_ != link_state::negotiating && state_ != link_state::live) return;
  const auto said = wire::read_message(text);
  if (!said) {
    break_off("control_plane_lost", fmt::format("it sent what is no message: {}", to_string(said.error())), now);
    return;
  }
  const bool opens = std::holds_alternative<wire::hello_ack>(*said);
  const bool is_error = std::holds_alternative<wire::session_error>(*said);
  const bool is_unknown = std::holds_alternative<wire::unknown_message>(*said);
  if (!is_error && !is_unknown && opens != (state_ == link_state::negotiating)) {
    break_off("control_plane_lost", "its messages come in the wrong order", now);
    return;
  }
  std::visit([&](const auto& one) { on(one, now); }, *said);
}

void router_link::take_base(std::string_view text, time_point now) {
  const auto said = wire::read_base_message(text);
  if (!said) {
    break_off("control_plane_lost", fmt::format("it sent what is no message: {}", to_string(said.error())), now);
  } else if (const auto* content = std::get_if<wire::base_content>(&*said)) {
    on_base(*content, text, now);
  } else if (std::holds_alternative<wire::base_ping>(*said)) {
    due_ = now + settings_.dead_after * settings_.base_ping;
    told_at_ = now;
    confirm();
    pull();
    actions_.emplace_back(send_text{wire::write_base_pong()});
  } else {
    ++unknown_messages_;
  }
}

/// One at a time, and each gets one answer, in their order.
void router_link::on_base(const wire::base_content& said, std::string_view text, time_point now) {
  pull();
  told_.reset();
  told_at_ = now;
  const auto* number = std::get_if<std::uint64_t>(&said.version);
  std::string why_not = number != nullptr ? why_not_base(*number) : std::string();
  if (!why_not.empty()) {
    base_turns_.push_back({said, {}, std::move(why_not)});
  } else {
    if (number != nullptr) base_version_ = *number;
    for (base_turn& turn : base_turns_) {
      if (!turn.why_not.empty()) continue;
      turn.why_not = fmt::format("version {} came before this was checked", wire::to_string(said.version));
      turn.text = {};
    }
    base_turns_.push_back({said, std::string(text), {}});
  }
  check_next_base();
  if (base_turns_.size() > settings_.base_turns_max)
    break_off("control_plane_lost", "it sends contents faster than they can be answered", now);
}

/// Numbers only grow within a session. A new one may begin lower than what runs, unless that is not wanted here.
std::string router_link::why_not_base(std::uint64_t version) {
  if (base_version_) return version < *base_version_ ? fmt::format("version {} came before", *base_version_) : "";
  const auto running = intake_.running();
  const bool is_of_base = running && running->epoch == 0;
  if (!is_of_base || version >= running->version) return {};
  if (!settings_.accept_version_reset) {
    std::string why =
        fmt::format("version {} runs, and control_plane.accept_version_reset is off here", running->version);
    actions_.emplace_back(content_refused{{0, version, {}}, std::to_string(version), why});
    return why;
  }
  actions_.emplace_back(
      tell{"version_reset", fmt::format("version {} takes the place of version {}: this control plane "
                                        "counts anew",
                                        version, running->version)});
  return {};
}

void router_link::check_next_base() {
  while (!base_ && !base_turns_.empty()) {
    if (base_turns_.front().why_not.empty() && is_base_checking_) return;
    base_turn next = std::move(base_turns_.front());
    base_turns_.pop_front();
    if (!next.why_not.empty()) {
      say_base(next.what, false, std::move(next.why_not));
      continue;
    }
    base_ = base_work{next.what, std::nullopt};
    is_base_checking_ = true;
    actions_.emplace_back(check_base_content{std::move(next.what), std::move(next.text), ++base_number_});
  }
}

bool router_link::takes_base_result(std::uint64_t number) {
  return number == base_number_ && std::exchange(is_base_checking_, false);
}

void router_link::base_checked(std::uint64_t number, const wire::digest& sum, std::uint64_t keys) {
  if (!takes_base_result(number)) {
    if (!is_base_checking_) intake_.let_go({0, 0, sum});
    return;
  }
  if (!base_) {
    intake_.let_go({0, 0, sum});
    pull();
    check_next_base();
    return;
  }
  base_->sum = sum;
  if (base_turns_.empty()) told_ = sum;
  const auto* version = std::get_if<std::uint64_t>(&base_->what.version);
  intake_.run({0, version != nullptr ? *version : 0, sum}, keys);
  pull();
  confirm();
}

void router_link::base_checked(std::uint64_t number, refusal why) {
  if (!takes_base_result(number)) return;
  pull();
  if (!base_) return check_next_base();
  actions_.emplace_back(content_refused{{}, wire::to_string(base_->what.version), why.error});
  answer_base(false, std::move(why.error));
}

void router_link::answer_base(bool is_applied, std::string error) {
  say_base(std::exchange(base_, std::nullopt)->what, is_applied, std::move(error));
  check_next_base();
}

void router_link::say_base(const wire::base_content& of, bool is_applied, std::string error) {
  actions_.emplace_back(send_text{wire::write_base_ack(of.dialect, {of.version, is_applied, std::move(error)})});
}

void router_link::take_binary(std::span<const std::byte> bytes, time_point now) {
  if (state_ != link_state::live) return;
  const auto chunk = wire::read_chunk(bytes);
  if (!chunk) {
    break_off("control_plane_lost", fmt::format("a chunk is damaged: {}", to_string(chunk.error())), now);
  } else if (!intake_.take(*chunk)) {
    break_off("control_plane_lost", "a chunk does not follow the one before", now);
  }
}

void router_link::on(const wire::hello_ack& said, time_point now) {
  if (said.proto != wire::sync_proto) {
    break_off("control_plane_lost",
              fmt::format("it speaks version {} of the protocol, this router {}", said.proto, wire::sync_proto), now,
              settings_.unauthorized_wait);
    return;
  }
  state_ = link_state::live;
  live_since_ = now;
  beat_ = said.ping_ms > 0 ? duration(std::chrono::milliseconds(said.ping_ms)) : settings_.ping;
  due_ = now + settings_.dead_after * beat_;
  salt_ = said.salt;
  intake_.session_opened(said.session);
}

void router_link::on(const wire::ping& said, time_point now) {
  due_ = now + settings_.dead_after * beat_;
  if (!is_damage_held()) {  // orders could name what is damaged: they come again, in the next session
    intake_.take(said);
    pull();  // what follows from its orders is said before the answer
    told_ = said.target ? std::optional(said.target->run.sum) : std::nullopt;
    told_at_ = now;
    confirm();
  }
  wire::pong answer = status_;
  answer.latency = latency_since(latency_told_, status_.latency);
  latency_told_ = status_.latency;
  answer.seq = said.seq;
  answer.running = intake_.running();
  const auto& held = intake_.held();
  answer.prepared.assign(held.begin() + (answer.running ? 1 : 0), held.end());
  actions_.emplace_back(wire::message(std::move(answer)));
  ask_again(now);
}

void router_link::on(const wire::repair& said, time_point now) {
  if (!intake_.take(said)) break_off("control_plane_lost", "it asks for groups of rows that there are not", now);
}

void router_link::on(const wire::goaway& said, time_point now) {
  pull();
  actions_.emplace_back(close_connection{});
  const auto spread = static_cast<std::uint64_t>(asked(said.spread_ms) / 1ms) + 1;
  wait(asked(said.after_ms) + asked(rng_.below(spread)), now);
}

void router_link::on(const wire::session_error& said, time_point now) {
  pull();
  actions_.emplace_back(tell{"control_plane_error", fmt::format("{}: {}", said.code, said.message)});
  if (!said.fatal && said.code != "busy") return;
  actions_.emplace_back(close_connection{});
  wait(std::max(asked(said.retry_after_ms), said.code == "duplicate" ? settings_.unauthorized_wait : duration(0)), now);
}

/// Brings the actions of the intake behind those that are here.
void router_link::pull() {
  for (intake_action& one : intake_.take_actions()) {
    if (auto* said = std::get_if<wire::message>(&one); said != nullptr && state_ == link_state::live_base) {
      const auto* done = std::get_if<wire::ack>(said);
      const bool is_of_it = done != nullptr && base_ && base_->sum == done->content.sum;
      if (is_of_it && (done->status == wire::ack_status::applied || done->status == wire::ack_status::rejected))
        answer_base(done->status == wire::ack_status::applied, done->error);
      continue;
    }
    auto* const refused = std::get_if<content_refused>(&one);
    if (refused != nullptr && base_ && base_->sum == refused->content.sum)
      refused->label = wire::to_string(base_->what.version);
    std::visit([this](auto& what) { actions_.emplace_back(std::move(what)); }, one);
  }
}

std::vector<link_action> router_link::take_actions() {
  pull();
  return std::exchange(actions_, {});
}

time_point router_link::next_tick() const {
  time_point next = due_;
  if (watched_check_) next = std::min(next, watched_check_->due);
  if (watched_base_check_) next = std::min(next, watched_base_check_->due);
  return next;
}

}  // namespace cellroute::sync
