#include "adapters/edge/http1_downstream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <variant>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/head_writer.hpp"
#include "adapters/http1/request_head.hpp"

namespace cellroute::edge {
namespace {

constexpr std::size_t head_read_bytes = 65536;
constexpr unsigned requests_a_turn = 32;  // then the others are served, however many more of this client are here
constexpr std::size_t linger_bytes_max = 16 * 1024 * 1024;

/// Whether the bytes, empty lines aside, begin a request with the method HEAD.
bool names_head_method(std::string_view begun) {
  begun.remove_prefix(std::min(begun.find_first_not_of("\r\n"), begun.size()));
  return begun.starts_with("HEAD ");
}

}  // namespace

/// One request of a connection, and its answer. Lives as long as the request.
class http1_exchange final : public exchange {
 public:
  explicit http1_exchange(http1_connection& connection)
      : connection_(connection), reader_(connection.socket_, connection.input_), writer_(connection.socket_) {
    facts.peer = connection.peer_;
    facts.listener = connection.listener_.options().index;
    facts.local_port = connection.listener_.options().address.port;
    if (connection.listener_.options().is_local) facts.local_user = io::peer_user(connection.socket_.descriptor());
    if (!connection.socket_.is_secure()) return;
    facts.secure = true;
    facts.client = connection.socket_.tls()->peer();
  }

  /// Reads the head that `end` describes at the front of the input. A refused one leaves `refused` set.
  void read_head(const http1::head_end& end);
  /// A head that could not be read. `begun` is what came of it: also an answer to half a HEAD has no content.
  void refuse(std::uint16_t status, std::string_view details, std::string_view begun) {
    refused = {status, details};
    head_request_ = names_head_method(begun);
    close_ = true;
    reader_.begin(http1::body_framing::none, 0);
  }

  body_piece first_body() override { return reader_.take(); }
  io::task<body_piece> read_body(time_point deadline) override { return reader_.read(deadline); }
  void welcome_pipes(bool welcome) override { reader_.welcome_pipes(welcome); }
  bool takes_pipes() const override { return !connection_.socket_.is_secure(); }
  void stop_reading() override { connection_.socket_.cancel_read(); }
  std::span<field> trailers() override { return reader_.trailers(); }
  bool settle_body() override {
    while (!reader_.is_complete()) {
      const body_piece piece = reader_.take();
      if (piece.fault != stream_fault::none || piece.size_bytes == 0) break;
    }
    return reader_.is_complete();
  }

  io::task<stream_fault> send_interim(const outgoing_response& head, time_point deadline) override;
  io::task<stream_fault> send_head(const outgoing_response& head, body_piece first, std::span<const field> trailers,
                                   time_point deadline) override;
  io::task<stream_fault> send_body(body_piece piece, std::span<const field> trailers, time_point deadline) override {
    return writer_.send(piece, trailers, deadline);
  }
  void become_tunnel() override {
    reader_.begin(http1::body_framing::until_close, 0);
    writer_.begin(http1::body_framing::until_close);
    tunnel_ = true;
    // The client's end of sending is now a part of what is carried, and not its leaving.
    if (connection_.watcher_ != nullptr) connection_.socket_.watch_hangup(&connection_, true);
  }

  void forget_request() override {
    request = request_view();
    head_ = http1::request_head();
    head_block_.give_back();
  }

  bool has_left() const override {
    const io::socket& s = connection_.socket_;
    return s.is_cancelled() || (connection_.listener_.options().half_close ? s.is_broken() : s.peer_closed());
  }
  void watch_leaving(leaving_watcher* watcher) override {
    connection_.watcher_ = watcher;
    connection_.socket_.watch_hangup(watcher == nullptr ? nullptr : &connection_,
                                     connection_.listener_.options().half_close);
  }
  void abort() override { aborted_ = true; }

  /// What the connection does when the handler is done.
  [[nodiscard]] http1_connection::next_step next_step();

