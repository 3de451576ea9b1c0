#include "adapters/proxy/metrics_page.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "adapters/process/exposition.hpp"
#include "adapters/proxy/series_labels.hpp"

namespace cellroute::proxy {

namespace {

using process::label;
using process::metric_type;

constexpr std::string_view overflow_name = "_overflow";

double to_milliseconds(duration elapsed) { return static_cast<double>(elapsed.count()) / 1e6; }

/// Appends one line of a family whose HELP and TYPE stand already.
template <class Value>
void append_line(std::string& out, std::string_view name, std::span<const label> labels, const Value& value) {
  std::string text;
  process::exposition(text).family(name, metric_type::gauge, "-").sample(labels, value);
  out.append(text, text.find('\n', text.find('\n') + 1) + 1);
}

/// A histogram in milliseconds; by hand, because an exposition has them in seconds only, as Prometheus advises.
void append_milliseconds(std::string& out, const std::string& family, std::span<const label> labels,
                         const process::latency_counts& value) {
  std::vector<label> bucket_labels(labels.begin(), labels.end());
  bucket_labels.push_back({"le", {}});
  std::uint64_t count = 0;
  std::string bound;
  for (std::size_t i = 0; i < value.buckets.size(); ++i) {
    count += value.buckets[i];
    bound.clear();
    process::append_metric_number(bound, i < process::latency_bounds.size()
                                             ? to_milliseconds(process::latency_bounds[i])
                                             : std::numeric_limits<double>::infinity());
    bucket_labels.back().value = bound;
    append_line(out, family + "_bucket", bucket_labels, count);
  }
  append_line(out, family + "_sum", labels, to_milliseconds(value.sum));
  append_line(out, family + "_count", labels, count);
}

}  // namespace

/// One rendering: sums every family over the reactors and gives the packed labels their names back.
class metrics_page {
 public:
  metrics_page(std::span<const reactor_metrics* const> reactors, const label_names& names, std::string& text)
      : reactors_(reactors), page_(text), text_(text) {
    for (std::size_t kind = 0; kind < names_.size(); ++kind) names_[kind] = names.names(static_cast<label_kind>(kind));
  }

  void write_requests(bool with_status);
  void write_upstreams();
  void write_connections();
  void write_sampling();
  void write_process(const router_facts& facts);
  void write_gateway_names(const router_facts& facts);

 private:
  /// Sums one family and writes a sample a series; `print` turns unpacked labels into text.
  template <class Packing, class Series, class Print>
  void write(process::series_table<Series> reactor_metrics::* family, const Print& print) {
    for_each_sum<Packing>(family, print,
                          [&](std::span<const label> labels, const auto& sum) { text_.sample(labels, sum); });
  }

  template <class Packing, class Series, class Print, class Visit>
  void for_each_sum(process::series_table<Series> reactor_metrics::* family, const Print& print,
                    const Visit& visit) const {
    using sum_type = decltype(Series().value());
    std::map<std::uint64_t, sum_type> sums;
    for (const reactor_metrics* reactor : reactors_) {
      (reactor->*family).for_each([&](std::uint64_t labels, const Series& series) { sums[labels] += series.value(); });
    }
    for (const auto& [packed, sum] : sums) {
      auto labels = print(Packing::unpack(packed));
      if (packed == process::series_table<Series>::overflow_labels) {
        for (label& one : labels) one.value = overflow_name;
      }
      visit(std::span<const label>(labels), sum);
    }
  }

  [[nodiscard]] std::string_view name(label_kind kind, label_id id) const {
    const auto& known = names_[number(kind)];
    return id < known.size() ? std::string_view(known[id]) : overflow_name;
  }
  [[nodiscard]] label placement(label_id id) const { return {"placement", name(label_kind::placement, id)}; }
  [[nodiscard]] label cell(label_id id) const { return {"cell", name(label_kind::cell, id)}; }
  [[nodiscard]] label route(label_id id) const { return {"route", name(label_kind::route, id)}; }
  [[nodiscard]] label listener(label_id id) const { return {"listener", name(label_kind::listener, id)}; }

  template <class Enum>
  [[nodiscard]] static std::string_view word(std::uint32_t value) {
    return to_string(static_cast<Enum>(value));
  }

