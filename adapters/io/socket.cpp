#include "adapters/io/socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "adapters/io/tls_session.hpp"

namespace cellroute::io {
namespace {

void set_no_delay(int descriptor) {
  const int on = 1;
  (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

int socket::open(int descriptor, bool connecting) {
  descriptor_ = descriptor;
  readable_ = writable_ = !connecting;  // not known: the first try finds out
  hears_of_room_ = connecting;
  peer_closed_ = broken_ = cancelled_ = read_cancelled_ = end_waits_ = false;
  const int error = reactor_->add(descriptor, *this, connecting);
  if (error != 0) {
    ::close(descriptor);
    descriptor_ = -1;
  }
  return error;
}

void socket::close() {
  if (descriptor_ < 0) return;
  end_tls();
  reactor_->remove(descriptor_);
  ::close(descriptor_);
  descriptor_ = -1;
  read_.disarm();
  write_.disarm();
}

void socket::close_with_reset() {
  if (descriptor_ < 0) return;
  const linger at_once{1, 0};
  (void)setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

io_result socket::try_read(std::span<char> into) {
  if (tls_ != nullptr) [[unlikely]]
    return tls_->read(into);
  return read_plain(into);
}

io_result socket::try_write(std::span<const char> bytes, bool more_follows) {
  if (tls_ != nullptr) [[unlikely]]
    return tls_->write(bytes, more_follows);
  return write_plain(bytes, more_follows);
}

io_result socket::read_plain(std::span<char> into) {
  if (!readable_) return {io_status::would_block, 0};
  for (;;) {
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), 0);
    if (got > 0) {
      const auto size_bytes = static_cast<std::size_t>(got);
      // A short read has drained the socket; the next edge says when there is more. Not so once the end is announced:
      // no further edge comes for it.
      if (size_bytes < into.size() && !peer_closed_ && !broken_) readable_ = false;
      return {io_status::ok, size_bytes};
    }
    if (got == 0) return {io_status::end, 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      readable_ = false;
      return {io_status::would_block, 0};
    }
    return {io_status::reset, 0};
  }
}

/// The kernel takes no more for now. Most connections never come here.
io_result socket::note_full() {
  writable_ = false;
  if (!std::exchange(hears_of_room_, true) && reactor_->watch_room(descriptor_) != 0) return {io_status::reset, 0};
  return {io_status::would_block, 0};
}

io_result socket::write_plain(std::span<const char> bytes, bool more_follows) {
  if (!writable_) return {io_status::would_block, 0};
  for (;;) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));
    if (sent >= 0) return {io_status::ok, static_cast<std::size_t>(sent)};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return note_full();
    }
    return {io_status::reset, 0};
  }
}

io_result socket::try_peek(std::span<char> into) {
  assert(!is_secure());
  if (!readable_) return {io_status::would_block, 0};
  for (;;) {
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), MSG_PEEK);
    if (got > 0) return {io_status::ok, static_cast<std::size_t>(got)};
    if (got == 0) return {io_status::end, 0};
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return {io_status::reset, 0};
    readable_ = false;
    return {io_status::would_block, 0};
  }
}

io_result socket::try_read(pipe& into, std::size_t size_bytes) {
  assert(!is_secure());
  if (!readable_) return {io_status::would_block, 0};
  for (;;) {
    const ssize_t got =
        ::splice(descriptor_, nullptr, into.write_end, nullptr, size_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got > 0) {
      into.held_bytes += static_cast<std::size_t>(got);
      return {io_status::ok, static_cast<std::size_t>(got)};
    }
    if (got == 0) return {io_status::end, 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      readable_ = false;
      return {io_status::would_block, 0};
    }
    return {io_status::reset, 0};
  }
}

io_result socket::try_write(pipe& from, bool more_follows) {
  assert(!is_secure());
  if (is_secure()) return {io_status::reset, 0};  // nothing goes out in plain, whoever is wrong
  if (!writable_) return {io_status::would_block, 0};
  const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more_follows ? SPLICE_F_MORE : 0u);
  for (;;) {
    const ssize_t sent = ::splice(from.read_end, nullptr, descriptor_, nullptr, from.held_bytes, flags);
    if (sent > 0) {
      from.held_bytes -= static_cast<std::size_t>(sent);
      return {io_status::ok, static_cast<std::size_t>(sent)};
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      return note_full();
    }
    return {io_status::reset, 0};
  }
}

void socket::shutdown_send() {
  if (descriptor_ < 0) return;
  end_waits_ = is_secure() && !tls_->send_end();
  if (!end_waits_) (void)::shutdown(descriptor_, SHUT_WR);
}

void socket::begin_tls(std::unique_ptr<tls_session> session) { tls_.reset(session.release()); }

void socket::end_tls() {
  tls_.reset();
  end_waits_ = false;
}

bool socket::can_read_secure() const { return tls_->can_read(); }
bool socket::can_write_secure() const { return tls_->can_write(); }

/// A writer that has to read first is helped on by whoever reads meanwhile: no edge will come for it.
void socket::wake_writer_that_reads() {
  if (write_.waiting && !tls_->write_wants_read() && writable_) write_.wake();
}