 private:
  [[nodiscard]] http1::body_framing framing_of(const body_size& size, std::uint16_t status) const;

  http1_connection& connection_;
  content_reader reader_;
  content_writer writer_;
  io::buffer head_block_;
  http1::request_head head_;
  bool close_ = false;
  bool answered_ = false;
  bool continued_ = false;
  bool aborted_ = false;
  bool tunnel_ = false;
  bool head_request_ = false;
};

void http1_exchange::read_head(const http1::head_end& end) {
  input_bytes& input = connection_.input_;
  input.consume(end.begin);
  head_block_ = connection_.socket_.owner().buffers().take(field_storage_bytes(end.size_bytes, end.line_count));
  std::memcpy(head_block_.data(), input.unread().data(), end.size_bytes);
  input.consume(end.size_bytes);
  const auto parsed =
      http1::parse_request_head({head_block_.data(), end.size_bytes}, connection_.listener_.options().limits,
                                field_storage(head_block_, end.size_bytes, end.line_count), head_);
  request = head_.view;
  if (facts.secure) request.scheme = "https";  // whatever an absolute target says
  if (!parsed) {
    refuse(http1::status_of(parsed.error()), http1::to_string(parsed.error()), {head_block_.data(), end.size_bytes});
    return;
  }
  facts.version = head_.version_minor == 0 ? protocol::http_1_0 : protocol::http_1_1;
  close_ = !head_.keep_alive;
  head_request_ = request.method == "HEAD";
  reader_.begin(head_.framing, request.body.length_bytes.value_or(0));
  if (head_.nominates && head_.framing == http1::body_framing::chunked) reader_.forbid_nominated(request.fields);
}

http1::body_framing http1_exchange::framing_of(const body_size& size, std::uint16_t status) const {
  if (head_request_ || status == 204 || status == 304 || !size.has_body) return http1::body_framing::none;
  if (size.length_bytes) return http1::body_framing::length;
  return facts.version == protocol::http_1_1 ? http1::body_framing::chunked : http1::body_framing::until_close;
}

io::task<stream_fault> http1_exchange::send_interim(const outgoing_response& head, time_point deadline) {
  if (facts.version == protocol::http_1_0) co_return stream_fault::none;
  if (head.view->status == 100) continued_ = true;
  http1::outgoing_response out = http1::outgoing(*head.view);
  out.framing = http1::body_framing::none;
  out.length_bytes.reset();
  out.added = head.added;
  io::buffer block = connection_.socket_.owner().buffers().take(http1::size_bound(out));
  const std::size_t size_bytes = http1::write_response_head(block.span(), out);
  const std::span<const char> text(block.data(), size_bytes);
  co_return co_await send_all(connection_.socket_, text, false, deadline);
}

io::task<stream_fault> http1_exchange::send_head(const outgoing_response& head, body_piece first,
                                                 std::span<const field> trailers, time_point deadline) {
  const response_view& view = *head.view;
  http1::outgoing_response out = http1::outgoing(view);
  out.framing = framing_of(view.body, view.status);
  out.added = head.added;
  const bool unsure_of_body = request.expects_continue && !continued_ && !reader_.is_complete();
  close_ = close_ || head.close || unsure_of_body || connection_.listener_.is_draining() ||
           out.framing == http1::body_framing::until_close;
  out.close = close_ && view.status != 101;
  out.keep_alive = !close_ && facts.version == protocol::http_1_0;
  // Not while the client still sends: some take the end of the answer for the end of both ways.
  writer_.begin(out.framing, out.close && reader_.is_complete());
  answered_ = true;
  if (out.framing == http1::body_framing::none) {
    first = {};
    first.end = true;
  }
  io::buffer block = connection_.socket_.owner().buffers().take(http1::size_bound(out));
  const std::size_t size_bytes = http1::write_response_head(block.span(), out);
  if (size_bytes == 0) co_return stream_fault::malformed;
  const std::string_view text(block.data(), size_bytes);
  co_return co_await writer_.send_head(text, first, trailers, deadline);
}

http1_connection::next_step http1_exchange::next_step() {
  using next_step = http1_connection::next_step;
  if (aborted_ || (!tunnel_ && !(answered_ && writer_.is_complete()))) {
    connection_.socket_.close_with_reset();
    return next_step::close;
  }
  if (tunnel_) return next_step::close;
  if (!settle_body()) return next_step::linger;
  if (refused.status != 0) return next_step::linger;
  return close_ ? next_step::close : next_step::next_request;
}

http1_connection::http1_connection(listener& owner, const io::socket_address& peer)
    : listener_(owner), socket_(owner.owner()), peer_(peer), tls_due_(owner.options_.tls) {
  next = owner.connections_.next;
  previous = &owner.connections_;
  next->previous = this;
  previous->next = this;
  ++owner.open_here_;
  owner.observer_.on_opened(owner.options_.index);
}

http1_connection::~http1_connection() {
  next->previous = previous;
  previous->next = next;
  --listener_.open_here_;
  listener_.count_out();
  listener_.observer_.on_closed(listener_.options_.index);
}

io::root_task http1_connection::serve(listener& owner, io::accepted accepted) {
  // One frame holds all that an idle connection needs, so there is one coroutine here and not two.
  http1_connection connection(owner, accepted.peer);
  if (connection.socket_.open(accepted.descriptor) != 0) co_return;
  time_point deadline = owner.owner().now() + owner.options().header_timeout;
  for (unsigned served = 1;; ++served) {
    if (served % requests_a_turn == 0) co_await owner.owner().turn();
    if (connection.input_.is_empty()) {
      if (owner.is_draining()) break;
      connection.idle_ = true;
      const io::io_status waited = co_await connection.socket_.readable(deadline);
      connection.idle_ = false;
      if (waited != io::io_status::ok) break;
    }
    const next_step next_up = co_await connection.serve_next();
    connection.lingers_ = next_up == next_step::linger;
    if (next_up == next_step::linger || next_up == next_step::close) break;
    if (next_up == next_step::secured) deadline = owner.owner().now() + owner.options().header_timeout;
    if (next_up == next_step::next_request) deadline = owner.owner().now() + owner.options().keep_alive_timeout;
  }
  if (connection.lingers_ || connection.socket_.is_secure()) co_await connection.end();
}

io::task<http1_connection::next_step> http1_connection::begin_tls() {
  // A record of a handshake begins with 22; a request with the first letter of its method.
  std::array<char, 8> first{};
  const io::io_result seen = socket_.try_peek(first);
  if (seen.status == io::io_status::would_block) co_return next_step::wait;
  const io::tls_context context = listener_.options().tls;
  if (seen.status != io::io_status::ok || !context) co_return next_step::close;
  tls_due_ = false;
  if (first[0] >= 'A' && first[0] <= 'Z') {
    const io::tls_outcome plain{io::tls_fault::malformed, "plain HTTP"};
    listener_.observer_.on_handshake(listener_.options().index, plain);
    http1_exchange x(*this);
    x.refuse(400, "this port speaks TLS; use https", {first.data(), seen.size_bytes});
    co_await listener_.handler().serve(x);
    co_return x.next_step();
  }
  const time_point deadline = socket_.owner().now() + listener_.options().tls_timeout;
  const io::tls_outcome outcome = co_await io::accept_tls(socket_, context, deadline);
  listener_.observer_.on_handshake(listener_.options().index, outcome);
  switch (outcome.fault) {
    case io::tls_fault::none:
      co_return next_step::secured;
    case io::tls_fault::timed_out:
    case io::tls_fault::cancelled:
    case io::tls_fault::closed:
      co_return next_step::close;
    default:
      co_return next_step::linger;  // so that the client reads why
  }
}

io::task<http1_connection::next_step> http1_connection::serve_next() {
  if (tls_due_) co_return co_await begin_tls();
  const listener_options& options = listener_.options();
  http1::head_scanner scanner(options.limits, true);
  time_point deadline = time_point::max();
  bool look_first = !input_.is_empty();  // a pipelined request is here already
  for (;;) {
    if (!std::exchange(look_first, false)) {
      const input_bytes::fill_result got = input_.fill(socket_, head_read_bytes);
      if (got.status == io::io_status::would_block) {
        input_.shrink(socket_.owner().buffers());
        if (input_.is_empty()) co_return next_step::wait;
        const io::io_status waited = co_await socket_.readable(deadline);
        if (waited == io::io_status::timed_out) {
          http1_exchange late(*this);
          late.refuse(408, "the request head did not come in time", input_.unread());
          co_await listener_.handler().serve(late);
          co_return late.next_step();
        }
        if (waited != io::io_status::ok) co_return next_step::close;
        continue;
      }
      if (got.status != io::io_status::ok) co_return next_step::close;
    }
    if (deadline == time_point::max()) deadline = socket_.owner().now() + options.header_timeout;
    const http1::head_outcome outcome = scanner.scan(input_.unread());
    if (std::holds_alternative<http1::need_more>(outcome)) {
      // Empty lines before a request are no part of it (RFC 9112 section 2.2): who sent nothing else is idle.
      if (scanner.has_begun() || !input_.unread().ends_with('\n')) continue;
      input_.consume(input_.unread().size());
      co_return next_step::wait;
    }

    http1_exchange x(*this);
    if (const auto* const error = std::get_if<http1::head_error>(&outcome)) {
      x.refuse(http1::status_of(*error), http1::to_string(*error), input_.unread());
    } else {
      x.read_head(*std::get_if<http1::head_end>(&outcome));
      if (input_.is_empty()) input_.shrink(socket_.owner().buffers());
    }
    co_await listener_.handler().serve(x);
    const next_step next_up = x.next_step();
    input_.shrink(socket_.owner().buffers());
    co_return next_up;
  }
}

/// Ends the connection so that the client sees what it is: whole.
io::task<void> http1_connection::end() {
  socket_.allow_read();
  socket_.shutdown_send();
  const time_point deadline = socket_.owner().now() + listener_.options().linger_timeout;
  while (socket_.is_sending_end()) {
    const io::io_status waited = co_await socket_.writable(deadline);
    if (waited != io::io_status::ok) co_return;
  }
  if (lingers_) co_await linger(deadline);
}

/// Closing with unread bytes makes the kernel send a reset, which may reach the client before it has read the answer.
io::task<void> http1_connection::linger(time_point deadline) {
  std::size_t swallowed_bytes = 0;
  while (swallowed_bytes < linger_bytes_max) {
    input_.consume(input_.unread().size());
    const input_bytes::fill_result got = input_.fill(socket_, head_read_bytes);
    if (got.status == io::io_status::would_block) {
      input_.shrink(socket_.owner().buffers());
      const io::io_status waited = co_await socket_.readable(deadline);
      if (waited != io::io_status::ok) co_return;
      continue;
    }
    if (got.status != io::io_status::ok) co_return;
    swallowed_bytes += input_.unread().size();
  }
}

void http1_connection::on_hangup() {
  if (watcher_ != nullptr) std::exchange(watcher_, nullptr)->on_client_left();
}

void http1_connection::cut() {
  // Whoever is woken may destroy this connection; the reactor tells, without touching it.
  io::reactor& reactor = socket_.owner();
  const int descriptor = socket_.descriptor();
  const std::uint32_t life = reactor.life_of(descriptor);
  socket_.refuse_waits();
  on_hangup();
  if (reactor.life_of(descriptor) == life) socket_.cancel();
}

}  // namespace cellroute::edge
