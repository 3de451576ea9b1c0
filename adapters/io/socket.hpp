#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
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

class tls_session;
struct tls_session_releaser {
  void operator()(tls_session* session) const;
};
using tls_session_handle = std::unique_ptr<tls_session, tls_session_releaser>;

/// A connected, non-blocking stream socket in a reactor's set.
///
/// The rule of use: try first, wait only when told `would_block`. Readiness is a flag that the kernel sets by an edge
/// and that a short read clears, so a message costs one `recv` and one `send`. One reader and one writer may wait at a
/// time, each under a deadline of its own.
///
/// It may be secure: then a TLS session stands behind the same calls, and `accept_tls` or `connect_tls` has put it
/// there. What that costs a plain socket is one pointer, and one branch a call.
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

  /// Reads what is there. `end`: the peer has closed, and on a secure socket it has said so, else that is a `reset`.
  /// Cost: one call, none if known to be drained.
  [[nodiscard]] io_result try_read(std::span<char> into);
  /// Writes what fits. Cost: one call, none if known to be full. After `would_block` a secure socket wants the same
  /// bytes again, more may follow them.
  [[nodiscard]] io_result try_write(std::span<const char> bytes, bool more_follows = false);

  /// Moves what is there into an empty pipe, at most so many bytes; otherwise as `try_read`. Not for secure sockets.
  [[nodiscard]] io_result try_read(pipe& into, std::size_t size_bytes);
  /// Moves what the pipe holds to the peer, as much as it takes. Not for secure sockets.
  [[nodiscard]] io_result try_write(pipe& from, bool more_follows);

  /// Looks at what is there and leaves it, before anything is read. Not for secure sockets. Cost: one call.
  [[nodiscard]] io_result try_peek(std::span<char> into);

  /// Tells the peer that nothing follows. A secure socket may have to wait with that until it is writable, and does so
  /// by itself while it is open: `is_sending_end` tells.
  void shutdown_send();
  [[nodiscard]] bool is_sending_end() const { return end_waits_; }

  /// Puts a TLS session behind the calls, which holds this socket, or takes it away.
  void begin_tls(std::unique_ptr<tls_session> session);
  void end_tls();
  [[nodiscard]] bool is_secure() const { return tls_ != nullptr; }
  [[nodiscard]] tls_session* tls() const { return tls_.get(); }

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
  /// Bytes or an end have come since the last read that drained the socket. Cost: that of `has_unread` where it is
  /// secure, since not all that comes then is for us.
  [[nodiscard]] bool has_news() { return is_secure() ? has_unread() : readable_; }

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
  friend tls_session;
  [[nodiscard]] io_result read_plain(std::span<char> into);
  [[nodiscard]] io_result write_plain(std::span<const char> bytes, bool more_follows);
  [[nodiscard]] io_result note_full();
  [[nodiscard]] bool can_read() const { return tls_ == nullptr ? readable_ : can_read_secure(); }
  [[nodiscard]] bool can_write() const { return tls_ == nullptr ? writable_ : can_write_secure(); }
  [[nodiscard]] bool can_read_secure() const;
  [[nodiscard]] bool can_write_secure() const;
  void wake_writer_that_reads();

  /// One direction's waiter, and its deadline.
  struct wait_state : deadline_entry {
    wait_state() : deadline_entry(&wait_state::expired) {}
    static void expired(deadline_entry& entry) {
      auto& state = static_cast<wait_state&>(entry);
      if (state.waiting) state.timed_out = true;
      state.wake();
    }
    void wake();

    bool timed_out = false;  // first: there is room for it behind the deadline
    std::coroutine_handle<> waiting;
  };
  reactor* reactor_;
  hangup_watcher* watcher_ = nullptr;
  wait_state read_;
  wait_state write_;
  tls_session_handle tls_;
  int descriptor_ = -1;
  bool readable_ = false;
  bool writable_ = false;
  bool hears_of_room_ = false;  // the reactor tells when there is some again
  bool peer_closed_ = false;
  bool broken_ = false;
  bool cancelled_ = false;
  bool read_cancelled_ = false;
  bool half_close_ = false;
  bool end_waits_ = false;  // the announcement of our end has not gone out yet
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
    if (of.is_secure() && &state == &of.read_) of.wake_writer_that_reads();
  }
  [[nodiscard]] io_status await_resume() const {
    const bool timed_out = std::exchange(state.timed_out, false);
    return is_cancelled() ? io_status::cancelled : timed_out ? io_status::timed_out : io_status::ok;
  }
};

inline socket::wait_awaiter socket::readable(time_point deadline) { return {*this, read_, can_read(), deadline}; }
inline socket::wait_awaiter socket::writable(time_point deadline) { return {*this, write_, can_write(), deadline}; }

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

/// When a peer that does not answer at all is gone: it vanished without a word, or the network between did.
struct vanish_times {
  std::chrono::seconds quiet{10};       ///< after so long without a byte it is asked
  std::chrono::seconds again{5};        ///< and asked again
  int asks = 3;                         ///< without an answer it is gone: 25 s
  std::chrono::seconds unanswered{25};  ///< the same for bytes that were sent and not confirmed
};
/// The kernel looks whether a connection's peer is still there, and ends it with an error (`ETIMEDOUT`) where it is
/// not. Of a listener: for each that it accepts. Best effort. Source: tcp(7).
void notice_vanished(int descriptor, const vanish_times& times = {});

/// The user of the process at the other end of a local connection, as of when it connected; nothing where that is none.
/// Source: unix(7).
[[nodiscard]] std::optional<std::uint32_t> peer_user(int descriptor);

struct accepted {
  int descriptor = -1;
  socket_address peer;
};
/// Takes a connection off the backlog, non-blocking and without delay. Errors: errno (`EAGAIN`: none waits).
[[nodiscard]] expected<accepted, int> accept_connection(int listener);
/// Whether a connection waits to be taken. Cost: a twelfth of an `accept_connection` that finds none, since the kernel
/// makes a whole socket before it looks.
[[nodiscard]] bool has_waiting_connection(int listener);

}  // namespace cellroute::io
