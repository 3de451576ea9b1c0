#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/wire/network_prefix.hpp"
#include "adapters/wire/tls_settings.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::wire {

/// Where to listen.
struct socket_address {
  std::string host;        ///< an IPv4 or IPv6 address, without brackets; empty means every address of both families
  std::uint16_t port = 0;  ///< 0 lets the system choose
  friend bool operator==(const socket_address&, const socket_address&) = default;
};

/// What one listener takes before it refuses.
struct listener_limits {
  std::uint32_t connections_max = 100'000;
  std::uint32_t accept_rate = 20'000;  ///< connections a second, in the long run
  std::uint32_t accept_burst = 2'000;  ///< connections at once, above that rate
  friend bool operator==(const listener_limits&, const listener_limits&) = default;
};

struct listener_settings {
  std::string name = "web";
  socket_address address{"", 8080};
  std::vector<network_prefix> trusted_proxies;  ///< whose X-Forwarded-* is appended to instead of overwritten
  listener_limits limits;
  bool half_close = false;  ///< false: a FIN before the answer means that the client left
  friend bool operator==(const listener_settings&, const listener_settings&) = default;
};

struct request_id_settings {
  std::string header = "X-Request-Id";
  bool trust = true;  ///< a client's own id is passed on
  friend bool operator==(const request_id_settings&, const request_id_settings&) = default;
};

/// Bounds and habits of HTTP towards clients.
struct http_settings {
  std::uint32_t fields_max = 128;
  std::uint32_t head_bytes_max = 64 * 1024;    ///< all fields together
  std::uint32_t field_bytes_max = 16 * 1024;   ///< one field
  std::uint32_t target_bytes_max = 16 * 1024;  ///< path and query
  std::vector<std::string> methods;            ///< empty: any
  duration header_timeout = 10s;               ///< from the first byte of a head to its last
  duration keep_alive_timeout = 60s;           ///< between two requests
  request_id_settings request_id;
  friend bool operator==(const http_settings&, const http_settings&) = default;
};

/// Whom the process becomes once its listeners are open.
struct privilege_settings {
  std::string user;
  std::string group;
  friend bool operator==(const privilege_settings&, const privilege_settings&) = default;
};

struct process_settings {
  std::string state_dir = "off";    ///< the folder of what is kept for the next start; `off`: nothing is
  std::uint32_t workers = 0;        ///< reactors; 0 is one per core
  duration drain_unready_for = 5s;  ///< readiness says no, everything else goes on
  duration drain_timeout = 30s;     ///< then what still runs is closed
  /// For so long a router that has a control plane calls itself ready without a word of it that what runs is what
  /// should; it serves on all the same.
  std::optional<duration> config_age_max;
  std::optional<privilege_settings> privileges;  ///< none: it stays who it is
  friend bool operator==(const process_settings&, const process_settings&) = default;
};

/// When an answer carries the decision headers.
enum class decision_headers { always, errors, debug, never };

struct decision_settings {
  decision_headers headers = decision_headers::always;
  bool route_decision = false;  ///< X-Route-Decision, the whole story in one header
  bool log = true;              ///< the decision's fields in the access log
  friend bool operator==(const decision_settings&, const decision_settings&) = default;
};

enum class log_level { debug, info, warn, error };
enum class access_preset { standard, m1, homebrew, spec, ecs, otel };
enum class access_sink { standard_output, standard_error, off, file };
enum class key_printing { plain, hash, off };

struct access_output {
  access_sink sink = access_sink::standard_output;
  std::string file;  ///< only with `access_sink::file`
  friend bool operator==(const access_output&, const access_output&) = default;
};

/// A status of HTTP, or a class of them.
struct status_range {
  std::uint16_t low = 0;
  std::uint16_t high = 0;
  friend bool operator==(const status_range&, const status_range&) = default;
};

/// Requests that are logged whatever chance says.
struct always_logged {
  std::vector<status_range> statuses;
  std::optional<duration> slower_than;
  std::vector<std::string> keys;
  friend bool operator==(const always_logged&, const always_logged&) = default;
};

