#include "adapters/control/request_trace.hpp"

#include <array>

#include "adapters/edge/request_id.hpp"
#include "adapters/process/json_writer.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::control {

std::string trace_of(std::span<const field> fields, random_numbers& rng) {
  const field* found = nullptr;
  bool is_repeated = false;
  for (const field& f : fields) {
    if (!equal_ignoring_case(f.name, trace_field)) continue;
    is_repeated = found != nullptr;
    found = &f;
  }
  if (found != nullptr && !is_repeated && edge::is_fit_request_id(found->value)) return std::string(found->value);
  std::array<char, 32> made{};
  return std::string(edge::make_request_id(rng, made));
}

void add_trace(std::string& problem_document, std::string_view trace) {
  const std::size_t end = problem_document.rfind('}');
  if (end == std::string::npos) return;
  std::string member = ",\"trace\":";
  process::append_json_string(member, trace);
  problem_document.insert(end, member);
}

}  // namespace cellroute::control