  std::span<const reactor_metrics* const> reactors_;
  std::array<std::vector<std::string>, 6> names_;
  std::string& page_;
  process::exposition text_;
};

void metrics_page::write_requests(bool with_status) {
  std::array<char, 8> digits{};
  text_.family("gateway_requests_total", metric_type::counter, "Requests by how they ended.");
  write<request_labels>(&reactor_metrics::requests_, [&](const request_labels::labels& l) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), l[4]).ptr;
    const std::string_view code(digits.data(), static_cast<std::size_t>(end - digits.data()));
    std::vector<label> labels = {listener(l[0]),  route(l[1]),
                                 placement(l[2]), {"method", word<method_label>(l[3])},
                                 {"code", code},  {"outcome", word<request_outcome>(l[5])}};
    if (with_status) labels.push_back({"status", code});
    return labels;
  });

  text_.family("gateway_request_duration_seconds", metric_type::histogram,
               "From a request's head to the last byte of its answer.");
  write<request_duration_labels>(&reactor_metrics::request_durations_, [&](const request_duration_labels::labels& l) {
    return std::array{route(l[0]), placement(l[1]), label{"outcome", word<request_outcome>(l[2])}};
  });

  text_.family("gateway_active_requests", metric_type::gauge, "Requests with a placement that have not ended.");
  write<placement_labels>(&reactor_metrics::active_requests_,
                          [&](const placement_labels::labels& l) { return std::array{placement(l[0])}; });

  text_.family("gateway_route_hits_total", metric_type::counter, "Decisions by route and reason.");
  write<route_hit_labels>(&reactor_metrics::route_hits_, [&](const route_hit_labels::labels& l) {
    return std::array{route(l[0]), label{"reason", name(label_kind::reason, l[1])}};
  });
}

void metrics_page::write_upstreams() {
  text_.family("gateway_upstream_requests_total", metric_type::counter, "Attempts by how they ended.");
  write<attempt_labels>(&reactor_metrics::attempts_, [&](const attempt_labels::labels& l) {
    return std::array{placement(l[0]), cell(l[1]), label{"endpoint", name(label_kind::endpoint, l[2])},
                      label{"code_class", status_classes[std::min<std::size_t>(l[3], status_classes.size() - 1)]},
                      label{"outcome", word<attempt_outcome>(l[4])}};
  });

  text_.family("gateway_upstream_errors_total", metric_type::counter, "Attempts that failed, by Proxy-Status token.");
  write<attempt_error_labels>(&reactor_metrics::attempt_errors_, [&](const attempt_error_labels::labels& l) {
    return std::array{placement(l[0]), cell(l[1]), label{"reason", word<upstream_error>(l[2])}};
  });

  text_.family("gateway_upstream_latency_seconds", metric_type::histogram,
               "From a request's being sent to the head of the cell's answer.");
  write<attempt_latency_labels>(&reactor_metrics::attempt_latencies_, [&](const attempt_latency_labels::labels& l) {
    return std::array{placement(l[0]), cell(l[1])};
  });

  text_.family("gateway_retries_total", metric_type::counter, "Attempts after the first.");
  write<retry_labels>(&reactor_metrics::retries_, [&](const retry_labels::labels& l) {
    return std::array{placement(l[0]), label{"reason", word<retry_reason>(l[1])},
                      label{"result", word<retry_result>(l[2])}};
  });

  text_.family("gateway_upstream_connections", metric_type::gauge, "Connections to cells.");
  write<upstream_connection_labels>(&reactor_metrics::upstream_connections_,
                                    [&](const upstream_connection_labels::labels& l) {
                                      return std::array{placement(l[0]), label{"state", word<upstream_state>(l[1])}};
                                    });
}

