#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "adapters/io/frame_pool.hpp"

namespace cellroute::io {

template <class T>
class task;

namespace detail {

/// What the promises of all coroutines here share: frames from the reactor's free lists, and no way for an exception
/// out.
struct promise_memory {
  static void* operator new(std::size_t size) { return frame_pool::allocate(size); }  // allow: new: the pool
  static void operator delete(void* frame, std::size_t size) {                        // allow: delete: the pool
    frame_pool::deallocate(frame, size);
  }
  [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
};

struct promise_base : promise_memory {
  std::coroutine_handle<> awaiting = std::noop_coroutine();

  struct final_awaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      return done.promise().awaiting;
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }
};

template <class T>
struct promise : promise_base {
  std::optional<T> result;
  task<T> get_return_object() noexcept;
  void return_value(T value) { result.emplace(std::move(value)); }
};

template <>
struct promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
};

}  // namespace detail

/// A coroutine that runs when it is awaited, and hands its result to the one coroutine that awaits it.
///
/// Errors are values: an exception that leaves a task ends the process. Destroying a task that waits destroys its
/// frame, so whatever it waits on must forget it (every awaitable here does).
///
/// Threads: one reactor's. Cost: one frame from a free list, no allocation in steady state.
template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  task& operator=(task&&) = delete;
  ~task() {
    if (frame_) frame_.destroy();
  }

  struct awaiter {
    std::coroutine_handle<promise_type> frame;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
      frame.promise().awaiting = awaiting;
      return frame;
    }
    T await_resume() const {
      if constexpr (!std::is_void_v<T>) return std::move(*frame.promise().result);
    }
  };
  awaiter operator co_await() const& noexcept { return awaiter{frame_}; }
  awaiter operator co_await() const&& noexcept { return awaiter{frame_}; }

 private:
  friend promise_type;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

/// A child of `join`: starts at once, and the last one to end wakes the parent.
struct join_child {
  struct promise_type : promise_memory {
    std::coroutine_handle<> parent = std::noop_coroutine();
    std::size_t* running = nullptr;

    struct final_awaiter {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
        promise_type& p = done.promise();
        return --*p.running == 0 ? p.parent : std::noop_coroutine();
      }
      void await_resume() const noexcept {}
    };

    join_child get_return_object() noexcept {
      return join_child{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
  };

  explicit join_child(std::coroutine_handle<promise_type> f) : frame(f) {}
  join_child(join_child&& other) noexcept : frame(std::exchange(other.frame, nullptr)) {}
  join_child(const join_child&) = delete;
  join_child& operator=(const join_child&) = delete;
  join_child& operator=(join_child&&) = delete;
  ~join_child() {
    if (frame) frame.destroy();
  }
  std::coroutine_handle<promise_type> frame;
};

inline join_child run_child(task<void> work) { co_await work; }

struct join_awaiter {
  join_child first;
  join_child second;
  std::size_t running = 3;  // two children and the parent, which must not be woken before it sleeps

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) {
    for (join_child* child : {&first, &second}) {
      child->frame.promise().parent = parent;
      child->frame.promise().running = &running;
      child->frame.resume();
    }
    return --running != 0;
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

/// Runs both to their ends, in one thread, in turns; goes on when both are done.
inline task<void> join(task<void> first, task<void> second) {
  detail::join_awaiter both{detail::run_child(std::move(first)), detail::run_child(std::move(second))};
  co_await both;
}

}  // namespace cellroute::io
