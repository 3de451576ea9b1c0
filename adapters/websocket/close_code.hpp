#pragma once

#include <cstdint>

namespace cellroute::websocket {

/// Why a connection is closed. Those from 3000 on belong to libraries and applications: they are numbers cast to this.
///
/// Source: RFC 6455 section 7.4; 1012 to 1014 from the registry that its section 11.7 begins.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  ///< what a close frame without a code stands for; never in a frame
  abnormal = 1006,   ///< what an end without a close frame stands for; never in a frame
  invalid_data = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  extension_required = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
};

[[nodiscard]] constexpr std::uint16_t number_of(close_code code) { return static_cast<std::uint16_t>(code); }

/// Whether a close frame may hold the code: it is defined for that, or the applications' own.
[[nodiscard]] constexpr bool may_be_sent(close_code code) {
  const std::uint16_t number = number_of(code);
  const bool is_defined = (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014);
  return is_defined || (number >= 3000 && number <= 4999);
}

}  // namespace cellroute::websocket
