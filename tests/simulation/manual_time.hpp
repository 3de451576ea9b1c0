#pragma once

#include <algorithm>
#include <coroutine>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/edge/exchange.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/io/task.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::simulation {

class wait_point;

/// A clock that moves only by `advance`, and whoever waits for it.
class manual_time {
 public:
  io::loop_clock clock{time_point(1h), wall_time(1'800'000'000s)};

  /// Lets time pass. Waits end in the order of their deadlines, each at its own instant; a deadline that lies in the
  /// past ends at once.
  void advance(duration by);

  /// The next deadline, if anything waits under one.
  [[nodiscard]] std::optional<time_point> next_deadline() const;

 private:
  friend wait_point;
  std::vector<wait_point*> waiting_;
};

/// A place where one coroutine waits for somebody or for a deadline.
class wait_point {
 public:
  explicit wait_point(manual_time& time) : time_(time) {}
  wait_point(const wait_point&) = delete;
  wait_point& operator=(const wait_point&) = delete;
  ~wait_point() { std::erase(time_.waiting_, this); }

  struct awaiter {
    wait_point& at;
    time_point deadline;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const {
      at.coroutine_ = waiting;
      at.deadline_ = deadline;
      at.time_.waiting_.push_back(&at);
    }
    /// True: woken; false: the deadline came.
    [[nodiscard]] bool await_resume() const noexcept { return !std::exchange(at.late_, false); }
  };
  [[nodiscard]] awaiter until(time_point deadline) { return {*this, deadline}; }

  void wake() { end(false); }
  /// Another deadline for whoever waits; nothing where nobody does.
  void move_deadline(time_point deadline) { deadline_ = deadline; }
  [[nodiscard]] bool is_waiting() const { return coroutine_ != nullptr; }

 private:
  friend manual_time;
  void end(bool late) {
    if (!coroutine_) return;
    late_ = late;
    std::erase(time_.waiting_, this);
    std::exchange(coroutine_, nullptr).resume();
  }

  manual_time& time_;
  std::coroutine_handle<> coroutine_;
  time_point deadline_;
  bool late_ = false;
};

inline std::optional<time_point> manual_time::next_deadline() const {
  if (waiting_.empty()) return std::nullopt;
  const time_point next = (*std::ranges::min_element(waiting_, {}, &wait_point::deadline_))->deadline_;
  return next == time_point::max() ? std::nullopt : std::optional(next);
}

inline void manual_time::advance(duration by) {
  const time_point until = clock.now + by;
  const auto pass_to = [this](time_point at) {
    if (at <= clock.now) return;
    clock.wall += at - clock.now;
    clock.now = at;
  };
  while (!waiting_.empty()) {
    wait_point& next = **std::ranges::min_element(waiting_, {}, &wait_point::deadline_);
    if (next.deadline_ > until) break;
    pass_to(next.deadline_);
    next.end(true);
  }
  pass_to(until);
}

/// A coroutine that runs by itself, as a session does; ends with this object.
class session {
 public:
  struct promise_type {
    session get_return_object() { return session(std::coroutine_handle<promise_type>::from_promise(*this)); }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };

  static session start(io::task<void> work) { co_await work; }

  session(session&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  session& operator=(session&&) = delete;
  ~session() {
    if (frame_) frame_.destroy();
  }
  [[nodiscard]] bool is_done() const { return frame_.done(); }

 private:
  explicit session(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

}  // namespace cellroute::simulation
