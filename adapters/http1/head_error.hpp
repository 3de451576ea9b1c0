#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cellroute::http1 {

/// Why a head is refused. Nothing of a refused head is passed on, and its connection is closed after the answer.
enum class head_error : std::uint8_t {
  cut_short,
  bad_start_line,
  bad_method,
  method_too_long,
  connect_refused,
  bad_target,
  target_too_long,
  bad_version,
  unsupported_version,
  bad_status,
  bare_cr,
  bare_lf,
  control_byte,
  folded_line,
  bad_field_name,
  space_before_colon,
  field_too_long,
  too_many_fields,
  head_too_long,
  too_many_connection_options,
  missing_host,
  repeated_host,
  bad_host,
  bad_content_length,
  repeated_content_length,
  length_and_coding,
  bad_transfer_coding,
  unsupported_transfer_coding,
  coding_in_http10,
  unknown_expectation,
  unasked_upgrade,
};

/// The reason in words, for a log line or the details of `Proxy-Status`; never holds a byte that a peer sent.
[[nodiscard]] std::string_view to_string(head_error error);

/// The status that answers a request with such a head. A response with such a head is a 502, whatever the reason.
[[nodiscard]] std::uint16_t status_of(head_error error);

/// How much of a head is taken before it is refused; exactly as much passes, one more does not.
///
/// Source: RFC 9112 section 3 asks for 8,000 bytes of request line at least.
struct head_limits {
  std::size_t head_bytes_max = 65536;    ///< from the start line to the empty line, both included
  std::size_t field_bytes_max = 16384;   ///< one line, without its line end
  std::size_t fields_max = 128;          ///< field lines
  std::size_t target_bytes_max = 16384;  ///< as sent, so with scheme and authority where it has them
};

/// Longer method names are refused. The longest registered one has 17 bytes.
inline constexpr std::size_t method_bytes_max = 64;

}  // namespace cellroute::http1
