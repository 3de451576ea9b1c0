#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/control/registry.hpp"
#include "adapters/control/work_thread.hpp"
#include "adapters/io/reactor.hpp"

namespace cellroute::control {

/// Whether less than 5 % of a disk are left for this user. Units: any, the same for both.
[[nodiscard]] constexpr bool is_nearly_full(std::uint64_t left, std::uint64_t all) { return left * 20 < all; }

/// Why nothing can be published now, as a line for the operator: the store cannot be read or written, knows no epoch,
/// or its disk is nearly full. Empty: it can.
///
/// Cost: two small reads and a synced write; as long as the disk takes. Threads: any.
[[nodiscard]] std::string why_not_ready(registry& of);

/// Asks that now and then on a thread of its own, so that whoever wants to know is told at once.
///
/// Threads: the reactor's. Outlives the reactor's run; outlived by the registry.
class readiness {
 public:
  /// Looks for the first time, and waits for it.
  readiness(io::reactor& reactor, registry& of);
  readiness(const readiness&) = delete;
  readiness& operator=(const readiness&) = delete;
  ~readiness() = default;

  void on_tick(time_point now);
  /// As of the last look, which is some seconds old; a disk that has not answered for long is a reason, too.
  [[nodiscard]] std::string_view why_not(time_point now) const;

 private:
  class look;

  registry& of_;
  std::string why_not_;
  time_point look_at_;
  bool is_looking_ = false;
  time_point began_at_;
  work_thread thread_;  // last: it stops before anything above goes
};

}  // namespace cellroute::control
