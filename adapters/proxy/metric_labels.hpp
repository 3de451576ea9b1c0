#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cellroute::proxy {

/// What kind of name a label is; ids are dense within one kind.
enum class label_kind : std::uint8_t { listener, route, placement, cell, endpoint, reason };

/// The id of an interned name. 0 is the empty name: this request has none.
using label_id = std::uint32_t;

/// Names that appear as label values, interned off the hot path. An id keeps its meaning as long as the process lives,
/// across reloads, so that series go on where they were.
///
/// Range:   at most `label_max(kind)` names; all further ones share an id that prints as `_overflow`.
/// Threads: any; one mutex.
class label_names {
 public:
  [[nodiscard]] label_id intern(label_kind kind, std::string_view name);

  /// All names of a kind by id, for one rendering.
  [[nodiscard]] std::vector<std::string> names(label_kind kind) const;

 private:
  static constexpr std::size_t kinds = 6;
  mutable std::mutex mutex_;
  std::array<std::map<std::string, label_id, std::less<>>, kinds> ids_;
};

/// The highest id of a kind: as many bits as the widest family has for it.
[[nodiscard]] constexpr label_id label_max(label_kind kind) {
  switch (kind) {
    case label_kind::listener:
      return (1u << 8) - 1;
    case label_kind::route:
      return (1u << 14) - 1;
    case label_kind::placement:
      return (1u << 18) - 1;
    case label_kind::cell:
      return (1u << 18) - 1;
    case label_kind::endpoint:
      return (1u << 20) - 1;
    case label_kind::reason:
      return (1u << 6) - 1;
  }
  return 0;
}

/// One of ten known methods, or `_OTHER`: a client must not make series.
enum class method_label : std::uint8_t {};
[[nodiscard]] method_label classify_method(std::string_view method);
[[nodiscard]] std::string_view to_string(method_label method);

/// How a request ended, seen from its client.
enum class request_outcome : std::uint8_t {
  forwarded,       ///< a cell answered, and the client has the whole answer
  refused,         ///< the router answered: the request was not fit to be forwarded
  upstream_error,  ///< the router answered for a cell that did not
  cut,             ///< the answer had begun when the cell failed
  client_gone,     ///< the client left first
};
[[nodiscard]] std::string_view to_string(request_outcome outcome);

/// How one attempt ended, seen from its upstream.
enum class attempt_outcome : std::uint8_t { answered, failed, cancelled };
[[nodiscard]] std::string_view to_string(attempt_outcome outcome);

/// Why an attempt failed; the words are those of `Proxy-Status`.
///
/// Source: RFC 9209 section 2.3.
enum class upstream_error : std::uint8_t {
  dns_error,
  connection_refused,
  connection_timeout,
  connection_terminated,
  connection_read_timeout,
  http_protocol_error,
  http_response_timeout,
  tls_protocol_error,
  tls_certificate_error,
};
[[nodiscard]] std::string_view to_string(upstream_error error);

/// Whether a request is logged, and why: `ratio` is chance.
enum class sampling_decision : std::uint8_t { ratio, status, slow, key, dropped };
inline constexpr std::size_t sampling_decisions = 5;
[[nodiscard]] std::string_view to_string(sampling_decision decision);

/// Why an accepted connection was closed at once.
enum class drop_reason : std::uint8_t { connection_limit, accept_rate, draining };
[[nodiscard]] std::string_view to_string(drop_reason reason);

enum class protocol_label : std::uint8_t { http1, http2, http3, tcp, tunnel };
[[nodiscard]] std::string_view to_string(protocol_label protocol);

enum class upstream_state : std::uint8_t { active, idle };
[[nodiscard]] std::string_view to_string(upstream_state state);

/// `connect_failed`: nothing was sent yet; `reused_connection_ended`: a pooled connection ended without a byte of
/// answer.
enum class retry_reason : std::uint8_t { connect_failed, reused_connection_ended };
[[nodiscard]] std::string_view to_string(retry_reason reason);

enum class retry_result : std::uint8_t { answered, failed };
[[nodiscard]] std::string_view to_string(retry_result result);

}  // namespace cellroute::proxy
