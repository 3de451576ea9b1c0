#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/random.hpp"
#include "cellroute/match/request_view.hpp"

/// The id of a request: in its answer, in a problem document, and in the line of the log that is about it.
namespace cellroute::control {

inline constexpr std::string_view trace_field = "X-Request-Id";
inline constexpr std::size_t trace_bytes_max = 128;

/// The one that the request brought, where it is of 1 to 128 visible characters of ASCII and came once; else a new one
/// of 32 hexadecimal digits.
[[nodiscard]] std::string trace_of(std::span<const field> fields, random_numbers& rng);

/// Puts the member `trace` behind the others of a problem document, which ends in `}` and perhaps a line end.
void add_trace(std::string& problem_document, std::string_view trace);

}  // namespace cellroute::control
