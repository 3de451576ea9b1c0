#include "adapters/tool/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace cellroute::tool {
namespace {

constexpr duration period = 200ms;
constexpr std::uint64_t large_bytes = std::uint64_t{1} << 20;
constexpr std::string_view clear_line = "\r\x1b[K";

}  // namespace

std::string size_text(double bytes) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(units); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::optional<std::string> progress_line::tell(transfer what, std::uint64_t done_bytes, std::uint64_t all_bytes,
                                               time_point now) {
  const bool is_sent = what == transfer::sent;
  const bool is_all = all_bytes != 0 && done_bytes == all_bytes;
  if (is_all && !is_sent) return std::nullopt;
  const bool is_news = is_all && (is_shown_ || all_bytes >= large_bytes);
  if (now < tell_at_ && !is_news) return std::nullopt;
  tell_at_ = now + period;
  is_shown_ = true;
  const double seconds = std::max(std::chrono::duration<double>(now - began_).count(), 0.001);
  const std::string of_all = all_bytes == 0 ? "" : " of " + size_text(static_cast<double>(all_bytes));
  return fmt::format("{}{} {}{}, {}/s{}", clear_line, is_sent ? "sent" : "received",
                     size_text(static_cast<double>(done_bytes)), of_all,
                     size_text(static_cast<double>(done_bytes) / seconds), is_all ? "; waiting for the answer" : "");
}

std::string progress_line::end() { return is_shown_ ? std::string(clear_line) : std::string(); }

}  // namespace cellroute::tool
