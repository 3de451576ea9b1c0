#include "adapters/sync/push_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cellroute::sync {

namespace {

/// Whether it would be refused again, as far as this version knows the reason.
bool is_final(const wire::ack& said) {
  const auto code = wire::parse_refusal_code(said.code);
  return !code || wire::is_lasting(*code);
}

/// Whether it came too late: the same content may be taken under a newer number.
bool is_outdated(const wire::ack& said) {
  const auto code = wire::parse_refusal_code(said.code);
  return code == wire::refusal_code::stale_epoch || code == wire::refusal_code::stale_version;
}

std::uint64_t milliseconds(duration d) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

}  // namespace

std::string_view to_string(session_state state) {
  switch (state) {
    case session_state::waiting_hello:
      return "waiting_hello";
    case session_state::in_sync:
      return "in_sync";
    case session_state::behind:
      return "behind";
    case session_state::sending:
      return "sending";
    case session_state::waiting_ack:
      return "waiting_ack";
    case session_state::rejected:
      return "rejected";
    case session_state::ended:
      return "ended";
  }
  return {};
}

push_session::push_session(const push_settings& settings, std::uint64_t number, time_point now)
    : settings_(settings), number_(number), heard_(now), progress_(now), next_beat_(time_point::max()) {}

void push_session::take(const wire::message& said, time_point now) {
  if (state_ == session_state::ended) return;
  const bool is_hello = std::holds_alternative<wire::hello>(said);
  if (is_hello != (state_ == session_state::waiting_hello)) {
    end("protocol", is_hello ? "a second hello" : "the first message must be hello");
    return;
  }
  heard_ = now;
  std::visit([&](const auto& one) { on(one, now); }, said);
}

void push_session::on(const wire::hello& said, time_point now) {
  if (said.proto != wire::sync_proto) {
    end("protocol", fmt::format("version {} of the protocol is not spoken here, {} is", said.proto, wire::sync_proto));
    return;
  }
  auto last = std::move(router_.last_refusal);
  router_ = {said.router_id, said.boot_id, said.build,      said.labels,
             std::nullopt,   said.source,  std::move(last), said.have};
  if (!said.have.empty()) router_.running = said.have.front();
  can_ = said.can;
  can_.chunk_bytes = std::min(can_.chunk_bytes, settings_.chunk_bytes);
  can_.window = std::min(can_.window, settings_.window);
  if (can_.chunk_bytes == 0 || can_.window == 0) {
    end("protocol", "a chunk and a window are at least 1");
    return;
  }
  resume_ = said.resume;
  wire::hello_ack answer;
  answer.session = number_;
  answer.cluster = settings_.cluster;
  answer.epoch = published_ != nullptr ? published_->target.epoch : 0;
  answer.chunk_bytes = can_.chunk_bytes;
  answer.window = can_.window;
  answer.ping_ms =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(settings_.ping).count());
  answer.salt = settings_.salt;
  orders_.emplace_back(std::move(answer));
  state_ = session_state::behind;
  quarantined_ = said.quarantined;
  for (const wire::quarantined_content& bad : quarantined_) refuse(bad.sum);
  beat(now);
  decide(now);
}

void push_session::publish(const publication& what, time_point now) {
  const bool is_other = told_ != what.target;
  published_ = &what;
  told_ = what.target;
  if (state_ == session_state::waiting_hello || state_ == session_state::ended) return;
  if (is_other) {
    attempts_ = 0;
    retry_at_.reset();
    trust_ = trust::names;
    is_forced_ = false;
    outdated_.reset();
    talk_.reset();
    beat(now);
  }
  decide(now);
}

void push_session::tick(time_point now) {
  if (state_ == session_state::ended) return;
  if (state_ == session_state::waiting_hello) {
    if (now - heard_ >= settings_.hello_timeout) end("hello_timeout", "no hello came");
    return;
  }
  if (now - heard_ >= settings_.dead_after * settings_.ping) {
    end("dead", "it answers no beat");
    return;
  }
  if (state_ == session_state::sending && now - progress_ >= settings_.transfer_idle) {
    end("transfer_idle", "it takes no chunk");
    return;
  }
  if (state_ == session_state::waiting_ack && now - progress_ >= settings_.ack_timeout) {
    wire::ack late;
    late.content = transfer_->what->content;
    late.code = to_string(wire::refusal_code::timeout);
    late.error = "no ack came";
    failed(late, now);
  }
  // Who does not say what it has, or what would mend it is not made in time, gets all of it.
  if (talk_ && now - progress_ >= settings_.transfer_idle) stop_comparing(now);
  if (retry_at_ && now >= *retry_at_) {
    retry_at_.reset();
    decide(now);
  }
  if (now >= next_beat_) beat(now);
}

