#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cellroute/base/time.hpp"

namespace cellroute::proxy {

/// What requests came to, since the process began.
struct request_counts {
  std::uint64_t finished = 0;
  std::uint64_t own_5xx = 0;  ///< answered by the router itself with 500 or more: no cell took them, or none in time
};

/// Tells that what came last does harm: this router answers far more requests with 5xx of its own than it did before.
///
/// Both sides need `requests_min` requests: of the minute or two before it came, and of the time since, which is
/// `watch_time` at most. Where one comes while another is still watched, or too few have come meanwhile, what was usual
/// before stays what is usual. An answer of a cell is none of the router's, whatever its status.
/// Rejected: to compare with a fixed share alone. Where cells fail for reasons of their own, another content is not to
/// blame, and leaving it changes nothing.
///
/// Time: passed in. Threads: one owner.
class content_watch {
 public:
  static constexpr std::uint64_t requests_min = 500;
  static constexpr std::uint64_t times_min = 10;  ///< of the share before
  static constexpr duration watch_time = std::chrono::seconds(60);

  /// What requests came to up to now; about once a second, and right before `began`.
  void count(const request_counts& total, time_point now);
  /// Another content is in use.
  void began(time_point now);
  /// What ran before is in use again: it is not watched, and what came since then is not usual.
  void went_back(time_point now);
  /// There is nothing to watch any more.
  void ended() { began_.reset(); }

  /// The harm that it does, in words, where it is more than `percent` of the requests; told once.
  [[nodiscard]] std::optional<std::string> take_harm(double percent, time_point now);

 private:
  struct mark {
    request_counts total{};
    time_point at{};
  };
  [[nodiscard]] static request_counts between(const request_counts& from, const request_counts& to);

  request_counts latest_;
  // From `before_last_` on it is a minute or two.
  mark before_last_;
  mark last_;
  request_counts usual_;  ///< of the time before what is watched
  std::optional<mark> began_;
};

}  // namespace cellroute::proxy
