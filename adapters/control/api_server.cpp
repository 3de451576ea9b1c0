#include "adapters/control/api_server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/control/content_coding.hpp"
#include "adapters/control/request_trace.hpp"
#include "adapters/io/clock.hpp"

namespace cellroute::control {
namespace {

constexpr int patience_ms = 60'000;  // for a client that sends or takes nothing
constexpr std::size_t read_bytes = 65'536;

/// One half of a pair of sockets, as the library wants it. It reads lines byte by byte: hence the buffer.
class pair_stream final : public httplib::Stream {
 public:
  explicit pair_stream(int descriptor) : descriptor_(descriptor), buffer_(read_bytes) {}

  bool is_readable() const override { return begin_ < end_ || wait(POLLIN); }
  bool is_writable() const override { return wait(POLLOUT); }

  ssize_t read(char* into, std::size_t size_bytes) override {
    if (begin_ == end_) {
      const ssize_t got = fill();
      if (got <= 0) return got;
    }
    const std::size_t taken = std::min(size_bytes, end_ - begin_);
    std::copy_n(buffer_.data() + begin_, taken, into);
    begin_ += taken;
    return static_cast<ssize_t>(taken);
  }

  ssize_t write(const char* bytes, std::size_t size_bytes) override {
    for (;;) {
      const ssize_t sent = ::send(descriptor_, bytes, size_bytes, MSG_NOSIGNAL);
      if (sent >= 0 || (errno != EINTR && errno != EAGAIN)) return sent;
      if (errno == EAGAIN && !wait(POLLOUT)) return -1;
    }
  }

  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return descriptor_; }

