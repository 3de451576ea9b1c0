#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/io/buffer.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/io/frame_pool.hpp"
#include "adapters/io/pipe.hpp"
#include "adapters/io/task.hpp"
#include "adapters/io/timer_wheel.hpp"

namespace cellroute::io {

/// Something whose descriptor is in a reactor's epoll set.
class registered {
 public:
  /// Readiness changed: `events` are the kernel's. May destroy this object.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  registered() = default;
  registered(const registered&) = default;
  registered& operator=(const registered&) = default;
  ~registered() = default;
};

/// Something called once a tick, on the reactor's thread.
class tick_listener {
 public:
  virtual void on_tick(time_point now) = 0;

 protected:
  ~tick_listener() = default;
};

class reactor;

namespace detail {
struct root_links {
  root_links* next = this;
  root_links* previous = this;
};
}  // namespace detail

/// A coroutine that nobody awaits: a reactor owns it, from `spawn` to its end. It destroys itself then.
class root_task {
 public:
  struct promise_type : detail::promise_memory, detail::root_links {
    reactor* owner = nullptr;
    struct final_awaiter {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> done) const noexcept;
      void await_resume() const noexcept {}
    };
    root_task get_return_object() noexcept {
      return root_task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
  };

  root_task(root_task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  root_task(const root_task&) = delete;
  root_task& operator=(const root_task&) = delete;
  root_task& operator=(root_task&&) = delete;
  ~root_task() {
    if (frame_) frame_.destroy();
  }

 private:
  friend reactor;
  explicit root_task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

/// One core's event loop: an edge-triggered epoll set nested in a single-threaded `io_context`, with this core's
/// buffers, frames and deadlines.
///
/// Why nested: the data path waits only in its own set, where a descriptor is registered once and readiness is a flag;
/// Asio's own operations try again after every short read and cost 1.0 to 1.6 more calls a request. Asio keeps what is
/// not per request: posts from other threads, timers, signals.
///
/// Threads: one owner, but `post` and `stop`, which any thread may call.
class reactor {
 public:
  reactor();
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  ~reactor();

  /// Runs until `stop`. Coroutines of `spawn` that still wait then are destroyed before it returns.
  void run();
  void stop();

  /// Has `work` run on the reactor's thread, within a few milliseconds.
  template <class Work>
  void post(Work work) {
    asio::post(context_, std::move(work));
  }

  /// Starts a coroutine that belongs to this reactor and ends when it likes.
  void spawn(root_task work);
  void spawn(task<void> work);

  /// Destroys the coroutines of `spawn` that still wait. For whoever spawned some and never came to run.
  void destroy_spawned();

  [[nodiscard]] const loop_clock& clock() const { return clock_; }
  [[nodiscard]] time_point now() const { return clock_.now; }
  [[nodiscard]] timer_wheel& wheel() { return wheel_; }
  [[nodiscard]] buffer_pool& buffers() { return buffers_; }
  [[nodiscard]] pipe_pool& pipes() { return pipes_; }
  [[nodiscard]] asio::io_context& context() { return context_; }

  void add_tick_listener(tick_listener& listener) { tick_listeners_.push_back(&listener); }
  void remove_tick_listener(tick_listener& listener) { std::erase(tick_listeners_, &listener); }

  /// Puts a descriptor into the set, edge-triggered, for its whole life. Returns errno, or 0.
  ///
  /// Of room for writing its owner hears only if asked for here, or from `watch_room` on: a socket that has just been
  /// accepted has room, and most never fill it.
  [[nodiscard]] int add(int descriptor, registered& owner, bool with_room = false);
  /// The same descriptor, with room; also of room that is there already. Returns errno, or 0.
  [[nodiscard]] int watch_room(int descriptor);
  /// Forgets a descriptor; to be called before it is closed. Events already fetched for it are not delivered.
  void remove(int descriptor);

  /// Counts the owners a descriptor has had, the present one included; a change tells that one has gone.
  [[nodiscard]] std::uint32_t life_of(int descriptor) const {
    const slot& s = slot_of(descriptor);
    return s.owner == nullptr ? 0 : s.life;
  }

  /// Awaited, lets all others that can go on do so first. For loops that might never wait: a peer that always has more
  /// to say must not keep the reactor to itself, and a build without tail calls must not run out of stack.
  struct turn_awaiter {
    reactor& owner;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { owner.queue_turn(waiting); }
    void await_resume() const noexcept {}
  };
  [[nodiscard]] turn_awaiter turn() { return turn_awaiter{*this}; }

  /// Coroutines started by `spawn` that have not ended.
  [[nodiscard]] std::size_t running_count() const { return running_; }

 private:
  struct slot {
    registered* owner = nullptr;
    std::uint32_t life = 0;  // counts owners, so that an event meant for an earlier one is recognised
  };

  static constexpr std::size_t slots_a_block = 256;
  [[nodiscard]] slot& slot_of(int descriptor) const {
    const auto index = static_cast<std::size_t>(descriptor);
    return (*slots_[index / slots_a_block])[index % slots_a_block];
  }

  [[nodiscard]] int control(int operation, int descriptor, bool with_room);
  void wait_for_events();
  void drain_events();
  void queue_turn(std::coroutine_handle<> waiting);
  void take_turns();
  void start_tick();

  loop_clock clock_;
  frame_pool frames_;
  buffer_pool buffers_;
  pipe_pool pipes_;
  asio::io_context context_;
  int epoll_ = -1;
  asio::posix::stream_descriptor epoll_in_context_;
  asio::steady_timer tick_timer_;
  timer_wheel wheel_;
  // By descriptor, in blocks that never move: a table that doubles would cost every idle connection a few bytes.
  std::vector<std::unique_ptr<std::array<slot, slots_a_block>>> slots_;
  std::vector<tick_listener*> tick_listeners_;
  friend root_task::promise_type::final_awaiter;
  detail::root_links roots_;
  std::size_t running_ = 0;
  std::vector<std::coroutine_handle<>> turns_;
  std::vector<std::coroutine_handle<>> taken_turns_;
  bool is_draining_ = false;
};

}  // namespace cellroute::io