void socket::wait_state::wake() {
  if (!waiting) return;
  disarm();
  std::exchange(waiting, nullptr).resume();
}

void socket::cancel() {
  cancelled_ = true;
  // Each wake may destroy this socket, so both waiters are taken before either runs.
  const std::coroutine_handle<> reader = std::exchange(read_.waiting, nullptr);
  const std::coroutine_handle<> writer = std::exchange(write_.waiting, nullptr);
  read_.disarm();
  write_.disarm();
  if (reader) reader.resume();
  if (writer) writer.resume();
}

void socket::cancel_read() {
  read_cancelled_ = true;
  read_.wake();
}

void socket::on_events(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) broken_ = true;
  if ((events & EPOLLRDHUP) != 0) peer_closed_ = true;
  const bool hung_up = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if ((events & EPOLLIN) != 0 || hung_up) readable_ = true;
  if ((events & EPOLLOUT) != 0 || broken_) writable_ = true;

  if (end_waits_ && writable_) shutdown_send();

  // Whoever is woken may destroy this socket. The reactor's slot tells, without touching it.
  reactor& owner = *reactor_;
  const int descriptor = descriptor_;
  const std::uint32_t life = owner.life_of(descriptor);
  if (read_.waiting && can_read()) {
    read_.wake();
    if (owner.life_of(descriptor) != life) return;
  }
  if (write_.waiting && can_write()) {
    write_.wake();
    if (owner.life_of(descriptor) != life) return;
  }
  if ((half_close_ ? broken_ : hung_up) && watcher_ != nullptr) std::exchange(watcher_, nullptr)->on_hangup();
}

bool socket::has_unread() {
  if (tls_ != nullptr) return tls_->has_unread();
  return readable_ && has_news_now();
}

bool socket::has_news_now() {
  if (tls_ != nullptr) {
    readable_ = true;
    return tls_->has_unread();
  }
  char byte = 0;
  const ssize_t seen = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  readable_ = seen >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  return readable_;
}

void socket::pretend_readable() {
  readable_ = true;
  read_.wake();
}

expected<int, int> open_listener(const socket_address& address, const listen_options& options) {
  const native_address native = to_native(address);
  const int descriptor = ::socket(native.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return unexpected(errno);
  const int on = 1;
  const int off = 0;
  (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  set_no_delay(descriptor);  // what is accepted inherits it, for a call a connection less
  if (options.reuse_port) (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.v6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const auto* const where = reinterpret_cast<const sockaddr*>(&native.storage);  // allow: reinterpret_cast: socket API
  if (::bind(descriptor, where, native.size_bytes) != 0 || ::listen(descriptor, options.backlog) != 0) {
    const int error = errno;
    ::close(descriptor);
    return unexpected(error);
  }
  return descriptor;
}

socket_address local_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size_bytes = sizeof storage;
  auto* const where = reinterpret_cast<sockaddr*>(&storage);  // allow: reinterpret_cast: socket API
  if (::getsockname(descriptor, where, &size_bytes) != 0) return {};
  return from_native(storage).value_or(socket_address{});
}

expected<int, int> start_connect(const socket_address& address) {
  const native_address native = to_native(address);
  const int descriptor = ::socket(native.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return unexpected(errno);
  set_no_delay(descriptor);
  const auto* const where = reinterpret_cast<const sockaddr*>(&native.storage);  // allow: reinterpret_cast: socket API
  if (::connect(descriptor, where, native.size_bytes) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(descriptor);
    return unexpected(error);
  }
  return descriptor;
}

int connect_outcome(int descriptor) {
  int error = 0;
  socklen_t size_bytes = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size_bytes) != 0) return errno;
  return error;
}

void notice_vanished(int descriptor, const vanish_times& times) {
  const auto set = [descriptor](int level, int name, int value) {
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
  };
  const auto seconds = [](std::chrono::seconds s) { return static_cast<int>(s.count()); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds(times.quiet));
  set(IPPROTO_TCP, TCP_KEEPINTVL, seconds(times.again));
  set(IPPROTO_TCP, TCP_KEEPCNT, times.asks);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds(times.unanswered) * 1000);
}

std::optional<std::uint32_t> peer_user(int descriptor) {
  int family = 0;
  socklen_t size_bytes = sizeof family;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size_bytes) != 0 || family != AF_UNIX)
    return std::nullopt;
  ucred peer{};
  size_bytes = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) != 0) return std::nullopt;
  if (peer.uid == static_cast<uid_t>(-1)) return std::nullopt;
  return peer.uid;
}

expected<accepted, int> accept_connection(int listener) {
  sockaddr_storage storage{};
  socklen_t size_bytes = sizeof storage;
  auto* const where = reinterpret_cast<sockaddr*>(&storage);  // allow: reinterpret_cast: socket API
  const int descriptor = ::accept4(listener, where, &size_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return unexpected(errno);
  return accepted{descriptor, from_native(storage).value_or(socket_address{})};
}

bool has_waiting_connection(int listener) {
  pollfd waiting{listener, POLLIN, 0};
  return ::poll(&waiting, 1, 0) != 0;  // an error is what the next accept tells
}

}  // namespace cellroute::io
