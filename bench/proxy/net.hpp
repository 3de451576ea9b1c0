#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

/// The few Linux calls that generator and upstream share.
///
/// Raw epoll, not `adapters/io`: a bench that stands on the code it measures would speed up and slow down with it.
namespace cellroute::bench {

/// Where the head of a message ends.
inline constexpr std::string_view head_end = "\r\n\r\n";

/// Ends the process: a bench that cannot do its job must not print a figure.
[[noreturn]] inline void die(std::string_view what) {
  std::fprintf(stderr, "bench: %.*s: %s\n", static_cast<int>(what.size()), what.data(), std::strerror(errno));
  std::exit(2);
}

/// Owns a file descriptor.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    other.close();
    return *this;
  }
  ~descriptor() { close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

/// Calls `action` with 127.0.0.1:`port` in the form that `bind` and `connect` want.
template <class Action>
int with_loopback(std::uint16_t port, Action action) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return action(static_cast<const sockaddr*>(static_cast<const void*>(&address)), socklen_t{sizeof address});
}

inline void set_option(const descriptor& socket, int level, int name) {
  const int on = 1;
  if (::setsockopt(socket.get(), level, name, &on, sizeof on) != 0) die("setsockopt");
}

[[nodiscard]] inline descriptor listen_on(std::uint16_t port) {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) die("socket");
  set_option(socket, SOL_SOCKET, SO_REUSEADDR);
  const auto bind_to = [&](const sockaddr* address, socklen_t size) { return ::bind(socket.get(), address, size); };
  if (with_loopback(port, bind_to) != 0) die("bind");
  if (::listen(socket.get(), 4096) != 0) die("listen");
  return socket;
}

/// Starts to connect; whether that worked shows at the first send or receive.
[[nodiscard]] inline descriptor connect_to(std::uint16_t port, int flags) {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket.is_open()) die("socket");
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  const auto connect = [&](const sockaddr* address, socklen_t size) { return ::connect(socket.get(), address, size); };
  if (with_loopback(port, connect) != 0 && errno != EINPROGRESS) return {};
  return socket;
}

/// What one `send` or `recv` came to. `size` is 0 at the end of the stream, empty when there is nothing to do now.
struct transfer {
  std::optional<std::size_t> size;
  bool failed = false;
};

[[nodiscard]] inline transfer to_transfer(ssize_t result) {
  if (result >= 0) return {static_cast<std::size_t>(result)};
  return {std::nullopt, errno != EAGAIN};
}

[[nodiscard]] inline transfer receive(const descriptor& socket, std::span<char> into) {
  return to_transfer(::recv(socket.get(), into.data(), into.size(), 0));
}

/// Drops up to `limit_bytes` of what has arrived, without copying it (tcp(7), MSG_TRUNC): keeps the far ends cheap.
[[nodiscard]] inline transfer discard(const descriptor& socket, std::uint64_t limit_bytes) {
  constexpr std::uint64_t most_bytes = 1U << 20U;
  const auto size_bytes = static_cast<std::size_t>(limit_bytes < most_bytes ? limit_bytes : most_bytes);
  return to_transfer(::recv(socket.get(), nullptr, size_bytes, MSG_TRUNC));
}

[[nodiscard]] inline transfer send(const descriptor& socket, std::string_view bytes) {
  return to_transfer(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

/// An epoll set. Edge-triggered, each descriptor registered once for everything, so that no request costs `epoll_ctl`.
class event_set {
 public:
  event_set() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.is_open()) die("epoll_create1");
  }
  void add(const descriptor& socket, std::uint64_t tag) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = tag}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) die("epoll_ctl");
  }
  /// Waits for at most `wait_ns`; the events are valid until the next call.
  [[nodiscard]] std::span<const epoll_event> wait(std::int64_t wait_ns) {
    const timespec limit{.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &limit, nullptr);
    if (count < 0 && errno != EINTR) die("epoll_pwait2");
    return std::span<const epoll_event>(events_).first(count < 0 ? 0 : static_cast<std::size_t>(count));
  }

 private:
  descriptor epoll_;
  std::array<epoll_event, 256> events_{};
};

[[nodiscard]] inline bool has_ended(const epoll_event& event) {
  return (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
}

/// Takes the text up to `delimiter` off the front of `rest`.
[[nodiscard]] inline std::string_view take_until(std::string_view& rest, std::string_view delimiter) {
  const std::size_t end = rest.find(delimiter);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + delimiter.size());
  return taken;
}

/// Field names of HTTP: ASCII letters match in either case (RFC 9110 section 5.1).
[[nodiscard]] inline bool is_same_name(std::string_view left, std::string_view lowercase) {
  if (left.size() != lowercase.size()) return false;
  for (std::size_t at = 0; at < left.size(); ++at) {
    const char byte = left[at] >= 'A' && left[at] <= 'Z' ? static_cast<char>(left[at] + ('a' - 'A')) : left[at];
    if (byte != lowercase[at]) return false;
  }
  return true;
}

[[nodiscard]] inline std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace cellroute::bench
