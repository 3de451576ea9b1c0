#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/io/reactor.hpp"
#include "adapters/io/socket.hpp"
#include "adapters/io/task.hpp"

namespace cellroute::support {

/// A coroutine that runs by itself, and ends with this object if it has not before.
class started_coroutine {
 public:
  struct promise_type {
    started_coroutine get_return_object() {
      return started_coroutine(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  explicit started_coroutine(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  started_coroutine(started_coroutine&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  started_coroutine(const started_coroutine&) = delete;
  started_coroutine& operator=(const started_coroutine&) = delete;
  started_coroutine& operator=(started_coroutine&&) = delete;
  ~started_coroutine() {
    if (frame_) frame_.destroy();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

/// An awaitable, started at once; `result` is empty while it waits.
template <class T>
class started {
 public:
  template <class Awaitable>
  explicit started(Awaitable work) : coroutine_(run(std::move(work), result)) {}
  started(const started&) = delete;
  started& operator=(const started&) = delete;

  std::optional<T> result;

 private:
  template <class Awaitable>
  static started_coroutine run(Awaitable work, std::optional<T>& to) {
    to = co_await work;
  }
  started_coroutine coroutine_;
};

/// A socket of ours and the bare descriptor of its peer. The reactor does not run: tests say which events come, so that
/// an edge that is late, early or stale is a line of the test.
class socket_pair {
 public:
  explicit socket_pair(io::reactor& reactor) : ours(reactor) {
    std::array<int, 2> descriptors{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, descriptors.data()) != 0) std::terminate();
    if (ours.open(descriptors[0]) != 0) std::terminate();
    peer_ = descriptors[1];
  }
  socket_pair(const socket_pair&) = delete;
  socket_pair& operator=(const socket_pair&) = delete;
  ~socket_pair() { close_peer(); }

  io::socket ours;

  /// What the kernel would report now.
  void becomes_readable() { ours.on_events(EPOLLIN); }
  void becomes_writable() { ours.on_events(EPOLLOUT); }
  void peer_hangs_up() { ours.on_events(EPOLLIN | EPOLLRDHUP); }
  void breaks() { ours.on_events(EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR); }

  void peer_writes(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(peer_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) std::terminate();
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// For a peer of another kind; it stays with the pair.
  [[nodiscard]] int peer_descriptor() const { return peer_; }
  void peer_ends() { (void)::shutdown(peer_, SHUT_WR); }
  void close_peer() {
    if (peer_ >= 0) ::close(peer_);
    peer_ = -1;
  }

  /// Everything that has reached the peer since it last looked.
  std::string peer_reads() {
    std::string text;
    std::array<char, 65536> block;
    for (;;) {
      const ssize_t got = ::recv(peer_, block.data(), block.size(), 0);
      if (got == 0) peer_saw_end_ = true;
      if (got <= 0) return text;
      text.append(block.data(), static_cast<std::size_t>(got));
    }
  }
  /// Whether `peer_reads` came to an orderly end.
  [[nodiscard]] bool peer_saw_end() const { return peer_saw_end_; }

  /// Makes the kernel's buffers as small as they get, so that a few kilobytes fill them.
  void make_narrow() {
    const int bytes = 1;
    (void)::setsockopt(ours.descriptor(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)::setsockopt(peer_, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  }

 private:
  int peer_ = -1;
  bool peer_saw_end_ = false;
};

}  // namespace cellroute::support
