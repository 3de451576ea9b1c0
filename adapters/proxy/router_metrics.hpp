#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "adapters/process/metrics.hpp"
#include "adapters/proxy/metric_labels.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

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
/// Threads: its reactor writes; `render_metrics` (metrics_page.hpp) may read at the same time.
class reactor_metrics {
 public:
  explicit reactor_metrics(series_limits limits = {});

  void request_started(label_id placement) noexcept;  ///< once its placement is known; `request_ended` takes it back
  void request_ended(label_id placement) noexcept;
  void request_finished(const finished_request& request) noexcept;  ///< every request, also one without a placement

  void attempt_finished(const finished_attempt& attempt) noexcept;
  void route_hit(label_id route, label_id reason) noexcept;
  void retried(label_id placement, retry_reason reason, retry_result result) noexcept;

  void access_sampled(sampling_decision decision) noexcept { sampled_[static_cast<std::size_t>(decision)].add(); }

  void connection_opened(label_id listener, protocol_label protocol) noexcept;
  void connection_closed(label_id listener, protocol_label protocol) noexcept;
  void connection_dropped(label_id listener, drop_reason reason) noexcept;
  void accept_paused(label_id listener) noexcept;

  /// How many there are now; told once a second, so that no request pays for it.
  void upstream_connections_are(label_id placement, upstream_state state, std::size_t count) noexcept;

  /// What a control plane is told of them. Cost and threads: as below.
  struct traffic {
    std::uint64_t finished = 0;
    std::uint64_t own_5xx = 0;   ///< answered by the router
    std::uint64_t connect = 0;   ///< attempts that reached no endpoint
    std::uint64_t timeout = 0;   ///< attempts whose endpoint took too long
    std::uint64_t no_route = 0;  ///< requests whose key leads nowhere
    std::uint64_t hits = 0;      ///< decisions for the reason that was asked for
    process::latency_counts latency{};

    traffic& operator+=(const traffic& other) {
      finished += other.finished;
      own_5xx += other.own_5xx;
      connect += other.connect;
      timeout += other.timeout;
      no_route += other.no_route;
      hits += other.hits;
      latency += other.latency;
      return *this;
    }
  };
  [[nodiscard]] traffic traffic_by(label_id reason) const noexcept;
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
  process::series_table<process::counter> accept_pauses_;
  process::series_table<process::gauge> upstream_connections_;
  std::array<process::counter, sampling_decisions> sampled_;
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

}  // namespace cellroute::proxy
