#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adapters/process/certificate_metrics.hpp"
#include "adapters/process/log_writer.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// A certificate that ends soon, or has ended.
struct certificate_warning {
  certificate_facts of{};
  duration left{};  ///< 0 or less: it has ended
};

/// Warns of certificates before they end: 30, 7 and 1 days before, and once they have. Each warning comes once, for one
/// that was renewed all of them again; a process that starts within these days warns at once.
///
/// Threads: one owner.
class certificate_watch {
 public:
  /// Whether it is time for a look: at first, and then once an hour.
  [[nodiscard]] bool is_due(time_point now);
  /// What there is to say of them now. Those that are not among them any more are forgotten.
  [[nodiscard]] std::vector<certificate_warning> look(std::span<const certificate_facts> all, wall_time now);

 private:
  using place = std::pair<std::string, std::string>;  // listener and name
  struct known {
    wall_time ends{};
    std::size_t told = 0;  ///< how many of the bounds
  };

  time_point look_at_ = time_point::min();
  std::map<place, known> known_;
};

/// The event `certificate_ends` for each of them.
void tell(log_writer& log, std::span<const certificate_warning> warnings, wall_time now);

}  // namespace cellroute::process
