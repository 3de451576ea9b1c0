#pragma once

#include <cstddef>
#include <memory>
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
    if (capacity_bytes_ == 0) return;
    auto* const start = static_cast<std::byte*>(resource_->allocate(capacity_bytes_, line_bytes));
    data_ = owned_bytes(start, giver_back{resource_, capacity_bytes_});
  }

  /// What was moved from has no bytes, and keeps its resource.
  arena(arena&& other) noexcept
      : resource_(other.resource_),
        capacity_bytes_(std::exchange(other.capacity_bytes_, 0)),
        size_bytes_(std::exchange(other.size_bytes_, 0)),
        data_(std::move(other.data_)) {}

  arena& operator=(arena&& other) noexcept {
    arena taken(std::move(other));
    std::swap(resource_, taken.resource_);
    std::swap(capacity_bytes_, taken.capacity_bytes_);
    std::swap(size_bytes_, taken.size_bytes_);
    std::swap(data_, taken.data_);
    return *this;
  }

  ~arena() = default;

  /// A second owner of the same bytes, which nobody writes any more. They are given back by the last owner, in its
  /// thread. Cost: none, whatever the size.
  [[nodiscard]] arena shared() const { return arena(*this); }

  /// All bytes; what was never written has no defined value.
  [[nodiscard]] std::span<std::byte> bytes() { return {data_.get(), size_bytes_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_.get(), size_bytes_}; }

  /// Where the bytes start; null where there are none.
  [[nodiscard]] std::byte* data() { return data_.get(); }
  [[nodiscard]] const std::byte* data() const { return data_.get(); }

  /// Takes bytes off the end. The memory is given back with the rest.
  void shorten(std::size_t size_bytes) { size_bytes_ = size_bytes; }

  /// What is held from the resource.
  [[nodiscard]] std::size_t capacity_bytes() const { return capacity_bytes_; }

  /// Where the memory came from, for a further arena of the same.
  [[nodiscard]] std::pmr::memory_resource* resource() const { return resource_; }

 private:
  static constexpr std::size_t line_bytes = 64;

  struct giver_back {
    std::pmr::memory_resource* resource;
    std::size_t capacity_bytes;

    void operator()(std::byte* start) const { resource->deallocate(start, capacity_bytes, line_bytes); }
  };

  using owned_bytes = std::shared_ptr<std::byte>;  // allow: shared_ptr: counts owners of a table, none a request

  arena(const arena&) = default;

  std::pmr::memory_resource* resource_ = std::pmr::get_default_resource();
  std::size_t capacity_bytes_ = 0;
  std::size_t size_bytes_ = 0;
  owned_bytes data_;
};

}  // namespace cellroute
