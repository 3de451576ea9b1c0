#include "adapters/sync/content_intake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <iterator>
#include <utility>

namespace cellroute::sync {
namespace {

using wire::refusal_code;

/// What is wrong with a content shows only while it runs: its checks would pass it again.
std::optional<refusal> why_not_again(const wire::quarantined_content* refused) {
  const auto code = refused != nullptr ? wire::parse_refusal_code(refused->code) : std::nullopt;
  if (code == refusal_code::crash_loop) return refusal{*code, "crash_loop: the process crashed while it ran this"};
  if (code == refusal_code::local_guard)
    return refusal{*code, "local_guard: requests failed while it ran here, and it was left for the one before"};
  return std::nullopt;
}

bool has_same_number(const wire::content_id& a, const wire::content_id& b) {
  return a.epoch == b.epoch && a.version == b.version;
}

}  // namespace

content_intake::content_intake(intake_limits limits, intake_memory memory)
    : limits_(std::move(limits)),
      held_(std::move(memory.held)),
      is_running_(!held_.empty()),
      quarantined_(std::move(memory.quarantined)) {
  assert(limits_.held_max >= 3);  // what runs, what is about to, and what should
}

void content_intake::introduce(wire::hello& said) const {
  said.can = limits_.can;
  said.have = held_;
  said.quarantined = quarantined_;
  if (receiving_) said.resume = wire::resume_point{receiving_->what.artifact, receiving_->next};
}

void content_intake::session_closed() {
  session_ = 0;
  acked_rev_ = 0;
  outdated_.reset();
  summing_up_.reset();
  // The next session counts its transfers anew: what goes on from here belongs to none of them.
  transfer_ = 0;
  if (receiving_) receiving_->what.transfer = 0;
  if (checking_) checking_->transfer = 0;
  if (waiting_) waiting_->what.transfer = 0;
}

std::optional<wire::content_id> content_intake::running() const {
  return is_running_ ? std::optional(held_.front()) : std::nullopt;
}

bool content_intake::is_on_target() const { return target_ && is_running_ && held_.front() == target_->run; }

const wire::content_id* content_intake::wanted() const {
  if (ordered_) return &*ordered_;
  return target_ ? &target_->run : nullptr;
}

bool content_intake::holds(const wire::digest& sum) const {
  return std::ranges::find(held_, sum, &wire::content_id::sum) != held_.end();
}

const wire::quarantined_content* content_intake::find_quarantined(const wire::digest& sum) const {
  const auto at = std::ranges::find(quarantined_, sum, &wire::quarantined_content::sum);
  return at == quarantined_.end() ? nullptr : &*at;
}

void content_intake::take(const wire::ping& said) {
  if (!said.target) return;
  const wire::targets& told = *said.target;
  const auto place_of = [](const wire::targets& t) { return std::pair(t.epoch, t.rev); };
  if (target_ && place_of(told) == place_of(*target_) && told != *target_) {
    if (std::exchange(disputed_, told) != told)
      actions_.emplace_back(tell{"split_brain", "two control planes give different orders under one number"});
    return;
  }
  if (target_ && place_of(told) < place_of(*target_)) return refuse_order(told);
  target_ = told;
  settle();
}

/// A control plane that has gone back would wait for ever for what is not followed here. What runs already is no
/// matter.
void content_intake::refuse_order(const wire::targets& told) {
  if (is_running_ && held_.front().sum == told.run.sum) return;
  if (std::exchange(outdated_, told) == told) return;
  const bool is_of_epoch = told.epoch < target_->epoch;
  refuse(told.run, {is_of_epoch ? refusal_code::stale_epoch : refusal_code::stale_version,
                    fmt::format("orders of epoch {} and revision {} are followed here", target_->epoch, target_->rev)});
}

std::optional<refusal> content_intake::why_not(const wire::config_begin& said) const {
  const auto because = [](refusal_code code, std::string error) { return refusal{code, std::move(error)}; };
  if (const auto* bad = find_quarantined(said.content.sum)) {
    return because(wire::parse_refusal_code(bad->code).value_or(refusal_code::internal), "it was refused before");
  }
  for (const wire::content_id& here : held_) {
    if (has_same_number(here, said.content))
      return because(refusal_code::conflict, "another content is here under this number");
  }
  if (is_running_ && said.content.epoch < held_.front().epoch)
    return because(refusal_code::stale_epoch, fmt::format("epoch {} runs here", held_.front().epoch));
  if (is_running_ && !said.content.is_newer_than(held_.front()))
    return because(refusal_code::stale_version, fmt::format("version {} runs here", held_.front().version));
  if (said.kind != wire::transfer_kind::snapshot && (!said.base || !holds(*said.base)))
    return because(refusal_code::base_mismatch, "what it starts from is not here");
  const std::uint64_t bytes_max = limits_.can.content_bytes_max;
  if (std::max(said.bytes, said.raw_bytes) > bytes_max)
    return because(refusal_code::too_large,
                   fmt::format("{} bytes; at most {} are taken here", std::max(said.bytes, said.raw_bytes), bytes_max));
  if (said.keys > limits_.can.keys_max)
    return because(refusal_code::too_many_keys,
                   fmt::format("{} keys; at most {} are taken here", said.keys, limits_.can.keys_max));
  const auto& known = limits_.can.compressions;
  if (said.compression != "none" && std::ranges::find(known, said.compression) == known.end())
    return because(refusal_code::unsupported, "its compression is not known here");
  if (said.chunks == 0 || said.bytes < said.chunks ||
      said.bytes > std::uint64_t{said.chunks} * wire::chunk_payload_bytes_max)
    return because(refusal_code::unsupported, "its bytes and its chunks do not go together");
  return std::nullopt;
}

void content_intake::take(const wire::config_begin& said) {
  if (receiving_ && receiving_->what.artifact != said.artifact) {
    supersede(receiving_->what);
    receiving_.reset();
  }
  if (said.force) std::erase_if(quarantined_, [&said](const auto& q) { return q.sum == said.content.sum; });
  if (holds(said.content.sum)) {  // by its digest: under whatever number
    transfer_ = said.transfer;
    if (!activating_) tell_prepared(said.content);
    return;
  }
  if (auto why = why_not(said)) {
    refuse(said, *std::move(why));
    return;
  }
  if (checking_ && checking_->content.sum == said.content.sum) {  // it came in the session before
    checking_->transfer = said.transfer;
    send(wire::chunk_ack{said.transfer, said.chunks});
    return;
  }
  receive(said);
}

void content_intake::receive(const wire::config_begin& said) {
  if (!receiving_) {
    receiving_ = incoming{said, {}, 0};
    receiving_->bytes.reserve(said.bytes);
  }
  receiving_->what = said;
  // The sender goes on where this says, and that is known to both from the first chunk on.
  send(wire::chunk_ack{said.transfer, receiving_->next});
}

void content_intake::take(const wire::config_abort& said) {
  if (!receiving_ || receiving_->what.transfer != said.transfer) return;
  supersede(receiving_->what);
  receiving_.reset();
}

bool content_intake::take(const wire::chunk& said) {
  if (!receiving_ || receiving_->what.transfer != said.transfer) return true;  // of one that was given up
  incoming& to = *receiving_;
  const std::uint64_t left = to.what.bytes - to.bytes.size();
  const bool is_last = said.seq + 1 == to.what.chunks;
  if (said.seq != to.next || said.total != to.what.chunks || said.offset != to.bytes.size() ||
      said.payload.size() > left || is_last != (said.payload.size() == left)) {
    return false;
  }
  to.bytes.insert(to.bytes.end(), said.payload.begin(), said.payload.end());
  ++to.next;
  send(wire::chunk_ack{said.transfer, to.next});
  if (is_last) check(std::exchange(receiving_, std::nullopt).value());
  return true;
}

bool content_intake::take(const wire::repair& said) {
  const auto is_over = [](std::uint32_t group) { return group >= key_digest::group_count; };
  const auto is_not_after = [](std::uint32_t a, std::uint32_t b) { return a >= b; };
  if (std::ranges::any_of(said.groups, is_over) ||
      std::ranges::adjacent_find(said.groups, is_not_after) != said.groups.end())
    return false;
  summing_up_.reset();  // of questions that come faster than they are answered the latest counts
  if (!is_running_) {
    send(wire::repair_request{said.content, std::nullopt, {}, {}});
    return true;
  }
  summing_up_ = sum_up_rows{held_.front(), said};
  actions_.emplace_back(*summing_up_);
  return true;
}

void content_intake::summed_up(const sum_up_rows& what, std::vector<wire::digest> sums) {
  if (!summing_up_ || summing_up_->asked != what.asked || session_ == 0) return;
  summing_up_.reset();
  if (sums.empty()) {
    send(wire::repair_request{what.asked.content, std::nullopt, {}, {}});
  } else {
    send(wire::repair_request{what.asked.content, what.base.sum, what.asked.groups, std::move(sums)});
  }
}

void content_intake::check(incoming whole) {
  if (checking_) {
    if (waiting_) supersede(waiting_->what);
    waiting_ = std::move(whole);
    return;
  }
  checking_ = whole.what;
  ++checks_;
  actions_.emplace_back(check_content{std::move(whole.what), std::move(whole.bytes)});
}

void content_intake::checked(const wire::content_id& content, std::uint64_t keys) {
  if (!checking_ || checking_->content != content) return;
  const wire::config_begin what = *std::exchange(checking_, std::nullopt);
  hold(content);
  transfer_ = what.transfer;
  keys_ = keys;
  if (waiting_) check(std::exchange(waiting_, std::nullopt).value());
  settle();
  if (!activating_ || activating_->sum != content.sum) tell_prepared(content);
}

void content_intake::checked(const wire::content_id& content, refusal why) {
  if (!checking_ || checking_->content != content) return;
  const wire::config_begin what = *std::exchange(checking_, std::nullopt);
  refuse(what, std::move(why));
  if (waiting_) check(std::exchange(waiting_, std::nullopt).value());
}

void content_intake::run(const wire::content_id& content, std::uint64_t keys) {
  if (auto why = why_not_again(find_quarantined(content.sum))) {
    let_go(content);
    refuse(content, *std::move(why));
    return;
  }
  ordered_ = content;
  owes_word_ = true;
  keys_ = keys;
  if (!holds(content.sum)) hold(content);
  settle();
}

void content_intake::let_go(const wire::content_id& content) {
  const bool is_coming = checking_ && checking_->content.sum == content.sum;
  if (!is_coming && !holds(content.sum)) actions_.emplace_back(drop_content{content});
}

void content_intake::forget(const wire::digest& sum) {
  if (is_running_ && held_.front().sum == sum) is_running_ = false;
  const auto at = std::ranges::find(held_, sum, &wire::content_id::sum);
  if (at == held_.end()) return;
  actions_.emplace_back(drop_content{*at});
  held_.erase(at);
}

bool content_intake::go_back(const wire::digest& from, const wire::content_id& to, refusal why) {
  if (!is_running_ || held_.front().sum != from || from == to.sum || activating_) return false;
  leaving_ = departure{held_.front(), std::move(why)};
  if (!holds(to.sum)) held_.push_back(to);  // one more, until the one that is left goes
  activating_ = to;
  actions_.emplace_back(activate_content{to});
  return true;
}

/// What was gone back from is not here any more, whoever wants it.
void content_intake::leave() {
  if (!leaving_) return;
  departure left = *std::exchange(leaving_, std::nullopt);
  std::erase_if(held_, [&left](const wire::content_id& c) { return c.sum == left.content.sum; });
  actions_.emplace_back(drop_content{left.content});
  if (ordered_ && ordered_->sum == left.content.sum) ordered_ = held_.front();
  reject(left.content, 0, std::move(left.why));
}

/// Runs what is wanted as soon as it is here.
void content_intake::settle() {
  const wire::content_id* const next = wanted();
  if (next == nullptr || activating_) return;
  if (is_running_ && held_.front().sum == next->sum) {
    held_.front() = *next;  // a number may change and its content stay: after a rollback
    if (ordered_ ? !owes_word_ : acked_rev_ == target_->rev) return;
    actions_.emplace_back(content_unchanged{*next});
    acknowledge({.content = *next, .noop = true});
    return;
  }
  if (!holds(next->sum)) return;
  activating_ = *next;
  actions_.emplace_back(activate_content{*next});
}

void content_intake::activated(const wire::content_id& content, bool durable, duration took) {
  if (!activating_ || *activating_ != content) return;
  activating_.reset();
  std::erase_if(held_, [&content](const wire::content_id& c) { return c.sum == content.sum; });
  held_.insert(held_.begin(), content);
  is_running_ = true;
  const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  acknowledge({.content = content, .durable = durable, .apply_ms = static_cast<std::uint64_t>(took_ms)});
  leave();
  settle();
}

void content_intake::activated(const wire::content_id& content, refusal why) {
  if (!activating_ || *activating_ != content) return;
  activating_.reset();
  leaving_.reset();
  std::erase_if(held_, [&content](const wire::content_id& c) { return c.sum == content.sum; });
  actions_.emplace_back(drop_content{content});
  refuse({.transfer = transfer_, .content = content}, std::move(why));
  settle();
}

/// Keeps a checked content behind the running one, and lets the oldest go.
void content_intake::hold(const wire::content_id& content) {
  held_.insert(held_.begin() + (is_running_ ? 1 : 0), content);  // at most three of them are needed
  while (held_.size() > limits_.held_max) {
    const auto is_needed = [this](const wire::content_id& c) {
      return (is_running_ && &c == &held_.front()) || (activating_ && activating_->sum == c.sum) ||
             (wanted() != nullptr && wanted()->sum == c.sum);
    };
    const auto oldest = std::find_if_not(held_.rbegin(), held_.rend(), is_needed);
    actions_.emplace_back(drop_content{*oldest});
    held_.erase(std::next(oldest).base());
  }
}

void content_intake::acknowledge(wire::ack said) {
  said.transfer = std::exchange(transfer_, 0);
  said.keys = std::exchange(keys_, 0);
  said.session = session_;
  if (target_ && said.status == wire::ack_status::applied) acked_rev_ = target_->rev;
  if (ordered_ && ordered_->sum == said.content.sum) owes_word_ = false;
  if (session_ != 0) send(std::move(said));
}

void content_intake::tell_prepared(const wire::content_id& content) {
  acknowledge({.status = wire::ack_status::prepared, .content = content});
}

void content_intake::supersede(const wire::config_begin& what) {
  if (session_ == 0 || what.transfer == 0) return;  // this session knows nothing of it
  send(wire::ack{
      .status = wire::ack_status::superseded, .content = what.content, .session = session_, .transfer = what.transfer});
}

void content_intake::refuse(const wire::content_id& content, refusal why) {
  refuse({.content = content}, std::move(why));
}

void content_intake::refuse(const wire::config_begin& what, refusal why) {
  actions_.emplace_back(
      content_refused{what.content, what.label.empty() ? std::to_string(what.content.version) : what.label, why.error});
  reject(what.content, what.transfer, std::move(why));
}

void content_intake::reject(const wire::content_id& content, std::uint64_t transfer, refusal why) {
  if (wire::is_lasting(why.code) && find_quarantined(content.sum) == nullptr) {
    while (quarantined_.size() >= limits_.quarantined_max) quarantined_.erase(quarantined_.begin());
    quarantined_.push_back({content.sum, std::string(to_string(why.code))});
  }
  if (session_ == 0) return;
  send(wire::ack{.status = wire::ack_status::rejected,
                 .content = content,
                 .session = session_,
                 .transfer = transfer,
                 .code = std::string(to_string(why.code)),
                 .error = std::move(why.error)});
}

}  // namespace cellroute::sync
