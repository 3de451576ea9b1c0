#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "adapters/io/address.hpp"
#include "adapters/io/reactor.hpp"
#include "cellroute/base/expected.hpp"

namespace cellroute::io {

/// How an operation on a socket went. `would_block` comes from the `try_` calls only, `timed_out` and `cancelled` from
/// waits only.
enum class io_status : std::uint8_t { ok, would_block, end, reset, timed_out, cancelled };

struct io_result {
  io_status status = io_status::ok;
  std::size_t size_bytes = 0;
};

/// Told once when the peer has closed its sending side, or the connection broke, while nobody reads.
class hangup_watcher {
 public:
  virtual void on_hangup() = 0;

 protected:
  ~hangup_watcher() = default;
};

/// A connected, non-blocking stream socket in a reactor's set.
///
/// The rule of use: try first, wait only when told `would_block`. Readiness is a flag that the kernel sets by an edge
/// and that a short read clears, so a message costs one `recv` and one `send`. One reader and one writer may wait at a
/// time, each under a deadline of its own.
///
/// Threads: the reactor's. Must not move: the reactor knows its place.
class socket final : public registered {
 public:
  explicit socket(reactor& owner) : reactor_(&owner) {}
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  ~socket() { close(); }

  /// Takes a descriptor that is non-blocking already; one still `connecting` is writable when that has ended. Errors:
  /// errno of the registration; the descriptor is then closed.
  [[nodiscard]] int open(int descriptor, bool connecting = false);
  void close();
  /// Closes so that the peer sees a reset instead of an orderly end.
  void close_with_reset();
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Reads what is there. `end`: the peer has closed. Cost: one call, none if known to be drained.
  [[nodiscard]] io_result try_read(std::span<char> into);
  /// Writes what fits. Cost: one call, none if known to be full.
  [[nodiscard]] io_result try_write(std::span<const char> bytes, bool more_follows = false);

  /// Moves what is there into an empty pipe, at most so many bytes; otherwise as `try_read`.
  [[nodiscard]] io_result try_read(pipe& into, std::size_t size_bytes);
  /// Moves what the pipe holds to the peer, as much as it takes.
  [[nodiscard]] io_result try_write(pipe& from, bool more_follows);

  /// Tells the peer that nothing follows.
  void shutdown_send();

  struct wait_awaiter;
  /// Waits until `try_read` is worth a call. Ends with `ok`, `timed_out` or `cancelled`.
  [[nodiscard]] wait_awaiter readable(time_point deadline = time_point::max());
  /// Waits until `try_write` is worth a call. Ends like `readable`.
  [[nodiscard]] wait_awaiter writable(time_point deadline = time_point::max());

  /// Gives a reader that waits another deadline; nothing where none waits.
  void move_read_deadline(time_point deadline) {
    if (read_.waiting) reactor_->wheel().arm(read_, deadline);
  }

  /// Wakes whoever waits, with `cancelled`; waits begun later end so at once. The socket can only be closed after that.
  void cancel();
  /// Ends waits begun later as `cancel` does, and leaves the present ones alone.
  void refuse_waits() { cancelled_ = true; }
  /// As `cancel`, for the reading side alone; `allow_read` takes it back.
  void cancel_read();
  void allow_read() { read_cancelled_ = false; }
  [[nodiscard]] bool is_cancelled() const { return cancelled_; }

  /// The peer closed its sending side or the connection broke, as far as the kernel has said; bytes may still be there.
  [[nodiscard]] bool peer_closed() const { return peer_closed_ || broken_; }
  [[nodiscard]] bool is_broken() const { return broken_; }
  /// Bytes or an end have come since the last read that drained the socket.
  [[nodiscard]] bool has_news() const { return readable_; }

  /// Asks the kernel whether anything waits to be read, an end included, where the last read did not tell. Cost: a call
  /// then.
  [[nodiscard]] bool has_unread();

  /// As `has_unread`, whatever the reactor knows: an end may have come since it last looked. Cost: a call.
  [[nodiscard]] bool has_news_now();

  /// For listeners, whose readiness no read clears: there is no more; or ask again although no edge has come.
  void forget_readable() { readable_ = false; }
  void pretend_readable();

  /// Has `watcher` told of the peer's closing; with `half_close` only of a broken connection, since then a peer that
  /// has ended its sending side may still read. Null ends that. Not told of what was before: see `peer_closed`.
  void watch_hangup(hangup_watcher* watcher, bool half_close = false) {
    watcher_ = watcher;
    half_close_ = half_close;
  }

  void on_events(std::uint32_t events) override;
  [[nodiscard]] reactor& owner() const { return *reactor_; }

 private:
  /// One direction's waiter, and its deadline.
  struct wait_state : deadline_entry {
    wait_state() : deadline_entry(&wait_state::expired) {}
    static void expired(deadline_entry& entry) {
      auto& state = static_cast<wait_state&>(entry);
      if (state.waiting) state.timed_out = true;
      state.wake();
    }
    void wake();

    std::coroutine_handle<> waiting;
    bool timed_out = false;
  };
  reactor* reactor_;
  hangup_watcher* watcher_ = nullptr;
  wait_state read_;
  wait_state write_;
  int descriptor_ = -1;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_closed_ = false;
  bool broken_ = false;
  bool cancelled_ = false;
  bool read_cancelled_ = false;
  bool half_close_ = false;
};

struct socket::wait_awaiter {
  socket& of;
  wait_state& state;
  bool ready;
  time_point deadline;

  [[nodiscard]] bool is_cancelled() const noexcept {
    return of.cancelled_ || (of.read_cancelled_ && &state == &of.read_);
  }
  [[nodiscard]] bool await_ready() const noexcept { return ready || is_cancelled(); }
  void await_suspend(std::coroutine_handle<> waiting) const {
    state.waiting = waiting;
    if (deadline != time_point::max()) of.reactor_->wheel().arm(state, deadline);
  }
  [[nodiscard]] io_status await_resume() const {
    const bool timed_out = std::exchange(state.timed_out, false);
    return is_cancelled() ? io_status::cancelled : timed_out ? io_status::timed_out : io_status::ok;
  }
};

inline socket::wait_awaiter socket::readable(time_point deadline) { return {*this, read_, readable_, deadline}; }
inline socket::wait_awaiter socket::writable(time_point deadline) { return {*this, write_, writable_, deadline}; }

/// A listening socket. Range: `backlog` as of listen(2).
struct listen_options {
  bool reuse_port = true;  ///< several reactors listen on one address and the kernel spreads connections
  int backlog = 4096;
};
/// Opens a listening descriptor, non-blocking. Errors: errno.
[[nodiscard]] expected<int, int> open_listener(const socket_address& address, const listen_options& options);
/// The local address of a descriptor; for listeners on port 0.
[[nodiscard]] socket_address local_address(int descriptor);
/// Starts a connection; ends when `writable` does. Errors: errno, `EINPROGRESS` is none.
[[nodiscard]] expected<int, int> start_connect(const socket_address& address);
/// What became of it. Returns errno, 0 is success.
[[nodiscard]] int connect_outcome(int descriptor);

struct accepted {
  int descriptor = -1;
  socket_address peer;
};
/// Takes a connection off the backlog, non-blocking and without delay. Errors: errno (`EAGAIN`: none waits).
[[nodiscard]] expected<accepted, int> accept_connection(int listener);

}  // namespace cellroute::io
