#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/random.hpp"
#include "cellroute/match/request_view.hpp"

/// The id of a request: in its answer, in a problem document, and in the line of the log that is about it.
namespace cellroute::control {

inline constexpr std::string_view trace_field = "X-Request-Id";

/// The one that the request brought, where it is fit for that and came once; else a new one.
[[nodiscard]] std::string trace_of(std::span<const field> fields, random_numbers& rng);

/// Puts the member `trace` behind the others of a problem document, which ends in `}` and perhaps a line end.
void add_trace(std::string& problem_document, std::string_view trace);

}  // namespace cellroute::control
