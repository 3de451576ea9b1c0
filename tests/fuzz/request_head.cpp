// Request heads: whatever comes, no byte outside of it is read; however it was cut, the outcome is the same; and what
// is passed on reads the same at the next hop.

#include "adapters/http1/request_head.hpp"

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

// In steps of a size that the input chooses.
head_outcome scan_in_steps(std::string_view text, std::size_t step) {
  head_scanner scanner{head_limits{}, true};
  head_outcome outcome = need_more{};
  for (std::size_t end = 0; end < text.size() && std::holds_alternative<need_more>(outcome);) {
    end = std::min(text.size(), end + step);
    const std::vector<char> piece(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end));
    outcome = scanner.scan({piece.data(), piece.size()});
  }
  return outcome;
}

std::string write(const request_head& head) {
  outgoing_request next = outgoing(head.view);
  if (next.authority.empty()) next.authority = "cell.test";  // HTTP/1.0 may lack it
  std::string bytes(size_bound(next), '\0');
  const std::size_t size = write_request_head(bytes, next);
  require(size > 0);
  bytes.resize(size);
  return bytes;
}

void require_same(const request_head& a, const request_head& b) {
  require(a.view.method == b.view.method && a.view.target == b.view.target && a.view.body == b.view.body);
  require(a.framing == b.framing && a.view.upgrade == b.view.upgrade);
  require(a.view.expects_continue == b.view.expects_continue && a.view.accepts_trailers == b.view.accepts_trailers);
  const auto passed_on = [](const request_head& head) {
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    for (const field& f : head.view.fields) {
      if (!f.skip) fields.emplace_back(f.name, f.value);
    }
    return fields;
  };
  require(passed_on(a) == passed_on(b));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(data + 1, data + size);
  const head_outcome whole = scan_in_steps(text, text.size());
  const head_outcome cut = scan_in_steps(text, data[0] % 40u + 1u);
  require(whole.index() == cut.index());
  if (std::holds_alternative<head_end>(whole)) require(whole == cut);

  // The parser by itself takes any bytes.
  std::vector<field> storage(200);
  request_head any;
  const bool accepted = parse_request_head(text, {}, storage, any).has_value();
  const auto* const end = std::get_if<head_end>(&whole);
  require(end != nullptr || !accepted);  // what the scanner refuses, the parser refuses
  if (end == nullptr) return 0;

  const std::vector<char> exact(text.begin() + static_cast<std::ptrdiff_t>(end->begin),
                                text.begin() + static_cast<std::ptrdiff_t>(end->begin + end->size_bytes));
  std::vector<field> fields(end->line_count);
  request_head head;
  if (!parse_request_head({exact.data(), exact.size()}, {}, fields, head)) return 0;

  const std::string written = write(head);
  std::vector<field> written_fields(fields.size() + 8);
  request_head again;
  require(parse_request_head(written, {.head_bytes_max = 1u << 20, .field_bytes_max = 1u << 20, .fields_max = 200},
                             written_fields, again)
              .has_value());
  require_same(head, again);
  require(write(again) == written);
  return 0;
}
