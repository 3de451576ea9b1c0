#include "adapters/edge/exchange.hpp"

namespace cellroute::edge {

std::string_view to_string(stream_fault fault) {
  switch (fault) {
    case stream_fault::none:
      return "none";
    case stream_fault::closed:
      return "closed";
    case stream_fault::timed_out:
      return "timed_out";
    case stream_fault::malformed:
      return "malformed";
    case stream_fault::too_large:
      return "too_large";
    case stream_fault::cancelled:
      return "cancelled";
    case stream_fault::no_descriptor:
      return "no_descriptor";
  }
  return {};
}

std::string_view to_string(protocol version) {
  switch (version) {
    case protocol::http_1_0:
      return "HTTP/1.0";
    case protocol::http_1_1:
      return "HTTP/1.1";
  }
  return {};
}

}  // namespace cellroute::edge
