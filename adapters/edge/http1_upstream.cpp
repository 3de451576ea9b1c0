#include "adapters/edge/http1_upstream.hpp"

#include <cerrno>
#include <utility>
#include <variant>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/head_writer.hpp"

namespace cellroute::edge {
namespace {

constexpr std::size_t answer_read_bytes = 65536;

bool is_out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

http1_upstream::http1_upstream(http1_pool& pool)
    : pool_(pool), socket_(pool.reactor_), reader_(socket_, input_), writer_(socket_) {}

io::task<stream_fault> http1_upstream::connect(time_point deadline) {
  const pool_options& options = pool_.options_;
  const expected<int, int> descriptor =
      options.connects != nullptr ? options.connects->connect() : io::start_connect(options.address);
  if (!descriptor)
    co_return is_out_of_descriptors(descriptor.error()) ? stream_fault::no_descriptor : stream_fault::closed;
  if (socket_.open(*descriptor, true) != 0) co_return stream_fault::no_descriptor;
  const io::io_status waited = co_await socket_.writable(deadline);
  if (waited == io::io_status::timed_out) co_return stream_fault::timed_out;
  if (waited != io::io_status::ok) co_return stream_fault::cancelled;
  if (io::connect_outcome(*descriptor) != 0) co_return stream_fault::closed;
  co_return stream_fault::none;
}

io::task<stream_fault> http1_upstream::send_head(const outgoing_request& head, body_piece first,
                                                 std::span<const field> trailers, time_point deadline) {
  const request_view& view = *head.view;
  http1::outgoing_request out = http1::outgoing(view);
  out.authority = head.authority;
  out.added = head.added;
  request_was_head_ = view.method == "HEAD";
  upgrade_asked_ = view.upgrade;
  answered_ = final_head_read_ = closes_ = false;
  writer_.begin(out.framing);
  io::buffer block = socket_.owner().buffers().take(http1::size_bound(out));
  const std::size_t size_bytes = http1::write_request_head(block.span(), out);
  if (size_bytes == 0) co_return stream_fault::malformed;
  const std::string_view text(block.data(), size_bytes);
  co_return co_await writer_.send_head(text, first, trailers, deadline);
}

io::task<answer_head> http1_upstream::read_head(time_point deadline) {
  http1::head_scanner scanner(pool_.options_.limits, false);
  bool look_first = !input_.is_empty();  // the final head came with an interim one
  for (;;) {
    if (!std::exchange(look_first, false)) {
      const input_bytes::fill_result got = input_.fill(socket_, answer_read_bytes);
      if (got.status == io::io_status::would_block) {
        input_.shrink(socket_.owner().buffers());
        const io::io_status waited = co_await socket_.readable(deadline);
        if (waited == io::io_status::timed_out) co_return answer_head{stream_fault::timed_out, nullptr};
        if (waited == io::io_status::cancelled) co_return answer_head{stream_fault::cancelled, nullptr};
        continue;
      }
      if (got.status != io::io_status::ok) co_return answer_head{stream_fault::closed, nullptr};
      answered_ = true;
    }
    const http1::head_outcome outcome = scanner.scan(input_.unread());
    if (std::holds_alternative<http1::need_more>(outcome)) continue;
    if (std::holds_alternative<http1::head_error>(outcome)) co_return answer_head{stream_fault::malformed, nullptr};

    const http1::head_end end = *std::get_if<http1::head_end>(&outcome);
    input_.consume(end.begin);
    const std::string_view text = input_.unread().substr(0, end.size_bytes);
    fields_block_ = socket_.owner().buffers().take(field_storage_bytes(0, end.line_count));
    const auto parsed = http1::parse_response_head(text, request_was_head_, upgrade_asked_, pool_.options_.limits,
                                                   field_storage(fields_block_, 0, end.line_count), head_);
    if (!parsed) co_return answer_head{stream_fault::malformed, nullptr};
    input_.consume(end.size_bytes);
    final_head_read_ = head_.view.status >= 200 || head_.view.status == 101;
    closes_ = closes_ || !head_.keep_alive;  // an interim answer may end it, too
    if (final_head_read_) {
      reader_.begin(head_.framing, head_.view.body.length_bytes.value_or(0));
      if (head_.nominates && head_.framing == http1::body_framing::chunked) {
        reader_.forbid_nominated(head_.view.fields);
      }
    }
    co_return answer_head{stream_fault::none, &head_.view};
  }
}

void http1_upstream::become_tunnel() {
  tunnel_ = true;
  reader_.begin(http1::body_framing::until_close, 0);
  writer_.begin(http1::body_framing::until_close);
}

bool http1_upstream::is_reusable() {
  const std::uint64_t requests_max = pool_.options_.policy.requests_max;
  return !tunnel_ && final_head_read_ && !closes_ && reader_.is_complete() && writer_.is_complete() &&
         input_.is_empty() &&  // an answer that nobody asked for
         !socket_.is_cancelled() && socket_.is_open() && !socket_.has_unread() && is_fit() &&
         (requests_max == 0 || served_ + 1 < requests_max);
}

void http1_upstream::release() { pool_.give_back(*this); }

upstream_handle http1_pool::take(connection_need need) {
  std::unique_ptr<http1_upstream> connection;
  while (need != connection_need::fresh && !idle_.empty() && connection == nullptr) {
    connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->is_fit() || (need == connection_need::asked && connection->socket_.has_news_now())) {
      connection.reset();
    }
  }
  if (connection == nullptr) connection = std::make_unique<http1_upstream>(*this);
  connection->place_ = lent_.size();
  lent_.push_back(std::move(connection));
  return upstream_handle(lent_.back().get());
}

void http1_pool::give_back(http1_upstream& connection) {
  const std::size_t place = connection.place_;
  std::unique_ptr<http1_upstream> own = std::move(lent_[place]);
  if (place + 1 != lent_.size()) {
    lent_[place] = std::move(lent_.back());
    lent_[place]->place_ = place;
  }
  lent_.pop_back();
  if (!own->is_reusable() || idle_.size() >= options_.policy.idle_max) return;
  own->input_.shrink(reactor_.buffers());
  own->fields_block_.give_back();
  own->reader_.rest();
  ++own->served_;
  own->idle_since_ = reactor_.now();
  idle_.push_back(std::move(own));
}

void http1_pool::sweep(time_point now) {
  std::erase_if(idle_, [&](const std::unique_ptr<http1_upstream>& c) {
    return !c->is_fit() || now - c->idle_since_ >= options_.policy.idle_timeout;
  });
}

void http1_pool::move_to(const io::socket_address& address) {
  if (address == options_.address) return;
  options_.address = address;
  idle_.clear();
  for (const std::unique_ptr<http1_upstream>& c : lent_) c->closes_ = true;
}

}  // namespace cellroute::edge
