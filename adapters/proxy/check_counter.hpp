#pragma once

#include <string>
#include <vector>

#include "adapters/process/disk.hpp"
#include "adapters/proxy/kept_notes.hpp"

namespace cellroute::proxy {

/// Tells a content whose check ends the process, before it is kept: without this the next process would be sent it
/// again, and so on. `CHECK` in the folder names what is being checked; a start that finds it counts an end in
/// `CHECKS`, until a check of that content is over, whatever it came to.
///
/// `CHECK` outlives the process, and not a power cut: nothing waits for the disk. What cannot be written is no reason
/// not to check.
///
/// Threads: one owner.
class check_counter {
 public:
  /// `on` outlives this.
  explicit check_counter(process::disk& on) : on_(on) {}

  /// What earlier processes left. True where the last of them ended in a check. Says what cannot be read; it is then as
  /// if nothing had been counted.
  [[nodiscard]] bool load(std::vector<std::string>& told);
  /// The contents whose check has ended `boots_max` processes; they are counted no more.
  [[nodiscard]] std::vector<wire::digest> take_crash_loops();

  void begin(const wire::digest& sum);
  /// The check that was begun last is over.
  void end();

 private:
  void forget(const wire::digest& sum);
  void store() const;

  static constexpr std::size_t records_max = 16;  ///< the oldest is forgotten

  process::disk& on_;
  wire::digest current_{};
  std::vector<boot_record> records_;  ///< how many processes ended, by content
};

}  // namespace cellroute::proxy
