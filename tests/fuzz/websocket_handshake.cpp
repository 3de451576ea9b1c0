// Opening handshakes: whatever the fields are, there is an answer or a reason; and what was accepted is taken by a
// client that asked so.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/websocket/handshake.hpp"

using namespace cellroute;
using namespace cellroute::websocket;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Lines of a name, a colon, a value.
std::vector<field> fields_of(std::string_view text) {
  std::vector<field> fields;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t colon = std::min(line.find(':'), line.size());
    fields.push_back({line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))});
  }
  return fields;
}

response_view answer_with(std::span<field> fields) {
  response_view answer;
  answer.status = 101;
  answer.fields = fields;
  return answer;
}

bool is_key_field(const field& f) {
  return std::ranges::equal(f.name, std::string_view("sec-websocket-key"),
                            [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && (a | 0x20) == b); });
}

void check_accepted(std::span<const field> asked, const accepted& answer) {
  const auto key_field = std::ranges::find_if(asked, is_key_field);
  handshake_key key;
  require(key_field != asked.end() && key_field->value.size() == key.bytes.size());
  std::ranges::copy(key_field->value, key.bytes.begin());
  std::vector<field> lines = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", answer.accept.view()}};
  if (!answer.subprotocol.empty()) lines.push_back({"Sec-WebSocket-Protocol", answer.subprotocol});
  const auto agreed = check_answer(answer_with(lines), key, std::span(&answer.subprotocol, 1));
  require(agreed && *agreed == answer.subprotocol);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  std::vector<field> fields = fields_of(text);
  const std::string_view ours[] = {"cellroute.v1", "a"};
  request_view request;
  request.method = "GET";
  request.authority = "a.test";
  request.fields = fields;
  const auto answer = accept(request, 1, ours);
  if (answer) {
    require(answer->subprotocol.empty() || std::ranges::find(ours, answer->subprotocol) != std::end(ours));
    check_accepted(fields, *answer);
    std::string lines;
    append_answer_fields(lines, *answer);
    require(std::ranges::count(lines, '\n') == (answer->subprotocol.empty() ? 3 : 4));
  } else {
    require(status_of(answer.error()) >= 400 && !to_string(answer.error()).empty());
  }

  const auto agreed = check_answer(answer_with(fields), make_key({}), ours);
  require(!agreed || agreed->empty() || std::ranges::find(ours, *agreed) != std::end(ours));

  std::string lines;
  const std::string_view host = fields.empty() ? std::string_view() : fields[0].name;
  if (append_request_fields(lines, {.host = host, .key = make_key({}), .subprotocols = ours, .added = fields})) {
    require(std::ranges::count(lines, '\n') == 6 + static_cast<std::ptrdiff_t>(fields.size()));
  }
  return 0;
}
