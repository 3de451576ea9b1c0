#include "adapters/http1/head_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <utility>

#include "adapters/http1/bytes.hpp"

namespace cellroute::http1 {
namespace {

constexpr std::size_t number_bytes_max = 20;  // of 64 bits in decimal

// All lines that are made here, at their longest and all at once, without the values that they carry.
constexpr std::size_t made_lines_bytes_max = 256;

// Copies without a call what is short, as most of what is written here is.
inline void copy_text(char* to, const char* from, std::size_t size) {
  const auto copy_twice = [&]<class Word>(Word) {  // the two may overlap
    Word first;
    Word last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + size - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + size - sizeof last, &last, sizeof last);
  };
  using two_words = std::array<std::uint64_t, 2>;
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    copy_twice(two_words{});
  } else if (size >= 8) {
    copy_twice(std::uint64_t{});
  } else if (size >= 4) {
    copy_twice(std::uint32_t{});
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

// Appends to a span until it is full; then it only remembers that it was.
class appender {
 public:
  explicit appender(std::span<char> out) : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  appender& operator<<(std::string_view text) {
    if (static_cast<std::size_t>(end_ - at_) < text.size()) {
      full_ = true;
    } else {
      copy_text(at_, text.data(), text.size());
      at_ += text.size();
    }
    return *this;
  }
  // One whole field line, with one look at the room.
  void add_line(std::string_view name, std::string_view value) {
    if (static_cast<std::size_t>(end_ - at_) < name.size() + value.size() + 4) {
      full_ = true;
      return;
    }
    copy_text(at_, name.data(), name.size());
    at_ += name.size();
    *at_++ = ':';
    *at_++ = ' ';
    copy_text(at_, value.data(), value.size());
    at_ += value.size();
    *at_++ = '\r';
    *at_++ = '\n';
  }
  appender& operator<<(std::uint64_t number) {
    std::array<char, number_bytes_max> digits;
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return *this << std::string_view{digits.data(), static_cast<std::size_t>(written.ptr - digits.data())};
  }
  [[nodiscard]] std::size_t size() const { return full_ ? 0 : static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
  char* end_;
  bool full_ = false;
};

// Eight bytes at once: whether one is below 0x20, a tab too, or is 0x7f. Source: the zero-byte test of Alan Mycroft.
bool may_have_control(std::uint64_t bytes) {
  constexpr std::uint64_t each = 0x0101010101010101u;
  constexpr std::uint64_t high = 0x8080808080808080u;
  const std::uint64_t low = (bytes - each * 0x20) & ~bytes;
  const std::uint64_t del = bytes ^ each * 0x7f;
  return ((low | ((del - each) & ~del)) & high) != 0;
}

bool has_control(std::string_view text) {
  const char* const end = text.data() + text.size();
  if (text.size() >= 8 && text.size() <= 16) {  // most values that are added: two looks, which may overlap
    std::uint64_t first;
    std::uint64_t last;
    std::memcpy(&first, text.data(), 8);
    std::memcpy(&last, end - 8, 8);
    if (!may_have_control(first) && !may_have_control(last)) return false;
  }
  return fast_search::find_control(text.data(), end) != end;
}

bool has_target_end(std::string_view text) {
  const char* const end = text.data() + text.size();
  return fast_search::find_target_end(text.data(), end) != end;
}

// The line of `f` in `raw`, with its line end, if it is still there as it was sent; else empty. Whoever changed name or
// value let them point elsewhere, or to a part of what they were.
std::string_view line_in(std::string_view raw, const field& f) {
  const std::less_equal<> before;
  const char* const raw_end = raw.data() + raw.size();
  const char* at = f.name.data() + f.name.size();
  if (raw.empty() || !before(raw.data(), f.name.data()) || !before(at, f.value.data()) ||
      !before(f.value.data() + f.value.size(), raw_end)) {
    return {};
  }
  if (at == raw_end || *at != ':' || (f.name.data() != raw.data() && f.name.data()[-1] != '\n')) return {};
  for (++at; at != f.value.data(); ++at) {
    if (at == raw_end || !is_ows(*at)) return {};
  }
  at += f.value.size();
  while (at != raw_end && is_ows(*at)) ++at;
  if (raw_end - at < 2 || at[0] != '\r' || at[1] != '\n') return {};
  return {f.name.data(), static_cast<std::size_t>(at + 2 - f.name.data())};
}

void write_field(appender& out, const field& f) {
  if (!is_token(f.name) || has_control(f.value)) return;
  out.add_line(f.name, f.value);
}

// The names of added fields are the router's own, or checked where they were configured, so whether they are tokens is
// not asked a million times a second; that no line can be added is.
void write_added(appender& out, std::span<const field> added) {
  for (const field& f : added) {
    if (!has_control(f.name) && !has_control(f.value)) out.add_line(f.name, f.value);
  }
}

void write_fields(appender& out, std::span<const field> fields, std::string_view raw) {
  std::string_view run;
  for (const field& f : fields) {
    if (f.skip) continue;
    const std::string_view line = line_in(raw, f);
    if (!line.empty() && line.data() == run.data() + run.size()) {
      run = {run.data(), run.size() + line.size()};
      continue;
    }
    out << run;
    run = line;
    if (line.empty()) write_field(out, f);
  }
  out << run;
}

std::size_t fields_bound(std::span<const field> fields) {
  std::size_t bytes = 0;
  for (const field& f : fields) bytes += f.name.size() + f.value.size() + 4;
  return bytes;
}

void write_framing(appender& out, body_framing framing, std::optional<std::uint64_t> length_bytes) {
  if (framing == body_framing::chunked) {
    out << "Transfer-Encoding: chunked\r\n";
  } else if (length_bytes && framing != body_framing::until_close) {
    out << "Content-Length: " << *length_bytes << "\r\n";
  }
}

}  // namespace

outgoing_request outgoing(const request_view& view) {
  outgoing_request head;
  head.method = view.method;
  head.target = view.target;
  head.authority = view.authority;
  head.fields = view.fields;
  head.raw = view.raw;
  head.length_bytes = view.body.length_bytes;
  head.framing = view.body.length_bytes ? body_framing::length
                 : view.body.has_body   ? body_framing::chunked
                                        : body_framing::none;
  head.upgrade = view.upgrade;
  head.expects_continue = view.expects_continue;
  head.te_trailers = view.accepts_trailers;
  return head;
}

outgoing_response outgoing(const response_view& view) {
  outgoing_response head;
  head.status = view.status;
  head.reason = view.reason;
  head.fields = view.fields;
  head.raw = view.raw;
  head.length_bytes = view.body.length_bytes;
  head.framing = !view.body.has_body      ? body_framing::none
                 : view.body.length_bytes ? body_framing::length
                                          : body_framing::chunked;
  head.upgrade = view.upgrade;
  return head;
}

std::size_t size_bound(const outgoing_request& head) {
  return head.method.size() + head.target.size() + head.authority.size() + head.raw.size() + head.upgrade.size() +
         fields_bound(head.fields) + fields_bound(head.added) + made_lines_bytes_max;
}

std::size_t size_bound(const outgoing_response& head) {
  return head.reason.size() + head.raw.size() + head.upgrade.size() + fields_bound(head.fields) +
         fields_bound(head.added) + made_lines_bytes_max;
}

std::size_t write_request_head(std::span<char> out, const outgoing_request& head) {
  if (!is_token(head.method) || head.target.empty() || has_target_end(head.target) || has_target_end(head.authority)) {
    return 0;
  }
  appender to(out);
  to << head.method << " " << head.target << " HTTP/1.1\r\nHost: " << head.authority << "\r\n";
  write_fields(to, head.fields, head.raw);
  write_added(to, head.added);
  write_framing(to, head.framing, head.length_bytes);
  if (head.expects_continue) to << "Expect: 100-continue\r\n";
  if (head.te_trailers) to << "TE: trailers\r\n";

  const bool upgrades = !head.upgrade.empty() && !has_control(head.upgrade);
  if (upgrades) to << "Upgrade: " << head.upgrade << "\r\n";
  std::string_view before = "Connection: ";
  for (const auto& [holds_now, option] :
       {std::pair{head.close, "close"}, std::pair{head.te_trailers, "TE"}, std::pair{upgrades, "Upgrade"}}) {
    if (!holds_now) continue;
    to << before << option;
    before = ", ";
  }
  if (before == ", ") to << "\r\n";
  to << "\r\n";
  return to.size();
}

std::size_t write_response_head(std::span<char> out, const outgoing_response& head) {
  if (head.status < 100 || head.status > 999) return 0;
  appender to(out);
  to << "HTTP/1.1 " << std::uint64_t{head.status} << " ";
  if (!has_control(head.reason)) to << head.reason;
  to << "\r\n";
  write_fields(to, head.fields, head.raw);
  write_added(to, head.added);
  // RFC 9112 section 6.1, RFC 9110 section 8.6: these never say how long they are.
  if (head.status >= 200 && head.status != 204) write_framing(to, head.framing, head.length_bytes);
  if (!head.upgrade.empty() && !has_control(head.upgrade)) {
    to << "Upgrade: " << head.upgrade << "\r\nConnection: Upgrade\r\n";
  } else if (head.close) {
    to << "Connection: close\r\n";
  } else if (head.keep_alive) {
    to << "Connection: keep-alive\r\n";
  }
  to << "\r\n";
  return to.size();
}

std::size_t write_chunk_prefix(std::span<char> room, std::uint64_t size_bytes) {
  std::array<char, chunk_prefix_bytes_max> line;
  const auto digits = std::to_chars(line.data(), line.data() + line.size(), size_bytes, 16);
  digits.ptr[0] = '\r';
  digits.ptr[1] = '\n';
  const auto size = static_cast<std::size_t>(digits.ptr + 2 - line.data());
  if (size > room.size()) return 0;
  std::memcpy(room.data() + room.size() - size, line.data(), size);
  return size;
}

std::size_t write_last_chunk(std::span<char> out, std::span<const field> trailers) {
  appender to(out);
  to << "0\r\n";
  for (const field& f : trailers) {
    if (!f.skip) write_field(to, f);
  }
  to << "\r\n";
  return to.size();
}

std::size_t last_chunk_size_bound(std::span<const field> trailers) {
  return fields_bound(trailers) + last_chunk.size();
}

}  // namespace cellroute::http1
