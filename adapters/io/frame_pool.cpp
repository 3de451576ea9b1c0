#include "adapters/io/frame_pool.hpp"

#include <new>

namespace cellroute::io {
namespace {

constinit thread_local frame_pool* current_pool = nullptr;

constexpr std::size_t class_of(std::size_t size_bytes) {
  return (size_bytes + frame_pool::step_bytes - 1) / frame_pool::step_bytes;
}

}  // namespace

frame_pool::~frame_pool() {
  for (list& l : lists_) {
    while (l.first != nullptr) {
      free_block* const block = l.first;
      l.first = block->next;
      ::operator delete(block);  // allow: delete: gives back what allocate took
    }
  }
}

void* frame_pool::allocate(std::size_t size_bytes) {
  const std::size_t size_class = class_of(size_bytes);
  if (size_class >= class_count) return ::operator new(size_bytes);  // allow: new: a frame larger than any class
  if (current_pool != nullptr) {
    list& l = current_pool->lists_[size_class];
    if (l.first != nullptr) {
      free_block* const block = l.first;
      l.first = block->next;
      --l.size;
      return block;
    }
  }
  return ::operator new(size_class * step_bytes);  // allow: new: the free list's own source
}

void frame_pool::deallocate(void* block, std::size_t size_bytes) noexcept {
  const std::size_t size_class = class_of(size_bytes);
  if (size_class < class_count && current_pool != nullptr) {
    list& l = current_pool->lists_[size_class];
    if (l.size < kept_max) {
      l.first = ::new (block) free_block{l.first};  // allow: new: placement, the list lives in the free blocks
      ++l.size;
      return;
    }
  }
  ::operator delete(block);  // allow: delete: gives back what allocate took
}

frame_pool::scope::scope(frame_pool& pool) : before_(current_pool) { current_pool = &pool; }
frame_pool::scope::~scope() { current_pool = before_; }

}  // namespace cellroute::io
