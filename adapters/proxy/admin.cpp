#include "adapters/proxy/admin.hpp"

#include <fmt/format.h>

#include <utility>

#include "adapters/edge/reason_phrase.hpp"
#include "adapters/process/json_writer.hpp"
#include "adapters/wire/config_guard.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/base/unescape.hpp"

namespace cellroute::proxy {
namespace {

/// The values of that name, still with their escapes: the first, and whether there are more.
struct query_values {
  std::optional<std::string_view> first;
  bool has_more = false;
};

query_values values_in(std::string_view query, std::string_view name) {
  query_values found;
  while (!query.empty()) {
    const std::size_t ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      found.has_more = found.first.has_value();
      if (!found.first) found.first = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    }
    query = ampersand == std::string_view::npos ? std::string_view{} : query.substr(ampersand + 1);
  }
  return found;
}

}  // namespace

std::string_view to_string(readiness state) {
  switch (state) {
    case readiness::starting:
      return "starting";
    case readiness::unconfigured:
      return "unconfigured";
    case readiness::stale:
      return "stale";
    case readiness::ready:
      return "ready";
    case readiness::draining:
      return "draining";
  }
  return {};
}

admin_pages::page admin_pages::error_page(std::uint16_t status, std::string_view code, std::string_view message) {
  page p;
  p.status = status;
  p.body = fmt::format(R"({{"error":{{"code":"{}","message":"{}","request_id":""}}}})", code, message);
  return p;
}

admin_pages::page admin_pages::error_page(const key_refusal& refused) {
  return error_page(refused.status, refused.code, refused.message);
}

admin_pages::page admin_pages::debug_config() {
  const snapshot<active_configuration>& current = configurations_.current();
  const routing_table& table = current.value.table;
  const wall_time applied = source_.config_applied_at();
  const double age = std::chrono::duration<double>(clock_.wall - applied).count();
  page p;
  process::json_writer out(p.body);
  out.begin_object();
  out.field("version", table.version());
  out.field("source", source_.config_origin());
  out.field("file", source_.config_file());
  out.name("pushed");
  if (const auto pushed = source_.pushed()) {
    out.begin_object();
    out.field("epoch", pushed->epoch)
        .field("version", pushed->version)
        .field("digest", wire::to_short_hex(pushed->sum));
    out.end_object();
  } else {
    out.value(nullptr);
  }
  out.field("last_reload_at", applied);
  out.field("generation", current.generation);
  out.field("keys", static_cast<std::uint64_t>(table.keys().size()));
  out.field("rows_quarantined", static_cast<std::uint64_t>(source_.quarantined().size()));
  out.field("age_seconds", age < 0 ? 0.0 : age);
  out.name("rejected");
  const config_refusal refusal = source_.last_refusal();
  if (refusal.mistakes.empty()) {
    out.value(nullptr);
  } else {
    out.begin_object();
    if (refusal.at) out.field("at", *refusal.at);
    out.field("mistakes", std::span<const std::string>(refusal.mistakes));
    out.end_object();
  }
  out.end_object();
  return p;
}

admin_pages::page admin_pages::explain(std::string_view query) {
  const query_values given = values_in(query, "key");
  if (!given.first) {
    return error_page(400, refusal_of(key_error::missing).code, "name the routing key: /v1/explain?key=NAME");
  }
  if (given.has_more) return error_page(refusal_of(key_error::duplicate));
  const std::optional<std::string> text = unescape_query(*given.first);
  if (!text) return error_page(400, "malformed_request", "the key holds a broken percent escape");
  const auto key = read_named_key(*text);
  if (!key) return error_page(key.error());
  const active_configuration& current = configurations_.current().value;
  const auto made = current.table.route(*key, key_origin{key_source::header, current.settings.key_header}, clock_.wall);
  const wire::quarantined_row* const bad_row = source_.quarantined().find(*key);
  if (!made && bad_row != nullptr) {
    return error_page(key_is_unknown.status, key_is_unknown.code,
                      "its row is quarantined: " + to_string(bad_row->told));
  }
  if (!made) return error_page(key_is_unknown);
  page p;
  write_explanation_json(p.body, *made, current.table.fleet(), current.table.version());
  if (bad_row != nullptr) wire::add_quarantined_json(p.body, *bad_row);
  return p;
}

