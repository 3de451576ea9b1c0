#include "adapters/control/request_trace.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  const bool is_fit = found != nullptr && !is_repeated && !found->value.empty() &&
                      found->value.size() <= trace_bytes_max &&
                      std::ranges::all_of(found->value, [](char c) { return c > ' ' && c < '\x7f'; });
  return is_fit ? std::string(found->value) : fmt::format("{:016x}{:016x}", rng(), rng());
}

void add_trace(std::string& problem_document, std::string_view trace) {
  const std::size_t end = problem_document.rfind('}');
  if (end == std::string::npos) return;
  std::string member = ",\"trace\":";
  process::append_json_string(member, trace);
  problem_document.insert(end, member);
}

}  // namespace cellroute::control
