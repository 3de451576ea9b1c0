#include "adapters/control/write_pace.hpp"

#include <algorithm>

namespace cellroute::control {
namespace {

constexpr std::size_t principals_max = 1'000;  // that are known at once, but for those that wait

}  // namespace

std::optional<duration> write_pace::take(std::string_view who, wall_time now) {
  if (!interval_) return std::nullopt;
  const duration room = *interval_ * burst_;
  const std::lock_guard lock(lock_);
  if (booked_.size() >= principals_max) forget_idle(now);
  auto at = booked_.find(who);
  if (at == booked_.end()) at = booked_.emplace(who, now).first;
  at->second = std::clamp(at->second, now, now + room);
  const wall_time next = at->second + *interval_;
  if (next - now > room) return next - now - room;
  at->second = next;
  return std::nullopt;
}

void write_pace::forget_idle(wall_time now) {
  std::erase_if(booked_, [now](const auto& each) { return each.second <= now; });
}

}  // namespace cellroute::control