admin_pages::page admin_pages::make_page(const edge::exchange& x) {
  if (x.refused.status != 0) return error_page(x.refused.status, "malformed_request", x.refused.details);
  const std::string_view target = x.request.target;
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  const std::string_view query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  const bool known = path == "/health" || path == "/ready" || path == "/version" || path == options_.metrics_path ||
                     path == "/debug/config" || path == "/v1/explain";
  if (!known) return error_page(404, "not_found", "there is no such page; see the administration API's description");
  if (x.request.method != "GET" && x.request.method != "HEAD") {
    page p = error_page(405, "method_refused", "this page is only read: GET or HEAD");
    p.allow = "GET, HEAD";
    return p;
  }
  if (path == "/health") return {200, "application/json", R"({"status":"ok"})", {}};
  if (path == "/ready") {
    const readiness state = source_.ready();
    const std::uint16_t status = state == readiness::ready ? 200 : 503;
    return {status, "application/json", fmt::format(R"({{"status":"{}"}})", to_string(state)), {}};
  }
  if (path == "/version") {
    return {200,
            "application/json",
            fmt::format(R"({{"version":"{}","commit":"{}"}})", options_.version, options_.commit),
            {}};
  }
  if (path == options_.metrics_path) return {200, "text/plain; version=0.0.4; charset=utf-8", source_.metrics(), {}};
  if (path == "/debug/config") return debug_config();
  return explain(query);
}

/// Why a request that changes something is not from whom may do so; nothing if it is.
std::optional<std::string_view> admin_pages::why_denied(const edge::exchange& x) const {
  if (!source_.may_reload()) {
    return "others than this machine reach the administration, and no token protects it yet; send SIGHUP instead";
  }
  // A page that a browser on this machine shows may ask for anything, but not without this field.
  for (const field& f : x.request.fields) {
    if (equal_ignoring_case(f.name, "Origin")) return "pages of a browser change nothing here";
  }
  return std::nullopt;
}

io::task<admin_pages::page> admin_pages::reload(const edge::exchange& x, std::string_view query) {
  if (x.request.method != "POST") {
    page p = error_page(405, "method_refused", "the configuration is read again by a POST");
    p.allow = "POST";
    co_return p;
  }
  if (const auto denied = why_denied(x)) co_return error_page(403, "request_denied", *denied);
  std::string lifted;
  if (const query_values given = values_in(query, "override"); given.first) {
    auto named = wire::read_guards(unescape_query(*given.first).value_or(""));
    if (given.has_more || !named) {
      co_return error_page(400, "malformed_request",
                           "override names guards, with commas between: max_moved_percent, max_removed_percent, "
                           "min_keys");
    }
    lifted = *std::move(named);
  }
  const reload_report report = co_await source_.reload(std::move(lifted));
  page p;
  process::json_writer out(p.body);
  out.begin_object();
  if (report.result == reload_result::refused) {
    p.status = 422;
    out.name("error").begin_object();
    out.field("code", "config_rejected").field("message", "what was in use stays in use").field("request_id", "");
    out.end_object();
  }
  out.field("result", to_string(report.result)).field("generation", report.generation);
  if (!report.mistakes.empty()) out.field("mistakes", std::span<const std::string>(report.mistakes));
  out.end_object();
  co_return p;
}

io::task<void> admin_pages::serve(edge::exchange& x) {
  const std::string_view target = x.request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const bool wants_reload = x.refused.status == 0 && (path == "/v1/reload" || path == "/admin/runtime/reload");
  page p;
  if (wants_reload) {
    const std::string_view query = path.size() < target.size() ? target.substr(path.size() + 1) : std::string_view();
    p = co_await reload(x, query);
  } else {
    p = make_page(x);
  }
  if (p.type == "application/json") p.body += '\n';
  added_fields added;
  added.add("Content-Type", p.type);
  added.add("Cache-Control", "no-store");
  added.add("Date", date_.at(clock_.wall));
  if (!p.allow.empty()) added.add("Allow", p.allow);
  response_view view;
  view.status = p.status;
  view.reason = edge::reason_phrase(p.status);
  view.body.has_body = true;
  view.body.length_bytes = p.body.size();
  edge::outgoing_response out;
  out.view = &view;
  out.added = added.span();
  out.close = !x.settle_body();
  edge::body_piece body;
  body.data = p.body.data();
  body.size_bytes = p.body.size();
  body.end = true;
  const edge::stream_fault sent = co_await x.send_head(out, body, edge::no_trailers, clock_.now + 10s);
  if (sent != edge::stream_fault::none) x.abort();
}

}  // namespace cellroute::proxy