void metrics_page::write_connections() {
  text_.family("gateway_active_connections", metric_type::gauge, "Connections of clients.");
  write<connection_labels>(&reactor_metrics::active_connections_, [&](const connection_labels::labels& l) {
    return std::array{listener(l[0]), label{"protocol", word<protocol_label>(l[1])}};
  });

  text_.family("gateway_connections_opened_total", metric_type::counter, "Connections accepted and served.");
  write<listener_labels>(&reactor_metrics::connections_opened_,
                         [&](const listener_labels::labels& l) { return std::array{listener(l[0])}; });

  text_.family("gateway_connections_dropped_total", metric_type::counter, "Connections closed before any byte.");
  write<connection_labels>(&reactor_metrics::connections_dropped_, [&](const connection_labels::labels& l) {
    return std::array{listener(l[0]), label{"reason", word<drop_reason>(l[1])}};
  });

  text_.family("gateway_accept_pauses_total", metric_type::counter,
               "Times a listener stopped accepting because few descriptors were left; new connections wait meanwhile.");
  write<listener_labels>(&reactor_metrics::accept_pauses_,
                         [&](const listener_labels::labels& l) { return std::array{listener(l[0])}; });
}

void metrics_page::write_sampling() {
  text_.family("gateway_access_log_sampled_total", metric_type::counter,
               "Requests by whether they are logged, and why: by chance (ratio), always, or not.");
  for (std::size_t i = 0; i < sampling_decisions; ++i) {
    std::uint64_t sum = 0;
    for (const reactor_metrics* reactor : reactors_) sum += reactor->sampled_[i].value();
    text_.sample({{"decision", word<sampling_decision>(static_cast<std::uint32_t>(i))}}, sum);
  }
}

void metrics_page::write_process(const router_facts& facts) {
  const auto seconds = [](auto time) { return static_cast<double>(duration(time).count()) / 1e9; };

  text_.family("gateway_build_info", metric_type::gauge, "Which build this is; always 1.")
      .sample({{"version", facts.version}, {"commit", facts.commit}}, std::uint64_t{1});

  const config_facts& config = facts.config;
  text_.family("gateway_config_generation", metric_type::gauge, "Generation of the current snapshot.")
      .sample({{"source", config.source}}, config.generation);
  text_.family("gateway_config_keys", metric_type::gauge, "Routing keys in the table.").sample({}, config.keys);
  text_.family("gateway_config_rows_quarantined", metric_type::gauge, "Rows that are not served because they are bad.")
      .sample({}, config.rows_quarantined);
  text_.family("gateway_config_bytes", metric_type::gauge, "Memory of the key table.").sample({}, config.bytes);
  if (config.last_applied) {
    text_
        .family("gateway_config_last_applied_timestamp_seconds", metric_type::gauge,
                "When the snapshot became current.")
        .sample({}, seconds(config.last_applied->time_since_epoch()));
    text_.family("gateway_config_age_seconds", metric_type::gauge, "Time since then.")
        .sample({}, seconds(std::max(facts.now - *config.last_applied, duration::zero())));
  }
  if (config.last_apply_duration) {
    text_.family("gateway_config_apply_duration_seconds", metric_type::gauge, "How long the last apply took.")
        .sample({}, seconds(*config.last_apply_duration));
  }
  if (facts.control_plane) {
    text_
        .family("gateway_config_confirmed_age_seconds", metric_type::gauge,
                "Time since the control plane confirmed that what runs is what should run.")
        .sample({}, seconds(facts.control_plane->confirmed_age));
    text_
        .family("gateway_control_plane_connected", metric_type::gauge,
                "1 while a session with the control plane is open.")
        .sample({}, std::uint64_t{facts.control_plane->is_connected});
    text_
        .family("gateway_control_plane_reconnects_total", metric_type::counter,
                "Connections to the control plane after the first one.")
        .sample({}, facts.control_plane->reconnects);
    text_.family("gateway_control_plane_failed_tries_total", metric_type::counter,
                 "Tries to connect to a control plane that came to nothing, by reason.");
    for (std::size_t i = 0; i < facts.control_plane->failed_tries.size(); ++i) {
      text_.sample({{"reason", to_string(static_cast<sync::open_failure>(i))}}, facts.control_plane->failed_tries[i]);
    }
    text_
        .family("gateway_control_plane_unknown_messages_total", metric_type::counter,
                "Messages of a control plane of kinds that this program does not know; they are ignored.")
        .sample({}, facts.control_plane->unknown_messages);
    if (const auto& scrub = facts.control_plane->scrub) {
      text_
          .family("gateway_config_scrub_ok", metric_type::gauge,
                  "1 while the rows in use, as far as they were looked at, are those that were pushed.")
          .sample({}, std::uint64_t{scrub->ok});
      text_
          .family("gateway_config_scrub_timestamp_seconds", metric_type::gauge,
                  "When a sixtieth of them was looked at last.")
          .sample({}, scrub->at);
    }
  }
  process::write_certificate_ends(text_, "gateway_tls_certificate_not_after_seconds", facts.certificates, facts.now);
  text_.family("gateway_config_apply_total", metric_type::counter,
               "Configurations applied or rejected, and pushes of what ran already (unchanged).");
  for (const apply_count& apply : config.applies) {
    text_.sample({{"result", apply.result}, {"source", apply.source}}, apply.count);
  }

  text_
      .family("gateway_access_log_lines_total", metric_type::counter,
              "Log lines written, lost to a failed write, or dropped because a ring was full.")
      .sample({{"result", "written"}}, facts.log.lines_written)
      .sample({{"result", "lost"}}, facts.log.lines_lost)
      .sample({{"result", "dropped"}}, facts.log.records_dropped);
  text_.family("gateway_access_log_bytes_total", metric_type::counter, "Bytes of log lines written.")
      .sample({}, facts.log.bytes_written);
  text_.family("gateway_log_events_dropped_total", metric_type::counter, "Events dropped because their queue was full.")
      .sample({}, facts.log.events_dropped);

  text_.family("process_start_time_seconds", metric_type::gauge, "When the process started, in seconds since 1970.")
      .sample({}, seconds(facts.started.time_since_epoch()));
  const process::process_usage& usage = facts.usage;
  text_.family("process_resident_memory_bytes", metric_type::gauge, "Resident memory.");
  if (usage.resident_bytes) text_.sample({}, *usage.resident_bytes);
  text_.family("process_open_fds", metric_type::gauge, "Open file descriptors.");
  if (usage.open_fds) text_.sample({}, *usage.open_fds);
  text_.family("process_max_fds", metric_type::gauge, "File descriptors that may be open.");
  if (usage.max_fds) text_.sample({}, *usage.max_fds);
  text_.family("process_cpu_seconds_total", metric_type::counter, "CPU time, user and system.");
  if (usage.cpu_seconds) text_.sample({}, *usage.cpu_seconds);
}

