#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace cellroute::io {

class buffer_pool;

/// A block of bytes borrowed from a reactor's pool; goes back when the handle ends. Not initialised.
class buffer {
 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : pool_(other.pool_), block_(std::exchange(other.block_, nullptr)), class_(other.class_) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(block_, other.block_);
    std::swap(class_, other.class_);
    other.give_back();
    return *this;
  }
  ~buffer() { give_back(); }

  [[nodiscard]] char* data() const { return block_; }
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::span<char> span() const { return {data(), size()}; }
  explicit operator bool() const { return block_ != nullptr; }
  void give_back();

 private:
  friend buffer_pool;
  buffer(buffer_pool& pool, char* block, std::uint8_t size_class) : pool_(&pool), block_(block), class_(size_class) {}
  buffer_pool* pool_ = nullptr;
  char* block_ = nullptr;
  std::uint8_t class_ = 0;
};

/// Blocks of a few sizes, last in first out, so that the block lent next is the one still in the cache.
///
/// Threads: one owner. Cost: a few instructions; allocates only when a size has none left. Outlives its buffers.
class buffer_pool {
 public:
  /// Bytes of each class: a small head; a usual head with its fields; a read; a read of a stream that keeps its
  /// buffer full.
  static constexpr std::array<std::size_t, 4> class_bytes = {2048, 16384, 65536, 262144};
  /// Blocks kept a class when nobody borrows them; what a burst left behind beyond that is freed.
  static constexpr std::array<std::size_t, 4> kept_max = {256, 32, 16, 8};

  buffer_pool() = default;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool() {
    for (list& l : free_) {
      while (l.first != nullptr) free_block(take_first(l));
    }
  }

  /// A block of at least that many bytes. Range: 1 to 262,144.
  [[nodiscard]] buffer take(std::size_t size_bytes) {
    std::uint8_t size_class = 0;
    while (class_bytes[size_class] < size_bytes) ++size_class;
    list& l = free_[size_class];
    char* const block = l.first != nullptr ? take_first(l) : new char[class_bytes[size_class]];  // allow: new: a pool
    return buffer(*this, block, size_class);
  }

 private:
  friend buffer;
  // A free block holds the address of the next one in its first bytes.
  struct list {
    char* first = nullptr;
    std::size_t size = 0;
  };

  static char* take_first(list& l) {
    char* const block = l.first;
    std::memcpy(&l.first, block, sizeof l.first);
    --l.size;
    return block;
  }
  static void free_block(char* block) { delete[] block; }  // allow: delete: a pool

  void give_back(char* block, std::uint8_t size_class) {
    list& l = free_[size_class];
    if (l.size >= kept_max[size_class]) {
      free_block(block);
      return;
    }
    std::memcpy(block, &l.first, sizeof l.first);
    l.first = block;
    ++l.size;
  }
  std::array<list, class_bytes.size()> free_{};
};

inline std::size_t buffer::size() const { return block_ == nullptr ? 0 : buffer_pool::class_bytes[class_]; }

inline void buffer::give_back() {
  if (block_ != nullptr) pool_->give_back(std::exchange(block_, nullptr), class_);
}

}  // namespace cellroute::io
