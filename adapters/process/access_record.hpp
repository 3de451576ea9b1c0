#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/io/address.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// Everything that one access line can say, whatever protocol carried the request. An empty view is a fact that this
/// request does not have.
///
/// Views only: they need to hold no longer than `access_ring::push`.
struct access_record {
  wall_time timestamp{};  ///< when the request's head was complete
  std::string_view request_id;
  std::string_view method;
  std::string_view path;   ///< the target up to its first `?`
  std::string_view query;  ///< what follows it; an extra field of `access_layout`
  std::string_view routing_key;
  bool is_key_hashed = false;  ///< `routing_key` is the key's hash
  std::string_view placement_key;
  std::string_view route_reason;
  std::string_view upstream_url;  ///< `http://host:port` of the last attempt
  std::uint16_t status_code = 0;
  duration elapsed{};

  std::string_view failover_reason;
  std::string_view cell;
  std::string_view endpoint;
  std::uint32_t attempts = 0;
  std::uint64_t generation = 0;
  std::string_view key_source;
  std::string_view route;
  std::string_view listener;
  std::string_view protocol;  ///< as the client spoke it: `HTTP/1.1`
  std::string_view host;
  bool is_secure = false;      ///< the client's connection is encrypted
  std::string_view client_ip;  ///< as trusted proxies tell it, or the peer's
  io::socket_address peer;     ///< the other end of the client's connection
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::string_view user_agent;
  std::string_view referer;
  std::optional<duration> upstream_elapsed{};  ///< last attempt: request sent to response head complete
  std::optional<duration> ttfb{};              ///< request head complete to first byte of the answer sent
  std::optional<duration> queue{};             ///< waited for a permit or a connection
  std::string_view proxy_error;                ///< the token that `Proxy-Status` carries
  std::string_view sampled;                    ///< why this line was chosen
};

}  // namespace cellroute::process
