#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// serving    as long as nobody asks it to stop
/// unready    readiness says no, requests are still taken: who balances sees it and sends no more
/// closing    no new connection, idle ones end, what runs is finished
/// cutting    what still ran was cut, and is given a moment to end
/// ended      nothing is left to wait for
enum class drain_state : std::uint8_t { serving, unready, closing, cutting, ended };

[[nodiscard]] constexpr std::string_view to_string(drain_state state) {
  switch (state) {
    case drain_state::serving:
      return "serving";
    case drain_state::unready:
      return "unready";
    case drain_state::closing:
      return "closing";
    case drain_state::cutting:
      return "cutting";
    case drain_state::ended:
      return "ended";
  }
  return {};
}

struct drain_policy {
  duration unready_for = 5s;  ///< how long requests are taken after readiness said no
  duration timeout = 30s;     ///< how long what runs may take to finish
  duration cut_timeout = 1s;  ///< what is cut ends within a turn of its loop; this is for the worst
};

/// How a daemon stops. Whoever drives it does what the state that was entered asks for.
///
/// Time: passed in. Threads: one owner.
class drain {
 public:
  explicit drain(const drain_policy& policy) : policy_(policy) {}

  /// Counts for the states that are entered from now on.
  void set_policy(const drain_policy& policy) { policy_ = policy; }

  /// Somebody wants it to stop. The second time it ends at once.
  drain_state ask(time_point now) {
    if (state_ != drain_state::serving) return enter(drain_state::ended, time_point::max());
    return enter(drain_state::unready, now + policy_.unready_for);
  }

  /// Time has passed; so many connections are open.
  drain_state tick(time_point now, std::size_t open_connections) {
    switch (state_) {
      case drain_state::serving:
      case drain_state::ended:
        return state_;
      case drain_state::unready:
        return now < until_ ? state_ : enter(drain_state::closing, now + policy_.timeout);
      case drain_state::closing:
        if (open_connections == 0) return enter(drain_state::ended, time_point::max());
        return now < until_ ? state_ : enter(drain_state::cutting, now + policy_.cut_timeout);
      case drain_state::cutting:
        if (open_connections == 0) return enter(drain_state::ended, time_point::max());
        return now < until_ ? state_ : enter(drain_state::ended, time_point::max());
    }
    return state_;
  }

  [[nodiscard]] drain_state state() const { return state_; }

 private:
  drain_state enter(drain_state next, time_point until) {
    state_ = next;
    until_ = until;
    return next;
  }

  drain_policy policy_;
  drain_state state_ = drain_state::serving;
  time_point until_ = time_point::max();
};

}  // namespace cellroute::process
