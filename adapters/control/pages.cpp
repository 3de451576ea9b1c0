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

front_answer control_pages::ready() const {
  const control_state state = source_.state();
  front_answer made = of_text(R"({"status":")" + std::string(to_string(state)) + R"("})");
  if (state != control_state::ready) made.status = 503;
  return made;
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
