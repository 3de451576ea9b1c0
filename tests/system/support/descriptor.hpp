#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

namespace cellroute::system_test {

/// Owns a file descriptor; -1 is none.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int value) : value_(value) {}
  descriptor(descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~descriptor() { reset(); }

  [[nodiscard]] int get() const { return value_; }
  explicit operator bool() const { return value_ >= 0; }
  void reset() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }

 private:
  int value_ = -1;
};

[[nodiscard]] inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// The form in which the socket calls want every kind of address.
[[nodiscard]] inline sockaddr* generic(sockaddr_in& address) {
  return static_cast<sockaddr*>(static_cast<void*>(&address));
}

[[nodiscard]] inline std::uint16_t port_of(const descriptor& socket) {
  sockaddr_in address{};
  socklen_t size_bytes = sizeof address;
  ::getsockname(socket.get(), generic(address), &size_bytes);
  return ntohs(address.sin_port);
}

/// A socket that listens on the loopback address; port 0 is a free one.
[[nodiscard]] inline descriptor listen_on_loopback(int backlog = 1024, std::uint16_t port = 0) {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  if (::bind(socket.get(), generic(address), sizeof address) != 0 || ::listen(socket.get(), backlog) != 0)
    socket.reset();
  return socket;
}

/// A port that nobody listens on, as long as this object holds it.
class closed_port {
 public:
  closed_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    ::bind(socket_.get(), generic(address), sizeof address);
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(socket_); }
  /// Opens it, and waits for who comes next; nothing where nobody does.
  [[nodiscard]] descriptor admit(std::chrono::milliseconds limit) const {
    ::listen(socket_.get(), 16);
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(limit.count())) != 1) return descriptor();
    return descriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  descriptor socket_;
};

/// A port for a program that is to be started: never given twice in this process, and below those the kernel takes for
/// connections and for port 0, so that nobody has it before the program does.
[[nodiscard]] inline std::uint16_t unused_port() {
  constexpr int first = 10'000;
  constexpr int count = 20'000;
  static std::atomic<int> next = ::getpid() * 64;  // test processes that run at once begin at different places
  for (int tried = 0; tried < count; ++tried) {
    const auto port = static_cast<std::uint16_t>(first + static_cast<unsigned>(next++) % count);
    const descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(port);
    if (::bind(socket.get(), generic(address), sizeof address) == 0) return port;
  }
  return 0;
}

[[nodiscard]] inline descriptor connect_to(std::uint16_t port, int receive_buffer_bytes = 0) {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer_bytes > 0) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  sockaddr_in address = loopback(port);
  if (::connect(socket.get(), generic(address), sizeof address) != 0) socket.reset();
  return socket;
}

}  // namespace cellroute::system_test
