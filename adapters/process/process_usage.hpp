#pragma once

#include <cstdint>
#include <optional>

namespace cellroute::process {

/// What the kernel says this process uses; empty where it does not say.
struct process_usage {
  std::optional<std::uint64_t> resident_bytes{};
  std::optional<std::uint64_t> open_fds{};
  std::optional<std::uint64_t> max_fds{};
  std::optional<double> cpu_seconds{};  ///< user and system together
};

/// Cost: reads /proc, some 50 us and more with many descriptors: for a scrape, not for a reactor's path.
[[nodiscard]] process_usage read_process_usage();

/// Gives freed memory back to the system: after the work of a moment that took a multiple of what stays. Cost:
/// milliseconds.
void give_back_memory();

}  // namespace cellroute::process
