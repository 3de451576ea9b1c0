/// The cells behind the proxies under test: one thread, one port a cell, as cheap as can be.
///
/// `/bytes/N` is answered with N bytes, `/echo` with the request's own head, anything else with 1 KiB. Request bodies
/// are read and dropped. Every answer names its cell in `X-Cell`: which port was reached, whatever the proxy says in
/// `X-Routed-To`.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "bench/proxy/net.hpp"

namespace cellroute::bench {
namespace {

constexpr std::size_t head_limit_bytes = 64U * 1024;

struct cell {
  std::string name;
  std::uint16_t port = 0;
  std::string small_answer;  ///< made once: head and 1 KiB
};

struct session {
  descriptor socket;
  const cell* at = nullptr;
  std::string unread;                    ///< a head that came in pieces
  std::uint64_t request_body_bytes = 0;  ///< still to be read and dropped
  std::string unsent;                    ///< of the answer's head
  std::uint64_t answer_body_bytes = 0;   ///< still to be sent, behind `unsent`
  std::uint64_t answer_sent_bytes = 0;   ///< of the body
  bool last = false;                     ///< the request asked to close
};

std::string answer_head(const cell& from, std::uint64_t body_bytes) {
  return "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Type: "
         "text/plain\r\nX-Cell: " +
         from.name + "\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

/// What bodies are made of, again and again. The byte depends on its place, so that a lost or doubled part shows.
const std::string& body_block() {
  static const std::string block = [] {
    std::string bytes(256U * 1024, '\0');
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<char>('a' + (at * 31 + (at >> 10U)) % 26);
    return bytes;
  }();
  return block;
}

/// Range: empty when the head has no body or one that cannot be counted, as a proxy of this bench never sends.
std::uint64_t content_length(std::string_view head) {
  while (!head.empty()) {
    std::string_view line = take_until(head, "\r\n");
    if (!is_same_name(take_until(line, ":"), "content-length")) continue;
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return to_number(line).value_or(0);
  }
  return 0;
}

class upstream {
 public:
  explicit upstream(std::vector<cell> cells) : cells_(std::move(cells)) {
    for (cell& each : cells_) {
      each.small_answer = answer_head(each, 1024) + body_block().substr(0, 1024);
      listeners_.push_back(listen_on(each.port));
      events_.add(listeners_.back(), static_cast<std::uint64_t>(listeners_.back().get()));
    }
  }

  [[noreturn]] void run() {
    for (;;) {
      for (const epoll_event& event : events_.wait(1'000'000'000)) {
        const auto fd = static_cast<std::size_t>(event.data.u64);
        if (const auto listener = listener_of(event.data.u64)) {
          accept_all(*listener);
        } else if (fd < sessions_.size() && sessions_[fd] && !advance(*sessions_[fd], has_ended(event))) {
          sessions_[fd].reset();
        }
      }
    }
  }

 private:
  std::optional<std::size_t> listener_of(std::uint64_t fd) const {
    for (std::size_t at = 0; at < listeners_.size(); ++at) {
      if (static_cast<std::uint64_t>(listeners_[at].get()) == fd) return at;
    }
    return std::nullopt;
  }

  void accept_all(std::size_t listener) {
    for (;;) {
      descriptor socket(::accept4(listeners_[listener].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.is_open()) {
        if (errno == EAGAIN) return;
        if (errno == ECONNABORTED || errno == EINTR) continue;
        die("accept4");
      }
      set_option(socket, IPPROTO_TCP, TCP_NODELAY);
      const auto fd = static_cast<std::size_t>(socket.get());
      if (fd >= sessions_.size()) sessions_.resize(fd + 1);
      events_.add(socket, fd);
      sessions_[fd] = std::make_unique<session>();
      sessions_[fd]->socket = std::move(socket);
      sessions_[fd]->at = &cells_[listener];
    }
  }

  /// Goes as far as it can without waiting. False when the connection is at its end.
  bool advance(session& to, bool ended) {
    for (;;) {
      if (!flush(to)) return false;
      if (!to.unsent.empty() || to.answer_body_bytes > 0) return true;  // the rest when the socket is writable again
      if (to.last && to.request_body_bytes == 0) return false;
      const bool in_body = to.request_body_bytes > 0;
      const std::size_t room = in_body ? 0 : input_.size();
      const transfer got = in_body ? discard(to.socket, to.request_body_bytes) : receive(to.socket, input_);
      if (got.failed || got.size == 0U) return false;
      if (!got.size) return true;
      if (in_body) {
        to.request_body_bytes -= *got.size;
        if (to.request_body_bytes == 0) reply(to, "");
      } else if (!take_heads(to, std::string_view(input_.data(), *got.size))) {
        return false;
      }
      const bool waits =
          to.unread.empty() && to.request_body_bytes == 0 && to.unsent.empty() && to.answer_body_bytes == 0;
      if (waits && *got.size < room && !to.last && !ended) return true;  // a short read: nothing more is there
    }
  }

  /// A proxy sends one request at a time, so nothing but a body's beginning follows a head.
  bool take_heads(session& from, std::string_view bytes) {
    if (!from.unread.empty()) {
      from.unread.append(bytes);
      bytes = from.unread;
    }
    const std::size_t end = bytes.find(head_end);
    if (end == std::string_view::npos) {
      if (from.unread.empty()) from.unread.assign(bytes);
      return from.unread.size() <= head_limit_bytes;
    }
    const std::string_view head = bytes.substr(0, end + 2);
    const std::uint64_t behind_bytes = bytes.size() - end - head_end.size();
    const std::uint64_t body_bytes = head.starts_with("GET ") ? 0 : content_length(head);
    if (behind_bytes > body_bytes) return false;
    from.request_body_bytes = body_bytes - behind_bytes;
    from.last = head.find("\r\nConnection: close") != std::string_view::npos;
    if (from.request_body_bytes == 0) reply(from, head);
    from.unread.clear();
    return true;
  }

  /// Sends the small answer, or notes what `flush` has to send. An empty `head` stands for a request that had a body.
  void reply(session& to, std::string_view head) {
    std::string_view target = head;
    [[maybe_unused]] const std::string_view method = take_until(target, " ");
    target = target.substr(0, target.find(' '));
    if (target.starts_with("/bytes/")) {
      to.answer_body_bytes = to_number(target.substr(7)).value_or(0);
      to.answer_sent_bytes = 0;
      to.unsent = answer_head(*to.at, to.answer_body_bytes);
    } else if (target == "/echo") {
      to.unsent = answer_head(*to.at, head.size());
      to.unsent.append(head);
    } else {
      const transfer sent = send(to.socket, to.at->small_answer);
      if (sent.size != to.at->small_answer.size()) to.unsent = to.at->small_answer.substr(sent.size.value_or(0));
    }
  }

  bool flush(session& to) {
    while (!to.unsent.empty()) {
      const transfer sent = send(to.socket, to.unsent);
      if (sent.failed) return false;
      if (!sent.size) return true;
      to.unsent.erase(0, *sent.size);
    }
    while (to.answer_body_bytes > 0) {
      const std::string_view block = std::string_view(body_block()).substr(to.answer_sent_bytes % body_block().size());
      const transfer sent = send(to.socket, block.substr(0, to.answer_body_bytes));
      if (sent.failed) return false;
      if (!sent.size) return true;
      to.answer_body_bytes -= *sent.size;
      to.answer_sent_bytes += *sent.size;
    }
    return true;
  }

  std::vector<cell> cells_;  // sessions point into it
  std::vector<descriptor> listeners_;
  event_set events_;
  std::vector<std::unique_ptr<session>> sessions_;  // by descriptor
  std::array<char, 64U * 1024> input_{};
};

}  // namespace
}  // namespace cellroute::bench

int main(int argc, char** argv) {
  using namespace cellroute::bench;
  CLI::App app{
      "The cells of the proxy bench: 1 KiB an answer, one port a cell.\n"
      "Example: bench_upstream --cell tier1=9001 --cell visa=9004"};
  std::vector<std::string> names;
  app.add_option("--cell", names, "NAME=PORT, once for every cell")->required();
  CLI11_PARSE(app, argc, argv);

  std::vector<cell> cells;
  for (std::string_view rest : names) {
    const std::string_view name = take_until(rest, "=");
    const auto port = to_number(rest);
    if (!port || *port == 0 || *port > 65535) die("--cell takes NAME=PORT");
    cells.push_back({std::string(name), static_cast<std::uint16_t>(*port), {}});
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlive the runner
  upstream(std::move(cells)).run();
}
