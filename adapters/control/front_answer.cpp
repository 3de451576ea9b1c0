#include "adapters/control/front_answer.hpp"

#include <utility>
#include <vector>

#include "adapters/control/request_trace.hpp"
#include "adapters/edge/reason_phrase.hpp"
#include "adapters/process/json_writer.hpp"

namespace cellroute::control {
namespace {

constexpr duration send_timeout = 10s;

/// Lines as they stand in a head, `Name: value` each, as fields.
void add_lines(std::vector<field>& to, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos)
      to.push_back({line.substr(0, colon), line.substr(colon + 2), field_name::other, false});
    lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 2);
  }
}

}  // namespace

front_answer front_problem(std::uint16_t status, std::string_view code, std::string_view detail) {
  front_answer made;
  made.status = status;
  made.type = "application/problem+json";
  process::json_writer out(made.body);
  out.begin_object();
  out.field("type", "about:blank").field("title", edge::reason_phrase(status)).field("status", status);
  out.field("detail", detail).field("code", code);
  out.end_object();
  made.body += '\n';
  return made;
}

io::task<void> answer_writer::send(edge::exchange& x, front_answer answer, std::string_view further_fields,
                                   std::string trace) {
  if (trace.empty()) trace = log_.trace_of(x.request);
  if (answer.status >= 400) add_trace(answer.body, trace);
  log_.note(x, answer.status, trace);
  std::vector<field> added;
  const auto add = [&added](std::string_view name, std::string_view value) {
    if (!value.empty()) added.push_back({name, value, field_name::other, false});
  };
  add("Content-Type", answer.type);
  add("Cache-Control", "no-store");
  add("Date", date_.at(clock_.wall));
  add("Allow", answer.allow);
  add("ETag", answer.etag);
  add(trace_field, trace);
  add_lines(added, further_fields);
  response_view view;
  view.status = answer.status;
  view.reason = edge::reason_phrase(answer.status);
  view.body.has_body = true;
  view.body.length_bytes = answer.body.size();
  edge::outgoing_response head;
  head.view = &view;
  head.added = added;
  head.close = !x.settle_body();
  edge::body_piece body;
  body.data = answer.body.data();
  body.size_bytes = answer.body.size();
  body.end = true;
  const edge::stream_fault sent = co_await x.send_head(head, body, edge::no_trailers, clock_.now + send_timeout);
  if (sent != edge::stream_fault::none) x.abort();
}

}  // namespace cellroute::control
