#include "adapters/control/pages.hpp"

#include <utility>

namespace cellroute::control {
namespace {

front_answer of_text(std::string body) {
  front_answer made;
  made.body = std::move(body);
  made.body += '\n';
  return made;
}

}  // namespace

front_answer control_pages::ready() const {
  std::string_view why = source_.why_not_ready();
  switch (source_.state()) {
    case control_state::starting:
      why = "nothing is published yet";
      break;
    case control_state::ready:
      break;
    case control_state::draining:
      why = "it stops";
      break;
  }
  return why.empty() ? of_text(R"({"status":"ready"})") : front_problem(503, "unavailable", why);
}

front_answer control_pages::answer(std::string_view path) const {
  if (path == "/health") return of_text(R"({"status":"healthy"})");
  if (path == "/livez") return of_text(R"({"status":"alive"})");
  if (path == "/readyz") return ready();
  if (path == "/metrics") {
    front_answer made;
    made.type = "text/plain; version=0.0.4; charset=utf-8";
    made.body = source_.metrics();
    return made;
  }
  return front_problem(404, "unknown", "there is no such page");
}

io::task<void> control_pages::serve(edge::exchange& x) {
  if (x.refused.status != 0)
    return answers_.send(x, front_problem(x.refused.status, "malformed_request", x.refused.details));
  const std::string_view target = x.request.target;
  front_answer made = answer(target.substr(0, target.find('?')));
  const bool is_read = x.request.method == "GET" || x.request.method == "HEAD";
  if (made.status != 404 && !is_read) {
    made = front_problem(405, "method", "this page is only read: GET or HEAD");
    made.allow = "GET, HEAD";
  }
  return answers_.send(x, std::move(made));
}

}  // namespace cellroute::control
