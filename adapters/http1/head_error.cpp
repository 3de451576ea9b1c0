#include "adapters/http1/head_error.hpp"

namespace cellroute::http1 {

std::string_view to_string(head_error error) {
  switch (error) {
    case head_error::cut_short:
      return "head is cut short";
    case head_error::bad_start_line:
      return "malformed start line";
    case head_error::bad_method:
      return "malformed method";
    case head_error::method_too_long:
      return "method too long";
    case head_error::connect_refused:
      return "CONNECT is not served";
    case head_error::bad_target:
      return "malformed request target";
    case head_error::target_too_long:
      return "request target too long";
    case head_error::bad_version:
      return "malformed HTTP version";
    case head_error::unsupported_version:
      return "HTTP version not supported";
    case head_error::bad_status:
      return "status out of range";
    case head_error::bare_cr:
      return "bare CR";
    case head_error::bare_lf:
      return "bare LF";
    case head_error::control_byte:
      return "control byte";
    case head_error::folded_line:
      return "folded field line";
    case head_error::bad_field_name:
      return "malformed field name";
    case head_error::space_before_colon:
      return "white space before the colon";
    case head_error::field_too_long:
      return "field too long";
    case head_error::too_many_fields:
      return "too many fields";
    case head_error::head_too_long:
      return "head too long";
    case head_error::too_many_connection_options:
      return "too many connection options";
    case head_error::missing_host:
      return "Host is missing";
    case head_error::repeated_host:
      return "more than one Host";
    case head_error::bad_host:
      return "malformed host";
    case head_error::bad_content_length:
      return "malformed Content-Length";
    case head_error::repeated_content_length:
      return "more than one Content-Length";
    case head_error::length_and_coding:
      return "both Content-Length and Transfer-Encoding";
    case head_error::bad_transfer_coding:
      return "malformed Transfer-Encoding";
    case head_error::unsupported_transfer_coding:
      return "transfer coding not supported";
    case head_error::coding_in_http10:
      return "Transfer-Encoding in HTTP/1.0";
    case head_error::unknown_expectation:
      return "unknown expectation";
    case head_error::unasked_upgrade:
      return "upgrade that nobody asked for";
  }
  return {};
}

std::uint16_t status_of(head_error error) {
  switch (error) {
    case head_error::connect_refused:
      return 405;
    case head_error::target_too_long:
      return 414;
    case head_error::unknown_expectation:
      return 417;
    case head_error::field_too_long:
    case head_error::too_many_fields:
    case head_error::head_too_long:
    case head_error::too_many_connection_options:
      return 431;
    case head_error::method_too_long:
    case head_error::unsupported_transfer_coding:
      return 501;
    case head_error::unsupported_version:
      return 505;
    case head_error::bad_status:
    case head_error::unasked_upgrade:
      return 502;
    case head_error::cut_short:
    case head_error::bad_start_line:
    case head_error::bad_method:
    case head_error::bad_target:
    case head_error::bad_version:
    case head_error::bare_cr:
    case head_error::bare_lf:
    case head_error::control_byte:
    case head_error::folded_line:
    case head_error::bad_field_name:
    case head_error::space_before_colon:
    case head_error::missing_host:
    case head_error::repeated_host:
    case head_error::bad_host:
    case head_error::bad_content_length:
    case head_error::repeated_content_length:
    case head_error::length_and_coding:
    case head_error::bad_transfer_coding:
    case head_error::coding_in_http10:
      return 400;
  }
  return 400;
}

}  // namespace cellroute::http1
