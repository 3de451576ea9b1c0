#include "adapters/io/reactor.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace cellroute::io {
namespace {

constexpr std::size_t events_a_batch = 256;
constexpr duration turn_max = 5ms;  // then Asio gets its turn, even if the set never runs dry
constexpr int patience_ms = 1;      // how long a set that ran dry is waited on before Asio gets its turn

std::uint64_t event_key(int descriptor, std::uint32_t life) {
  return static_cast<std::uint64_t>(life) << 32 | static_cast<std::uint32_t>(descriptor);
}

int make_epoll() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) {
    std::perror("cellroute: epoll_create1");
    std::exit(EXIT_FAILURE);
  }
  return descriptor;
}

root_task run_as_root(task<void> work) { co_await work; }

}  // namespace

void root_task::promise_type::final_awaiter::await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
  promise_type& p = done.promise();
  p.previous->next = p.next;
  p.next->previous = p.previous;
  --p.owner->running_;
  done.destroy();
}

reactor::reactor()
    : clock_(read_clock()),
      context_(1),
      epoll_(make_epoll()),
      epoll_in_context_(context_, epoll_),
      tick_timer_(context_),
      wheel_(clock_.now) {}

reactor::~reactor() { epoll_in_context_.close(); }

void reactor::destroy_spawned() {
  while (roots_.next != &roots_) {
    auto& promise = static_cast<root_task::promise_type&>(*roots_.next);
    promise.previous->next = promise.next;
    promise.next->previous = promise.previous;
    std::coroutine_handle<root_task::promise_type>::from_promise(promise).destroy();
    --running_;
  }
}

void reactor::spawn(root_task work) {
  const std::coroutine_handle<root_task::promise_type> frame = std::exchange(work.frame_, nullptr);
  root_task::promise_type& promise = frame.promise();
  promise.owner = this;
  promise.next = roots_.next;
  promise.previous = &roots_;
  roots_.next->previous = &promise;
  roots_.next = &promise;
  ++running_;
  frame.resume();
}

void reactor::spawn(task<void> work) { spawn(run_as_root(std::move(work))); }

int reactor::add(int descriptor, registered& owner, bool with_room) {
  const std::size_t block = static_cast<std::size_t>(descriptor) / slots_a_block;
  while (slots_.size() <= block) slots_.push_back(std::make_unique<std::array<slot, slots_a_block>>());
  slot& s = slot_of(descriptor);
  ++s.life;
  if (const int error = control(EPOLL_CTL_ADD, descriptor, with_room); error != 0) return error;
  s.owner = &owner;
  return 0;
}

int reactor::watch_room(int descriptor) { return control(EPOLL_CTL_MOD, descriptor, true); }

int reactor::control(int operation, int descriptor, bool with_room) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (with_room ? EPOLLOUT : 0u);
  event.data.u64 = event_key(descriptor, slot_of(descriptor).life);
  return epoll_ctl(epoll_, operation, descriptor, &event) != 0 ? errno : 0;
}

void reactor::remove(int descriptor) {
  // Closing the descriptor takes it out of the set; what was fetched already is told apart by `life`.
  slot_of(descriptor).owner = nullptr;
}

void reactor::run() {
  const frame_pool::scope frames(frames_);
  clock_.read();
  start_tick();
  wait_for_events();
  context_.run();
  destroy_spawned();
}

void reactor::stop() { context_.stop(); }

void reactor::wait_for_events() {
  epoll_in_context_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    drain_events();
    wait_for_events();
  });
}

void reactor::drain_events() {
  // Going back to Asio costs three more system calls than waiting here, and under load the next event is never far.
  // So what Asio carries (posts, ticks) may come up to `turn_max` late.
  std::array<epoll_event, events_a_batch> events;
  time_point turn_end = time_point::max();
  int timeout_ms = 0;
  is_draining_ = true;
  do {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), turns_.empty() ? timeout_ms : 0);
    if (count <= 0 && turns_.empty()) break;
    clock_.read();
    if (turn_end == time_point::max()) turn_end = clock_.now + turn_max;
    timeout_ms = patience_ms;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
      const slot& s = slot_of(static_cast<int>(static_cast<std::uint32_t>(key)));
      if (s.owner == nullptr || s.life != static_cast<std::uint32_t>(key >> 32)) continue;
      s.owner->on_events(events[static_cast<std::size_t>(i)].events);
    }
    take_turns();
  } while (clock_.now < turn_end);
  is_draining_ = false;
  if (!turns_.empty()) post([this] { drain_events(); });
}

void reactor::queue_turn(std::coroutine_handle<> waiting) {
  if (turns_.empty() && !is_draining_) post([this] { drain_events(); });
  turns_.push_back(waiting);
}

void reactor::take_turns() {
  std::swap(turns_, taken_turns_);
  for (const std::coroutine_handle<> waiting : taken_turns_) waiting.resume();
  taken_turns_.clear();
}

void reactor::start_tick() {
  tick_timer_.expires_after(timer_wheel::tick);
  tick_timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    clock_.read();
    wheel_.sweep(clock_.now);
    for (std::size_t i = 0; i < tick_listeners_.size(); ++i) tick_listeners_[i]->on_tick(clock_.now);
    start_tick();
  });
}

}  // namespace cellroute::io
