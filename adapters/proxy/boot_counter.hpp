#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/process/disk.hpp"
#include "adapters/proxy/kept_notes.hpp"
#include "cellroute/base/expected.hpp"
#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

/// How often a content may be begun without surviving.
inline constexpr std::uint32_t boots_max = 3;
/// How long the process has to live with a content, for that to have survived.
inline constexpr duration probation_time = std::chrono::seconds(60);

/// Tells a content that ends the process whenever it is used: each is counted, in a file, before it is used, until it
/// has survived.
///
/// The process lives on where another content takes the place of one that has not survived yet: that start of it does
/// not count. One that has survived once is never counted again: what ends the process then is something else, and
/// going back would only take away what is good, one content after the other.
///
/// Threads: one owner.
class boot_counter {
 public:
  /// `on` outlives this.
  explicit boot_counter(process::disk& on) : on_(on) {}

  /// Reads what earlier processes counted. Says what cannot be read; it is then as if nothing had been counted.
  void load(std::vector<std::string>& told);

  /// The last process ended because of something else than what it had begun: that start does not count.
  void excuse();

  /// Whether it was begun `boots_max` times, and never survived.
  [[nodiscard]] bool is_crash_loop(const wire::digest& sum) const;

  /// A content is about to be used: at a start, and when it comes later. On the disk when this returns.
  /// Errors: what the system says; it may be used all the same, for a disk that fails is no reason to serve nothing.
  [[nodiscard]] expected<void, std::string> begin(const wire::digest& sum);

  /// How often what was begun last was begun without having survived, this time included; 0: it has survived once.
  [[nodiscard]] std::uint32_t begun() const { return has_begun_ ? records_.back().begun : 0; }

  /// What was begun last has been used for `probation_time`.
  [[nodiscard]] expected<void, std::string> survived();

  /// The process ends because it was told to: where what was begun last has not survived yet, that start does not
  /// count.
  [[nodiscard]] expected<void, std::string> ended();

 private:
  [[nodiscard]] expected<void, std::string> store();

  static constexpr std::size_t records_max = 16;  ///< the oldest is forgotten

  process::disk& on_;
  std::vector<boot_record> records_;  ///< the last one begun is the last
  bool has_begun_ = false;
};

}  // namespace cellroute::proxy
