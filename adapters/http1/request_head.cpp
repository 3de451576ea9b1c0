#include "adapters/http1/request_head.hpp"

#include <algorithm>
#include <optional>

#include "adapters/http1/bytes.hpp"
#include "adapters/http1/field_lines.hpp"
#include "adapters/http1/uri_authority.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::http1 {
namespace {

// Not passed on: what concerns this connection, and what the writer makes anew from the values read here.
constexpr name_set skipped_of_request = [] {
  name_set set = hop_by_hop;
  for (const field_name name : {field_name::content_length, field_name::host, field_name::expect}) {
    set.bits |= name_set::bit(name);
  }
  return set;
}();

struct start_line {
  std::string_view method;
  std::string_view target;
  std::uint8_t version_minor = 1;
  std::size_t size_bytes = 0;  // with the line end
};

expected<start_line, head_error> parse_start_line(std::string_view head, std::size_t target_bytes_max) {
  start_line line;
  const char* const end = head.data() + head.size();
  const char* at = fast_search::find_token_end(head.data(), end);
  line.method = {head.data(), static_cast<std::size_t>(at - head.data())};
  if (line.method.size() > method_bytes_max) return unexpected(head_error::method_too_long);
  if (at == end) return unexpected(head_error::cut_short);
  if (line.method.empty() || *at != ' ') return unexpected(head_error::bad_method);

  const char* const target = at + 1;
  at = fast_search::find_target_end(target, end);
  line.target = {target, static_cast<std::size_t>(at - target)};
  if (line.target.size() > target_bytes_max) return unexpected(head_error::target_too_long);
  if (at == end) return unexpected(head_error::cut_short);
  if (*at == '\r') return unexpected(head_error::bad_start_line);  // HTTP/0.9 has no version
  if (line.target.empty() || *at != ' ') return unexpected(head_error::bad_target);

  constexpr std::size_t rest_bytes = 10;  // "HTTP/1.1" and the line end
  const std::size_t version_at = static_cast<std::size_t>(at + 1 - head.data());
  if (head.size() - version_at < rest_bytes) return unexpected(head_error::cut_short);
  const auto minor = parse_version(head.substr(version_at, 8));
  if (!minor) return unexpected(minor.error());
  if (head.substr(version_at + 8, 2) != "\r\n") return unexpected(head_error::bad_start_line);
  line.version_minor = *minor;
  line.size_bytes = version_at + rest_bytes;
  return line;
}

// A path may not hold what is no percent-encoding, nor an encoded NUL: hops decode either in different ways. A query is
// data, passed on as it is.
bool is_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  for (std::size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 3)) {
    if (path.size() - at < 3 || !is_hex_digit(path[at + 1]) || !is_hex_digit(path[at + 2])) return false;
    if (path[at + 1] == '0' && path[at + 2] == '0') return false;
  }
  return true;
}

