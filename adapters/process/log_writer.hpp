#pragma once

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "adapters/process/access_log.hpp"
#include "adapters/process/access_ring.hpp"
#include "adapters/process/log_output.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::process {

enum class log_level : std::uint8_t { debug, info, warn, error };
[[nodiscard]] std::string_view to_string(log_level level);

/// One more member of an event line.
struct event_pair {
  std::string_view name;
  std::variant<std::string_view, std::uint64_t, std::int64_t, double, bool, std::span<const std::string>> value;

  event_pair(std::string_view pair_name, std::string_view text) : name(pair_name), value(text) {}
  event_pair(std::string_view pair_name, const char* text) : event_pair(pair_name, std::string_view(text)) {}
  event_pair(std::string_view pair_name, std::span<const std::string> texts) : name(pair_name), value(texts) {}
  event_pair(std::string_view pair_name, double number) : name(pair_name), value(number) {}
  event_pair(std::string_view pair_name, bool truth) : name(pair_name), value(truth) {}
  template <std::unsigned_integral Number>
  event_pair(std::string_view pair_name, Number number) : name(pair_name), value(std::uint64_t{number}) {}
  template <std::signed_integral Number>
  event_pair(std::string_view pair_name, Number number) : name(pair_name), value(std::int64_t{number}) {}
};

/// Something that happened to the process, not to one request.
struct event_record {
  wall_time timestamp{};
  log_level level = log_level::info;
  std::string_view event;    ///< a word for machines: `config_applied`
  std::string_view message;  ///< a sentence for people
  std::span<const event_pair> pairs{};
};

/// Appends one event line: `timestamp`, `level`, `event`, `message`, then the pairs as given.
void append_event_line(std::string& out, const event_record& event);

struct log_settings {
  std::string output = "stdout";  ///< as `log_output::open` has it
  access_layout layout{};
  log_level level = log_level::info;  ///< events below are not written; access lines have no level
  std::size_t event_queue_max_bytes = 256 * 1024;
  duration stop_timeout = 2s;    ///< how long a stop waits for a reader that does not read
  int report_descriptor = 2;     ///< where the log says that it cannot log; not closed
  wall_time (*now)() = nullptr;  ///< stamps the writer's own events; required
};

struct log_counts {
  std::uint64_t lines_written = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t lines_lost = 0;       ///< formatted, but the write failed
  std::uint64_t events_dropped = 0;   ///< the event queue was full
  std::uint64_t records_dropped = 0;  ///< a ring was full, all rings together
  friend bool operator==(const log_counts&, const log_counts&) = default;
};

/// The one thread that writes the log: it drains the rings of all reactors and the events of everyone into one
/// descriptor, in large writes.
///
/// It looks at the rings every few milliseconds instead of being woken, so that a reactor makes no system call to log;
/// the pause grows while nothing comes. It never waits in a write to a pipe or terminal longer than it takes to notice
/// a stop, and while it cannot write it takes nothing: rings fill, records are dropped and counted, nobody waits.
/// A failing write loses its lines; it is reported once on `report_descriptor`, and again when writing works again.
///
/// Events go where access lines go; with `off`, to stderr.
/// Threads: all members may be called by any thread.
class log_writer {
 public:
  [[nodiscard]] static expected<std::unique_ptr<log_writer>, std::string> open(log_settings settings);

  /// Writes what the rings hold, then stops; gives up on a reader that does not read after `stop_timeout`.
  ~log_writer();

  /// The ring outlives the writer.
  void add_ring(access_ring& ring);

  void event(const event_record& event);
  void event(wall_time timestamp, log_level level, std::string_view name, std::string_view message,
             std::initializer_list<event_pair> pairs = {}) {
    event({timestamp, level, name, message, {pairs.begin(), pairs.size()}});
  }

  /// Opens the file of that path again, as log rotation needs it. A file that cannot be opened is reported and the old
  /// one stays. Other outputs ignore it.
  void reopen();

  /// From now on lines have this layout and go to this output; null: to the one of before. Events of before go where
  /// they would have gone; of access lines that are on their way, some may do so, too. A reader that does not read
  /// holds up no change: what waits for it is lost and counted.
  void change(std::unique_ptr<log_output> output, access_layout layout);

  void set_level(log_level level) { level_.store(level, std::memory_order_relaxed); }

  [[nodiscard]] log_counts counts() const;

 private:
  struct passkey {};

 public:
  log_writer(passkey, log_settings settings, std::unique_ptr<log_output> output);

 private:
  /// What a change brings.
  struct next_settings {
    std::unique_ptr<log_output> output;  // null: as before
    access_layout layout;
    std::string events_before;
    std::vector<std::uint64_t> ends;  // of the rings: what lies in front of them is from before
  };
  void run(const std::stop_token& stop);
  void take_over(next_settings next, std::span<access_ring* const> rings, const std::stop_token& stop);
  bool fill_batch(std::span<access_ring* const> rings, std::span<const std::uint64_t> ends);
  void write_batch(const std::stop_token& stop);
  int write_all(std::string_view& rest, const std::stop_token& stop);
  void reopen_output();
  void report_failure(int error_number);
  void report_recovery();
  void report(log_level level, std::string_view event, std::string_view message,
              std::initializer_list<event_pair> pairs);

  const log_settings settings_;
  std::atomic<log_level> level_;
  counter lines_written_;
  counter bytes_written_;
  counter lines_lost_;

  mutable std::mutex mutex_;  // guards the five below
  std::vector<access_ring*> rings_;
  std::string events_;
  std::uint64_t events_dropped_ = 0;
  bool reopen_wanted_ = false;
  std::optional<next_settings> next_;
  std::condition_variable_any something_;
  std::atomic<bool> change_wanted_{false};  // for who waits for a reader

  // The rest belongs to the thread.
  std::unique_ptr<log_output> output_;
  access_layout layout_;
  std::string batch_;
  std::size_t first_ring_ = 0;
  bool torn_ = false;     // what was written last does not end a line
  bool failing_ = false;  // reported, and not yet recovered
  bool gave_up_ = false;
  duration waited_after_stop_{};
  std::uint64_t lost_before_ = 0;

  std::jthread thread_;  // last: it stops before anything above goes
};

}  // namespace cellroute::process
