#include "adapters/control/fleet_json.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/process/json_writer.hpp"
#include "adapters/wire/timestamp.hpp"

namespace cellroute::control {
namespace {

using process::json_writer;

double seconds(duration of) { return std::chrono::duration<double>(of).count(); }

/// Of seconds since 1970; a router may say any number.
wall_time instant(std::uint64_t at) {
  constexpr std::uint64_t latest = 9'000'000'000;  // the year 2255
  return wall_time(std::chrono::seconds(std::min(at, latest)));
}

void write_content(json_writer& out, const wire::content_id& id) {
  out.begin_object();
  out.field("epoch", id.epoch).field("version", id.version).field("digest", wire::to_hex(id.sum));
  out.end_object();
}

void write_content(json_writer& out, const std::optional<wire::content_id>& id) {
  id ? write_content(out, *id) : static_cast<void>(out.value(nullptr));
}

/// What a router said of itself.
void write_status(json_writer& out, const wire::pong& s) {
  out.begin_object().field("uptime_seconds", s.uptime_s).field("boots", s.boots).field("requests", s.requests);
  out.name("errors").begin_object().field("router5xx", s.errors.router5xx).field("connect", s.errors.connect);
  out.field("timeout", s.errors.timeout).field("no_route", s.errors.no_route).end_object();
  out.field("default_route_hits", s.default_route_hits).field("memory_bytes", s.mem_bytes);
  out.field("refused_pushes", s.rejected).field("kept_age_seconds", s.lkg_age_s);
  out.name("prepared").begin_array();
  for (const wire::content_id& each : s.prepared) write_content(out, each);
  out.end_array().name("latency").begin_array();
  for (const wire::latency_bucket& each : s.latency) {
    out.begin_object().name("le_ms");
    each.le_ms ? static_cast<void>(out.value(*each.le_ms)) : static_cast<void>(out.value(nullptr));
    out.field("requests", each.count).end_object();
  }
  out.end_array().name("scrub");
  if (s.scrub) {
    out.begin_object().field("ok", s.scrub->ok).field("at", wire::to_string(instant(s.scrub->at))).end_object();
  } else {
    out.value(nullptr);
  }
  out.end_object();
}

void write_view(json_writer& out, const router_view& r) {
  out.begin_object();
  out.name("router_id");
  r.is_native ? out.value(r.id) : out.value(nullptr);
  out.field("protocol", r.is_native ? "cellroute.v1" : "base")
      .field("state", r.state)
      .field("connected", r.session != 0);
  out.field("session", r.session).field("peer", r.peer);
  out.name("running");
  if (r.is_native || !r.running) {
    write_content(out, r.running);
  } else {
    out.begin_object().field("version", r.running->version).end_object();
  }
  out.field("on_target", r.is_on_target).field("last_refusal", r.last_refusal);
  if (r.is_native) {
    out.field("source", r.source).field("build", r.build).field("boot_id", r.boot_id);
    out.name("labels").begin_object();
    for (const auto& [name, value] : r.labels) {
      // Names come from routers: written as texts, behind what an object needs.
      std::string text;
      process::append_json_string(text, name);
      out.name(std::string_view(text).substr(1, text.size() - 2)).value(value);
    }
    out.end_object();
    out.name("away_since");
    r.away_since ? out.value(*r.away_since) : out.value(nullptr);
    out.field("seen_seconds_ago", seconds(r.seen_ago));
    out.name("confirmed_seconds_ago");
    r.confirmed_ago ? out.value(seconds(*r.confirmed_ago)) : out.value(nullptr);
    out.name("clock_ahead_seconds");
    r.clock_ahead ? out.value(seconds(*r.clock_ahead)) : out.value(nullptr);
    out.name("apply_ms");
    r.apply_ms ? static_cast<void>(out.value(*r.apply_ms)) : static_cast<void>(out.value(nullptr));
    out.name("status");
    r.status ? write_status(out, *r.status) : static_cast<void>(out.value(nullptr));
  }
  out.end_object();
}

void write_counts(json_writer& out, const version_counts& counts) {
  out.name("versions").begin_array();
  for (const version_count& v : counts.versions) {
    out.begin_object();
    out.name("running");
    write_content(out, v.running);
    out.field("routers", v.routers).end_object();
  }
  out.end_array().field("versions_left_out", counts.versions_left_out);
}

void write_label(json_writer& out, const label_drift& label, std::size_t here) {
  out.begin_object().field("name", label.name).field("routers", label.routers);
  out.field("routers_without", here - label.routers).name("values").begin_array();
  for (const label_value& each : label.values) {
    out.begin_object().field("value", each.value).field("routers", each.routers);
    write_counts(out, each.counts);
    out.end_object();
  }
  out.end_array().field("values_left_out", label.values_left_out).end_object();
}

void write_ages(json_writer& out, const confirmed_ages& ages) {
  out.begin_object().field("routers", ages.routers).field("never", ages.never);
  const auto age = [&](std::string_view name, duration of) {
    out.name(name);
    ages.routers > 0 ? out.value(seconds(of)) : out.value(nullptr);
  };
  age("p50", ages.p50);
  age("p90", ages.p90);
  age("p99", ages.p99);
  age("max", ages.longest);
  out.end_object();
}

}  // namespace

void write_router(std::string& out, const router_view& router) {
  json_writer writer(out);
  write_view(writer, router);
}

void write_drift(std::string& out, const fleet_drift& drift) {
  json_writer writer(out);
  writer.begin_object();
  writer.name("target");
  write_content(writer, drift.target);
  writer.field("connected", drift.here).field("on_target", drift.on_target).field("refused", drift.refused);
  writer.field("away", drift.away);
  write_counts(writer, drift.counts);
  writer.name("labels").begin_array();
  for (const label_drift& each : drift.labels) write_label(writer, each, drift.here);
  writer.end_array().field("labels_left_out", drift.labels_left_out).name("confirmed_age_seconds");
  write_ages(writer, drift.ages);
  writer.name("stragglers").begin_array();
  for (const router_view& r : drift.stragglers) write_view(writer, r);
  writer.end_array().field("stragglers_left_out", drift.stragglers_left_out).end_object();
}

}  // namespace cellroute::control
