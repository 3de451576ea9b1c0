#include "adapters/proxy/local_answer.hpp"

#include <algorithm>

#include "adapters/edge/reason_phrase.hpp"
#include "adapters/http1/bytes.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::proxy {
namespace {

bool is_json_range(std::string_view range) {
  const std::size_t semicolon = range.find(';');
  const std::string_view type = http1::trim_ows(range.substr(0, semicolon));
  const bool json = equal_ignoring_case(type, "application/json") ||
                    (type.size() > 5 && equal_ignoring_case(type.substr(type.size() - 5), "+json"));
  if (!json || semicolon == std::string_view::npos) return json;
  const std::string_view parameters = range.substr(semicolon);
  const std::size_t q = parameters.find("q=0");
  if (q == std::string_view::npos) return true;
  // q=0, q=0.0 and so on refuse; q=0.5 does not.
  return parameters.find_first_of("123456789", q + 3) != std::string_view::npos;
}

}  // namespace

bool wants_json(std::span<const field> fields) {
  for (const field& f : fields) {
    if (f.id != field_name::accept) continue;
    std::string_view rest = f.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (is_json_range(rest.substr(0, comma))) return true;
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
  }
  return false;
}

local_answer::local_answer(std::uint16_t status, std::string_view code, std::string_view error,
                           std::string_view message, std::string_view request_id, bool json)
    : status_(status), json_(json) {
  const auto body = [this](std::string_view text) { append(body_, body_bytes_, text); };
  if (json) {
    body("{\"error\":{\"code\":\"");
    body(code);
    body("\",\"message\":\"");
    body(message);
    body("\",\"request_id\":\"");
    append_escaped(request_id);
    body("\"}}\n");
  } else {
    body(message);
    body("\n");
  }
  const auto proxy_status = [this](std::string_view text) { append(proxy_status_, proxy_status_bytes_, text); };
  proxy_status("cellroute; error=");
  proxy_status(error);
  proxy_status("; details=\"");
  proxy_status(message);
  proxy_status("\"");
}

void local_answer::append(std::array<char, 768>& to, std::size_t& size, std::string_view text) {
  const std::size_t room = to.size() - size;
  const std::string_view part = text.substr(0, room);
  std::copy(part.begin(), part.end(), to.begin() + static_cast<std::ptrdiff_t>(size));
  size += part.size();
}

void local_answer::append_escaped(std::string_view text) {
  for (const char c : text) {  // visible ASCII only: see take_request_id
    if (c == '"' || c == '\\') append(body_, body_bytes_, "\\");
    append(body_, body_bytes_, {&c, 1});
  }
}

void local_answer::add_to(added_fields& added) const {
  added.add("Content-Type", json_ ? "application/json" : "text/plain; charset=utf-8");
  added.add("Proxy-Status", {proxy_status_.data(), proxy_status_bytes_});
}

response_view local_answer::view() const {
  response_view view;
  view.status = status_;
  view.reason = edge::reason_phrase(status_);
  view.body.has_body = true;
  view.body.length_bytes = body_bytes_;
  return view;
}

edge::body_piece local_answer::body() {
  edge::body_piece piece;
  piece.data = body_.data();
  piece.size_bytes = body_bytes_;
  piece.end = true;
  return piece;
}

}  // namespace cellroute::proxy
