#include "adapters/process/access_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

#include "adapters/process/json_writer.hpp"

namespace cellroute::process {
namespace {

/// A member of the record as it is.
template <auto Member>
void as_it_is(json_writer& line, const access_record& record) {
  line.value(record.*Member);
}

template <std::optional<duration> access_record::* Member>
void if_measured(json_writer& line, const access_record& record) {
  record.*Member ? line.value(*(record.*Member)) : line.value(nullptr);
}

template <std::size_t Size>
struct word {
  char text[Size]{};
  constexpr word(const char (&given)[Size]) { std::copy_n(given, Size, text); }  // NOLINT: meant to be implicit
};

/// The same for every record.
template <word Text>
void always(json_writer& line, const access_record&) {
  line.value(Text.text);
}

void whole_milliseconds(json_writer& line, const access_record& record) {
  line.value(std::chrono::duration_cast<std::chrono::milliseconds>(record.elapsed).count());
}

void nanoseconds(json_writer& line, const access_record& record) { line.value(record.elapsed.count()); }

void seconds(json_writer& line, const access_record& record) {
  line.value(static_cast<double>(record.elapsed.count()) / 1e9);
}

void peer_address(json_writer& line, const access_record& record) {
  std::array<char, 46> text;
  line.value(std::string_view(text.data(), io::write_host(record.peer, text.data())));
}

void peer_port(json_writer& line, const access_record& record) { line.value(record.peer.port); }

/// `192.0.2.7:50123`, `[2001:db8::7]:50123`: who is connected to us, and not whom they tell of.
void peer_with_port(json_writer& line, const access_record& record) {
  std::array<char, 56> text;
  char* end = text.data();
  if (record.peer.v6) *end++ = '[';
  end += io::write_host(record.peer, end);
  if (record.peer.v6) *end++ = ']';
  *end++ = ':';
  end = std::to_chars(end, text.data() + text.size(), record.peer.port).ptr;
  line.value(std::string_view(text.data(), end));
}

struct host_parts {
  std::string_view name;
  std::string_view port;
};

/// Takes `host:port` apart; without the brackets of an IPv6 address.
host_parts split_host(std::string_view host) {
  const std::size_t behind = host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0;
  const std::size_t colon = std::min(host.find(':', behind), host.size());
  host_parts parts{host.substr(0, colon), {}};
  if (colon < host.size()) parts.port = host.substr(colon + 1);
  if (behind != 0) parts.name = host.substr(1, behind - 1);
  return parts;
}

void host_name(json_writer& line, const access_record& record) { line.value(split_host(record.host).name); }

/// As the client named it, or what its scheme means without.
void host_port(json_writer& line, const access_record& record) {
  const host_parts parts = split_host(record.host);
  if (parts.name.empty()) return static_cast<void>(line.value(nullptr));
  std::uint16_t port = record.is_secure ? 443 : 80;
  std::from_chars(parts.port.data(), parts.port.data() + parts.port.size(), port);
  line.value(port);
}

void scheme(json_writer& line, const access_record& record) { line.value(record.is_secure ? "https" : "http"); }

/// `1.1` of `HTTP/1.1`.
void version(json_writer& line, const access_record& record) {
  const std::size_t slash = record.protocol.find('/');
  line.value(slash == std::string_view::npos ? std::string_view() : record.protocol.substr(slash + 1));
}

/// Source: RFC 9110 section 9.3, RFC 5789; OpenTelemetry knows no other.
bool is_known_method(std::string_view method) {
  constexpr std::string_view known[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PATCH"};
  return std::ranges::find(known, method) != std::end(known);
}

void known_method(json_writer& line, const access_record& record) {
  line.value(is_known_method(record.method) ? record.method : "_OTHER");
}

void other_method(json_writer& line, const access_record& record) {
  line.value(is_known_method(record.method) ? "" : record.method);
}

void resend_count(json_writer& line, const access_record& record) {
  line.value(record.attempts == 0 ? 0 : record.attempts - 1);
}

/// What went wrong here; else the status, where it is a server's failure.
void error_type(json_writer& line, const access_record& record) {
  if (!record.proxy_error.empty() || record.status_code < 500) return static_cast<void>(line.value(record.proxy_error));
  std::array<char, 8> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), record.status_code).ptr;
  line.value(std::string_view(digits.data(), end));
}

void plain_key(json_writer& line, const access_record& record) {
  line.value(record.is_key_hashed ? "" : record.routing_key);
}

void hashed_key(json_writer& line, const access_record& record) {
  line.value(record.is_key_hashed ? record.routing_key : "");
}

using record = access_record;
constexpr bool extra = true;

/// The first ten are a promise to parsers of the first milestone, in order and spelling.
constexpr access_field standard_fields[] = {
    {"timestamp", as_it_is<&record::timestamp>},
    {"request_id", as_it_is<&record::request_id>},
    {"method", as_it_is<&record::method>},
    {"path", as_it_is<&record::path>},
    {"routing_key", as_it_is<&record::routing_key>},
    {"placement_key", as_it_is<&record::placement_key>},
    {"route_reason", as_it_is<&record::route_reason>},
    {"upstream_url", as_it_is<&record::upstream_url>},
    {"status_code", as_it_is<&record::status_code>},
    {"duration_ms", as_it_is<&record::elapsed>},

    {"failover_reason", as_it_is<&record::failover_reason>},
    {"cell", as_it_is<&record::cell>},
    {"endpoint", as_it_is<&record::endpoint>},
    {"attempts", as_it_is<&record::attempts>},
    {"generation", as_it_is<&record::generation>},
    {"key_source", as_it_is<&record::key_source>},
    {"route", as_it_is<&record::route>},
    {"listener", as_it_is<&record::listener>},
    {"protocol", as_it_is<&record::protocol>},
    {"host", as_it_is<&record::host>},
    {"query", as_it_is<&record::query>, extra},
    {"client_ip", as_it_is<&record::client_ip>},
    {"bytes_in", as_it_is<&record::bytes_in>},
    {"bytes_out", as_it_is<&record::bytes_out>},
    {"user_agent", as_it_is<&record::user_agent>},
    {"referer", as_it_is<&record::referer>},
    {"upstream_ms", if_measured<&record::upstream_elapsed>},
    {"ttfb_ms", if_measured<&record::ttfb>},
    {"queue_ms", if_measured<&record::queue>},
    {"proxy_error", as_it_is<&record::proxy_error>},
    {"sampled", as_it_is<&record::sampled>},
};
constexpr std::size_t first_fields = 10;

/// `remote_ip` has the port, too, and durations are whole numbers: that is what its readers know.
constexpr access_field homebrew_fields[] = {
    {"time", as_it_is<&record::timestamp>},
    {"method", as_it_is<&record::method>},
    {"path", as_it_is<&record::path>},
    {"protocol", as_it_is<&record::protocol>},
    {"status", as_it_is<&record::status_code>},
    {"duration_ms", whole_milliseconds},
    {"remote_ip", peer_with_port},
    {"user_agent", as_it_is<&record::user_agent>},
    {"referer", as_it_is<&record::referer>},
    {"service", as_it_is<&record::placement_key>},
    {"upstream", as_it_is<&record::upstream_url>},
    {"bytes_written", as_it_is<&record::bytes_out>},
};

constexpr access_field spec_fields[] = {
    {"timestamp", as_it_is<&record::timestamp>},
    {"clientIP", as_it_is<&record::client_ip>},
    {"method", as_it_is<&record::method>},
    {"path", as_it_is<&record::path>},
    {"status", as_it_is<&record::status_code>},
    {"durationMs", whole_milliseconds},
    {"route", as_it_is<&record::route>},
    {"cluster", as_it_is<&record::placement_key>},
    {"upstreamURL", as_it_is<&record::upstream_url>},
};

/// Source: Elastic Common Schema 8.11, field sets base, client, ecs, error, event, http, network, source, url,
///         user_agent. `event.duration` is in nanoseconds.
constexpr access_field ecs_fields[] = {
    {"@timestamp", as_it_is<&record::timestamp>},
    {"ecs.version", always<"8.11.0">},
    {"event.dataset", always<"cellroute.access">},
    {"event.duration", nanoseconds},
    {"http.request.id", as_it_is<&record::request_id>},
    {"http.request.method", as_it_is<&record::method>},
    {"http.request.body.bytes", as_it_is<&record::bytes_in>},
    {"http.request.referrer", as_it_is<&record::referer>},
    {"http.response.status_code", as_it_is<&record::status_code>},
    {"http.response.body.bytes", as_it_is<&record::bytes_out>},
    {"http.version", version},
    {"url.scheme", scheme},
    {"url.domain", host_name},
    {"url.port", host_port},
    {"url.path", as_it_is<&record::path>},
    {"url.query", as_it_is<&record::query>, extra},
    {"client.ip", as_it_is<&record::client_ip>},
    {"source.ip", peer_address},
    {"source.port", peer_port},
    {"user_agent.original", as_it_is<&record::user_agent>},
    {"error.type", error_type},
    {"cellroute.key", plain_key},
    {"cellroute.key.hash", hashed_key},
    {"cellroute.key.source", as_it_is<&record::key_source>},
    {"cellroute.placement", as_it_is<&record::placement_key>},
    {"cellroute.cell", as_it_is<&record::cell>},
    {"cellroute.endpoint", as_it_is<&record::endpoint>},
    {"cellroute.upstream.url", as_it_is<&record::upstream_url>},
    {"cellroute.reason", as_it_is<&record::route_reason>},
    {"cellroute.failover.reason", as_it_is<&record::failover_reason>},
    {"cellroute.attempts", as_it_is<&record::attempts>},
    {"cellroute.config.generation", as_it_is<&record::generation>},
    {"cellroute.route", as_it_is<&record::route>},
    {"cellroute.listener", as_it_is<&record::listener>},
    {"cellroute.sampled", as_it_is<&record::sampled>},
};

/// Source: OpenTelemetry semantic conventions for HTTP, the stable attributes of a server's span, and the stable metric
///         `http.server.request.duration`, in seconds.
constexpr access_field otel_fields[] = {
    {"timestamp", as_it_is<&record::timestamp>},
    {"http.request.method", known_method},
    {"http.request.method_original", other_method},
    {"url.scheme", scheme},
    {"url.path", as_it_is<&record::path>},
    {"url.query", as_it_is<&record::query>, extra},
    {"http.route", as_it_is<&record::route>},
    {"http.response.status_code", as_it_is<&record::status_code>},
    {"http.server.request.duration", seconds},
    {"http.request.resend_count", resend_count},
    {"server.address", host_name},
    {"server.port", host_port},
    {"client.address", as_it_is<&record::client_ip>},
    {"network.peer.address", peer_address},
    {"network.peer.port", peer_port},
    {"network.protocol.name", always<"http">},
    {"network.protocol.version", version},
    {"user_agent.original", as_it_is<&record::user_agent>},
    {"error.type", error_type},
    {"cellroute.request.id", as_it_is<&record::request_id>},
    {"cellroute.key", plain_key},
    {"cellroute.key.hash", hashed_key},
    {"cellroute.key.source", as_it_is<&record::key_source>},
    {"cellroute.placement", as_it_is<&record::placement_key>},
    {"cellroute.cell", as_it_is<&record::cell>},
    {"cellroute.endpoint", as_it_is<&record::endpoint>},
    {"cellroute.upstream.url", as_it_is<&record::upstream_url>},
    {"cellroute.reason", as_it_is<&record::route_reason>},
    {"cellroute.failover.reason", as_it_is<&record::failover_reason>},
    {"cellroute.config.generation", as_it_is<&record::generation>},
    {"cellroute.listener", as_it_is<&record::listener>},
    {"cellroute.bytes.in", as_it_is<&record::bytes_in>},
    {"cellroute.bytes.out", as_it_is<&record::bytes_out>},
    {"cellroute.sampled", as_it_is<&record::sampled>},
};

}  // namespace

std::span<const access_field> access_fields(access_preset preset) {
  switch (preset) {
    case access_preset::m1:
      return std::span(standard_fields).first(first_fields);
    case access_preset::standard:
      return standard_fields;
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

access_layout::access_layout(access_preset preset, std::span<const std::string> chosen) {
  const std::span<const access_field> known = access_fields(preset);
  if (chosen.empty()) std::ranges::copy_if(known, std::back_inserter(fields_), [](auto& f) { return !f.is_extra; });
  for (const std::string& name : chosen) {
    const auto field = std::ranges::find(known, name, &access_field::name);
    if (field != known.end()) fields_.push_back(*field);
  }
}

void append_access_line(std::string& out, const access_record& record, const access_layout& layout) {
  json_writer line(out);
  line.begin_object();
  for (const access_field& field : layout.fields()) field.write_value(line.name(field.name), record);
  line.end_object();
  out += '\n';
}

}  // namespace cellroute::process
