#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/edge/exchange.hpp"
#include "adapters/proxy/metric_labels.hpp"
#include "cellroute/match/routing_key.hpp"

namespace cellroute::proxy {

/// Why the router answers itself, or cuts an answer. What each becomes stands in one table, `outcome_of`.
enum class failure : std::uint8_t {
  malformed_request,
  key_missing,
  key_empty,
  key_too_long,
  key_repeated,
  key_is_list,
  method_refused,
  not_forwarded,
  unknown_key,
  no_configuration,
  body_malformed,
  body_idle,
  body_too_large,
  no_endpoint,
  name_not_resolved,
  connect_refused,
  connect_timeout,
  no_descriptor,
  upstream_closed,
  bad_answer,
  answer_timeout,
  stream_idle,
  total_timeout,
  client_left,
};

/// What a failure becomes for the client, in the log and in the metrics.
struct failure_outcome {
  std::uint16_t status;                    ///< `malformed_request` has its status from the protocol machine
  std::string_view code;                   ///< for programs, in JSON error bodies
  std::string_view error;                  ///< token of `Proxy-Status`; RFC 9209 section 2.3
  std::string_view message;                ///< for people
  std::optional<upstream_error> upstream;  ///< the cell's fault, counted as such
};

/// In the words with which a key is explained, too.
[[nodiscard]] constexpr failure_outcome without_key(const key_refusal& refused, std::string_view error) {
  return {refused.status, refused.code, error, refused.message, {}};
}

[[nodiscard]] constexpr failure_outcome outcome_of(failure f) {
  using enum upstream_error;
  switch (f) {
    case failure::malformed_request:
      return {400, "malformed_request", "http_request_error", "the request breaks the protocol", {}};
    case failure::key_missing:
      return without_key(refusal_of(key_error::missing), "http_request_error");
    case failure::key_empty:
      return without_key(refusal_of(key_error::empty), "http_request_error");
    case failure::key_too_long:
      return without_key(refusal_of(key_error::too_long), "http_request_error");
    case failure::key_repeated:
      return without_key(refusal_of(key_error::duplicate), "http_request_error");
    case failure::key_is_list:
      return without_key(refusal_of(key_error::list), "http_request_error");
    case failure::method_refused:
      return {405, "method_refused", "http_request_denied", "this method is not allowed here", {}};
    case failure::not_forwarded:
      return {200, "not_forwarded", "proxy_internal_response", "Max-Forwards is 0, so the router answers itself", {}};
    case failure::unknown_key:
      return without_key(key_is_unknown, "destination_not_found");
    case failure::no_configuration:
      return {503, "no_configuration", "proxy_configuration_error", "no configuration has come yet", {}};
    case failure::body_malformed:
      return {400, "body_malformed", "http_request_error", "the request body breaks the protocol", {}};
    case failure::body_idle:
      return {408, "body_idle", "http_request_error", "the request body did not come in time", {}};
    case failure::body_too_large:
      return {413, "body_too_large", "http_request_error", "the request body is too large", {}};
    case failure::no_endpoint:
      return {500, "no_endpoint", "proxy_configuration_error", "the placement has no endpoint", {}};
    case failure::name_not_resolved:
      return {502, "name_not_resolved", "dns_error", "the cell's name has no address", dns_error};
    case failure::connect_refused:
      return {502, "connect_refused", "connection_refused", "the cell refused the connection", connection_refused};
    case failure::connect_timeout:
      return {504, "connect_timeout", "connection_timeout", "the cell did not take the connection in time",
              connection_timeout};
    case failure::no_descriptor:
      return {503, "no_descriptor", "proxy_internal_error", "the router has no descriptor left for a connection", {}};
    case failure::upstream_closed:
      return {502, "upstream_closed", "connection_terminated", "the cell closed the connection without an answer",
              connection_terminated};
    case failure::bad_answer:
      return {502, "bad_answer", "http_protocol_error", "the cell's answer breaks the protocol", http_protocol_error};
    case failure::answer_timeout:
      return {504, "answer_timeout", "http_response_timeout", "the cell did not answer in time", http_response_timeout};
    case failure::stream_idle:
      return {504, "stream_idle", "connection_read_timeout", "the stream was idle for too long",
              connection_read_timeout};
    case failure::total_timeout:
      return {504, "total_timeout", "http_response_timeout", "the exchange took longer than allowed",
              http_response_timeout};
    case failure::client_left:
      return {499, "client_left", "", "the client left before the answer was complete", {}};
  }
  return {};
}

/// A request without one usable key.
[[nodiscard]] constexpr failure failure_of(key_error e) {
  switch (e) {
    case key_error::missing:
      return failure::key_missing;
    case key_error::empty:
      return failure::key_empty;
    case key_error::too_long:
      return failure::key_too_long;
    case key_error::duplicate:
      return failure::key_repeated;
    case key_error::list:
      return failure::key_is_list;
  }
  return failure::key_missing;
}

/// The cell's side of an exchange failed before its answer began.
[[nodiscard]] constexpr failure failure_of_upstream(edge::stream_fault fault) {
  switch (fault) {
    case edge::stream_fault::malformed:
    case edge::stream_fault::too_large:
      return failure::bad_answer;
    case edge::stream_fault::timed_out:
      return failure::answer_timeout;
    case edge::stream_fault::no_descriptor:
      return failure::no_descriptor;
    case edge::stream_fault::none:
    case edge::stream_fault::closed:
    case edge::stream_fault::cancelled:
      return failure::upstream_closed;
  }
  return failure::upstream_closed;
}

/// The client's side failed while its content was read.
[[nodiscard]] constexpr failure failure_of_body(edge::stream_fault fault) {
  switch (fault) {
    case edge::stream_fault::malformed:
      return failure::body_malformed;
    case edge::stream_fault::timed_out:
      return failure::body_idle;
    case edge::stream_fault::too_large:
      return failure::body_too_large;
    case edge::stream_fault::no_descriptor:
    case edge::stream_fault::none:
    case edge::stream_fault::closed:
    case edge::stream_fault::cancelled:
      return failure::client_left;
  }
  return failure::client_left;
}

}  // namespace cellroute::proxy
