#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/control/api.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::control {

/// What happened, the last thousand, and those who watch for more: as server-sent events, each with a number by which
/// one goes on where one was cut. Who has missed more than there is, or was told by another process, gets `lost`.
///
/// Threads: any. Outlives its watchers.
class event_log final : public event_feed {
 public:
  /// Range: at most `watchers_max` at once; each holds a thread. Where nothing happens they are told so every `beat`.
  ///        Numbers go on behind `first`: where each process has a larger one than those before it, who comes from an
  ///        earlier one is told what he has lost.
  explicit event_log(std::size_t watchers_max, duration beat = 15s, std::uint64_t first = 0)
      : watchers_max_(watchers_max), beat_(beat), first_(first), last_(first) {}
  event_log(const event_log&) = delete;
  event_log& operator=(const event_log&) = delete;
  ~event_log() = default;

  /// `data` is one line of JSON.
  void add(std::string_view kind, std::string_view data);
  /// Ends all that watch; there are none any more.
  void close();

  [[nodiscard]] std::unique_ptr<body_source> watch(std::optional<std::uint64_t> last_id) override;

 private:
  class watcher;
  struct entry {
    std::uint64_t id = 0;
    std::string text{};
  };

  std::size_t watchers_max_;
  duration beat_;
  std::uint64_t first_;
  std::mutex mutex_;  // guards the next
  std::condition_variable something_;
  std::deque<entry> entries_;
  std::uint64_t last_;
  std::size_t watchers_ = 0;
  bool is_closed_ = false;
};

}  // namespace cellroute::control
