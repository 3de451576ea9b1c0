// Response heads: as for request heads, and no content where HTTP says that there is none.

#include "adapters/http1/response_head.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/http1/head_scanner.hpp"
#include "adapters/http1/head_writer.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

head_outcome scan_in_steps(std::string_view text, std::size_t step) {
  head_scanner scanner{head_limits{}, false};
  head_outcome outcome = need_more{};
  for (std::size_t end = 0; end < text.size() && std::holds_alternative<need_more>(outcome);) {
    end = std::min(text.size(), end + step);
    const std::vector<char> piece(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end));
    outcome = scanner.scan({piece.data(), piece.size()});
  }
  return outcome;
}

std::string write(const response_head& head) {
  outgoing_response next = outgoing(head.view);
  next.framing = head.framing;
  std::string bytes(size_bound(next), '\0');
  const std::size_t size = write_response_head(bytes, next);
  require(size > 0);
  bytes.resize(size);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(data + 2, data + size);
  const bool was_head = (data[1] & 1u) != 0;
  const std::string_view asked_upgrade = (data[1] & 2u) != 0 ? "websocket, x" : "";
  const head_outcome whole = scan_in_steps(text, text.size());
  const head_outcome cut = scan_in_steps(text, data[0] % 40u + 1u);
  require(whole.index() == cut.index());
  if (std::holds_alternative<head_end>(whole)) require(whole == cut);

  std::vector<field> storage(200);
  response_head any;
  const bool accepted = parse_response_head(text, was_head, asked_upgrade, {}, storage, any).has_value();
  const auto* const end = std::get_if<head_end>(&whole);
  require(end != nullptr || !accepted);
  if (end == nullptr) return 0;

  const std::vector<char> exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end->size_bytes));
  std::vector<field> fields(end->line_count);
  response_head head;
  if (!parse_response_head({exact.data(), exact.size()}, was_head, asked_upgrade, {}, fields, head)) return 0;

  const bool never_content = was_head || head.view.status < 200 || head.view.status == 204 || head.view.status == 304;
  require(!never_content || (head.framing == body_framing::none && !head.view.body.has_body));
  require(head.view.status != 101 || (!asked_upgrade.empty() && !head.view.upgrade.empty()));

  const std::string written = write(head);
  std::vector<field> written_fields(fields.size() + 8);
  response_head again;
  require(parse_response_head(written, was_head, asked_upgrade,
                              {.head_bytes_max = 1u << 20, .field_bytes_max = 1u << 20, .fields_max = 200},
                              written_fields, again)
              .has_value());
  require(head.view.status == again.view.status && head.view.reason == again.view.reason);
  require(head.framing == again.framing && head.view.body == again.view.body);
  require(head.view.upgrade == again.view.upgrade);
  require(write(again) == written);
  return 0;
}
