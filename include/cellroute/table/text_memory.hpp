#pragma once

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <string_view>
#include <vector>

#include "cellroute/base/simd.hpp"
#include "cellroute/table/arena.hpp"

namespace cellroute {

/// Memory for many short texts. It grows with them, and none of them ever moves.
class text_memory {
 public:
  text_memory() = default;
  /// Takes it from a resource that outlives the texts.
  explicit text_memory(std::pmr::memory_resource* resource) : resource_(resource) {}

  /// Room for a text; there as long as this object, or the one to which it was moved.
  [[nodiscard]] char* take(std::size_t size) {
    if (blocks_.empty() || size > blocks_.back().bytes().size() - used_) grow(size);
    char* at = static_cast<char*>(static_cast<void*>(blocks_.back().data() + used_));
    used_ += size;
    return at;
  }

  /// A copy of a text.
  [[nodiscard]] std::string_view keep(std::string_view text) {
    char* at = take(text.size());
    copy_short(at, text.data(), text.size());
    return {at, text.size()};
  }

  /// What is held from the resource.
  [[nodiscard]] std::size_t memory_bytes() const {
    std::size_t sum = 0;
    for (const arena& block : blocks_) sum += block.capacity_bytes();
    return sum;
  }

 private:
  static constexpr std::size_t first_block_bytes = std::size_t{1} << 10;
  static constexpr std::size_t block_bytes_max = std::size_t{1} << 20;

  void grow(std::size_t size) {
    const std::size_t next = blocks_.empty() ? first_block_bytes : 2 * blocks_.back().bytes().size();
    blocks_.emplace_back(std::max(size, std::min(next, block_bytes_max)), resource_);
    used_ = 0;
  }

  std::pmr::memory_resource* resource_ = std::pmr::get_default_resource();
  std::vector<arena> blocks_;
  std::size_t used_ = 0;  // of the last one
};

}  // namespace cellroute
