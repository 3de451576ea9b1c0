#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// A number that only grows. One writer: so adding is a plain load and store, without the locked instruction that a
/// shared counter pays for.
///
/// Threads: one adds, any number read.
class counter {
 public:
  void add(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down; over all reactors it is the sum. Threads: as `counter`.
class gauge {
 public:
  void add(std::int64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::int64_t amount) noexcept { value_.store(amount, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Upper bounds of the buckets of every latency histogram, in rising order; one more holds what is beyond.
///
/// Source: OpenTelemetry semantic conventions for HTTP metrics, `http.server.request.duration`.
inline constexpr std::array<duration, 14> latency_bounds = {5ms,   10ms,  25ms, 50ms,   75ms, 100ms,  250ms,
                                                            500ms, 750ms, 1s,   2500ms, 5s,   7500ms, 10s};

/// A histogram as read at one moment: cumulative over nothing, one count a bucket.
struct latency_counts {
  std::array<std::uint64_t, latency_bounds.size() + 1> buckets{};
  duration sum{};

  latency_counts& operator+=(const latency_counts& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    sum += other.sum;
    return *this;
  }
  friend bool operator==(const latency_counts&, const latency_counts&) = default;
};

/// How long things took. A value equal to a bound belongs below it. Threads: as `counter`.
class latency_histogram {
 public:
  void record(duration elapsed) noexcept {
    if (elapsed < duration::zero()) elapsed = duration::zero();
    std::size_t bucket = 0;  // from the left: nearly all answers of a healthy cell are in the first
    while (bucket < latency_bounds.size() && latency_bounds[bucket] < elapsed) ++bucket;
    buckets_[bucket].add();
    sum_.add(static_cast<std::uint64_t>(elapsed.count()));
  }
  [[nodiscard]] latency_counts value() const noexcept {
    latency_counts read;
    for (std::size_t i = 0; i < buckets_.size(); ++i) read.buckets[i] = buckets_[i].value();
    read.sum = duration(static_cast<duration::rep>(sum_.value()));
    return read;
  }

 private:
  std::array<counter, latency_bounds.size() + 1> buckets_;
  counter sum_;
};

/// The series of one family: packed labels -> `counter`, `gauge` or `latency_histogram`. Memory is taken once, when
/// made. When it is full, all labels not seen before share one series (`overflow_labels`), so that sums stay true.
///
/// Series are never removed: what once was counted must not be forgotten by a scrape.
/// Cost:    one multiplication and two lines of cache; no allocation.
/// Threads: one owner calls `at`; `for_each` may run on any other at the same time.
template <class Series>
class series_table {
 public:
  static constexpr std::uint64_t overflow_labels = ~std::uint64_t{0};

  explicit series_table(std::uint32_t series_max)
      : series_max_(series_max),
        shift_(64 - static_cast<int>(std::bit_width(std::uint64_t{2} * series_max + 1))),
        slots_(std::make_unique<std::uint32_t[]>(std::size_t{1} << (64 - shift_))),
        entries_(std::make_unique<entry[]>(series_max)) {}

  [[nodiscard]] Series& at(std::uint64_t labels) noexcept {
    const std::uint64_t mask = ~std::uint64_t{0} >> shift_;
    // Linear probing ends: there are more than twice as many slots as series.
    for (std::uint64_t i = (labels * 0x9E3779B97F4A7C15u) >> shift_;; i = (i + 1) & mask) {
      if (slots_[i] == 0) return add(labels, slots_[i]);
      entry& candidate = entries_[slots_[i] - 1];
      if (candidate.labels == labels) return candidate.series;
    }
  }

  /// Calls `visit(labels, series)` for each, oldest first; then for the overflow, if it was ever used.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const std::uint32_t size = size_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < size; ++i) visit(entries_[i].labels, entries_[i].series);
    if (overflowed_.load(std::memory_order_acquire)) visit(overflow_labels, overflow_);
  }

 private:
  struct entry {
    std::uint64_t labels = 0;  // never changes again once `size_` covers it
    Series series;
  };

  Series& add(std::uint64_t labels, std::uint32_t& free_slot) noexcept {
    const std::uint32_t size = size_.load(std::memory_order_relaxed);
    if (size == series_max_ || labels == overflow_labels) {
      overflowed_.store(true, std::memory_order_release);
      return overflow_;
    }
    entries_[size].labels = labels;
    free_slot = size + 1;
    size_.store(size + 1, std::memory_order_release);
    return entries_[size].series;
  }

  std::uint32_t series_max_;
  int shift_;
  std::unique_ptr<std::uint32_t[]> slots_;  // index + 1 into entries_, 0: free; only the owner looks
  std::unique_ptr<entry[]> entries_;
  std::atomic<std::uint32_t> size_{0};
  std::atomic<bool> overflowed_{false};
  Series overflow_;
};

}  // namespace cellroute::process
