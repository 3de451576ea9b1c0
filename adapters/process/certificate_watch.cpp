#include "adapters/process/certificate_watch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace cellroute::process {
namespace {

constexpr duration day = 24h;
constexpr std::array bounds{30 * day, 7 * day, 1 * day, 0 * day};
constexpr duration look_period = 1h;

}  // namespace

bool certificate_watch::is_due(time_point now) {
  if (now < look_at_) return false;
  look_at_ = now + look_period;
  return true;
}

std::vector<certificate_warning> certificate_watch::look(std::span<const certificate_facts> all, wall_time now) {
  std::vector<certificate_warning> warnings;
  std::map<place, known> seen;
  for (const certificate_facts& c : all) {
    const auto before = known_.find({c.listener, c.name});
    known& it = seen[{c.listener, c.name}];
    it.ends = c.ends;
    if (before != known_.end() && before->second.ends == c.ends) it.told = before->second.told;
    const duration left = c.ends - now;
    const auto passed = static_cast<std::size_t>(std::ranges::count_if(bounds, [&](duration b) { return left <= b; }));
    if (passed <= it.told) continue;
    it.told = passed;
    warnings.push_back({c, left});
  }
  known_ = std::move(seen);
  return warnings;
}

void tell(log_writer& log, std::span<const certificate_warning> warnings, wall_time now) {
  for (const certificate_warning& w : warnings) {
    const bool is_over = w.left <= duration(0);
    log.event(now, w.left <= day ? log_level::error : log_level::warn, "certificate_ends",
              is_over ? "a certificate has ended, or one in its file: new connections with it fail; renew it"
                      : "a certificate ends soon, or one in its file: renew it",
              {{"listener", std::string_view(w.of.listener)},
               {"file", std::string_view(w.of.name)},
               {"days_left", std::chrono::duration<double, std::ratio<86'400>>(w.left).count()}});
  }
}

}  // namespace cellroute::process
