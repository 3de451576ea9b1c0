#include "adapters/process/access_log.hpp"

#include "adapters/process/json_writer.hpp"

namespace cellroute::process {
namespace {

void optional_field(json_writer& line, std::string_view name, const std::optional<duration>& elapsed) {
  elapsed ? line.field(name, *elapsed) : line.field(name, nullptr);
}

/// The ten names that parsers of the first milestone know; their order and spelling are a promise.
void append_first_fields(json_writer& line, const access_record& record) {
  line.field("timestamp", record.timestamp)
      .field("request_id", record.request_id)
      .field("method", record.method)
      .field("path", record.path)
      .field("routing_key", record.routing_key)
      .field("placement_key", record.placement_key)
      .field("route_reason", record.route_reason)
      .field("upstream_url", record.upstream_url)
      .field("status_code", record.status_code)
      .field("duration_ms", record.elapsed);
}

void append_further_fields(json_writer& line, const access_record& record, bool query) {
  line.field("failover_reason", record.failover_reason)
      .field("cell", record.cell)
      .field("endpoint", record.endpoint)
      .field("attempts", record.attempts)
      .field("generation", record.generation)
      .field("key_source", record.key_source)
      .field("route", record.route)
      .field("listener", record.listener)
      .field("protocol", record.protocol)
      .field("host", record.host);
  if (query) line.field("query", record.query);
  line.field("client_ip", record.client_ip)
      .field("bytes_in", record.bytes_in)
      .field("bytes_out", record.bytes_out)
      .field("user_agent", record.user_agent)
      .field("referer", record.referer);
  optional_field(line, "upstream_ms", record.upstream_elapsed);
  optional_field(line, "ttfb_ms", record.ttfb);
  optional_field(line, "queue_ms", record.queue);
  line.field("proxy_error", record.proxy_error);
}

}  // namespace

void append_access_line(std::string& out, const access_record& record, const access_layout& layout) {
  json_writer line(out);
  line.begin_object();
  append_first_fields(line, record);
  if (layout.preset == access_preset::full) append_further_fields(line, record, layout.query);
  line.end_object();
  out += '\n';
}

}  // namespace cellroute::process
