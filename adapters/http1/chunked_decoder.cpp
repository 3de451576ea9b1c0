#include "adapters/http1/chunked_decoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <iterator>

#include "adapters/http1/bytes.hpp"
#include "adapters/http1/field_lines.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::http1 {
namespace {

constexpr std::uint64_t size_max = 0x7fff'ffff'ffff'ffff;

// What a chunk's line may cost without content that pays for it: a size, a line end, and a short extension.
constexpr std::uint64_t free_line_bytes = 16;

}  // namespace

std::string_view to_string(chunk_error error) {
  switch (error) {
    case chunk_error::none:
      return "";
    case chunk_error::bad_size:
      return "malformed chunk size";
    case chunk_error::size_too_large:
      return "chunk size too large";
    case chunk_error::line_too_long:
      return "chunk line too long";
    case chunk_error::too_much_overhead:
      return "more chunk framing than content";
    case chunk_error::bad_extension:
      return "malformed chunk extension";
    case chunk_error::bad_line_end:
      return "chunk line does not end in CR LF";
    case chunk_error::bad_data_end:
      return "chunk data does not end in CR LF";
    case chunk_error::bad_trailer:
      return "malformed trailer";
    case chunk_error::trailers_too_long:
      return "trailers too long";
  }
  return {};
}

void chunked_decoder::reset() { *this = chunked_decoder{}; }

chunked_decoder::progress chunked_decoder::decode_in_place(std::span<char> io) {
  char* const base = io.data();
  progress done;
  while (done.consumed < io.size() && part_ < part::done) {
    if (part_ == part::data) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes_, io.size() - done.consumed));
      if (done.produced != done.consumed) std::memmove(base + done.produced, base + done.consumed, size);
      done.produced += size;
      done.consumed += size;
      left_bytes_ -= size;
      if (left_bytes_ == 0) part_ = part::data_cr;
      continue;
    }
    error_ = take_byte(base[done.consumed]);
    if (error_ != chunk_error::none) {
      part_ = part::refused;
      break;
    }
    ++done.consumed;
  }
  if (part_ == part::done) done.state = status::done;
  if (part_ == part::refused) done.state = status::error;
  return done;
}

// All of the framing; nobody reads extensions, but what is not well formed may be read in two ways.
chunk_error chunked_decoder::take_byte(char c) {
  if (part_ < part::line_lf && ++line_bytes_ > chunk_line_bytes_max && c != '\r') return chunk_error::line_too_long;
  const auto go = [this](part next) {
    part_ = next;
    return chunk_error::none;
  };
  const bool ends_value = c == ';' || c == '\r';
  const part behind_value = c == ';' ? part::extension_first : part::line_lf;
  switch (part_) {
    case part::size_first:
      return is_hex_digit(c) ? take_size_digit(c) : chunk_error::bad_size;
    case part::size:
      if (is_hex_digit(c)) return take_size_digit(c);
      if (ends_value) return go(behind_value);
      return is_ows(c) ? go(part::size_space) : chunk_error::bad_size;
    case part::size_space:
      if (c == ';') return go(part::extension_first);
      return is_ows(c) ? chunk_error::none : chunk_error::bad_size;

    case part::extension_first:
      if (is_ows(c)) return chunk_error::none;
      return holds(token_bytes, c) ? go(part::extension_name) : chunk_error::bad_extension;
    case part::extension_name:
      if (holds(token_bytes, c)) return chunk_error::none;
      if (c == '=') return go(part::value_first);
      if (ends_value) return go(behind_value);
      return is_ows(c) ? go(part::extension_space) : chunk_error::bad_extension;
    case part::extension_space:
      if (c == '=') return go(part::value_first);
      if (c == ';') return go(part::extension_first);
      return is_ows(c) ? chunk_error::none : chunk_error::bad_extension;
    case part::value_first:
      if (is_ows(c)) return chunk_error::none;
      if (c == '"') return go(part::value_quoted);
      return holds(token_bytes, c) ? go(part::value_token) : chunk_error::bad_extension;
    case part::value_token:
      if (holds(token_bytes, c)) return chunk_error::none;
      if (ends_value) return go(behind_value);
      return is_ows(c) ? go(part::value_space) : chunk_error::bad_extension;
    case part::value_quoted:
      if (c == '"') return go(part::value_end);
      if (c == '\\') return go(part::value_escaped);
      return plain_search::is_control(c) ? chunk_error::bad_extension : chunk_error::none;
    case part::value_escaped:
      return plain_search::is_control(c) ? chunk_error::bad_extension : go(part::value_quoted);
    case part::value_end:
      if (ends_value) return go(behind_value);
      return is_ows(c) ? go(part::value_space) : chunk_error::bad_extension;
    case part::value_space:
      if (c == ';') return go(part::extension_first);
      return is_ows(c) ? chunk_error::none : chunk_error::bad_extension;
    case part::line_lf:
      return c == '\n' ? end_line() : chunk_error::bad_line_end;

    case part::data_cr:
      return c == '\r' ? go(part::data_lf) : chunk_error::bad_data_end;
    case part::data_lf:
      return c == '\n' ? go(part::size_first) : chunk_error::bad_data_end;

    case part::trailer_first:
      if (c == '\r') return go(part::end_lf);
      if (!holds(token_bytes, c)) return chunk_error::bad_trailer;
      if (++trailer_lines_ > trailer_fields_max) return chunk_error::trailers_too_long;
      part_ = part::trailer;
      return keep_trailer_byte(c);
    case part::trailer:
      if (c == '\r') return go(part::trailer_lf);
      return plain_search::is_control(c) ? chunk_error::bad_trailer : keep_trailer_byte(c);
    case part::trailer_lf:
      return c == '\n' ? end_trailer() : chunk_error::bad_trailer;
    case part::end_lf:
      return c == '\n' ? end_content() : chunk_error::bad_trailer;

    case part::data:
    case part::done:
    case part::refused:
      break;
  }
  assert(false && "data is moved, not looked at, and nothing follows the end");
  return chunk_error::bad_size;
}

