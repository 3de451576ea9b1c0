#include "adapters/control/front.hpp"

#include <array>

#include "adapters/websocket/handshake.hpp"

namespace cellroute::control {
namespace {

constexpr std::array<std::string_view, 1> subprotocols{native_protocol};

}  // namespace

io::task<void> front::serve(edge::exchange& x) {
  ++requests_;
  if (x.refused.status != 0) {
    ++refused_;
    return answers_.send(x, front_problem(x.refused.status, "malformed_request", x.refused.details));
  }
  const std::string_view target = x.request.target;
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  // Who balances or restarts asks without a token, and so does who wants to know how to ask.
  const bool is_contract = path == "/v1/openapi.json" && !x.request.body.has_body;
  const bool is_open = path == "/health" || path == "/livez" || path == "/readyz" || is_contract;
  const bool is_session = path == "/connect" || path == "/v1/connect";
  const bool is_api = path.starts_with("/v1/");
  if (is_session && x.facts.local_user) {
    ++refused_;
    return answers_.send(x, front_problem(403, "forbidden", "the break-glass socket is for the API alone"));
  }
  if (!is_open) {
    const door to = is_session ? door::routers : is_api ? door::api : door::pages;
    if (const auto why = gate_.why_not(x.request, x.facts, to, clock_.wall)) {
      ++refused_;
      const std::string_view further = why->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "";
      return answers_.send(x, front_problem(why->status, why->code, why->detail), further);
    }
  }
  return is_session ? connect(x) : is_api ? api_.serve(x) : pages_.serve(x);
}

io::task<void> front::connect(edge::exchange& x) {
  const std::uint8_t version_minor = x.facts.version == edge::protocol::http_1_0 ? 0 : 1;
  const auto accepted = websocket::accept(x.request, version_minor, subprotocols);
  if (!accepted) {
    ++refused_;
    const websocket::handshake_error error = accepted.error();
    const std::uint16_t status = websocket::status_of(error);
    return answers_.send(x, front_problem(status, "handshake", websocket::to_string(error)),
                         websocket::refusal_fields(error));
  }
  if (!server_.has_room()) {
    ++refused_;
    return answers_.send(x, front_problem(503, "busy", "no further session is taken now; come again later"),
                         "Retry-After: 5\r\n");
  }
  return server_.serve(x, *accepted, gate::token_of(x.request));
}

}  // namespace cellroute::control
