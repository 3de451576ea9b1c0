#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/http1/body_framing.hpp"
#include "adapters/http1/field_names.hpp"
#include "adapters/http1/head_error.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute::http1 {

/// What the field lines of a head hold, and which of our names occurred in them.
struct field_lines {
  std::span<field> fields;
  std::string_view raw;  ///< all lines, with their line ends, without the empty one
  name_set seen;
  name_set repeated;
};

/// Reads field lines up to the empty one. `skip` is set for the names in `skipped`, and for no other.
///
/// Errors: what RFC 9112 section 5 forbids, and the limits of fields; `cut_short` where the empty line is missing.
[[nodiscard]] expected<field_lines, head_error> parse_field_lines(std::string_view text, const head_limits& limits,
                                                                  name_set skipped, std::span<field> storage);

/// What Connection says about the connection itself.
struct connection_options {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool nominates = false;  ///< it names fields, of the head or behind the content
};

/// No honest message names more fields; without a bound, a head of such names costs their number times its fields.
inline constexpr std::size_t connection_options_max = 64;

/// Reads all Connection fields and sets `skip` on the fields that they name.
[[nodiscard]] expected<connection_options, head_error> apply_connection(const field_lines& lines);

/// What a head says about the content behind it, before method and status are looked at.
struct framing_fields {
  bool chunked = false;
  std::optional<std::uint64_t> length_bytes;
};

/// Reads Content-Length and Transfer-Encoding: one of them, once, and in its only form that we act on.
///
/// Source: RFC 9112 sections 6.1 to 6.3. Equal lengths may be collapsed by it, and both fields resolved; we refuse,
/// since hops that disagree on the end of a message are what smuggling lives on.
[[nodiscard]] expected<framing_fields, head_error> parse_framing(const field_lines& lines, std::uint8_t version_minor);

/// Reads `HTTP/1.x`, and gives 0 or 1: a minor version above 1 is read as 1 (RFC 9110 section 2.5).
[[nodiscard]] expected<std::uint8_t, head_error> parse_version(std::string_view text);

}  // namespace cellroute::http1
