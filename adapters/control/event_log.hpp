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

/// What happened, the last thousand, and those who watch for more: as server-sent events. The id of each is a mark,
/// `AUDIT.EVENT`, by which one goes on where one was cut.
///
/// Lines of the audit are never lost: those that are not here any more, or are of an earlier process, are read from
/// where they are stored. The other events live as long as the process: who has missed some of them, or cannot know,
/// gets `lost`, and then what there is.
///
/// Threads: any. Outlives its watchers.
class event_log final : public event_feed, public audit_listener {
 public:
  /// Range: at most `watchers_max` at once; each holds a thread. Where nothing happens they are told so every `beat`.
  ///        Numbers go on behind `first`: where each process has a larger one than those before it, who comes from an
  ///        earlier one is told what he has lost.
  explicit event_log(std::size_t watchers_max, duration beat = 15s, std::uint64_t first = 0)
      : watchers_max_(watchers_max), beat_(beat), first_(first), last_(first) {}
  event_log(const event_log&) = delete;
  event_log& operator=(const event_log&) = delete;
  ~event_log() = default;

  /// Before anything else: the number of the last line of the audit.
  void begin(std::uint64_t audit);
  /// `data` is one line of JSON.
  void add(std::string_view kind, std::string_view data);
  /// The next line of the audit.
  void on_audited(const audit_record& line) override;
  /// Ends all that watch; there are none any more.
  void close();

  [[nodiscard]] std::unique_ptr<body_source> watch(std::optional<event_mark> last,
                                                   std::unique_ptr<audit_source> lines) override;

 private:
  class watcher;
  struct entry {
    std::uint64_t id = 0;
    std::uint64_t audit = 0;  ///< the last line then, this one included
    bool is_line = false;
    std::string text{};
  };
  /// From where somebody watches.
  struct place {
    std::uint64_t event = 0;  ///< the last one seen
    std::uint64_t audit = 0;  ///< the last line seen
    bool has_lost = false;
  };

  void append(std::string_view kind, std::string_view data, bool is_line);
  [[nodiscard]] place place_of(const std::optional<event_mark>& last) const;

  std::size_t watchers_max_;
  duration beat_;
  std::uint64_t first_;
  std::mutex mutex_;  // guards the next
  std::condition_variable something_;
  std::deque<entry> entries_;
  std::uint64_t last_;
  std::uint64_t audit_first_ = 0;  // the last line before this process
  std::uint64_t audit_ = 0;        // the last line
  std::size_t watchers_ = 0;
  bool is_closed_ = false;
};

}  // namespace cellroute::control
