#pragma once

#include <string_view>

#include "adapters/io/socket.hpp"

namespace cellroute::io {

/// A status as rows of tests name it.
inline std::string_view to_word(io_status status) {
  switch (status) {
    case io_status::ok:
      return "ok";
    case io_status::would_block:
      return "would_block";
    case io_status::end:
      return "end";
    case io_status::reset:
      return "reset";
    case io_status::timed_out:
      return "timed_out";
    case io_status::cancelled:
      return "cancelled";
  }
  return {};
}

}  // namespace cellroute::io
