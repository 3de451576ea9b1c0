#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "cellroute/base/random.hpp"

namespace cellroute::control {

/// What is left of writes that were not synced when the power went.
enum class survival : std::uint8_t {
  all,   ///< only the process is gone
  none,  ///< the disk has what was synced, and nothing else
  some,  ///< each write may be there or not, whichever came first
};

/// Stands between SQLite and the real files: counts the calls that reach them, makes one of them fail, or ends the
/// process or the machine there. One at a time: it is SQLite's default file system while it lives.
///
/// A file that is made or taken away without a sync of its folder is as unsure as a write.
class faulty_disk {
 public:
  faulty_disk();
  faulty_disk(const faulty_disk&) = delete;
  faulty_disk& operator=(const faulty_disk&) = delete;
  ~faulty_disk();

  /// Counts from 0 on. What is in the files below is durable, as it is.
  void start(const std::vector<std::string>& files);
  void fail_at(std::uint64_t call) { fail_at_ = call; }
  /// From that call on nothing is done any more.
  void crash_at(std::uint64_t call) { crash_at_ = call; }
  /// Ends counting. After a crash the files are what it left, once no connection is open.
  void stop();
  void power_up(survival kept, random_numbers& rng);

  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] bool has_crashed() const { return has_crashed_; }

 private:
  friend struct disk_calls;

  struct change {
    std::int64_t offset = 0;
    std::optional<std::string> bytes{};  ///< none: cut off at the offset
  };
  struct file_state {
    std::optional<std::string> durable{};  ///< none: it is not there
    std::vector<change> unsure{};
  };

  /// Whether this call is done; `failure` is what it says else.
  [[nodiscard]] bool goes_on();
  void synced(const std::string& path);

  sqlite3_vfs calls_of_files_{};
  sqlite3_vfs* real_ = nullptr;
  bool is_counting_ = false;
  bool has_crashed_ = false;
  std::uint64_t calls_ = 0;
  std::optional<std::uint64_t> fail_at_{};
  std::optional<std::uint64_t> crash_at_{};
  std::map<std::string, file_state> files_;
};

}  // namespace cellroute::control