struct sampling_settings {
  double ratio = 1;  ///< the share of requests that is logged, by chance
  always_logged always;
  friend bool operator==(const sampling_settings&, const sampling_settings&) = default;
};

struct access_settings {
  access_output output;
  access_preset preset = access_preset::standard;  ///< whose names a line has
  std::vector<std::string> fields;                 ///< of the preset, in this order; empty: as the preset has them
  sampling_settings sampling;
  key_printing routing_key = key_printing::plain;
  friend bool operator==(const access_settings&, const access_settings&) = default;
};

struct log_settings {
  log_level level = log_level::info;
  access_settings access;
  friend bool operator==(const log_settings&, const log_settings&) = default;
};

/// A set of metric names that dashboards of another origin expect.
enum class metrics_dialect { gateway };

struct metrics_settings {
  std::string path = "/metrics";        ///< on the admin listener
  std::vector<metrics_dialect> compat;  ///< whose names the page has, besides the canonical ones
  friend bool operator==(const metrics_settings&, const metrics_settings&) = default;
};

/// How changes of the configuration's file are noticed.
struct reload_settings {
  bool watch = true;                  ///< the system tells of changes
  std::optional<duration> poll = 5s;  ///< besides, it is looked at that often; none: never
  duration debounce = 250ms;          ///< how long it must have been quiet
  duration backoff_on_error = 2s;     ///< how long after a refusal before it is read again unasked
  friend bool operator==(const reload_settings&, const reload_settings&) = default;
};

/// What a change may do at most; else it is refused whole. Percentages are of the keys before.
struct guard_settings {
  std::optional<double> moved_percent_max;    ///< keys that would lead elsewhere
  std::optional<double> removed_percent_max;  ///< keys that would have no assignment any more
  std::optional<std::uint64_t> keys_min{};    ///< keys that must be left; none: one, where there are many
  friend bool operator==(const guard_settings&, const guard_settings&) = default;
};

struct admin_settings {
  socket_address address{"127.0.0.1", 9901};
  friend bool operator==(const admin_settings&, const admin_settings&) = default;
};

/// Where a control plane takes routers: `wss://HOST:PORT/PATH`.
struct control_plane_url {
  bool is_secure = false;  ///< `wss`, and not `ws`
  std::string host;
  std::uint16_t port = 80;
  std::string path = "/connect";
  friend bool operator==(const control_plane_url&, const control_plane_url&) = default;
};

/// How long a router waits between two tries: by chance from nothing to a bound that doubles from `min` to `max`.
struct backoff_settings {
  duration min = 250ms;
  duration max = 30s;
  friend bool operator==(const backoff_settings&, const backoff_settings&) = default;
};

/// From whom the fleet sections come, once anything has come: the file's own count until then.
struct control_plane_settings {
  std::vector<control_plane_url> urls;        ///< tried in turns
  std::optional<std::string> token_file{};    ///< holds what this router shows them, in one line
  link_tls_settings tls{};                    ///< of those with `wss`
  std::string ring{};                         ///< a label of this router, for those who look at the fleet; empty: none
  std::optional<backoff_settings> backoff{};  ///< none: as the protocol that is spoken asks for
  /// What came last is left for the one before where, within a minute, the router answers more than so many of its
  /// requests with 5xx of its own, and ten times as many as before.
  std::optional<double> revert_on_5xx_percent{};
  /// Of the base protocol: a new session may begin with a lower version than the one that runs.
  bool accept_version_reset = true;
  friend bool operator==(const control_plane_settings&, const control_plane_settings&) = default;
};

/// The local sections: of this one process, never pushed. Each value that stands here is the documented default.
struct settings {
  process_settings process;
  std::vector<listener_settings> listeners{listener_settings{}};
  http_settings http;
  decision_settings decision;
  log_settings log;
  metrics_settings metrics;
  admin_settings admin;
  reload_settings reload;
  guard_settings guard;
  std::optional<control_plane_settings> control_plane;  ///< none: the file is all there is
  friend bool operator==(const settings&, const settings&) = default;
};

}  // namespace cellroute::wire
