#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/edge/exchange.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/process/log_writer.hpp"
#include "cellroute/base/random.hpp"

namespace cellroute::control {

/// Names requests, and writes a line about each that is not done as it was asked.
///
/// Threads: the reactor's, whose clock it reads.
class request_log {
 public:
  /// `log` may be null: then nothing is written. Both outlive it.
  request_log(process::log_writer* log, const io::loop_clock& clock, std::uint64_t seed)
      : log_(log), clock_(clock), rng_(seed) {}
  request_log(const request_log&) = delete;
  request_log& operator=(const request_log&) = delete;
  ~request_log() = default;

  [[nodiscard]] std::string trace_of(const request_view& asked);
  /// Says how a request was answered, where that is a problem.
  void note(const edge::exchange& x, std::uint16_t status, std::string_view trace);

 private:
  process::log_writer* log_;
  const io::loop_clock& clock_;
  random_numbers rng_;
};

}  // namespace cellroute::control
