#include "adapters/control/fleet_json.hpp"

#include <chrono>
#include <optional>
#include <string_view>

#include "adapters/process/json_writer.hpp"

namespace cellroute::control {
namespace {

using process::json_writer;

void write_content(json_writer& out, const wire::content_id& id) {
  out.begin_object();
  out.field("epoch", id.epoch).field("version", id.version).field("digest", wire::to_hex(id.sum));
  out.end_object();
}

void write_content(json_writer& out, const std::optional<wire::content_id>& id) {
  id ? write_content(out, *id) : static_cast<void>(out.value(nullptr));
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
    out.field("seen_seconds_ago", std::chrono::duration<double>(r.seen_ago).count());
  }
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
  writer.name("versions").begin_array();
  for (const version_count& v : drift.versions) {
    writer.begin_object();
    writer.name("running");
    write_content(writer, v.running);
    writer.field("routers", v.routers).end_object();
  }
  writer.end_array();
  writer.name("stragglers").begin_array();
  for (const router_view& r : drift.stragglers) write_view(writer, r);
  writer.end_array().end_object();
}

}  // namespace cellroute::control
