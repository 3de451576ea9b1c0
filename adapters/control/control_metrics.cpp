#include "adapters/control/control_metrics.hpp"

#include <chrono>
#include <string_view>

#include "adapters/control/fleet.hpp"
#include "adapters/process/exposition.hpp"

namespace cellroute::control {
namespace {

using process::exposition;
using process::metric_type;

template <class Value>
void counter(exposition& out, std::string_view name, std::string_view help, const Value& value) {
  out.family(name, metric_type::counter, help).sample({}, value);
}

template <class Value>
void gauge(exposition& out, std::string_view name, std::string_view help, const Value& value) {
  out.family(name, metric_type::gauge, help).sample({}, value);
}

void write_fleet(exposition& out, const fleet_drift& drift, const push_server& server) {
  std::size_t base = 0;
  for (const push_session_facts& s : server.sessions()) base += s.is_native ? 0 : 1;
  const std::uint64_t native = server.hub().session_count() - base;
  out.family("cellroute_control_sessions", metric_type::gauge, "Routers that are connected.");
  out.sample({{"protocol", "cellroute.v1"}}, native).sample({{"protocol", "base"}}, std::uint64_t{base});
  gauge(out, "cellroute_control_routers_on_target", "Routers that are connected and run what is published.",
        std::uint64_t{drift.on_target});
  gauge(out, "cellroute_control_routers_refusing", "Routers that are connected and do not take what is published.",
        std::uint64_t{drift.refused});
  gauge(out, "cellroute_control_clock_skew_seconds",
        "The most by which the clock of a router that is connected goes before this machine's, or behind it.",
        std::chrono::duration<double>(drift.clock_skew).count());
}

void write_contents(exposition& out, const publisher& published) {
  const published_content* current = published.current();
  if (current != nullptr) {
    gauge(out, "cellroute_control_epoch", "Epoch of what is published.", current->id.epoch);
    gauge(out, "cellroute_control_version", "Number of what is published.", current->id.version);
    gauge(out, "cellroute_control_keys", "Routing keys of what is published.",
          std::uint64_t{current->content.keys.size()});
  }
  gauge(out, "cellroute_control_contents", "Contents in memory, to make changes from.",
        std::uint64_t{published.contents_held()});
  gauge(out, "cellroute_control_artifact_bytes", "Bytes that are ready to be sent.",
        std::uint64_t{published.artifact_bytes()});
}

void write_process(exposition& out, const control_counts& counts) {
  out.family("cellroute_build_info", metric_type::gauge, "What runs.");
  out.sample({{"version", counts.version}, {"commit", counts.commit}}, std::uint64_t{1});
  gauge(out, "process_start_time_seconds", "When it was started.",
        std::chrono::duration<double>(counts.started.time_since_epoch()).count());
  if (counts.usage.resident_bytes)
    gauge(out, "process_resident_memory_bytes", "Memory in use.", *counts.usage.resident_bytes);
  if (counts.usage.open_fds) gauge(out, "process_open_fds", "Descriptors in use.", *counts.usage.open_fds);
  if (counts.usage.max_fds) gauge(out, "process_max_fds", "Descriptors that may be in use.", *counts.usage.max_fds);
  if (counts.usage.cpu_seconds)
    counter(out, "process_cpu_seconds_total", "Processor time in use.", *counts.usage.cpu_seconds);
}

}  // namespace

void refusal_counts::add(std::string_view code) {
  const auto known = wire::parse_refusal_code(code);
  ++(known ? counts_[static_cast<std::size_t>(*known)] : counts_.back());
}

std::string render_control_metrics(const control_counts& counts, const push_server& server, const publisher& published,
                                   const io::loop_clock& clock) {
  std::string page;
  exposition out(page);
  const published_content* current = published.current();
  const auto target = current != nullptr ? std::optional(current->id) : std::nullopt;
  write_fleet(out, fleet(server, target, clock).drift(counts_alone), server);
  write_contents(out, published);
  counter(out, "cellroute_control_published_total", "Contents that routers were told to run.", counts.published);
  counter(out, "cellroute_control_files_refused_total", "Times that the followed file was refused.",
          counts.refused_files);
  out.family("cellroute_control_router_refusals_total", metric_type::counter,
             "Contents that routers refused, by the code of the refusal; the base protocol has none.");
  counts.router_refusals.for_each(
      [&out](std::string_view code, std::uint64_t count) { out.sample({{"code", code}}, count); });
  counter(out, "cellroute_control_sessions_total", "Sessions that were opened.", server.sessions_opened());
  counter(out, "cellroute_control_messages_received_total", "Messages of routers.", server.messages_in());
  counter(out, "cellroute_control_unknown_messages_total",
          "Messages of routers of kinds that this program does not know; they are ignored.",
          server.hub().unknown_messages());
  counter(out, "cellroute_control_sent_bytes_total", "Bytes sent to routers.", server.bytes_out());
  gauge(out, "cellroute_control_connections", "Connections that are open.", std::uint64_t{counts.connections});
  counter(out, "cellroute_control_connections_dropped_total", "Connections that were not taken.",
          counts.connections_dropped);
  counter(out, "cellroute_control_requests_total", "Requests, handshakes among them.", counts.requests);
  counter(out, "cellroute_control_requests_refused_total", "Requests that were malformed, denied or not taken.",
          counts.requests_refused);
  gauge(out, "cellroute_control_store_trouble",
        "1 while the store cannot be read or written, or its disk is nearly full: as /readyz has it.",
        std::uint64_t{counts.is_store_in_trouble});
  counter(out, "cellroute_control_store_errors_total",
          "Times that the store failed: of versions that could not be written, and of looks at it, one each 2 s.",
          counts.store_errors);
  if (counts.is_store_whole) {
    gauge(out, "cellroute_control_store_whole",
          "0: history, rows and digest of the store contradict each other, as of the last look.",
          std::uint64_t{*counts.is_store_whole});
    gauge(out, "cellroute_control_store_verified_time_seconds", "When that was last looked at.",
          std::chrono::duration<double>(counts.store_verified_at.time_since_epoch()).count());
  }
  process::write_certificate_ends(out, "cellroute_control_tls_certificate_not_after_seconds", counts.certificates,
                                  clock.wall);
  counter(out, "cellroute_log_events_dropped_total", "Events that the log had no room for.", counts.log.events_dropped);
  write_process(out, counts);
  return page;
}

}  // namespace cellroute::control
