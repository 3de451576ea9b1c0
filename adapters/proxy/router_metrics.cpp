#include "adapters/proxy/router_metrics.hpp"

#include <algorithm>

#include "adapters/proxy/series_labels.hpp"

namespace cellroute::proxy {

reactor_metrics::reactor_metrics(series_limits limits)
    : requests_(limits.requests),
      request_durations_(limits.placements),
      active_requests_(limits.placements),
      attempts_(limits.attempts),
      attempt_errors_(limits.placements),
      attempt_latencies_(limits.placements),
      route_hits_(limits.placements),
      retries_(limits.placements),
      active_connections_(limits.listeners),
      connections_opened_(limits.listeners),
      connections_dropped_(limits.listeners),
      accept_pauses_(limits.listeners),
      upstream_connections_(limits.placements) {}

void reactor_metrics::request_started(label_id placement) noexcept {
  active_requests_.at(placement_labels::pack({placement})).add(1);
}

void reactor_metrics::request_ended(label_id placement) noexcept {
  active_requests_.at(placement_labels::pack({placement})).add(-1);
}

void reactor_metrics::request_finished(const finished_request& request) noexcept {
  requests_
      .at(request_labels::pack({request.listener, request.route, request.placement, number(request.method),
                                request.status, number(request.outcome)}))
      .add();
  request_durations_.at(request_duration_labels::pack({request.route, request.placement, number(request.outcome)}))
      .record(request.elapsed);
}

void reactor_metrics::attempt_finished(const finished_attempt& attempt) noexcept {
  const auto status_class = std::min<std::uint32_t>(attempt.status / 100u, status_classes.size() - 1);
  attempts_
      .at(attempt_labels::pack(
          {attempt.placement, attempt.cell, attempt.endpoint, status_class, number(attempt.outcome)}))
      .add();
  if (attempt.error) {
    attempt_errors_.at(attempt_error_labels::pack({attempt.placement, attempt.cell, number(*attempt.error)})).add();
  }
  if (attempt.latency) {
    attempt_latencies_.at(attempt_latency_labels::pack({attempt.placement, attempt.cell})).record(*attempt.latency);
  }
}

void reactor_metrics::route_hit(label_id route, label_id reason) noexcept {
  route_hits_.at(route_hit_labels::pack({route, reason})).add();
}

void reactor_metrics::retried(label_id placement, retry_reason reason, retry_result result) noexcept {
  retries_.at(retry_labels::pack({placement, number(reason), number(result)})).add();
}

void reactor_metrics::connection_opened(label_id listener, protocol_label protocol) noexcept {
  connections_opened_.at(listener_labels::pack({listener})).add();
  active_connections_.at(connection_labels::pack({listener, number(protocol)})).add(1);
}

void reactor_metrics::connection_closed(label_id listener, protocol_label protocol) noexcept {
  active_connections_.at(connection_labels::pack({listener, number(protocol)})).add(-1);
}

void reactor_metrics::connection_dropped(label_id listener, drop_reason reason) noexcept {
  connections_dropped_.at(connection_labels::pack({listener, number(reason)})).add();
}

void reactor_metrics::accept_paused(label_id listener) noexcept {
  accept_pauses_.at(listener_labels::pack({listener})).add();
}

void reactor_metrics::upstream_connections_are(label_id placement, upstream_state state, std::size_t count) noexcept {
  upstream_connections_.at(upstream_connection_labels::pack({placement, number(state)}))
      .set(static_cast<std::int64_t>(count));
}

reactor_metrics::traffic reactor_metrics::traffic_by(label_id reason) const noexcept {
  traffic sum;
  requests_.for_each([&](std::uint64_t packed, const process::counter& series) {
    sum.finished += series.value();
    const auto labels = request_labels::unpack(packed);
    const std::uint32_t status = labels[4];
    const bool is_own =
        labels[5] == number(request_outcome::refused) || labels[5] == number(request_outcome::upstream_error);
    if (is_own && status >= 500) sum.own_5xx += series.value();
    if (is_own && status == 404) sum.no_route += series.value();  // nothing else is answered so
  });
  attempt_errors_.for_each([&](std::uint64_t packed, const process::counter& series) {
    switch (static_cast<upstream_error>(attempt_error_labels::unpack(packed)[2])) {
      case upstream_error::dns_error:
      case upstream_error::connection_refused:
      case upstream_error::connection_timeout:
      case upstream_error::tls_protocol_error:
      case upstream_error::tls_certificate_error:
        sum.connect += series.value();
        break;
      case upstream_error::connection_read_timeout:
      case upstream_error::http_response_timeout:
        sum.timeout += series.value();
        break;
      case upstream_error::connection_terminated:
      case upstream_error::http_protocol_error:
        break;
    }
  });
  request_durations_.for_each([&](std::uint64_t, const auto& series) { sum.latency += series.value(); });
  route_hits_.for_each([&](std::uint64_t packed, const process::counter& series) {
    if (route_hit_labels::unpack(packed)[1] == reason) sum.hits += series.value();
  });
  return sum;
}

std::uint64_t reactor_metrics::requests_finished() const noexcept {
  std::uint64_t finished = 0;
  requests_.for_each([&](std::uint64_t, const process::counter& series) { finished += series.value(); });
  return finished;
}

bool request_rate::is_due(time_point now) const { return taken_ == 0 || now - newest().at >= interval; }

void request_rate::sample(std::uint64_t finished, time_point now) {
  if (is_due(now)) ring_[taken_++ % ring_.size()] = {finished, now};
}

double request_rate::per_second() const {
  if (taken_ < 2) return 0;
  const point& oldest = taken_ < ring_.size() ? ring_.front() : ring_[taken_ % ring_.size()];
  const std::chrono::duration<double> passed = newest().at - oldest.at;
  return static_cast<double>(newest().finished - oldest.finished) / passed.count();
}

}  // namespace cellroute::proxy
