#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <utility>

namespace cellroute {

/// Memory for one table: a run of bytes that starts on a cache line and is not touched before it is written.
///
/// Not a vector, because a vector writes zeroes first: 16 to 140 ms for ten million keys. The resource decides on
/// pages; an adapter hands in one that asks for huge ones. It outlives the arena.
class arena {
 public:
  /// No bytes.
  arena() = default;

  /// Takes the memory at once, in whole cache lines.
  explicit arena(std::size_t size_bytes, std::pmr::memory_resource* resource = std::pmr::get_default_resource())
      : resource_(resource),
        capacity_bytes_((size_bytes + line_bytes - 1) / line_bytes * line_bytes),
        size_bytes_(size_bytes) {
    if (capacity_bytes_ > 0) data_ = static_cast<std::byte*>(resource_->allocate(capacity_bytes_, line_bytes));
  }

  /// What was moved from has no bytes, and keeps its resource.
  arena(arena&& other) noexcept
      : resource_(other.resource_),
        capacity_bytes_(std::exchange(other.capacity_bytes_, 0)),
        size_bytes_(std::exchange(other.size_bytes_, 0)),
        data_(std::exchange(other.data_, nullptr)) {}

  arena& operator=(arena&& other) noexcept {
    arena taken(std::move(other));
    std::swap(resource_, taken.resource_);
    std::swap(capacity_bytes_, taken.capacity_bytes_);
    std::swap(size_bytes_, taken.size_bytes_);
    std::swap(data_, taken.data_);
    return *this;
  }

  ~arena() {
    if (capacity_bytes_ > 0) resource_->deallocate(data_, capacity_bytes_, line_bytes);
  }

  /// All bytes; what was never written has no defined value.
  [[nodiscard]] std::span<std::byte> bytes() { return {data_, size_bytes_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

  /// Where the bytes start; null where there are none.
  [[nodiscard]] std::byte* data() { return data_; }
  [[nodiscard]] const std::byte* data() const { return data_; }

  /// Takes bytes off the end. The memory is given back with the rest.
  void shorten(std::size_t size_bytes) { size_bytes_ = size_bytes; }

  /// What is held from the resource.
  [[nodiscard]] std::size_t capacity_bytes() const { return capacity_bytes_; }

  /// Where the memory came from, for a further arena of the same.
  [[nodiscard]] std::pmr::memory_resource* resource() const { return resource_; }

 private:
  static constexpr std::size_t line_bytes = 64;

  std::pmr::memory_resource* resource_ = std::pmr::get_default_resource();
  std::size_t capacity_bytes_ = 0;
  std::size_t size_bytes_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace cellroute
