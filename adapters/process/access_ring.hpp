#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "adapters/process/access_record.hpp"
#include "adapters/process/metrics.hpp"

namespace cellroute::process {

/// Longest path, and longest other text, that a record keeps. What is longer ends in `…`.
inline constexpr std::size_t access_path_max_bytes = 8192;
inline constexpr std::size_t access_text_max_bytes = 1024;

/// Carries access records from one reactor to the log writer. Records lie packed, so that a usual one takes about 400
/// bytes, not the sum of the bounds.
///
/// Threads: one producer (`push`), one consumer (`front`, `pop`, `is_read_to`); the counts and the end may be read by
///          anyone.
/// Cost:    `push` copies the record's bytes once; it never waits, allocates or calls the system.
class access_ring {
 public:
  /// Range: rounded up to a power of two, at least 64 KiB, so that the largest record fits twice.
  explicit access_ring(std::size_t capacity_bytes = 1024 * 1024);

  /// False: the ring was full, the record is lost and counted.
  bool push(const access_record& record) noexcept;

  /// The oldest record; its views hold until `pop`.
  [[nodiscard]] std::optional<access_record> front() noexcept;
  void pop() noexcept;

  /// Where the next record will be: whoever remembers it can tell later which records were there before.
  [[nodiscard]] std::uint64_t end() const noexcept { return written_.load(std::memory_order_acquire); }
  /// Whether the consumer has taken all records in front of a former `end()`.
  [[nodiscard]] bool is_read_to(std::uint64_t position) const noexcept {
    return read_.load(std::memory_order_relaxed) >= position;
  }

  [[nodiscard]] std::uint64_t pushed() const noexcept { return pushed_.value(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.value(); }
  [[nodiscard]] std::size_t capacity_bytes() const noexcept { return mask_ + 1; }

 private:
  [[nodiscard]] char* at(std::uint64_t position) const noexcept { return bytes_.get() + (position & mask_); }

  // Two lines of cache, so that producer and consumer write none in common.
  static constexpr std::size_t line_bytes = 64;

  std::size_t mask_;
  std::unique_ptr<char[]> bytes_;

  alignas(line_bytes) std::atomic<std::uint64_t> written_{0};  // positions only grow; their low bits are the offset
  std::uint64_t known_read_ = 0;                               // the producer's last sight of read_
  counter pushed_;
  counter dropped_;

  alignas(line_bytes) std::atomic<std::uint64_t> read_{0};
  std::uint64_t known_written_ = 0;  // the consumer's last sight of written_
  std::size_t front_bytes_ = 0;
};

}  // namespace cellroute::process
