#include "adapters/http1/response_head.hpp"

#include "adapters/http1/bytes.hpp"
#include "adapters/http1/field_lines.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::http1 {
namespace {

constexpr name_set skipped_of_response = [] {
  name_set set = hop_by_hop;
  set.bits |= name_set::bit(field_name::content_length);
  return set;
}();

// RFC 9112 section 4. Returns the size of the line, with its line end.
expected<std::size_t, head_error> parse_status_line(std::string_view head, response_head& out) {
  constexpr std::size_t status_at = 9;   // behind "HTTP/1.1 "
  constexpr std::size_t reason_at = 12;  // with the space before it
  const auto minor = parse_version(head.substr(0, 8));
  if (!minor) return unexpected(minor.error());
  if (head.size() < reason_at + 2) return unexpected(head_error::cut_short);
  if (head[status_at - 1] != ' ') return unexpected(head_error::bad_start_line);
  unsigned status = 0;
  for (const char c : head.substr(status_at, 3)) {
    if (!is_digit(c)) return unexpected(head_error::bad_status);
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  if (is_digit(head[reason_at]) || status < 100 || status > 599) return unexpected(head_error::bad_status);

  const char* const end = head.data() + head.size();
  const char* const line_end = fast_search::find_control(head.data() + reason_at, end);
  if (end - line_end < 2) return unexpected(head_error::cut_short);
  if (line_end[0] != '\r') return unexpected(*line_end == '\n' ? head_error::bare_lf : head_error::control_byte);
  if (line_end[1] != '\n') return unexpected(head_error::bare_cr);
  const auto line_bytes = static_cast<std::size_t>(line_end - head.data());
  if (line_bytes > reason_at) {
    if (head[reason_at] != ' ') return unexpected(head_error::bad_start_line);
    out.view.reason = head.substr(reason_at + 1, line_bytes - reason_at - 1);
  }
  out.version_minor = *minor;
  out.view.status = static_cast<std::uint16_t>(status);
  return line_bytes + 2;
}

// Whether each protocol of one list stands in the other. RFC 9110 section 7.8: a server must not switch to a protocol
// that was not asked for.
bool is_among(std::string_view chosen, std::string_view asked) {
  bool any = false;
  bool all = true;
  for_each_member(chosen, [&](std::string_view protocol) {
    any = true;
    bool found = false;
    for_each_member(asked, [&](std::string_view offered) {
      found = equal_ignoring_case(protocol, offered);
      return !found;
    });
    return all = found;
  });
  return any && all;
}

}  // namespace

expected<void, head_error> parse_response_head(std::string_view head, bool request_was_head,
                                               std::string_view upgrade_asked, const head_limits& limits,
                                               std::span<field> storage, response_head& out) {
  if (head.size() > limits.head_bytes_max) return unexpected(head_error::head_too_long);
  out = response_head{};
  const auto start_bytes = parse_status_line(head, out);
  if (!start_bytes) return unexpected(start_bytes.error());
  if (*start_bytes - 2 > limits.field_bytes_max) return unexpected(head_error::field_too_long);

  const auto lines = parse_field_lines(head.substr(*start_bytes), limits, skipped_of_response, storage);
  if (!lines) return unexpected(lines.error());
  out.view.fields = lines->fields;
  out.view.raw = lines->raw;
  const auto connection = apply_connection(*lines);
  if (!connection) return unexpected(connection.error());
  out.nominates = connection->nominates;
  out.keep_alive = !connection->close && (out.version_minor > 0 || connection->keep_alive);

  const std::uint16_t status = out.view.status;
  if (status < 200 || status == 204) {
    // Content that is claimed but cannot be there: whoever claims it may send it, so the connection is not used again.
    const auto framing = parse_framing(*lines, out.version_minor);
    if (!framing || framing->chunked || framing->length_bytes.value_or(0) > 0) out.keep_alive = false;
    if (status != 101) return {};
    if (!lines->seen.has(field_name::upgrade) || lines->repeated.has(field_name::upgrade)) {
      return unexpected(head_error::unasked_upgrade);
    }
    out.view.upgrade = find_field(lines->fields, field_name::upgrade)->value;
    if (!is_among(out.view.upgrade, upgrade_asked)) return unexpected(head_error::unasked_upgrade);
    return {};
  }

  const auto framing = parse_framing(*lines, out.version_minor);
  if (!framing) return unexpected(framing.error());
  out.view.body.length_bytes = framing->length_bytes;
  if (request_was_head || status == 304) return {};
  out.view.body.has_body = framing->length_bytes != 0u;
  if (framing->chunked) {
    out.framing = body_framing::chunked;
  } else if (framing->length_bytes) {
    out.framing = body_framing::length;
  } else {
    out.framing = body_framing::until_close;
    out.keep_alive = false;
  }
  return {};
}

}  // namespace cellroute::http1
