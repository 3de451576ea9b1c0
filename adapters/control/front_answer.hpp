#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/control/request_log.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/edge/http_date.hpp"
#include "adapters/io/clock.hpp"

namespace cellroute::control {

/// A whole answer, as a value.
struct front_answer {
  std::uint16_t status = 200;
  std::string_view type = "application/json";
  std::string body{};
  std::string_view allow{};  ///< of a 405
  std::string etag{};
};

/// An error as RFC 9457 has it. Range: `code` and `detail` are texts of ours.
[[nodiscard]] front_answer front_problem(std::uint16_t status, std::string_view code, std::string_view detail);

/// Sends whole answers, each with the id of its request; problems tell it, and are noted. Threads: the reactor's, whose
/// clock it reads.
class answer_writer {
 public:
  answer_writer(const io::loop_clock& clock, request_log& log) : clock_(clock), log_(log) {}

  /// `further_fields` are lines as they stand in a head, `Name: value` each; they outlive the answer. Without `trace`
  /// it is as the log has it.
  [[nodiscard]] io::task<void> send(edge::exchange& x, front_answer answer, std::string_view further_fields = {},
                                    std::string trace = {});
  [[nodiscard]] request_log& log() { return log_; }

 private:
  const io::loop_clock& clock_;
  request_log& log_;
  edge::http_date date_;
};

}  // namespace cellroute::control
