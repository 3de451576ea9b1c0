#pragma once

#include <cstdint>

#include "adapters/control/front_answer.hpp"
#include "adapters/control/gate.hpp"
#include "adapters/control/push_server.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/io/clock.hpp"

namespace cellroute::control {

/// The port of the control plane: lets in whom the gate lets in, makes sessions of `/connect` and `/v1/connect`, and
/// leaves all else to two handlers: what is below `/v1/` is the API's.
///
/// Threads: the reactor's. What it is given outlives it.
class front final : public edge::exchange_handler {
 public:
  front(const io::loop_clock& clock, const gate& guard, push_server& server, edge::exchange_handler& api,
        edge::exchange_handler& pages, request_log& log)
      : clock_(clock), gate_(guard), server_(server), api_(api), pages_(pages), answers_(clock, log) {}

  /// What is decided at once needs no frame: a session that lasts for days holds that of its server alone.
  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;

  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  [[nodiscard]] io::task<void> connect(edge::exchange& x);

  const io::loop_clock& clock_;
  const gate& gate_;
  push_server& server_;
  edge::exchange_handler& api_;
  edge::exchange_handler& pages_;
  answer_writer answers_;
  std::uint64_t requests_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace cellroute::control