chunk_error chunked_decoder::take_size_digit(char c) {
  if (left_bytes_ > size_max / 16) return chunk_error::size_too_large;
  left_bytes_ = left_bytes_ * 16 + static_cast<std::uint64_t>(hex_value(c));
  part_ = part::size;
  return chunk_error::none;
}

chunk_error chunked_decoder::end_line() {
  const std::uint64_t paid = std::min<std::uint64_t>(left_bytes_, chunk_line_bytes_max) * 2 + free_line_bytes;
  overhead_bytes_ += line_bytes_;
  overhead_bytes_ -= static_cast<std::size_t>(std::min<std::uint64_t>(overhead_bytes_, paid));
  if (overhead_bytes_ > chunk_overhead_bytes_max) return chunk_error::too_much_overhead;
  line_bytes_ = 0;
  part_ = left_bytes_ == 0 ? part::trailer_first : part::data;
  return chunk_error::none;
}

chunk_error chunked_decoder::keep_trailer_byte(char c) {
  if (trailers_.size() + 2 >= trailers_bytes_max) return chunk_error::trailers_too_long;  // its line end must fit
  trailers_.push_back(c);
  return chunk_error::none;
}

chunk_error chunked_decoder::end_trailer() {
  trailers_ += "\r\n";
  part_ = part::trailer_first;
  return chunk_error::none;
}

chunk_error chunked_decoder::end_content() {
  if (!trailers_.empty()) {
    trailers_ += "\r\n";
    std::array<field, trailer_fields_max> fields;
    if (!parse_trailers(trailers_, fields)) return chunk_error::bad_trailer;
  }
  part_ = part::done;
  return chunk_error::none;
}

namespace {

constexpr name_set forbidden_names = [] {
  name_set set = hop_by_hop;
  using enum field_name;
  for (const field_name name : {accept,
                                content_length,
                                content_type,
                                cookie,
                                date,
                                expect,
                                forwarded,
                                host,
                                proxy_status,
                                referer,
                                retry_after,
                                trailer,
                                user_agent,
                                via,
                                x_cell_generation,
                                x_cell_key,
                                x_cell_placement,
                                x_circuit_state,
                                x_failover_reason,
                                x_forwarded_for,
                                x_forwarded_host,
                                x_forwarded_port,
                                x_forwarded_proto,
                                x_request_id,
                                x_route_decision,
                                x_route_reason,
                                x_routed_to,
                                x_routing_key}) {
    set.bits |= name_set::bit(name);
  }
  return set;
}();

// Those without a name of ours: authentication, controls, conditions, and how to read the content.
constexpr std::string_view forbidden_others[] = {
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "set-cookie",
    "vary",
    "warning",
    "www-authenticate",
};

bool is_forbidden(const field& f) {
  if (f.id != field_name::other) return forbidden_names.has(f.id);
  return std::any_of(std::begin(forbidden_others), std::end(forbidden_others),
                     [&f](std::string_view name) { return equal_ignoring_case(f.name, name); });
}

}  // namespace

expected<std::span<field>, head_error> parse_trailers(std::string_view text, std::span<field> storage) {
  if (text.empty()) return storage.first(0);
  const head_limits limits{.field_bytes_max = trailers_bytes_max, .fields_max = trailer_fields_max};
  const auto lines = parse_field_lines(text, limits, {}, storage);
  if (!lines) return unexpected(lines.error());
  for (field& f : lines->fields) f.skip = is_forbidden(f);
  return lines->fields;
}

}  // namespace cellroute::http1