/// Says what is to be run. It is the same for all, and said again with every beat, so that a lost order only delays.
void push_session::beat(time_point now) {
  wire::ping said;
  said.seq = ++beats_;
  if (published_ != nullptr) said.target = published_->target;
  std::erase_if(orders_, [](const wire::message& m) { return std::holds_alternative<wire::ping>(m); });  // latest wins
  orders_.emplace_back(std::move(said));
  next_beat_ = now + settings_.ping;
}

bool push_session::has(const wire::digest& sum) const {
  return std::ranges::find(router_.have, sum, &wire::content_id::sum) != router_.have.end();
}

bool push_session::has_refused(const wire::digest& sum) const {
  return std::ranges::find(refused_, sum) != refused_.end();
}

bool push_session::is_at_target() const {
  return published_ == nullptr || (router_.running && router_.running->sum == published_->target.run.sum);
}

artifact_use::counted* push_session::find_delta() const {
  for (const wire::content_id& here : router_.have) {
    const auto at = published_->deltas.find(here.sum);
    if (at != published_->deltas.end()) return at->second;
  }
  return nullptr;
}

bool push_session::may_compare() const {
  return trust_ != trust::nothing && can_.repair && router_.running && published_->rows != nullptr &&
         published_->rows->key_count() >= settings_.repair_keys_min;
}

/// The shortest way first: a change, where one of its contents is near; what differs, where that can be found out; all
/// of it.
void push_session::set_out(time_point now) {
  if (trust_ == trust::names) {
    if (artifact_use::counted* delta = find_delta()) return begin(*delta, now);
    const auto is_base = [this](const wire::content_id& c) { return published_->bases.contains(c.sum); };
    if (std::ranges::any_of(router_.have, is_base)) return;  // it is being made
  }
  if (may_compare()) return compare(now);
  talk_.reset();
  needs_all_ = true;
  if (published_->snapshot != nullptr) begin(*published_->snapshot, now);
}

void push_session::compare(time_point now) {
  if (!talk_) {
    talk_ = std::make_unique<repair_talk>(published_->target.run);
    orders_.emplace_back(talk_->question());
    progress_ = now;
  } else if (const repair_need* need = talk_->found()) {
    const auto at = published_->repairs.find(*need);
    if (at != published_->repairs.end()) begin(*at->second, now);
  }
}

void push_session::stop_comparing(time_point now) {
  talk_.reset();
  trust_ = trust::nothing;
  decide(now);
}

void push_session::on(const wire::repair_request& said, time_point now) {
  if (!talk_ || published_->rows == nullptr) return;  // it was not needed in the end
  const repair_step step = talk_->take(said, *published_->rows);
  if (step == repair_step::broken) return end("protocol", "its digests are not those that were asked for");
  if (step == repair_step::hopeless) return stop_comparing(now);
  if (step == repair_step::ignored) return;
  progress_ = now;
  if (step == repair_step::asks) orders_.emplace_back(talk_->question());
  if (step == repair_step::found) decide(now);
}

void push_session::decide(time_point now) {
  needs_all_ = false;
  if (published_ == nullptr) {
    state_ = session_state::in_sync;
    return;
  }
  const wire::content_id& wanted = published_->target.run;
  if (transfer_) {
    const wire::content_id& coming = transfer_->what->content;
    const bool leads_there = coming.sum == wanted.sum || published_->deltas.contains(coming.sum);
    if (leads_there && outdated_ != wanted && !is_at_target() && !has(wanted.sum)) return;
    give_up_transfer("superseded");
  }
  if (is_at_target()) {
    state_ = session_state::in_sync;
    talk_.reset();
    return;
  }
  state_ = session_state::behind;
  if (has_refused(wanted.sum) || outdated_ == wanted) {
    state_ = session_state::rejected;
    talk_.reset();
    recall_refusal();
  } else if (has(wanted.sum)) {  // the beat is enough
    talk_.reset();
  } else if (!retry_at_) {
    set_out(now);
  }
}

