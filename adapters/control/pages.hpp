#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/control/front_answer.hpp"
#include "adapters/io/clock.hpp"

namespace cellroute::control {

/// starting  nothing is published yet
/// ready     routers are served
/// draining  it stops
enum class control_state : std::uint8_t { starting, ready, draining };

/// What the pages show.
class page_source {
 public:
  [[nodiscard]] virtual control_state state() const = 0;
  /// Why nothing can be published now, by the store; empty: it can.
  [[nodiscard]] virtual std::string_view why_not_ready() const = 0;
  [[nodiscard]] virtual std::string metrics() const = 0;

 protected:
  ~page_source() = default;
};

/// The pages that need no API: health and metrics.
///
/// Threads: the reactor's. What it is given outlives it.
class control_pages final : public edge::exchange_handler {
 public:
  control_pages(const io::loop_clock& clock, page_source& source, request_log& log)
      : source_(source), answers_(clock, log) {}

  [[nodiscard]] io::task<void> serve(edge::exchange& x) override;
  [[nodiscard]] front_answer answer(std::string_view path) const;

 private:
  [[nodiscard]] front_answer ready() const;

  page_source& source_;
  answer_writer answers_;
};

}  // namespace cellroute::control