// Where the authority begins in a target of absolute form.
std::optional<std::size_t> authority_begin(std::string_view target) {
  for (const std::string_view scheme : {std::string_view{"http://"}, std::string_view{"https://"}}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return {};
}

// RFC 9112 section 3.2.2. Splits `http://authority/path?query`.
expected<void, head_error> take_absolute_form(std::string_view target, request_head& out) {
  const auto begin = authority_begin(target);
  if (!begin) return unexpected(head_error::bad_target);
  const std::string_view rest = target.substr(*begin);
  const std::size_t authority_bytes = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view path = rest.substr(authority_bytes);
  out.view.authority = rest.substr(0, authority_bytes);
  if (!is_host_and_port(out.view.authority)) return unexpected(head_error::bad_target);
  if (path.empty()) {
    out.view.target = out.view.method == "OPTIONS" ? "*" : "/";
  } else if (path[0] == '/') {
    out.view.target = path;
  } else {
    out.made_target = std::make_unique<char[]>(path.size() + 1);
    out.made_target[0] = '/';
    std::copy(path.begin(), path.end(), out.made_target.get() + 1);
    out.view.target = {out.made_target.get(), path.size() + 1};
  }
  return {};
}

expected<void, head_error> take_target(std::string_view target, request_head& out) {
  if (out.view.method == "CONNECT") return unexpected(head_error::connect_refused);
  if (target[0] == '/') {
    out.view.target = target;
  } else if (target == "*") {
    if (out.view.method != "OPTIONS") return unexpected(head_error::bad_target);
    out.view.target = target;
  } else if (const auto taken = take_absolute_form(target, out); !taken) {
    return taken;
  }
  if (!is_path(out.view.target)) return unexpected(head_error::bad_target);
  return {};
}

// RFC 9112 section 3.2. An absolute target's authority has been taken already and stays.
expected<void, head_error> take_host(const field_lines& lines, request_head& out) {
  if (!lines.seen.has(field_name::host)) {
    if (out.version_minor > 0) return unexpected(head_error::missing_host);
    return {};
  }
  if (lines.repeated.has(field_name::host)) return unexpected(head_error::repeated_host);
  const std::string_view host = find_field(lines.fields, field_name::host)->value;
  if (!is_host_and_port(host)) return unexpected(head_error::bad_host);
  if (out.view.authority.empty()) out.view.authority = host;
  return {};
}

// RFC 9110 section 10.1.1. An expectation of HTTP/1.0 is not one.
expected<void, head_error> take_expectation(const field_lines& lines, request_head& out) {
  if (!lines.seen.has(field_name::expect) || out.version_minor == 0) return {};
  bool known = true;
  bool asked = false;
  for (const field& f : lines.fields) {
    if (f.id != field_name::expect) continue;
    for_each_member(f.value, [&](std::string_view member) {
      asked = true;
      return known = known && equal_ignoring_case(member, "100-continue");
    });
  }
  if (!known) return unexpected(head_error::unknown_expectation);
  out.view.expects_continue = asked && out.view.body.has_body;
  return {};
}

// RFC 9110 section 10.1.4. A weight makes no sense with trailers, and then the member is another word.
bool accepts_trailers(const field_lines& lines) {
  bool accepts = false;
  for (const field& f : lines.fields) {
    if (f.id != field_name::te) continue;
    for_each_member(f.value, [&](std::string_view member) {
      accepts = accepts || equal_ignoring_case(member, "trailers");
      return !accepts;
    });
  }
  return accepts;
}

// The protocols of an Upgrade field, or nothing where they must not be asked for: a tunnel of HTTP/2 would carry
// requests past every check.
std::string_view tunnel_protocols(std::string_view value) {
  bool allowed = true;
  for_each_member(value, [&](std::string_view member) {
    const std::size_t slash = member.find('/');
    const std::string_view name = member.substr(0, slash);
    allowed = is_token(name) && (slash == std::string_view::npos || is_token(member.substr(slash + 1))) &&
              !equal_ignoring_case(name, "h2c") && !equal_ignoring_case(name, "h2") &&
              !equal_ignoring_case(name, "HTTP");
    return allowed;
  });
  return allowed ? value : std::string_view{};
}

}  // namespace

expected<void, head_error> parse_request_head(std::string_view head, const head_limits& limits,
                                              std::span<field> storage, request_head& out) {
  if (head.size() > limits.head_bytes_max) return unexpected(head_error::head_too_long);
  const auto start = parse_start_line(head, limits.target_bytes_max);
  if (!start) return unexpected(start.error());
  out = request_head{};
  out.version_minor = start->version_minor;
  out.view.method = start->method;
  out.view.scheme = "http";
  if (const auto taken = take_target(start->target, out); !taken) return taken;

  const auto lines = parse_field_lines(head.substr(start->size_bytes), limits, skipped_of_request, storage);
  if (!lines) return unexpected(lines.error());
  out.view.fields = lines->fields;
  out.view.raw = lines->raw;
  if (const auto taken = take_host(*lines, out); !taken) return taken;

  const auto framing = parse_framing(*lines, out.version_minor);
  if (!framing) return unexpected(framing.error());
  out.framing = framing->chunked        ? body_framing::chunked
                : framing->length_bytes ? body_framing::length
                                        : body_framing::none;
  out.view.body = {framing->chunked || framing->length_bytes.value_or(0) > 0, framing->length_bytes};
  if (const auto taken = take_expectation(*lines, out); !taken) return taken;

  const auto connection = apply_connection(*lines);
  if (!connection) return unexpected(connection.error());
  const bool http11 = out.version_minor > 0;
  out.nominates = connection->nominates;
  out.keep_alive = !connection->close && (http11 || connection->keep_alive);
  out.view.accepts_trailers = http11 && lines->seen.has(field_name::te) && accepts_trailers(*lines);
  if (http11 && connection->upgrade && !out.view.body.has_body && lines->seen.has(field_name::upgrade) &&
      !lines->repeated.has(field_name::upgrade)) {
    out.view.upgrade = tunnel_protocols(find_field(lines->fields, field_name::upgrade)->value);
  }
  return {};
}

}  // namespace cellroute::http1
