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
  // Who balances or restarts asks without a token.
  const bool is_open = path == "/health" || path == "/livez" || path == "/readyz";
  if (!is_open) {
    if (const auto why = gate_.why_not(x.request, x.facts)) {
      ++refused_;
      const std::string_view further = why->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "";
      return answers_.send(x, front_problem(why->status, why->code, why->detail), further);
    }
  }
  const bool is_session = path == "/connect" || path == "/v1/connect";
  return is_session ? connect(x) : rest_.serve(x);
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
  return server_.serve(x, *accepted);
}

}  // namespace cellroute::control
