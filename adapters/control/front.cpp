#include "adapters/control/front.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "adapters/edge/reason_phrase.hpp"
#include "adapters/process/json_writer.hpp"
#include "adapters/websocket/handshake.hpp"

namespace cellroute::control {
namespace {

constexpr duration answer_timeout = 10s;
constexpr std::array<std::string_view, 1> subprotocols{native_protocol};

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

io::task<void> front::serve(edge::exchange& x) {
  ++requests_;
  if (x.refused.status != 0) {
    ++refused_;
    return send(x, front_problem(x.refused.status, "malformed_request", x.refused.details));
  }
  const std::string_view target = x.request.target;
  const std::size_t question = target.find('?');
  const front_request asked{x.request.method, target.substr(0, question),
                            question == std::string_view::npos ? std::string_view{} : target.substr(question + 1)};
  // Who balances or restarts asks without a token.
  const bool is_open = asked.path == "/health" || asked.path == "/livez" || asked.path == "/readyz";
  if (gate_ != nullptr && !is_open) {
    if (const auto why = gate_->why_not(x.request, x.facts)) {
      ++refused_;
      const std::string_view further = why->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "";
      return send(x, front_problem(why->status, why->code, why->detail), further);
    }
  }
  const bool is_session = server_ != nullptr && (asked.path == "/connect" || asked.path == "/v1/connect");
  return is_session ? connect(x) : send(x, pages_.answer(asked));
}

io::task<void> front::connect(edge::exchange& x) {
  const std::uint8_t version_minor = x.facts.version == edge::protocol::http_1_0 ? 0 : 1;
  const auto accepted = websocket::accept(x.request, version_minor, subprotocols);
  if (!accepted) {
    ++refused_;
    const websocket::handshake_error error = accepted.error();
    const std::uint16_t status = websocket::status_of(error);
    return send(x, front_problem(status, "handshake", websocket::to_string(error)), websocket::refusal_fields(error));
  }
  if (!server_->has_room()) {
    ++refused_;
    return send(x, front_problem(503, "busy", "no further session is taken now; come again later"),
                "Retry-After: 5\r\n");
  }
  return server_->serve(x, *accepted);
}

io::task<void> front::send(edge::exchange& x, front_answer answer, std::string_view further_fields) {
  std::vector<field> added;
  const auto add = [&added](std::string_view name, std::string_view value) {
    if (!value.empty()) added.push_back({name, value, field_name::other, false});
  };
  add("Content-Type", answer.type);
  add("Cache-Control", "no-store");
  add("Date", date_.at(clock_.wall));
  add("Allow", answer.allow);
  add("ETag", answer.etag);
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
  const edge::stream_fault sent = co_await x.send_head(head, body, edge::no_trailers, clock_.now + answer_timeout);
  if (sent != edge::stream_fault::none) x.abort();
}

}  // namespace cellroute::control
