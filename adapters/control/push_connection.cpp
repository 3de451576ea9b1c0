#include "adapters/control/push_connection.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "adapters/wire/chunk_frame.hpp"
#include "adapters/wire/sync_messages.hpp"

namespace cellroute::control {
namespace {

constexpr duration write_timeout = 10s;          // of one piece, to a router that takes nothing of it
constexpr duration close_timeout = 2s;           // for the other end's close frame
constexpr std::size_t piece_bytes_max = 65'536;  // of a long text that one deadline is for
constexpr unsigned pieces_a_turn = 16;           // then the others are served, however much more of this router is here

std::string_view as_text(std::span<const std::byte> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

}  // namespace

push_connection::push_connection(push_server& owner, edge::exchange& x, push_session_facts facts)
    : owner_(owner),
      x_(x),
      facts_(std::move(facts)),
      socket_(websocket::message_writer(), {wire::message_bytes_max}),
      something_(owner.reactor_) {
  owner_.connections_.emplace(facts_.number, this);
}

push_connection::~push_connection() { owner_.connections_.erase(facts_.number); }

void push_connection::revoke() {
  if (!revoked_.empty()) return;
  revoked_ = "its token was removed, or is over";
  wake();
}

io::task<void> push_connection::read_all() {
  edge::body_piece piece = x_.first_body();
  for (unsigned pieces = 1; piece.fault == edge::stream_fault::none; ++pieces) {
    if (!take(piece.bytes()) || piece.end) break;
    if (pieces % pieces_a_turn == 0) co_await owner_.reactor_.turn();
    piece = co_await x_.read_body(time_point::max());  // who is dead is found by the beats that it does not answer
  }
  is_read_to_end_ = true;
  something_.wake();
}

bool push_connection::take(std::span<char> bytes) {
  for (;;) {
    const websocket::read_event event = socket_.receive(bytes);
    if (std::holds_alternative<websocket::need_more>(event)) break;
    const auto* said = std::get_if<websocket::message>(&event);
    if (said == nullptr) continue;
    ++owner_.messages_in_;
    if (said->kind == websocket::message_kind::binary) {
      socket_.begin_close(websocket::close_code::unsupported_data, "routers send texts");
    } else if (socket_.may_send()) {
      owner_.hub_.take_text(facts_.number, said->payload, owner_.reactor_.now());
      owner_.pump();
    }
  }
  if (socket_.owes()) something_.wake();
  return socket_.state() == websocket::session_state::open || socket_.state() == websocket::session_state::closing;
}

io::task<void> push_connection::write_all() {
  sync::push_hub& hub = owner_.hub_;
  time_point close_by = time_point::max();
  for (;;) {
    if (socket_.owes()) {
      out_.clear();
      socket_.append_owed(out_);
      const bool is_written = co_await write(out_, false);
      if (!is_written) break;
    }
    if (is_read_to_end_ || socket_.must_disconnect()) break;
    if (!socket_.may_send()) {  // it was closed from here: the other end has some time to say so, too
      if (close_by == time_point::max()) close_by = owner_.reactor_.now() + close_timeout;
      const bool is_awake = co_await something_.sleep(close_by);
      if (!is_awake) break;
      continue;
    }
    if (!revoked_.empty()) {
      socket_.begin_close(websocket::close_code::policy_violation, revoked_);
    } else if (auto next = hub.next_output(facts_.number, owner_.reactor_.now())) {
      const bool is_written = co_await write_next(*std::move(next));
      if (!is_written) break;
    } else if (hub.has_ended(facts_.number)) {
      const bool is_away = owner_.is_stopping_;
      socket_.begin_close(is_away ? websocket::close_code::going_away : websocket::close_code::policy_violation,
                          hub.why_ended(facts_.number));
    } else {
      (void)co_await something_.sleep();
    }
  }
  x_.stop_reading();
}

io::task<bool> push_connection::write_next(sync::push_hub::output next) {
  if (const auto* chunk = std::get_if<sync::send_chunk>(&next)) co_return co_await write_chunk(*chunk);
  if (const auto* shared = std::get_if<sync::base_use>(&next)) co_return co_await write_long_text((*shared)->text);
  if (const auto* own = std::get_if<std::string>(&next)) co_return co_await write_text(*own);
  const std::string text = wire::write_message(std::get<wire::message>(next));
  co_return co_await write_text(text);
}

io::task<bool> push_connection::write_text(std::string_view text) {
  out_.clear();
  if (!socket_.append_message(out_, websocket::message_kind::text, text)) co_return false;
  const bool is_written = co_await write(out_, false);
  out_ = std::string();  // an idle session keeps nothing
  co_return is_written;
}

io::task<bool> push_connection::write_chunk(const sync::send_chunk& chunk) {
  const auto head = wire::write_chunk_head({chunk.transfer, chunk.seq, chunk.total, chunk.offset, chunk.payload});
  const auto frame = socket_.make_head(websocket::message_kind::binary, head.size() + chunk.payload.size());
  if (!frame) co_return false;
  out_ = websocket::encode(*frame).view();
  out_ += as_text(head);
  const bool is_begun = co_await write(out_, true);
  if (!is_begun) co_return false;
  co_return co_await write(as_text(chunk.payload), false);
}

io::task<bool> push_connection::write_long_text(std::string_view text) {
  const auto frame = socket_.make_head(websocket::message_kind::text, text.size());
  if (!frame) co_return false;
  out_ = websocket::encode(*frame).view();
  bool is_written = co_await write(out_, true);
  while (is_written && !text.empty()) {
    const std::string_view piece = text.substr(0, piece_bytes_max);
    text.remove_prefix(piece.size());
    is_written = co_await write(piece, !text.empty());
  }
  co_return is_written;
}

io::task<bool> push_connection::write(std::string_view bytes, bool more_follows) {
  edge::body_piece piece;
  piece.data = const_cast<char*>(bytes.data());  // without room around them, none of them is written to
  piece.size_bytes = bytes.size();
  piece.more_follows = more_follows;
  owner_.bytes_out_ += bytes.size();
  const time_point deadline = owner_.reactor_.now() + write_timeout;
  const edge::stream_fault fault = co_await x_.send_body(piece, edge::no_trailers, deadline);
  co_return fault == edge::stream_fault::none;
}

}  // namespace cellroute::control
