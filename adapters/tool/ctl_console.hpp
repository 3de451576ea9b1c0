#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "adapters/tool/ctl.hpp"

namespace cellroute::tool {

/// The terminal, or whatever stands in its place. Where it takes signals, SIGINT and SIGTERM end what goes on for long,
/// and not the process.
///
/// Threads: one owner, which is the only thread of the process at its birth; one of its own where it takes signals.
class process_console final : public ctl_console {
 public:
  /// What it is given outlives it.
  process_console(api_transport& way, const surroundings& around, bool takes_signals);
  process_console(const process_console&) = delete;
  process_console& operator=(const process_console&) = delete;
  ~process_console();

  [[nodiscard]] bool print(std::string_view text) override;
  void note(std::string_view text) override;
  [[nodiscard]] bool shows_progress() const override { return has_terminal_; }
  [[nodiscard]] std::size_t columns() const override { return columns_; }
  [[nodiscard]] time_point now() const override { return clock_ != nullptr ? clock_() : time_point(); }
  [[nodiscard]] bool pause(duration how_long) override;
  [[nodiscard]] bool is_ending() const override { return is_ending_; }

 private:
  void wait_for_signal(const std::stop_token& stop);

  api_transport& way_;
  bool has_terminal_;
  std::size_t columns_;
  time_point (*clock_)();
  std::mutex lock_;
  std::condition_variable ends_;
  std::atomic<bool> is_ending_{false};
  std::jthread waits_;  // last: it ends before anything above goes
};

}  // namespace cellroute::tool
