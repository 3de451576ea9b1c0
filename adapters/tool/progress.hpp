#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cellroute/base/time.hpp"

namespace cellroute::tool {

enum class transfer : std::uint8_t { sent, received };

/// How far a transfer is, as a line of a terminal that is written over again and again. Short ones say nothing.
///
/// Time: passed in.
class progress_line {
 public:
  explicit progress_line(time_point began) : began_(began), tell_at_(began + first_after) {}

  /// `all_bytes` is 0 where nobody knows. Nothing: too soon after the last one, or it is over. Once all of a large body
  /// has gone, that is told in any case: what is waited for then takes the longest.
  [[nodiscard]] std::optional<std::string> tell(transfer what, std::uint64_t done_bytes, std::uint64_t all_bytes,
                                                time_point now);
  /// What takes it away.
  [[nodiscard]] std::string end();

 private:
  static constexpr duration first_after = 300ms;

  time_point began_;
  time_point tell_at_;
  bool is_shown_ = false;
};

/// As people read it: `12.3 MiB`.
[[nodiscard]] std::string size_text(double bytes);

}  // namespace cellroute::tool
