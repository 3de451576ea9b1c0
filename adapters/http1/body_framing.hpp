#pragma once

#include <cstdint>

namespace cellroute::http1 {

/// How HTTP/1 marks the end of a message's content. Source: RFC 9112 section 6.3.
enum class body_framing : std::uint8_t {
  none,         ///< there is no content, whatever the fields say
  length,       ///< Content-Length counts it
  chunked,      ///< chunks, the last of them empty
  until_close,  ///< the end of the connection ends it; responses only
};

}  // namespace cellroute::http1
