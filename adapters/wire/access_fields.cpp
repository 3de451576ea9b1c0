#include "adapters/wire/access_fields.hpp"

#include <cstddef>

namespace cellroute::wire {
namespace {

constexpr std::size_t m1_fields = 10;  // of the standard ones, the first

constexpr std::string_view standard_fields[] = {
    "timestamp",    "request_id",   "method",      "path",        "routing_key",     "placement_key",
    "route_reason", "upstream_url", "status_code", "duration_ms", "failover_reason", "cell",
    "endpoint",     "attempts",     "generation",  "key_source",  "route",           "listener",
    "protocol",     "host",         "query",       "client_ip",   "bytes_in",        "bytes_out",
    "user_agent",   "referer",      "upstream_ms", "ttfb_ms",     "queue_ms",        "proxy_error",
    "sampled"};

constexpr std::string_view homebrew_fields[] = {"time",    "method",      "path",      "protocol",
                                                "status",  "duration_ms", "remote_ip", "user_agent",
                                                "referer", "service",     "upstream",  "bytes_written"};

constexpr std::string_view spec_fields[] = {"timestamp",  "clientIP", "method",  "path",       "status",
                                            "durationMs", "route",    "cluster", "upstreamURL"};

constexpr std::string_view ecs_fields[] = {"@timestamp",
                                           "ecs.version",
                                           "event.dataset",
                                           "event.duration",
                                           "http.request.id",
                                           "http.request.method",
                                           "http.request.body.bytes",
                                           "http.request.referrer",
                                           "http.response.status_code",
                                           "http.response.body.bytes",
                                           "http.version",
                                           "url.scheme",
                                           "url.domain",
                                           "url.port",
                                           "url.path",
                                           "url.query",
                                           "client.ip",
                                           "source.ip",
                                           "source.port",
                                           "user_agent.original",
                                           "error.type",
                                           "cellroute.key",
                                           "cellroute.key.hash",
                                           "cellroute.key.source",
                                           "cellroute.placement",
                                           "cellroute.cell",
                                           "cellroute.endpoint",
                                           "cellroute.upstream.url",
                                           "cellroute.reason",
                                           "cellroute.failover.reason",
                                           "cellroute.attempts",
                                           "cellroute.config.generation",
                                           "cellroute.route",
                                           "cellroute.listener",
                                           "cellroute.sampled"};

constexpr std::string_view otel_fields[] = {"timestamp",
                                            "http.request.method",
                                            "http.request.method_original",
                                            "url.scheme",
                                            "url.path",
                                            "url.query",
                                            "http.route",
                                            "http.response.status_code",
                                            "http.server.request.duration",
                                            "http.request.resend_count",
                                            "server.address",
                                            "server.port",
                                            "client.address",
                                            "network.peer.address",
                                            "network.peer.port",
                                            "network.protocol.name",
                                            "network.protocol.version",
                                            "user_agent.original",
                                            "error.type",
                                            "cellroute.request.id",
                                            "cellroute.key",
                                            "cellroute.key.hash",
                                            "cellroute.key.source",
                                            "cellroute.placement",
                                            "cellroute.cell",
                                            "cellroute.endpoint",
                                            "cellroute.upstream.url",
                                            "cellroute.reason",
                                            "cellroute.failover.reason",
                                            "cellroute.config.generation",
                                            "cellroute.listener",
                                            "cellroute.bytes.in",
                                            "cellroute.bytes.out",
                                            "cellroute.sampled"};

}  // namespace

std::span<const std::string_view> access_field_names(access_preset preset) {
  switch (preset) {
    case access_preset::standard:
      return standard_fields;
    case access_preset::m1:
      return std::span(standard_fields).first(m1_fields);
    case access_preset::homebrew:
      return homebrew_fields;
    case access_preset::spec:
      return spec_fields;
    case access_preset::ecs:
      return ecs_fields;
    case access_preset::otel:
      return otel_fields;
  }
  return {};
}

}  // namespace cellroute::wire
