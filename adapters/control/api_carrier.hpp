#pragma once

#include <cstddef>

#include "adapters/control/front_answer.hpp"
#include "adapters/control/gate.hpp"
#include "adapters/edge/http1_upstream.hpp"
#include "adapters/io/reactor.hpp"

namespace cellroute::control {

/// Carries requests from the port of the control plane to the API, and its answers back; only the fields that the API
/// looks at, and who asks.
///
/// Threads: the reactor's. What it is given outlives it, and it the exchanges.
class api_carrier final : public edge::exchange_handler {
 public:
  /// Range: `requests_max` at once; one more is answered with 503. Content that says of itself that it is more than
  ///        `body_max` is answered at once.
  api_carrier(io::reactor& reactor, edge::connector& to, const gate& guard, request_log& log, std::size_t requests_max,
              std::size_t body_max);

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

 private:
  class request;

  io::reactor& reactor_;
  const gate& gate_;
  answer_writer answers_;
  edge::http_date date_;
  edge::http1_pool pool_;
  std::size_t requests_max_;
  std::size_t body_max_;
  std::size_t requests_ = 0;
};

}  // namespace cellroute::control