void metrics_page::write_gateway_names(const router_facts& facts) {
  text_.family("gateway_rps", metric_type::gauge, "Requests a second over the last 10 s.")
      .sample({}, facts.requests_per_second);

  std::int64_t connections = 0;
  for (const reactor_metrics* reactor : reactors_) {
    reactor->active_connections_.for_each(
        [&](std::uint64_t, const process::gauge& series) { connections += series.value(); });
  }
  text_.family("gateway_active_conns", metric_type::gauge, "Connections of clients, of all listeners.")
      .sample({}, connections);

  const auto applies = [&](std::string_view result) {
    std::uint64_t count = 0;
    for (const apply_count& apply : facts.config.applies) count += apply.result == result ? apply.count : 0;
    return count;
  };
  text_.family("reload_success_total", metric_type::counter, "Configurations applied, that of the start included.")
      .sample({}, applies("applied"));
  text_.family("reload_failure_total", metric_type::counter, "Configurations rejected.")
      .sample({}, applies("rejected"));

  const std::string family = "gateway_upstream_latency_ms_hist";
  std::string samples;
  for_each_sum<attempt_latency_labels>(
      &reactor_metrics::attempt_latencies_,
      [&](const attempt_latency_labels::labels& l) { return std::array{placement(l[0]), cell(l[1])}; },
      [&](std::span<const label> labels, const process::latency_counts& sum) {
        append_milliseconds(samples, family, labels, sum);
      });
  if (samples.empty()) return;
  ((page_ += "# HELP ") += family) += " As gateway_upstream_latency_seconds, in milliseconds.\n";
  (((page_ += "# TYPE ") += family) += " histogram\n") += samples;
}

std::string render_metrics(std::span<const reactor_metrics* const> reactors, const label_names& names,
                           const router_facts& facts) {
  std::string text;
  metrics_page page(reactors, names, text);
  page.write_requests(facts.has_gateway_names);
  page.write_upstreams();
  page.write_connections();
  page.write_sampling();
  page.write_process(facts);
  if (facts.has_gateway_names) page.write_gateway_names(facts);
  return text;
}

}  // namespace cellroute::proxy
