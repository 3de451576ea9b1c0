#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/system/support/connection.hpp"

namespace cellroute::system_test {

/// What a cell has seen, for the test to look at while its scripts run.
class cell_record {
 public:
  void add(const message& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  [[nodiscard]] std::vector<message> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<message> requests_;
};

/// One connection of the router to a cell, as its script sees it.
class cell_connection : public connection {
 public:
  cell_connection(descriptor socket, int stop, int number, cell_record& record)
      : connection(std::move(socket), stop), number_(number), record_(record) {}

  /// 1 for the first connection that the cell took, and so on.
  [[nodiscard]] int number() const { return number_; }

  /// The next whole request, noted; false when the router is done with this connection.
  [[nodiscard]] bool read_request(message& request) {
    request = read_message();
    if (!request.complete) return false;
    record_.add(request);
    return true;
  }
  bool answer(std::string_view status, std::string_view content, std::string_view fields = {}) {
    return send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(content.size()) + "\r\n" +
                std::string(fields) + "\r\n" + std::string(content));
  }

 private:
  int number_;
  cell_record& record_;
};

/// Answers every request with the request's own head as it came in.
struct echo_head {
  void operator()(cell_connection& c) const {
    message request;
    while (c.read_request(request)) {
      if (!c.answer("200 OK", request.head.text, "Content-Type: text/plain\r\n")) return;
    }
  }
};

/// Answers every request with its content.
struct echo_content {
  void operator()(cell_connection& c) const {
    message request;
    while (c.read_request(request)) {
      if (!c.answer("200 OK", request.content)) return;
    }
  }
};

/// Answers every request with the same bytes.
struct play {
  std::string bytes;
  void operator()(cell_connection& c) const {
    message request;
    while (c.read_request(request)) {
      if (!c.send(bytes)) return;
    }
  }
};

/// A cell that plays a script on each connection, on a thread of its own.
///
/// `Script`: called with a `cell_connection&`, for several connections at once. When it returns, the connection is
/// closed.
template <class Script>
class fake_cell {
 public:
  explicit fake_cell(Script script)
      : script_(std::move(script)),
        listener_(listen_on_loopback()),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        port_(port_of(listener_)) {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  fake_cell(const fake_cell&) = delete;
  fake_cell& operator=(const fake_cell&) = delete;
  ~fake_cell() {
    ::eventfd_write(stop_.get(), 1);
    acceptor_.join();
    for (std::thread& t : scripts_) t.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int accepted() const { return accepted_; }
  [[nodiscard]] int finished() const { return finished_; }  ///< scripts that have ended
  [[nodiscard]] std::vector<message> requests() const { return record_.requests(); }

 private:
  void accept_all() {
    for (;;) {
      std::array<pollfd, 2> waited{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
      ::poll(waited.data(), waited.size(), -1);
      if (waited[1].revents != 0) return;
      descriptor taken(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!taken) continue;
      const int number = ++accepted_;
      scripts_.emplace_back([this, number, socket = std::move(taken)]() mutable {
        {
          cell_connection c(std::move(socket), stop_.get(), number, record_);
          script_(c);
        }
        ++finished_;
      });
    }
  }

  Script script_;
  descriptor listener_;
  descriptor stop_;
  std::uint16_t port_;
  cell_record record_;
  std::atomic<int> accepted_{0};
  std::atomic<int> finished_{0};
  std::list<std::thread> scripts_;
  std::thread acceptor_;
};

/// A cell that answers with its name.
inline fake_cell<play> named_cell(std::string_view name) {
  return fake_cell(
      play{"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name.size()) + "\r\n\r\n" + std::string(name)});
}

/// What a cell does that answers with its name.
struct says {
  std::string name;
  void operator()(cell_connection& c) const {
    message request;
    while (c.read_request(request)) c.answer("200 OK", name);
  }
};

}  // namespace cellroute::system_test
