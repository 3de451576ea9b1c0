#include "adapters/edge/content.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "adapters/http1/bytes.hpp"
#include "adapters/http1/head_writer.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::edge {
namespace {

constexpr std::size_t usual_read_bytes = 65536;
constexpr std::size_t stream_read_bytes = 262144;  // for a stream that fills the usual block: about 5 % less CPU a byte

stream_fault fault_of(io::io_status status) {
  switch (status) {
    case io::io_status::ok:
    case io::io_status::would_block:
      return stream_fault::none;
    case io::io_status::end:
    case io::io_status::reset:
      return stream_fault::closed;
    case io::io_status::timed_out:
      return stream_fault::timed_out;
    case io::io_status::cancelled:
      return stream_fault::cancelled;
  }
  return stream_fault::closed;
}

body_piece failed(stream_fault fault) {
  body_piece piece;
  piece.fault = fault;
  return piece;
}

}  // namespace

input_bytes::fill_result input_bytes::fill(io::socket& from, std::size_t block_bytes) {
  io::buffer_pool& pool = from.owner().buffers();
  if (is_empty() && (!block_ || block_.size() < block_bytes)) {
    block_.give_back();
    block_ = pool.take(block_bytes);
  }
  if (is_empty()) begin_ = end_ = std::min(headroom_bytes, block_.size() / 2);
  if (end_ + tailroom_bytes >= block_.size()) {  // no room behind a part of a head: a larger block
    io::buffer larger = pool.take(std::min(block_.size() * 4, io::buffer_pool::class_bytes.back()));
    const std::size_t size_bytes = end_ - begin_;
    const std::size_t begin = larger.size() > block_.size() ? headroom_bytes : 0;
    std::memcpy(larger.data() + begin, block_.data() + begin_, size_bytes);
    block_ = std::move(larger);
    begin_ = begin;
    end_ = begin + size_bytes;
  }
  const std::size_t room = block_.size() - end_ - tailroom_bytes;
  const io::io_result read = from.try_read({block_.data() + end_, room});
  end_ += read.size_bytes;
  return {read.status, read.size_bytes == room};
}

void input_bytes::shrink(io::buffer_pool& pool) {
  if (!block_) return;
  const std::size_t size_bytes = end_ - begin_;
  if (size_bytes == 0) {
    block_.give_back();
    begin_ = end_ = 0;
    return;
  }
  constexpr std::size_t small_bytes = io::buffer_pool::class_bytes[0];
  if (block_.size() <= small_bytes || size_bytes > small_bytes / 2) return;
  io::buffer small = pool.take(small_bytes);
  std::memcpy(small.data(), block_.data() + begin_, size_bytes);
  block_ = std::move(small);
  begin_ = 0;
  end_ = size_bytes;
}

void content_reader::begin(http1::body_framing framing, std::uint64_t length_bytes) {
  framing_ = framing;
  left_bytes_ = length_bytes;
  complete_ = framing == http1::body_framing::none || (framing == http1::body_framing::length && length_bytes == 0);
  if (framing == http1::body_framing::chunked) decoder_.reset();
  nominated_.clear();
}

body_piece content_reader::lend(std::size_t size_bytes, std::size_t tailroom_bytes) {
  body_piece piece;
  piece.data = input_.unread_bytes().data();
  piece.size_bytes = size_bytes;
  piece.headroom_bytes = input_.headroom();
  piece.tailroom_bytes = tailroom_bytes;
  return piece;
}

body_piece content_reader::take() {
  if (complete_) {
    body_piece piece;
    piece.end = true;
    return piece;
  }
  if (input_.is_empty()) return {};
  if (framing_ == http1::body_framing::chunked) return take_chunked();
  return take_counted();
}

body_piece content_reader::take_counted() {
  const std::size_t there = input_.unread().size();
  const bool counted = framing_ == http1::body_framing::length;
  const std::size_t size_bytes =
      counted ? static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes_, there)) : there;
  body_piece piece = lend(size_bytes, size_bytes == there ? input_.tailroom() : 0);
  input_.consume(size_bytes);
  if (counted) {
    left_bytes_ -= size_bytes;
    complete_ = left_bytes_ == 0;
  }
  piece.end = complete_;
  return piece;
}

body_piece content_reader::take_chunked() {
  const std::span<char> there = input_.unread_bytes();
  const http1::chunked_decoder::progress read = decoder_.decode_in_place(there);
  if (read.state == http1::chunked_decoder::status::error) return failed(stream_fault::malformed);
  body_piece piece = lend(read.produced, read.consumed - read.produced);
  if (read.consumed == there.size()) piece.tailroom_bytes += input_.tailroom();
  input_.consume(read.consumed);
  complete_ = read.state == http1::chunked_decoder::status::done;
  piece.end = complete_;
  return piece;
}

bool content_reader::suits_pipe() const {
  if (!pipes_welcome_ || !grow_ || socket_.is_secure()) return false;
  return framing_ == http1::body_framing::until_close ||
         (framing_ == http1::body_framing::length && left_bytes_ >= stream_read_bytes);
}

