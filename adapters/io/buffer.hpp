#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace cellroute::io {

class buffer_pool;

/// A block of bytes borrowed from a reactor's pool; goes back when the handle ends. Not initialised.
class buffer {
 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), block_(std::move(other.block_)), class_(other.class_) {}
  buffer& operator=(buffer&& other) noexcept {
    if (this != &other) {
      give_back();
      pool_ = std::exchange(other.pool_, nullptr);
      block_ = std::move(other.block_);
      class_ = other.class_;
    }
    return *this;
  }
  ~buffer() { give_back(); }

  [[nodiscard]] char* data() const { return block_.get(); }
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::span<char> span() const { return {data(), size()}; }
  explicit operator bool() const { return block_ != nullptr; }
  void give_back();

 private:
  friend buffer_pool;
  buffer(buffer_pool& pool, std::unique_ptr<char[]> block, std::uint8_t size_class)
      : pool_(&pool), block_(std::move(block)), class_(size_class) {}
  buffer_pool* pool_ = nullptr;
  std::unique_ptr<char[]> block_;
  std::uint8_t class_ = 0;
};

/// Blocks of a few sizes, last in first out, so that the block lent next is the one still in the cache.
///
/// Threads: one owner. Cost: a few instructions; allocates when a size has none left. Outlives its buffers.
class buffer_pool {
 public:
  /// Bytes of each class: a small head; a usual head with its fields; a read; a read of a stream that keeps its
  /// buffer full; the largest head with the largest number of fields.
  static constexpr std::array<std::size_t, 4> class_bytes = {2048, 16384, 65536, 262144};
  /// Blocks kept a class when nobody borrows them; what a burst left behind beyond that is freed.
  static constexpr std::array<std::size_t, 4> kept_max = {256, 32, 16, 8};

  /// A block of at least that many bytes. Range: 1 to 262,144.
  [[nodiscard]] buffer take(std::size_t size_bytes) {
    std::uint8_t size_class = 0;
    while (class_bytes[size_class] < size_bytes) ++size_class;
    std::vector<std::unique_ptr<char[]>>& list = free_[size_class];
    if (!list.empty()) {
      std::unique_ptr<char[]> block = std::move(list.back());
      list.pop_back();
      return buffer(*this, std::move(block), size_class);
    }
    return buffer(*this, std::make_unique_for_overwrite<char[]>(class_bytes[size_class]), size_class);
  }

  buffer_pool() {
    for (std::size_t c = 0; c < free_.size(); ++c) free_[c].reserve(kept_max[c]);
  }

 private:
  friend buffer;
  void give_back(std::unique_ptr<char[]> block, std::uint8_t size_class) {
    std::vector<std::unique_ptr<char[]>>& list = free_[size_class];
    if (list.size() < kept_max[size_class]) list.push_back(std::move(block));
  }
  std::array<std::vector<std::unique_ptr<char[]>>, class_bytes.size()> free_;
};

inline std::size_t buffer::size() const { return block_ == nullptr ? 0 : buffer_pool::class_bytes[class_]; }

inline void buffer::give_back() {
  if (block_ != nullptr) pool_->give_back(std::move(block_), class_);
  pool_ = nullptr;
}

}  // namespace cellroute::io