void push_session::begin(artifact_use::counted& what, time_point now) {
  const artifact& a = what.what;
  const auto chunks = static_cast<std::uint32_t>((a.bytes.size() + can_.chunk_bytes - 1) / can_.chunk_bytes);
  const bool goes_on = resume_ && resume_->artifact == a.sum;  // then the router says from where
  resume_.reset();
  transfer_ = transfer{artifact_use(what), ++transfer_count_, chunks, 0, std::min(chunks, can_.window), 0, !goes_on};
  wire::config_begin said = announce(a);
  said.transfer = transfer_->number;
  said.chunks = chunks;
  said.force = is_forced_;
  orders_.emplace_back(std::move(said));
  talk_.reset();
  needs_all_ = false;
  state_ = session_state::sending;
  progress_ = now;
}

void push_session::give_up_transfer(std::string_view why) {
  orders_.emplace_back(wire::config_abort{transfer_->number, std::string(why)});
  transfer_.reset();
}

void push_session::on(const wire::chunk_ack& said, time_point now) {
  if (!transfer_ || said.transfer != transfer_->number) return;  // of one that was given up
  transfer& t = *transfer_;
  if (said.next > t.chunks || said.next < t.acked) {
    end("protocol", "it acknowledges chunks that there are not, or takes back that it did");
    return;
  }
  t.next = std::max(t.next, said.next);  // what it has of an earlier session need not go again
  t.is_confirmed = true;
  t.acked = said.next;
  t.credit = std::min(t.chunks, t.acked + can_.window);
  progress_ = now;
  if (t.acked == t.chunks && state_ == session_state::sending) state_ = session_state::waiting_ack;
}

void push_session::on(const wire::ack& said, time_point now) {
  if (said.session != number_) return;
  const bool is_of_transfer = transfer_ && said.transfer == transfer_->number;
  switch (said.status) {
    case wire::ack_status::applied:
      if (is_of_transfer) transfer_.reset();
      if (!said.noop) router_.apply_ms = said.apply_ms;
      learn_running(said.content, now);
      break;
    case wire::ack_status::prepared:
      if (is_of_transfer) transfer_.reset();
      note_held(said.content, router_.running ? 1 : 0);
      decide(now);
      break;
    case wire::ack_status::superseded:
      if (is_of_transfer) transfer_.reset();
      decide(now);
      break;
    case wire::ack_status::rejected:
      router_.last_refusal = said;
      if (is_outdated(said)) {
        if (is_of_transfer) transfer_.reset();
        outdated_ = said.content;
        decide(now);
        break;
      }
      std::erase_if(router_.have, [&said](const wire::content_id& c) { return c.sum == said.content.sum; });
      if (is_of_transfer) {
        failed(said, now);
      } else {
        // Of a content that was given up meanwhile, which may be published again; or that could not be activated.
        const bool is_wanted = published_ != nullptr && published_->target.run.sum == said.content.sum;
        if (is_final(said) || (is_wanted && ++attempts_ >= settings_.attempts_max)) refuse(said.content.sum);
        if (is_wanted) wait_if_it_may_pass(said, now);
        decide(now);
      }
      break;
  }
}

/// What may pass is tried again, later, and what did not come out as announced in the next longer way: a delta, a
/// repair, all of it. The rest is over until there is another target, and so is what all of it does not mend.
void push_session::failed(const wire::ack& said, time_point now) {
  const auto code = wire::parse_refusal_code(said.code);
  const wire::content_id content = transfer_->what->content;
  const wire::transfer_kind kind = transfer_->what->kind;
  transfer_.reset();
  const bool is_damaged = code == wire::refusal_code::digest_mismatch || code == wire::refusal_code::crc;
  if (is_damaged || code == wire::refusal_code::base_mismatch) {
    trust_ = kind == wire::transfer_kind::delta ? trust::rows : trust::nothing;
    router_.have.clear();  // what it said of them cannot be believed
  }
  const bool is_hopeless = is_damaged && kind == wire::transfer_kind::snapshot;
  if (is_final(said) || is_hopeless || ++attempts_ >= settings_.attempts_max) refuse(content.sum);
  wait_if_it_may_pass(said, now);
  decide(now);
}

