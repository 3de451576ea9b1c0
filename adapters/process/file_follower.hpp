#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "adapters/io/reactor.hpp"
#include "adapters/process/file_watcher.hpp"
#include "adapters/process/reload_schedule.hpp"

namespace cellroute::process {

/// Whether somebody writes one of these files now: see `is_being_written`.
[[nodiscard]] bool is_any_being_written(std::span<const std::string> files, duration quiet);

/// What a reading is begun with.
struct follow_reading {
  bool is_asked = false;            ///< somebody wants it
  std::optional<duration> quiet{};  ///< for how long nobody may have written the file; none: it counts as it is
};

/// Reads files that are followed.
class file_reader {
 public:
  /// They are about to be read. On the reactor's thread: what `read` needs is put aside here.
  virtual void begin(const follow_reading& how) = 0;
  /// Reads them. On a thread of its own; nothing else of the reader is called meanwhile.
  virtual void read() = 0;
  /// They were read, or cannot be at all, for this reason. On the reactor's thread; then `file_follower::end` or
  /// `end_unsettled` is called, now or later.
  virtual void take(const std::string& why_not) = 0;

 protected:
  ~file_reader() = default;
};

/// Notices that files may have changed, and has them read on a thread of its own. What somebody writes just now is left
/// alone, for ten seconds at most.
///
/// Threads: the reactor's. Outlived by all that it is given, and outlives the reactor's run; the reader outlives it.
class file_follower final : private io::tick_listener, private io::registered {
 public:
  file_follower(io::reactor& reactor, file_reader& reader);
  file_follower(const file_follower&) = delete;
  file_follower& operator=(const file_follower&) = delete;
  /// Waits for what is being read.
  ~file_follower();

  /// From now on, whatever it was before: it may have changed since it was read.
  void start(const follow_policy& policy, std::span<const std::string> files);
  /// Other files, or the same by other links.
  void follow(std::span<const std::string> files);
  void set_policy(const follow_policy& policy);
  /// Has them read now. Returns the number of that reading.
  std::uint64_t demand();

  /// What was read last counts, or does not.
  void end(bool is_refused);
  /// Somebody writes it: it is read again when that is over.
  void end_unsettled();

  [[nodiscard]] std::uint64_t begun() const { return begun_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_; }

 private:
  void on_tick(time_point now) override;
  void on_events(std::uint32_t events) override;
  void watch();
  void begin();
  void take();

  io::reactor& reactor_;
  file_reader& reader_;
  file_watcher watcher_;
  std::optional<reload_schedule> schedule_;  // from `start` on
  follow_policy policy_;
  std::vector<std::string> files_;
  std::optional<time_point> unsettled_since_;
  bool is_asked_ = false;
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  std::string why_not_;  // written by the thread, read when it has ended
  std::atomic<bool> has_read_{false};
  std::thread thread_;
};

}  // namespace cellroute::process
