#include "adapters/proxy/metric_labels.hpp"

#include <algorithm>

namespace cellroute::proxy {

namespace {

// The ten that HTTP defines or is about to, the frequent ones first.
// Source: OpenTelemetry semantic conventions, `http.request.method`.
constexpr std::array<std::string_view, 11> methods = {"GET",     "POST",  "PUT",     "HEAD",  "DELETE", "PATCH",
                                                      "OPTIONS", "TRACE", "CONNECT", "QUERY", "_OTHER"};

}  // namespace

label_id label_names::intern(label_kind kind, std::string_view name) {
  if (name.empty()) return 0;
  const std::lock_guard lock(mutex_);
  auto& ids = ids_[static_cast<std::size_t>(kind)];
  if (const auto known = ids.find(name); known != ids.end()) return known->second;
  const auto id = static_cast<label_id>(ids.size() + 1);
  if (id >= label_max(kind)) return label_max(kind);  // not kept: the names of a busy API must not grow us either
  ids.emplace(name, id);
  return id;
}

std::vector<std::string> label_names::names(label_kind kind) const {
  const std::lock_guard lock(mutex_);
  const auto& ids = ids_[static_cast<std::size_t>(kind)];
  std::vector<std::string> names(ids.size() + 1);
  for (const auto& [name, id] : ids) names[id] = name;
  return names;
}

method_label classify_method(std::string_view method) {
  const auto known = std::find(methods.begin(), methods.end() - 1, method);
  return static_cast<method_label>(known - methods.begin());
}

std::string_view to_string(method_label method) {
  return methods[std::min<std::size_t>(static_cast<std::size_t>(method), 10)];
}

std::string_view to_string(request_outcome outcome) {
  switch (outcome) {
    case request_outcome::forwarded:
      return "forwarded";
    case request_outcome::refused:
      return "refused";
    case request_outcome::upstream_error:
      return "upstream_error";
    case request_outcome::cut:
      return "cut";
    case request_outcome::client_gone:
      return "client_gone";
  }
  return {};
}

std::string_view to_string(attempt_outcome outcome) {
  switch (outcome) {
    case attempt_outcome::answered:
      return "answered";
    case attempt_outcome::failed:
      return "failed";
    case attempt_outcome::cancelled:
      return "cancelled";
  }
  return {};
}

std::string_view to_string(upstream_error error) {
  switch (error) {
    case upstream_error::dns_error:
      return "dns_error";
    case upstream_error::connection_refused:
      return "connection_refused";
    case upstream_error::connection_timeout:
      return "connection_timeout";
    case upstream_error::connection_terminated:
      return "connection_terminated";
    case upstream_error::connection_read_timeout:
      return "connection_read_timeout";
    case upstream_error::http_protocol_error:
      return "http_protocol_error";
    case upstream_error::http_response_timeout:
      return "http_response_timeout";
    case upstream_error::tls_protocol_error:
      return "tls_protocol_error";
    case upstream_error::tls_certificate_error:
      return "tls_certificate_error";
  }
  return {};
}

std::string_view to_string(sampling_decision decision) {
  switch (decision) {
    case sampling_decision::ratio:
      return "ratio";
    case sampling_decision::status:
      return "status";
    case sampling_decision::slow:
      return "slow";
    case sampling_decision::key:
      return "key";
    case sampling_decision::dropped:
      return "dropped";
  }
  return {};
}

std::string_view to_string(drop_reason reason) {
  switch (reason) {
    case drop_reason::connection_limit:
      return "connection_limit";
    case drop_reason::accept_rate:
      return "accept_rate";
    case drop_reason::draining:
      return "draining";
  }
  return {};
}

std::string_view to_string(protocol_label protocol) {
  switch (protocol) {
    case protocol_label::http1:
      return "http1";
    case protocol_label::http2:
      return "http2";
    case protocol_label::http3:
      return "http3";
    case protocol_label::tcp:
      return "tcp";
    case protocol_label::tunnel:
      return "tunnel";
  }
  return {};
}

std::string_view to_string(upstream_state state) {
  switch (state) {
    case upstream_state::active:
      return "active";
    case upstream_state::idle:
      return "idle";
  }
  return {};
}

std::string_view to_string(retry_reason reason) {
  switch (reason) {
    case retry_reason::connect_failed:
      return "connect_failed";
    case retry_reason::reused_connection_ended:
      return "reused_connection_ended";
  }
  return {};
}

std::string_view to_string(retry_result result) {
  switch (result) {
    case retry_result::answered:
      return "answered";
    case retry_result::failed:
      return "failed";
  }
  return {};
}

}  // namespace cellroute::proxy
