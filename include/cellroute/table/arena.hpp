#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace cellroute {

/// Memory for one table: a run of bytes that starts on a cache line and is not touched before it is written.
///
/// Not a vector, because a vector writes zeroes first: 16 to 140 ms for ten million keys. The allocator decides on
/// pages; an adapter hands in one that asks for huge ones.
template <class Allocator = std::allocator<std::byte>>
class basic_arena {
 public:
  basic_arena() = default;

  explicit basic_arena(std::size_t size_bytes, const Allocator& allocator = {})
      : allocator_(allocator), lines_count_((size_bytes + sizeof(line) - 1) / sizeof(line)), size_bytes_(size_bytes) {
    if (lines_count_ > 0) lines_ = traits::allocate(allocator_, lines_count_);
  }

  basic_arena(basic_arena&& other) noexcept
      : allocator_(other.allocator_),
        lines_count_(std::exchange(other.lines_count_, 0)),
        size_bytes_(std::exchange(other.size_bytes_, 0)),
        lines_(std::exchange(other.lines_, nullptr)) {}

  basic_arena& operator=(basic_arena&& other) noexcept {
    basic_arena taken(std::move(other));
    std::swap(allocator_, taken.allocator_);
    std::swap(lines_count_, taken.lines_count_);
    std::swap(size_bytes_, taken.size_bytes_);
    std::swap(lines_, taken.lines_);
    return *this;
  }

  ~basic_arena() {
    if (lines_count_ > 0) traits::deallocate(allocator_, lines_, lines_count_);
  }

  /// All bytes; what was never written has no defined value.
  [[nodiscard]] std::span<std::byte> bytes() { return {data(), size_bytes_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data(), size_bytes_}; }

  [[nodiscard]] std::byte* data() { return static_cast<std::byte*>(static_cast<void*>(lines_)); }
  [[nodiscard]] const std::byte* data() const {
    return static_cast<const std::byte*>(static_cast<const void*>(lines_));
  }

  /// Takes bytes off the end. The memory is given back with the rest.
  void shorten(std::size_t size_bytes) { size_bytes_ = size_bytes; }

  /// What is held from the allocator.
  [[nodiscard]] std::size_t capacity_bytes() const { return lines_count_ * sizeof(line); }

  [[nodiscard]] const Allocator& allocator() const { return allocator_; }

 private:
  struct alignas(64) line {
    std::byte bytes[64];
  };
  using line_allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<line>;
  // Held as the caller's type and rebound where it is used, so that `allocator()` gives back what came in.
  struct traits {
    static line* allocate(const Allocator& from, std::size_t count) {
      line_allocator lines(from);
      return std::allocator_traits<line_allocator>::allocate(lines, count);
    }
    static void deallocate(const Allocator& from, line* lines, std::size_t count) {
      line_allocator back(from);
      std::allocator_traits<line_allocator>::deallocate(back, lines, count);
    }
  };

  [[no_unique_address]] Allocator allocator_;
  std::size_t lines_count_ = 0;
  std::size_t size_bytes_ = 0;
  line* lines_ = nullptr;
};

}  // namespace cellroute
