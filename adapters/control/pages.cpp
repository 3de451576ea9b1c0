#include "adapters/control/pages.hpp"

#include <utility>

#include "adapters/control/fleet.hpp"
#include "adapters/control/fleet_json.hpp"
#include "adapters/process/json_writer.hpp"

namespace cellroute::control {
namespace {

using process::json_writer;

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
  std::string body = R"({"total":)" + std::to_string(all.size()) + R"(,"routers":[)";
  for (const router_view& r : all) {
    if (&r != &all.front()) body += ',';
    write_router(body, r);
  }
  body += "]}";
  return of_text(std::move(body));
}

front_answer control_pages::router(std::string_view id) const {
  const auto found = fleet(server_, target(), clock_.now).router(id);
  if (!found) return front_problem(404, "unknown_router", "no router of this id was ever here, or it was long ago");
  std::string body;
  write_router(body, *found);
  return of_text(std::move(body));
}

front_answer control_pages::drift() const {
  std::string body;
  write_drift(body, fleet(server_, target(), clock_.now).drift());
  return of_text(std::move(body));
}

front_answer control_pages::answer(std::string_view path) const {
  constexpr std::string_view one_router = "/v1/routers/";
  if (path == "/health") return of_text(R"({"status":"healthy"})");
  if (path == "/livez") return of_text(R"({"status":"alive"})");
  if (path == "/readyz") return ready();
  if (path == "/metrics") {
    front_answer made;
    made.type = "text/plain; version=0.0.4; charset=utf-8";
    made.body = source_.metrics();
    return made;
  }
  if (options_.has_fleet) {
    if (path == "/v1/info") return info();
    if (path == "/v1/config") return config();
    if (path == "/v1/routers") return routers();
    if (path == "/v1/fleet/drift") return drift();
    if (path.starts_with(one_router)) return router(path.substr(one_router.size()));
  }
  return front_problem(404, "not_found", "there is no such page");
}

io::task<void> control_pages::serve(edge::exchange& x) {
  if (x.refused.status != 0)
    return answers_.send(x, front_problem(x.refused.status, "malformed_request", x.refused.details));
  const std::string_view target = x.request.target;
  front_answer made = answer(target.substr(0, target.find('?')));
  const bool is_read = x.request.method == "GET" || x.request.method == "HEAD";
  if (made.status != 404 && !is_read) {
    made = front_problem(405, "method_not_allowed", "this page is only read: GET or HEAD");
    made.allow = "GET, HEAD";
  }
  return answers_.send(x, std::move(made));
}

}  // namespace cellroute::control
