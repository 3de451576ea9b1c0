#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/process/log_writer.hpp"
#include "adapters/process/metrics.hpp"
#include "adapters/process/process_usage.hpp"
#include "cellroute/base/time.hpp"

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

/// Why an accepted connection was closed at once, or none was accepted.
enum class drop_reason : std::uint8_t { connection_limit, accept_rate, descriptor_limit, draining };
[[nodiscard]] std::string_view to_string(drop_reason reason);

enum class protocol_label : std::uint8_t { http1, http2, http3, tcp, tunnel };
[[nodiscard]] std::string_view to_string(protocol_label protocol);

enum class upstream_state : std::uint8_t { active, idle };
[[nodiscard]] std::string_view to_string(upstream_state state);

/// `connect_failed`: nothing was sent yet; `reused_connection_ended`: a pooled connection ended without a byte of
/// answer.
enum class retry_reason : std::uint8_t { connect_failed, reused_connection_ended };
[[nodiscard]] std::string_view to_string(retry_reason reason);

/// `refused`: a retry would have been safe, but nothing was left to try.
enum class retry_result : std::uint8_t { answered, failed, refused };
[[nodiscard]] std::string_view to_string(retry_result result);

struct finished_request {
  label_id listener = 0;
  label_id route = 0;
  label_id placement = 0;
  method_label method{};
  std::uint16_t status = 0;
  request_outcome outcome = request_outcome::forwarded;
  duration elapsed{};
};

struct finished_attempt {
  label_id placement = 0;
  label_id cell = 0;
  label_id endpoint = 0;
  std::uint16_t status = 0;  ///< 0: no response head came
  attempt_outcome outcome = attempt_outcome::answered;
  std::optional<duration> latency{};      ///< request sent -> response head
  std::optional<upstream_error> error{};  ///< with `failed`
};

/// How many series a family of one reactor may have, taken in memory at once: 32 bytes a counter, 150 a histogram, so
/// some 750 KiB with these. `placements` is for the families by placement or route: about 4 a placement are enough.
struct series_limits {
  std::uint32_t requests = 4096;
  std::uint32_t attempts = 4096;
  std::uint32_t placements = 1024;
  std::uint32_t listeners = 64;
};

/// What one reactor counts.
///
/// Cost:    a few ns a call; no allocation, no lock, no system call.
/// Threads: its reactor writes; `render_metrics` may read at the same time.
class reactor_metrics {
 public:
  explicit reactor_metrics(series_limits limits = {});

  void request_started(label_id placement) noexcept;  ///< once its placement is known; `request_ended` takes it back
  void request_ended(label_id placement) noexcept;
  void request_finished(const finished_request& request) noexcept;  ///< every request, also one without a placement

  void attempt_finished(const finished_attempt& attempt) noexcept;
  void route_hit(label_id route, label_id reason) noexcept;
  void retried(label_id placement, retry_reason reason, retry_result result) noexcept;

  void connection_opened(label_id listener, protocol_label protocol) noexcept;
  void connection_closed(label_id listener, protocol_label protocol) noexcept;
  void connection_dropped(label_id listener, drop_reason reason) noexcept;

  /// How many there are now; told once a second, so that no request pays for it.
  void upstream_connections_are(label_id placement, upstream_state state, std::size_t count) noexcept;

  /// How many requests have finished. Cost: reads every series of theirs; for once a second. Threads: any.
  [[nodiscard]] std::uint64_t requests_finished() const noexcept;

 private:
  friend class metrics_page;

  process::series_table<process::counter> requests_;
  process::series_table<process::latency_histogram> request_durations_;
  process::series_table<process::gauge> active_requests_;
  process::series_table<process::counter> attempts_;
  process::series_table<process::counter> attempt_errors_;
  process::series_table<process::latency_histogram> attempt_latencies_;
  process::series_table<process::counter> route_hits_;
  process::series_table<process::counter> retries_;
  process::series_table<process::gauge> active_connections_;
  process::series_table<process::counter> connections_opened_;
  process::series_table<process::counter> connections_dropped_;
  process::series_table<process::gauge> upstream_connections_;
};

/// Requests a second over the last ten seconds, or since the first sample while that is shorter ago.
///
/// Time:    passed in. Late samples make the window longer, never the rate wrong: it is divided by what did pass.
/// Threads: one owner.
class request_rate {
 public:
  static constexpr duration interval = 1s;
  static constexpr std::size_t intervals = 10;

  [[nodiscard]] bool is_due(time_point now) const;
  /// Takes the number of requests finished so far; nothing happens before a sample is due.
  void sample(std::uint64_t finished, time_point now);
  /// 0 until there are two samples.
  [[nodiscard]] double per_second() const;

 private:
  struct point {
    std::uint64_t finished = 0;
    time_point at{};
  };
  [[nodiscard]] const point& newest() const { return ring_[(taken_ - 1) % ring_.size()]; }

  std::array<point, intervals + 1> ring_{};
  std::size_t taken_ = 0;
};

/// How often a configuration of one source was applied, or refused.
struct apply_count {
  std::string result;  ///< `applied` or `rejected`
  std::string source;  ///< `file`, `push`, ...
  std::uint64_t count = 0;
};

/// What the publisher of snapshots knows, at the moment of a scrape.
struct config_facts {
  std::string source;
  std::uint64_t generation = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;  ///< of the key table in memory
  std::optional<wall_time> last_applied{};
  std::optional<duration> last_apply_duration{};
  std::vector<apply_count> applies;
};

/// Everything in an exposition that no reactor counts.
struct router_facts {
  std::string version;
  std::string commit;
  wall_time started{};
  wall_time now{};
  config_facts config;
  process::log_counts log;
  process::process_usage usage;
  bool has_gateway_names = false;  ///< `metrics.compat: [gateway]`: what such dashboards ask for is there, too
  double requests_per_second = 0;  ///< shown only then
};

/// The whole exposition: series of all reactors summed, gauges of the process after them.
///
/// Cost: reads every series; for a scrape. Threads: any.
[[nodiscard]] std::string render_metrics(std::span<const reactor_metrics* const> reactors, const label_names& names,
                                         const router_facts& facts);

}  // namespace cellroute::proxy