 private:
  bool wait(short events) const {
    pollfd waiting{descriptor_, events, 0};
    int ready = 0;
    do {
      ready = ::poll(&waiting, 1, patience_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0 && (waiting.revents & POLLNVAL) == 0;
  }

  ssize_t fill() {
    begin_ = end_ = 0;
    for (;;) {
      if (!wait(POLLIN)) return -1;
      const ssize_t got = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
      if (got >= 0) end_ = static_cast<std::size_t>(got);
      if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
    }
  }

  int descriptor_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

request request_of(const httplib::Request& from, std::string body) {
  request made;
  made.method = from.method;
  made.target = from.target;
  made.body = std::move(body);
  for (const auto& [name, value] : from.headers) made.headers.emplace_back(name, value);
  made.trace = from.get_header_value(std::string(trace_field));
  made.peer.is_local = from.get_header_value(std::string(peer_field)) == "local";
  made.peer.local_user = from.get_header_value(std::string(user_field));
  made.peer.certificate = from.get_header_value(std::string(certificate_field));
  made.peer.certificate_role = read_role(from.get_header_value(std::string(role_field)));
  return made;
}

void put_answer(answer from, httplib::Response& to) {
  to.status = from.status;
  std::string type = "application/json";
  for (auto& [name, value] : from.headers) {
    if (name == "Content-Type") {
      type = std::move(value);
    } else {
      to.set_header(name, value);
    }
  }
  if (from.stream == nullptr) {
    if (!from.body.empty()) to.set_content(std::move(from.body), type);
    return;
  }
  // The library keeps a copy of what it calls.
  const std::shared_ptr<body_source> source = std::move(from.stream);  // allow: shared_ptr: the library copies it
  to.set_chunked_content_provider(type, [source](std::size_t, httplib::DataSink& sink) {
    std::string piece;
    if (!source->next(piece)) {
      sink.done();
      return true;
    }
    return sink.write(piece.data(), piece.size());
  });
}

/// What the API was not asked about.
void put_refusal(const httplib::Request& asked, answer from, httplib::Response& to) {
  put_answer(traced(std::move(from), asked.get_header_value(std::string(trace_field))), to);
}

}  // namespace

class api_server::server final : public httplib::Server {
 public:
  server(api& of, std::size_t body_max, std::size_t threads) : api_(of), body_max_(body_max), pool_(threads) {
    svr_sock_ = 0;  // the library takes a server without a socket for one that stops
    const auto plain = [this](const httplib::Request& asked, httplib::Response& to) {
      put_answer(api_.handle(request_of(asked, {}), io::read_wall_clock()), to);
    };
    const auto with_body = [this](const httplib::Request& asked, httplib::Response& to,
                                  const httplib::ContentReader& read) { take_body(asked, to, read); };
    const std::string any_path = "[\\s\\S]*";  // `.` is no line end, which may stand in a path as an escape
    Get(any_path, plain);
    Options(any_path, plain);
    Post(any_path, with_body);
    Put(any_path, with_body);
    Patch(any_path, with_body);
    Delete(any_path, with_body);
    set_exception_handler([](const httplib::Request& asked, httplib::Response& to, std::exception_ptr) {
      put_refusal(
          asked,
          problem_answer(500, "internal", "the control plane could not answer, for lack of memory perhaps; try again"),
          to);
    });
    // What the library refuses by itself, it refuses without a word.
    set_error_handler([](const httplib::Request& asked, httplib::Response& to) {
      const bool is_said = !to.body.empty() || to.content_provider_;
      if (!is_said)
        put_refusal(asked,
                    problem_answer(static_cast<std::uint16_t>(to.status), "syntax",
                                   "the request cannot be read: its framing, its length or its coding"),
                    to);
    });
  }
  ~server() override {
    stop();
    pool_.shutdown();
  }

  void serve(int descriptor) {
    pool_.enqueue([this, descriptor] { serve_one(descriptor); });
  }

  void stop() {
    const std::lock_guard lock(open_lock_);
    is_stopping_ = true;
    svr_sock_ = INVALID_SOCKET;
    for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  }

 private:
  void serve_one(int descriptor) {
    if (begin(descriptor)) {
      pair_stream stream(descriptor);
      bool is_closed = false;
      (void)process_request(stream, true, is_closed, nullptr);
    }
    const std::lock_guard lock(open_lock_);
    open_.erase(descriptor);
    ::close(descriptor);
  }

  bool begin(int descriptor) {
    const std::lock_guard lock(open_lock_);
    if (!is_stopping_) open_.insert(descriptor);
    return !is_stopping_;
  }

  void take_body(const httplib::Request& asked, httplib::Response& to, const httplib::ContentReader& read) {
    std::string body;
    if (asked.is_multipart_form_data()) {
      body = "--";  // no page takes it, and none is to believe that there was nothing
    } else {
      const auto coding = read_coding(asked.get_header_value(std::string(coding_field)));
      if (!coding) {
        answer refused =
            problem_answer(415, "media_type", fmt::format("content comes as it is, or in {}", codings_taken));
        refused.headers.emplace_back("Accept-Encoding", codings_taken);
        return put_refusal(asked, std::move(refused), to);
      }
      const std::size_t body_max = body_max_of(asked.method, asked.target, body_max_);
      content_decoder decoder(*coding, body_max);
      const bool is_read =
          read([&](const char* bytes, std::size_t size_bytes) { return decoder.take({bytes, size_bytes}, body); });
      const content_fault fault = decoder.finish();
      if (fault == content_fault::too_large) return put_refusal(asked, too_large_answer(body_max), to);
      if (!is_read && fault != content_fault::damaged) return;  // the library has said why
      if (fault != content_fault::none) return put_refusal(asked, bad_request(to_string(fault)), to);
    }
    put_answer(api_.handle(request_of(asked, std::move(body)), io::read_wall_clock()), to);
  }

  api& api_;
  std::size_t body_max_;
  std::mutex open_lock_;
  std::set<int> open_;
  bool is_stopping_ = false;
  httplib::ThreadPool pool_;
};

api_server::api_server(api& of, std::size_t body_max, std::size_t threads)
    : server_(std::make_unique<server>(of, body_max, threads)) {}
api_server::~api_server() = default;

void api_server::stop() { server_->stop(); }

expected<int, int> api_server::connect() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) return unexpected(errno);
  server_->serve(pair[1]);
  return pair[0];
}

}  // namespace cellroute::control
