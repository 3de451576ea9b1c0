#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// How changes of a file are noticed.
struct follow_policy {
  bool watch = true;                  ///< the system tells of changes
  std::optional<duration> poll = 5s;  ///< besides, it is looked at that often; none: never
  duration debounce = 250ms;          ///< how long it must have been quiet
  duration backoff_on_error = 2s;     ///< how long after a refusal before it is read again unasked
  friend bool operator==(const follow_policy&, const follow_policy&) = default;
};

/// idle     nothing to do until something is noticed, asked for, or the next poll
/// settling a change was noticed; more may follow at once
/// loading  somebody reads
enum class reload_state : std::uint8_t { idle, settling, loading };

/// Decides when to read a configuration. Whoever drives it reads when `begin` says so, and tells when that is over.
///
/// A writer that never rests cannot put it off for ever: eight times the debounce after the first change it is read.
///
/// Time: passed in. Threads: one owner.
class reload_schedule {
 public:
  reload_schedule(const follow_policy& policy, time_point now) : policy_(policy) { wait_for_poll(now); }

  /// Something about the file has changed, or may have.
  void notice(time_point now) {
    if (state_ == reload_state::loading) {
      noticed_meanwhile_ = true;
      return;
    }
    if (state_ == reload_state::idle) latest_ = now + rests_at_most * policy_.debounce;
    state_ = reload_state::settling;
    due_ = std::max(std::min(now + policy_.debounce, latest_), not_before_);
  }

  /// Somebody asks for it: there is no wait.
  void demand(time_point now) {
    if (state_ == reload_state::loading) {
      demanded_meanwhile_ = true;
      return;
    }
    state_ = reload_state::settling;
    due_ = now;
  }

  /// Whether it is to be read now. Then it is `loading`.
  [[nodiscard]] bool begin(time_point now) {
    if (state_ == reload_state::loading || now < due_) return false;
    state_ = reload_state::loading;
    return true;
  }

  /// It was read; `refused` says that it cannot be used.
  void end(time_point now, bool refused) {
    state_ = reload_state::idle;
    not_before_ = refused ? now + policy_.backoff_on_error : time_point::min();
    wait_for_poll(now);
    const bool demanded = std::exchange(demanded_meanwhile_, false);
    const bool noticed = std::exchange(noticed_meanwhile_, false);
    if (noticed) notice(now);
    if (demanded) demand(now);
  }

  /// Another policy from now on. What was noticed stays noticed.
  void set_policy(const follow_policy& policy, time_point now) {
    policy_ = policy;
    if (state_ == reload_state::idle) wait_for_poll(now);
  }

  [[nodiscard]] reload_state state() const { return state_; }

 private:
  static constexpr int rests_at_most = 8;

  void wait_for_poll(time_point now) {
    due_ = policy_.poll ? std::max(now + *policy_.poll, not_before_) : time_point::max();
  }

  follow_policy policy_;
  reload_state state_ = reload_state::idle;
  time_point due_ = time_point::max();         // idle: the next poll; settling: the end of the rest
  time_point latest_ = time_point::max();      // settling: however many changes follow
  time_point not_before_ = time_point::min();  // of what nobody asked for
  bool noticed_meanwhile_ = false;
  bool demanded_meanwhile_ = false;
};

}  // namespace cellroute::process
