#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"
#include "cellroute/snapshot/snapshot.hpp"

/// The exchange of snapshots: one writer's side, many readers, and the one lock of the core.
///
/// A reader borrows; the writer's side owns every snapshot until no reader borrows it. What a reader borrows changes
/// only under the lock and only when something was published, so reading costs one acquire load of a counter
/// (1.5 ns), and no reader ever runs a destructor: the last reference to 300 MB cannot die on a request's thread.
///
/// Rejected: `atomic<shared_ptr>` (a spin lock, 20 to 220 ns, and a data race by the letter with GCC 12); a shared_ptr
/// copied per request (15 to 50 ns, and the last copy frees where it likes); hazard pointers and epochs (5 ns on every
/// read, and a reader that sleeps stops all freeing).
namespace cellroute {

template <class T>
class reader;

/// Why a snapshot was not published.
enum class publish_error {
  stale_generation,  ///< its generation is not above the current one's: it was overtaken
};

[[nodiscard]] constexpr std::string_view to_string(publish_error error) {
  switch (error) {
    case publish_error::stale_generation:
      return "stale_generation";
  }
  return {};
}

/// Holds the current snapshot and those before it that are still borrowed.
///
/// Threads: every function may be called on any thread. It outlives its readers.
template <class T>
class published {
 public:
  /// There is always a current snapshot: `first`, until something is published.
  explicit published(snapshot<T> first) : counter_(first.generation) { owned_.push_back(share(std::move(first))); }

  published(const published&) = delete;
  published& operator=(const published&) = delete;
  ~published() { assert(readers_.empty()); }

  /// Makes `next` the current snapshot, in one step, and frees those that nobody borrows.
  ///
  /// Errors: `stale_generation`; then `next` is dropped and nothing changed.
  /// Cost:   the calling thread runs the destructors, outside the lock.
  expected<void, publish_error> publish(snapshot<T> next) {
    auto entry = share(std::move(next));
    std::vector<owner> unused;
    {
      const std::lock_guard lock(mutex_);
      if (entry->generation <= owned_.back()->generation) return unexpected(publish_error::stale_generation);
      owned_.push_back(std::move(entry));
      counter_.store(owned_.back()->generation, std::memory_order_release);
      unused = take_unused();
    }
    return {};
  }

  /// Frees what no reader borrows any more, on the calling thread; returns how many old snapshots are still borrowed.
  std::size_t collect() {
    std::vector<owner> unused;
    const std::lock_guard lock(mutex_);
    unused = take_unused();
    return owned_.size() - 1;
  }

  /// The generation of the current snapshot.
  [[nodiscard]] std::uint64_t generation() const { return counter_.load(std::memory_order_acquire); }

 private:
  friend class reader<T>;
  using owner = std::unique_ptr<const snapshot<T>>;

  static owner share(snapshot<T>&& value) { return std::make_unique<const snapshot<T>>(std::move(value)); }

  /// Takes out of `owned_` all but the newest and the borrowed. The lock is held.
  std::vector<owner> take_unused() {
    const auto borrowed = [this](const owner& entry) {
      return entry == owned_.back() || std::any_of(readers_.begin(), readers_.end(), [&entry](const reader<T>* each) {
               return each->borrowed_ == entry.get();
             });
    };
    std::vector<owner> unused;
    std::vector<owner> kept;
    for (owner& entry : owned_) {
      const bool stays = borrowed(entry);
      (stays ? kept : unused).push_back(std::move(entry));
    }
    owned_ = std::move(kept);
    return unused;
  }

  alignas(64) std::atomic<std::uint64_t> counter_;  // a line of its own: read for every request
  alignas(64) std::mutex mutex_;
  std::vector<owner> owned_;  // by generation; the last is current
  std::vector<reader<T>*> readers_;
};

/// One thread's access to the current snapshot.
///
/// Threads: one owner. It must not outlive what it reads from.
template <class T>
class reader {
 public:
  explicit reader(published<T>& source) : source_(source) {
    const std::lock_guard lock(source_.mutex_);
    source_.readers_.push_back(this);
    borrow();
  }

  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  ~reader() {
    const std::lock_guard lock(source_.mutex_);
    std::erase(source_.readers_, this);
  }

  /// The current snapshot. The reference holds until the next call; load it once a request and pass it down.
  ///
  /// An idle thread calls this too, once a tick: else it keeps an old snapshot in memory.
  /// Cost: one acquire load; after something was published, once the lock.
  [[nodiscard]] const snapshot<T>& current() & {
    if (source_.counter_.load(std::memory_order_acquire) != borrowed_->generation) [[unlikely]] {
      const std::lock_guard lock(source_.mutex_);
      borrow();
    }
    return *borrowed_;
  }
  void current() && = delete;  // the snapshot may be freed with its last reader

 private:
  friend class published<T>;

  void borrow() { borrowed_ = source_.owned_.back().get(); }  // the lock is held

  published<T>& source_;
  const snapshot<T>* borrowed_ = nullptr;  // written under the lock, by the owner; read by the writer under the lock
};

}  // namespace cellroute
