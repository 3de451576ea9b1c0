#pragma once

#include <cstdint>
#include <optional>

#include "cellroute/base/time.hpp"

namespace cellroute {

/// How long each step of an exchange with an upstream may take. An empty value means no limit.
struct timeout_policy {
  std::optional<duration> connect = 5s;
  std::optional<duration> response_header = 30s;    ///< from the end of the request's being sent
  std::optional<duration> stream_idle = 5min;       ///< no byte moved in either direction
  std::optional<duration> request_body_idle = 10s;  ///< counted only while the router is ready to read
  std::optional<duration> total;                    ///< the whole exchange; cuts streams, so off unless written
  friend bool operator==(const timeout_policy&, const timeout_policy&) = default;
};

/// How idle upstream connections are kept. Per endpoint and reactor.
struct pool_policy {
  std::uint32_t idle_max = 128;
  duration idle_timeout = 90s;
  std::uint64_t requests_max = 0;  ///< requests a connection serves before it is closed; 0 is no limit
  friend bool operator==(const pool_policy&, const pool_policy&) = default;
};

/// The Host that an upstream sees.
enum class host_policy { preserve, upstream };

/// The first attempt's successor: behaviour is fixed, only the number can be lowered to 0.
struct retry_policy {
  std::uint32_t attempts = 1;  ///< further attempts after the first; 0 or 1
  friend bool operator==(const retry_policy&, const retry_policy&) = default;
};

/// Everything that governs requests to one placement.
struct upstream_policy {
  timeout_policy timeouts;
  pool_policy pool;
  retry_policy retries;
  host_policy host = host_policy::preserve;
  std::optional<std::uint64_t> request_body_max;  ///< bytes; a longer body is answered 413
  friend bool operator==(const upstream_policy&, const upstream_policy&) = default;
};

}  // namespace cellroute
