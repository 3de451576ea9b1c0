#pragma once

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/support/descriptor.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {

[[nodiscard]] inline bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// The first line and the fields of a message, as they came. Reads with a ruler of its own and not with the router's
/// parser: one that shares the mistakes of what it judges sees none.
struct message_head {
  std::string text;  ///< with the blank line

  [[nodiscard]] std::string_view first_line() const { return std::string_view(text).substr(0, text.find("\r\n")); }
  [[nodiscard]] std::string_view word(std::size_t index) const {
    std::string_view rest = first_line();
    for (; index > 0; --index) rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
    return rest.substr(0, rest.find(' '));
  }
  [[nodiscard]] int status() const {
    int number = 0;
    const std::string_view digits = word(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  [[nodiscard]] std::string_view target() const { return word(1); }

  [[nodiscard]] std::vector<std::string> values(std::string_view name) const {
    std::vector<std::string> found;
    std::string_view rest = text;
    for (std::size_t end = rest.find("\r\n"); end != std::string_view::npos; end = rest.find("\r\n")) {
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end + 2);
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || !same_text(line.substr(0, colon), name)) continue;
      const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
      found.emplace_back(begin == std::string_view::npos ? std::string_view{} : line.substr(begin));
    }
    return found;
  }
  /// All lines of that name in one, as RFC 9110 section 5.3 joins them; empty when there is none.
  [[nodiscard]] std::string value(std::string_view name) const {
    std::string joined;
    for (const std::string& v : values(name)) joined += (joined.empty() ? "" : ", ") + v;
    return joined;
  }
  [[nodiscard]] bool has(std::string_view name) const { return !values(name).empty(); }
};

/// A whole message. `complete` is false where it ended before its framing said so.
struct message {
  message_head head;
  std::string content;
  std::string trailers;  ///< the lines behind a chunked content, as they came
  bool complete = false;

  [[nodiscard]] int status() const { return head.status(); }
};

/// How the peer ended its side.
enum class ending { none, closed, reset };

/// One end of a TCP connection, for scripts: every wait ends at `patience` at the latest.
class connection {
 public:
  connection() = default;
  /// `stop_descriptor`: when it becomes readable, every wait ends. -1: there is none.
  explicit connection(descriptor socket, int stop_descriptor = -1)
      : socket_(std::move(socket)), stop_(stop_descriptor) {
    if (!socket_) return;
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  [[nodiscard]] bool is_open() const { return static_cast<bool>(socket_); }
  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] std::uint16_t local_port() const { return port_of(socket_); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t sent = send_some(bytes);
      bytes.remove_prefix(sent);
      if (sent == 0 && (errno != EAGAIN || !wait_for(POLLOUT, patience))) return false;
    }
    return true;
  }

  /// What the system takes at once; 0 with `errno` when that is nothing.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }

  /// Waits for further bytes. False: the peer ended, which `how_it_ended` tells, or did nothing within `limit`.
  bool fill(steady::duration limit = patience) {
    for (;;) {
      std::array<char, 65536> bytes;
      const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (size > 0) {
        input_.append(bytes.data(), static_cast<std::size_t>(size));
        return true;
      }
      if (size == 0) ended_ = ending::closed;
      if (size < 0 && errno != EAGAIN && errno != EINTR) ended_ = ending::reset;
      if (ended_ != ending::none || !wait_for(POLLIN, limit)) return false;
    }
  }

  /// The next head; nothing when the connection ended before it was whole.
  [[nodiscard]] std::optional<message_head> read_head() {
    for (;;) {
      const std::size_t end = input_.find("\r\n\r\n");
      if (end != std::string::npos) return message_head{take(end + 4)};
      if (!fill()) return std::nullopt;
    }
  }

  /// Reads exactly so many bytes, or as many as come before the end.
  [[nodiscard]] std::string read_bytes(std::size_t size_bytes) {
    while (input_.size() < size_bytes && fill()) {
    }
    return take(std::min(size_bytes, input_.size()));
  }

  /// What has come and was not read yet, at least one byte of it; empty at the end.
  [[nodiscard]] std::string read_some() {
    if (input_.empty()) fill();
    return take(input_.size());
  }

  [[nodiscard]] std::string read_line() {
    for (;;) {
      const std::size_t end = input_.find("\r\n");
      if (end != std::string::npos) {
        std::string line = take(end + 2);
        line.resize(end);
        return line;
      }
      if (!fill()) return {};
    }
  }

  /// The content that belongs to this head. Whether an answer has one is for the caller to know: HEAD, 204, 304.
  void read_content(message& m) {
    if (same_text(m.head.value("Transfer-Encoding"), "chunked")) return read_chunks(m);
    if (m.head.has("Content-Length")) {
      const std::size_t size_bytes = std::stoull(m.head.value("Content-Length"));
      m.content = read_bytes(size_bytes);
      m.complete = m.content.size() == size_bytes;
      return;
    }
    if (!m.head.first_line().starts_with("HTTP/")) {  // a request without framing has no content
      m.complete = true;
      return;
    }
    while (fill()) {
    }
    m.content = take(input_.size());
    m.complete = ended_ == ending::closed;
  }

  /// A whole message; one with an empty head when none came.
  [[nodiscard]] message read_message() {
    message m;
    std::optional<message_head> head = read_head();
    if (!head) return m;
    m.head = *std::move(head);
    read_content(m);
    return m;
  }

  /// Waits for the end of what the peer sends and throws away what comes before it.
  [[nodiscard]] ending wait_end(steady::duration limit = patience) {
    const steady::time_point until = steady::now() + limit;
    while (ended_ == ending::none && steady::now() < until && fill(until - steady::now())) input_.clear();
    return ended_;
  }

  [[nodiscard]] ending how_it_ended() const { return ended_; }
  [[nodiscard]] std::string_view unread() const { return input_; }

  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  /// Closes so that the peer sees a reset.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
  }

 private:
  [[nodiscard]] std::string take(std::size_t size_bytes) {
    std::string taken = input_.substr(0, size_bytes);
    input_.erase(0, size_bytes);
    return taken;
  }

  bool wait_for(short what, steady::duration limit) {
    std::array<pollfd, 2> waited{{{socket_.get(), what, 0}, {stop_, POLLIN, 0}}};
    const auto limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
    const int ready = ::poll(waited.data(), waited.size(), static_cast<int>(std::max<std::int64_t>(limit_ms, 0)));
    return ready > 0 && waited[1].revents == 0;
  }

  void read_chunks(message& m) {
    for (;;) {
      const std::string line = read_line();
      std::size_t size_bytes = 0;
      if (std::from_chars(line.data(), line.data() + line.size(), size_bytes, 16).ptr == line.data()) return;
      if (size_bytes == 0) break;
      m.content += read_bytes(size_bytes);
      if (read_bytes(2) != "\r\n") return;
    }
    for (std::string line = read_line();; line = read_line()) {
      if (line.empty()) break;
      m.trailers += line + "\r\n";
    }
    m.complete = ended_ == ending::none || !input_.empty();
  }

  descriptor socket_;
  int stop_ = -1;
  std::string input_;
  ending ended_ = ending::none;
};

}  // namespace cellroute::system_test
