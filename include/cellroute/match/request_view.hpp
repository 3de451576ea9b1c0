#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cellroute {

/// The field names that some part of the router acts on. A reader of heads classifies each name once, so that
/// nothing behind it compares names again.
enum class field_name : std::uint8_t {
  other,
  accept,
  connection,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded,
  host,
  http2_settings,
  keep_alive,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  proxy_status,
  referer,
  retry_after,
  server,
  te,
  trailer,
  transfer_encoding,
  upgrade,
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
  x_routing_key,
};

/// One header or trailer field, as views into the buffer that it was read from.
struct field {
  std::string_view name;   ///< as sent; compare without case
  std::string_view value;  ///< without the white space around it
  field_name id = field_name::other;
  bool skip = false;  ///< not passed on: hop-by-hop, named by Connection, or replaced by the router
};

/// How many bytes of content follow a head.
struct body_size {
  bool has_body = false;
  std::optional<std::uint64_t> length_bytes;  ///< empty: known only when the end comes
  friend bool operator==(const body_size&, const body_size&) = default;
};

/// A request as any protocol hands it on, and all that routing may look at. Views only: whoever made it says how long
/// they hold.
struct request_view {
  std::string_view method;
  std::string_view scheme;     ///< `http` or `https`
  std::string_view authority;  ///< host and port that the client asked for
  std::string_view target;     ///< path and query, byte for byte as sent; `*` for OPTIONS of the server
  std::span<field> fields;
  std::string_view raw;  ///< the lines that `fields` lie in, where they were read from HTTP/1; else empty
  body_size body;
  bool expects_continue = false;  ///< the client waits for 100 before it sends content
  bool accepts_trailers = false;  ///< the client said `TE: trailers`
  std::string_view upgrade;       ///< the protocol asked for instead of HTTP; empty where none was, or h2c
};

/// An answer as any protocol hands it on. Views only, like `request_view`.
struct response_view {
  std::uint16_t status = 0;
  std::string_view reason;  ///< the reason phrase; protocols without one leave it empty
  std::span<field> fields;
  std::string_view raw;  ///< as in `request_view`
  body_size body;
  std::string_view upgrade;  ///< the protocol switched to, with status 101
};

/// The first field of that name that is passed on or not, or null.
[[nodiscard]] constexpr const field* find_field(std::span<const field> fields, field_name id) {
  for (const field& f : fields) {
    if (f.id == id) return &f;
  }
  return nullptr;
}

}  // namespace cellroute