body_piece content_reader::lend_pipe(std::size_t size_bytes) {
  if (framing_ == http1::body_framing::length) {
    left_bytes_ -= size_bytes;
    complete_ = left_bytes_ == 0;
  }
  body_piece piece;
  piece.size_bytes = size_bytes;
  piece.pipe = pipe_.get();
  piece.end = complete_;
  return piece;
}

io::task<body_piece> content_reader::read(time_point deadline) {
  if (pipe_ != nullptr && pipe_->held_bytes != 0)
    co_return failed(stream_fault::closed);  // the last was not sent whole
  for (;;) {
    body_piece piece = take();
    if (piece.size_bytes != 0 || piece.end || piece.fault != stream_fault::none) co_return piece;
    if (suits_pipe() && pipe_ == nullptr) pipe_ = socket_.owner().pipes().take();
    input_bytes::fill_result got;
    if (suits_pipe() && pipe_ != nullptr) {
      const bool counted = framing_ == http1::body_framing::length;
      const std::size_t wanted =
          counted && left_bytes_ < io::pipe_bytes ? static_cast<std::size_t>(left_bytes_) : io::pipe_bytes;
      const io::io_result moved = socket_.try_read(*pipe_, wanted);
      if (moved.status == io::io_status::ok) co_return lend_pipe(moved.size_bytes);
      got.status = moved.status;
    } else {
      got = input_.fill(socket_, grow_ ? stream_read_bytes : usual_read_bytes);
      grow_ = got.filled;
    }
    if (got.status == io::io_status::ok) continue;
    if (got.status == io::io_status::would_block) {
      input_.shrink(socket_.owner().buffers());
      pipe_.reset();
      const io::io_status waited = co_await socket_.readable(deadline);
      if (waited != io::io_status::ok) co_return failed(fault_of(waited));
      continue;
    }
    if (got.status == io::io_status::end && framing_ == http1::body_framing::until_close) {
      complete_ = true;
      continue;
    }
    co_return failed(stream_fault::closed);
  }
}

std::span<field> content_reader::trailers() {
  if (framing_ != http1::body_framing::chunked || !complete_ || decoder_.trailers().empty()) return {};
  trailers_.resize(http1::trailer_fields_max);
  const auto parsed = http1::parse_trailers(decoder_.trailers(), trailers_);
  if (!parsed) return {};
  http1::for_each_member(nominated_, [&](std::string_view name) {
    for (field& f : *parsed) f.skip = f.skip || equal_ignoring_case(f.name, name);
    return true;
  });
  return *parsed;
}

void content_reader::forbid_nominated(std::span<const field> head) {
  for (const field& f : head) {
    if (f.id != field_name::connection) continue;
    nominated_ += f.value;
    nominated_ += ',';
  }
}

io::task<stream_fault> send_all(io::socket& to, std::span<const char> bytes, bool more_follows, time_point deadline) {
  while (!bytes.empty()) {
    const io::io_result sent = to.try_write(bytes, more_follows);
    if (sent.status == io::io_status::ok) {
      bytes = bytes.subspan(sent.size_bytes);
      continue;
    }
    if (sent.status != io::io_status::would_block) co_return stream_fault::closed;
    const io::io_status waited = co_await to.writable(deadline);
    if (waited != io::io_status::ok) co_return fault_of(waited);
  }
  co_return stream_fault::none;
}

namespace {

io::task<stream_fault> send_pipe(io::socket& to, io::pipe& from, bool more_follows, time_point deadline) {
  while (from.held_bytes != 0) {
    const io::io_result sent = to.try_write(from, more_follows);
    if (sent.status == io::io_status::ok) continue;
    if (sent.status != io::io_status::would_block) co_return stream_fault::closed;
    const io::io_status waited = co_await to.writable(deadline);
    if (waited != io::io_status::ok) co_return fault_of(waited);
  }
  co_return stream_fault::none;
}

}  // namespace

void content_writer::begin(http1::body_framing framing, bool ends_connection) {
  framing_ = framing;
  ends_connection_ = ends_connection || framing == http1::body_framing::until_close;
  complete_ = false;
}

content_writer::framed content_writer::frame(body_piece piece, bool with_last_chunk) {
  framed out{piece.pipe == nullptr ? piece.bytes() : std::span<char>{}, piece.headroom_bytes, {}, {}};
  if (framing_ != http1::body_framing::chunked) return out;
  static constexpr std::string_view end_with_last = "\r\n0\r\n\r\n";
  if (piece.size_bytes == 0) {
    if (with_last_chunk) out.behind = end_with_last.substr(2);
    return out;
  }
  char* const data = piece.data;
  const std::size_t prefix =
      piece.pipe != nullptr
          ? 0
          : http1::write_chunk_prefix({data - piece.headroom_bytes, piece.headroom_bytes}, piece.size_bytes);
  if (prefix == 0) {
    const std::size_t size_bytes = http1::write_chunk_prefix(prefix_, piece.size_bytes);
    out.before = {prefix_ + sizeof prefix_ - size_bytes, size_bytes};
  }
  const std::string_view suffix = with_last_chunk ? end_with_last : end_with_last.substr(0, 2);
  if (piece.pipe != nullptr) {
    out.behind = suffix;
    return out;
  }
  if (suffix.size() <= piece.tailroom_bytes) {
    std::memcpy(data + piece.size_bytes, suffix.data(), suffix.size());
    out.bytes = {data - prefix, prefix + piece.size_bytes + suffix.size()};
  } else {
    out.bytes = {data - prefix, prefix + piece.size_bytes};
    out.behind = suffix;
  }
  out.headroom_bytes = piece.headroom_bytes - prefix;
  return out;
}

