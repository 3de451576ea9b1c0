#include "adapters/control/pages.hpp"

#include <chrono>
#include <utility>

#include "adapters/control/fleet.hpp"
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

void write_router(json_writer& out, const router_view& r) {
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
    out.field("seen_seconds_ago", std::chrono::duration<double>(r.seen_ago).count());
  }
  out.end_object();
}

front_answer only_get(const front_request& asked, front_answer made) {
  if (asked.method == "GET" || asked.method == "HEAD") return made;
  made = front_problem(405, "method_not_allowed", "this page is only read: GET or HEAD");
  made.allow = "GET, HEAD";
  return made;
}

front_answer of_text(std::string body) {
  front_answer made;
  made.body = std::move(body);
  made.body += '\n';
  return made;
}

}  // namespace

std::string_view to_string(control_state state) {
  switch (state) {
    case control_state::starting:
      return "starting";
    case control_state::ready:
      return "ready";
    case control_state::draining:
      return "draining";
  }
  return {};
}

std::optional<wire::content_id> control_pages::target() const {
  const published_content* current = published_.current();
  return current != nullptr ? std::optional(current->id) : std::nullopt;
}

front_answer control_pages::ready() const {
  const control_state state = source_.state();
  front_answer made = of_text(R"({"status":")" + std::string(to_string(state)) + R"("})");
  if (state != control_state::ready) made.status = 503;
  return made;
}

front_answer control_pages::info() const {
  std::string body;
  json_writer out(body);
  out.begin_object();
  out.field("name", "cellroute-control").field("version", options_.version).field("commit", options_.commit);
  out.name("protocols").begin_array().value(native_protocol).value("base").end_array();
  out.field("base_dialect", options_.base_dialect);
  out.name("limits").begin_object().field("routers", options_.routers_max).end_object();
  out.name("published");
  const published_content* current = published_.current();
  if (current == nullptr) {
    out.value(nullptr);
  } else {
    out.begin_object();
    out.field("epoch", current->id.epoch).field("version", current->id.version);
    out.field("digest", wire::to_hex(current->id.sum)).field("label", current->label);
    out.field("keys", std::uint64_t{current->content.keys.size()});
    out.end_object();
  }
  out.field("watch", options_.watch).field("mistakes", source_.mistakes());
  out.end_object();
  return of_text(std::move(body));
}

front_answer control_pages::config() const {
  const published_content* current = published_.current();
  if (current == nullptr) return front_problem(404, "nothing_published", "nothing is published yet");
  front_answer made;
  made.body = current->content.document;
  made.etag = '"' + std::to_string(current->id.epoch) + '.' + std::to_string(current->id.version) + '"';
  return made;
}

front_answer control_pages::routers() const {
  const auto all = fleet(server_, target(), clock_.now).routers();
  std::string body;
  json_writer out(body);
  out.begin_object();
  out.field("total", std::uint64_t{all.size()});
  out.name("routers").begin_array();
  for (const router_view& r : all) write_router(out, r);
  out.end_array().end_object();
  return of_text(std::move(body));
}

front_answer control_pages::router(std::string_view id) const {
  const auto found = fleet(server_, target(), clock_.now).router(id);
  if (!found) return front_problem(404, "unknown_router", "no router of this id was ever here, or it was long ago");
  std::string body;
  json_writer out(body);
  write_router(out, *found);
  return of_text(std::move(body));
}

front_answer control_pages::drift() const {
  const fleet_drift d = fleet(server_, target(), clock_.now).drift();
  std::string body;
  json_writer out(body);
  out.begin_object();
  out.name("target");
  write_content(out, d.target);
  out.field("connected", std::uint64_t{d.here}).field("on_target", std::uint64_t{d.on_target});
  out.field("refused", std::uint64_t{d.refused});
  out.name("versions").begin_array();
  for (const version_count& v : d.versions) {
    out.begin_object();
    out.name("running");
    write_content(out, v.running);
    out.field("routers", std::uint64_t{v.routers}).end_object();
  }
  out.end_array();
  out.name("stragglers").begin_array();
  for (const router_view& r : d.stragglers) write_router(out, r);
  out.end_array().end_object();
  return of_text(std::move(body));
}

front_answer control_pages::answer(const front_request& asked) {
  constexpr std::string_view one_router = "/v1/routers/";
  const std::string_view path = asked.path;
  if (path == "/health") return only_get(asked, of_text(R"({"status":"healthy"})"));
  if (path == "/livez") return only_get(asked, of_text(R"({"status":"alive"})"));
  if (path == "/readyz") return only_get(asked, ready());
  if (path == "/metrics") {
    front_answer made;
    made.type = "text/plain; version=0.0.4; charset=utf-8";
    made.body = source_.metrics();
    return only_get(asked, std::move(made));
  }
  if (options_.has_fleet) {
    if (path == "/v1/info") return only_get(asked, info());
    if (path == "/v1/config") return only_get(asked, config());
    if (path == "/v1/routers") return only_get(asked, routers());
    if (path == "/v1/fleet/drift") return only_get(asked, drift());
    if (path.starts_with(one_router)) return only_get(asked, router(path.substr(one_router.size())));
  }
  return front_problem(404, "not_found", "there is no such page");
}

}  // namespace cellroute::control