/// What is wrong with what was sent, and another way mends, is sent at once. A router that had no memory or no time for
/// it is left alone for a while.
void push_session::wait_if_it_may_pass(const wire::ack& said, time_point now) {
  const auto code = wire::parse_refusal_code(said.code);
  const bool may_pass = code == wire::refusal_code::no_memory || code == wire::refusal_code::timeout ||
                        code == wire::refusal_code::internal;
  if (may_pass && attempts_ > 0) retry_at_ = now + settings_.retry_wait * (1 << (attempts_ - 1));
}

void push_session::forget_refusals() {
  refused_.clear();
  outdated_.reset();
  attempts_ = 0;
  retry_at_.reset();
  trust_ = trust::names;
  is_forced_ = true;
}

/// What it refused before this session it said in `hello`, with the reason.
void push_session::recall_refusal() {
  const wire::content_id& wanted = published_->target.run;
  const auto bad = std::ranges::find(quarantined_, wanted.sum, &wire::quarantined_content::sum);
  if (bad == quarantined_.end()) return;
  const auto& last = router_.last_refusal;
  if (last && last->content.sum == wanted.sum && last->code == bad->code) return;
  router_.last_refusal = wire::ack{.status = wire::ack_status::rejected,
                                   .content = wanted,
                                   .session = number_,
                                   .code = bad->code,
                                   .error = "it was refused before"};
}

void push_session::refuse(const wire::digest& sum) {
  if (has_refused(sum)) return;
  constexpr std::size_t refused_max = 64;
  if (refused_.size() == refused_max) refused_.erase(refused_.begin());
  refused_.push_back(sum);
}

void push_session::on(const wire::pong& said, time_point now) {
  router_.source = said.source;
  if (said.running) learn_running(*said.running, now);
}

void push_session::learn_running(const wire::content_id& content, time_point now) {
  // What runs has come, even where the word of it was lost.
  if (transfer_ && transfer_->what->content.sum == content.sum) transfer_.reset();
  router_.running = content;
  note_held(content, 0);
  decide(now);
}

/// As a router keeps them: what was checked goes behind what runs, and the oldest goes. Who were believed to have more
/// than it has would wait for ever for what it let go.
void push_session::note_held(const wire::content_id& content, std::size_t place) {
  constexpr std::size_t held_max = 3;  // of every router, at least
  auto& have = router_.have;
  std::erase_if(have, [&content](const wire::content_id& c) { return c.sum == content.sum; });
  have.insert(have.begin() + static_cast<std::ptrdiff_t>(std::min(place, have.size())), content);
  if (have.size() > held_max) have.resize(held_max);
}

bool push_session::has_output() const {
  return !orders_.empty() || (transfer_ && transfer_->is_confirmed && transfer_->next < transfer_->credit);
}

std::optional<push_output> push_session::next_output() {
  if (!orders_.empty()) {
    push_output first(std::move(orders_.front()));
    orders_.pop_front();
    return first;
  }
  if (!has_output()) return std::nullopt;
  transfer& t = *transfer_;
  const std::span<const std::byte> all(t.what->bytes);
  const std::size_t offset = std::size_t{t.next} * can_.chunk_bytes;
  send_chunk chunk{t.number,
                   t.next,
                   t.chunks,
                   offset,
                   all.subspan(offset, std::min<std::size_t>(can_.chunk_bytes, all.size() - offset)),
                   t.what.share()};
  ++t.next;
  bytes_sent_ += chunk.payload.size();
  return chunk;
}

void push_session::end(std::string code, std::string message) {
  std::string why = code + ": " + message;
  wire::session_error last;
  last.code = std::move(code);
  last.message = std::move(message);
  last.fatal = true;
  end_with(std::move(last), std::move(why));
}

void push_session::goaway(std::string reason, duration after, duration spread) {
  std::string why = "goaway: " + reason;
  end_with(wire::goaway{std::move(reason), milliseconds(after), milliseconds(spread)}, std::move(why));
}

void push_session::turn_away(duration after) {
  end_with(wire::session_error{"busy", "too many routers come at once", false, milliseconds(after + 1ms - 1ns)},
           "busy: too many routers come at once");
}

void push_session::end_with(wire::message last, std::string why) {
  if (state_ == session_state::ended) return;
  transfer_.reset();
  talk_.reset();
  needs_all_ = false;
  orders_.clear();
  orders_.emplace_back(std::move(last));
  why_ = std::move(why);
  state_ = session_state::ended;
}

}  // namespace cellroute::sync