void content_writer::note_end() {
  complete_ = true;
  if (ends_connection_) socket_.shutdown_send();
}

io::task<stream_fault> content_writer::send_head(std::string_view head, body_piece first,
                                                 std::span<const field> trailers, time_point deadline) {
  const bool with_trailers = ends_with_trailers(first, trailers);
  const framed content = frame(first, first.end && !with_trailers);
  std::span<const char> joined;
  if (content.before.empty() && !content.bytes.empty() && head.size() <= content.headroom_bytes) {
    char* const begin = content.bytes.data() - head.size();
    std::memcpy(begin, head.data(), head.size());
    joined = {begin, head.size() + content.bytes.size()};
  } else if (content.bytes.empty() && content.behind.empty()) {
    joined = head;
  } else {
    const stream_fault fault = co_await send_all(socket_, head, true, deadline);
    if (fault != stream_fault::none) co_return fault;
    if (!content.before.empty()) {
      const stream_fault before = co_await send_all(socket_, content.before, true, deadline);
      if (before != stream_fault::none) co_return before;
    }
    joined = content.bytes;
  }
  // The usual case ends here with one call and no further frame.
  const bool more_behind = with_trailers || (first.end && ends_connection_);
  const bool more = more_behind || !content.behind.empty();
  const io::io_result sent = joined.empty() ? io::io_result{} : socket_.try_write(joined, more);
  if (sent.status != io::io_status::ok && sent.status != io::io_status::would_block) co_return stream_fault::closed;
  if (sent.size_bytes < joined.size()) {
    const stream_fault fault = co_await send_all(socket_, joined.subspan(sent.size_bytes), more, deadline);
    if (fault != stream_fault::none) co_return fault;
  }
  if (!content.behind.empty()) {
    const stream_fault fault = co_await send_all(socket_, content.behind, more_behind, deadline);
    if (fault != stream_fault::none) co_return fault;
  }
  if (with_trailers) co_return co_await send_trailers(trailers, deadline);
  if (first.end) note_end();
  co_return stream_fault::none;
}

io::task<stream_fault> content_writer::send(body_piece piece, std::span<const field> trailers, time_point deadline) {
  const bool with_trailers = ends_with_trailers(piece, trailers);
  const framed content = frame(piece, piece.end && !with_trailers);
  if (!content.before.empty()) {
    const stream_fault fault = co_await send_all(socket_, content.before, true, deadline);
    if (fault != stream_fault::none) co_return fault;
  }
  const bool more_behind = with_trailers || piece.more_follows || (piece.end && ends_connection_);
  const bool more = more_behind || !content.behind.empty();
  if (piece.pipe != nullptr) {
    const stream_fault fault = co_await send_pipe(socket_, *piece.pipe, more, deadline);
    if (fault != stream_fault::none) co_return fault;
  } else if (!content.bytes.empty()) {
    const stream_fault fault = co_await send_all(socket_, content.bytes, more, deadline);
    if (fault != stream_fault::none) co_return fault;
  }
  if (!content.behind.empty()) {
    const stream_fault fault = co_await send_all(socket_, content.behind, more_behind, deadline);
    if (fault != stream_fault::none) co_return fault;
  }
  if (with_trailers) co_return co_await send_trailers(trailers, deadline);
  if (piece.end) note_end();
  co_return stream_fault::none;
}

io::task<stream_fault> content_writer::send_trailers(std::span<const field> trailers, time_point deadline) {
  io::buffer block = socket_.owner().buffers().take(http1::last_chunk_size_bound(trailers));
  const std::size_t size_bytes = http1::write_last_chunk(block.span(), trailers);
  const std::span<const char> text(block.data(), size_bytes);
  const stream_fault fault = co_await send_all(socket_, text, ends_connection_, deadline);
  if (fault == stream_fault::none) note_end();
  co_return fault;
}

std::span<field> field_storage(io::buffer& block, std::size_t used_bytes, std::size_t count) {
  void* place = block.data() + used_bytes;
  std::size_t room = block.size() - used_bytes;
  std::align(alignof(field), count * sizeof(field), place, room);
  field* const first = static_cast<field*>(place);
  std::uninitialized_default_construct_n(first, count);
  return {first, count};
}

}  // namespace cellroute::edge
