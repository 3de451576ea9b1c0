#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cellroute/base/time.hpp"

namespace cellroute::io {

class timer_wheel;

/// A deadline that something waits under: a member of what waits, linked into the wheel while it is armed.
///
/// Moving an armed deadline later costs one store: the wheel looks again when it comes by the old place.
class deadline_entry {
 public:
  using expired_function = void (*)(deadline_entry&);

  explicit deadline_entry(expired_function on_expired) : on_expired_(on_expired) {}
  deadline_entry(const deadline_entry&) = delete;
  deadline_entry& operator=(const deadline_entry&) = delete;
  ~deadline_entry() { unlink(); }

  [[nodiscard]] bool is_armed() const { return at_ != time_point::max(); }
  void disarm() { at_ = time_point::max(); }

 private:
  friend timer_wheel;
  void unlink() {
    if (previous_ == nullptr) return;
    *previous_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    previous_ = nullptr;
    next_ = nullptr;
  }

  deadline_entry* next_ = nullptr;
  deadline_entry** previous_ = nullptr;  // where the pointer to this entry stands; null: not in the wheel
  time_point at_ = time_point::max();
  expired_function on_expired_;
  std::uint32_t linked_tick_ = 0;  // of the slot; 50 ms a tick, so six years fit
};

/// Coarse deadlines: a ring of slots swept as time goes by.
///
/// Why: a timer object an operation costs 2,300 instructions a request, this costs about a hundred; no wait here needs
/// better than a tick. Deadlines beyond the ring wait in its farthest slot and are looked at again there.
///
/// Time: passed in. Units: a tick is 50 ms; a deadline fires at most one tick late (if the wheel is swept each tick).
/// Threads: one owner.
class timer_wheel {
 public:
  static constexpr duration tick = 50ms;

  explicit timer_wheel(time_point now) : swept_(tick_of(now)) {}

  /// Arms or moves a deadline. `at` may lie in the past: then the next sweep fires it.
  void arm(deadline_entry& entry, time_point at) {
    entry.at_ = at;
    if (entry.previous_ != nullptr && entry.linked_tick_ <= static_cast<std::uint32_t>(tick_of(at) + 1)) return;
    link(entry, at);
  }

  /// Fires everything whose time has come. A function called here may arm, disarm or destroy any entry.
  void sweep(time_point now) {
    const std::uint64_t until = tick_of(now);
    if (until <= swept_) return;
    std::uint64_t steps = until - swept_;
    if (steps > slot_count) steps = slot_count;
    const std::uint64_t begin = until - steps;
    swept_ = until;
    for (std::uint64_t t = begin + 1; t <= until; ++t) sweep_slot(slots_[t % slot_count], now);
  }

 private:
  static constexpr std::size_t slot_count = 1024;  // 51 s

  static std::uint64_t tick_of(time_point at) { return static_cast<std::uint64_t>(at.time_since_epoch() / tick); }

  void link(deadline_entry& entry, time_point at) {
    entry.unlink();
    // One tick later than the deadline's own, so that a swept slot never holds one that is not yet due.
    std::uint64_t t = tick_of(at) + 1;
    if (t <= swept_) t = swept_ + 1;
    if (t > swept_ + slot_count - 1) t = swept_ + slot_count - 1;
    push(slots_[t % slot_count], entry);
    entry.linked_tick_ = static_cast<std::uint32_t>(t);
  }

  static void push(deadline_entry*& head, deadline_entry& entry) {
    entry.next_ = head;
    entry.previous_ = &head;
    if (head != nullptr) head->previous_ = &entry.next_;
    head = &entry;
  }

  void sweep_slot(deadline_entry*& slot, time_point now) {
    deadline_entry* due = slot;  // moved to a list of its own: what is linked again must not be met twice
    slot = nullptr;
    if (due != nullptr) due->previous_ = &due;
    while (due != nullptr) {
      deadline_entry& entry = *due;
      entry.unlink();
      if (!entry.is_armed()) continue;
      if (entry.at_ > now) {
        link(entry, entry.at_);
        continue;
      }
      entry.disarm();
      entry.on_expired_(entry);
    }
  }

  std::array<deadline_entry*, slot_count> slots_{};
  std::uint64_t swept_;
};

}  // namespace cellroute::io
