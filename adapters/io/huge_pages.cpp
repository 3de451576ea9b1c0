#include "adapters/io/huge_pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace cellroute::io {

namespace {

constexpr std::size_t page_bytes = std::size_t{2} << 20;
constexpr std::size_t threshold_bytes = 2 * page_bytes;

bool is_large(std::size_t size_bytes) { return size_bytes >= threshold_bytes; }

std::size_t round_up(std::size_t size_bytes) { return (size_bytes + page_bytes - 1) / page_bytes * page_bytes; }

/// Fresh memory that starts on a huge page; size in whole ones.
void* map(std::size_t size_bytes) {
  // One page more than is needed, and what lies before and behind the aligned part goes back.
  const std::size_t mapped_bytes = size_bytes + page_bytes;
  void* mapped = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const first = static_cast<char*>(mapped);
  const std::size_t before = (page_bytes - std::bit_cast<std::uintptr_t>(first) % page_bytes) % page_bytes;
  char* const start = first + before;
  if (before > 0) munmap(first, before);
  if (before < page_bytes) munmap(start + size_bytes, page_bytes - before);
#ifdef MADV_HUGEPAGE
  madvise(start, size_bytes, MADV_HUGEPAGE);  // where it is refused there are small pages: slower, and right
#endif
  return start;
}

}  // namespace

huge_page_resource::~huge_page_resource() { trim(); }

void huge_page_resource::trim() {
  block old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(kept_, {});
  }
  if (old.start != nullptr) munmap(old.start, old.size_bytes);
}

std::size_t huge_page_resource::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return kept_.size_bytes;
}

void* huge_page_resource::do_allocate(std::size_t size_bytes, std::size_t alignment) {
  if (!is_large(size_bytes)) return std::pmr::new_delete_resource()->allocate(size_bytes, alignment);
  assert(alignment <= page_bytes);
  if (size_bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
  const std::size_t rounded = round_up(size_bytes);
  const std::lock_guard lock(mutex_);
  lent_.reserve(lent_.size() + 1);
  const bool fits = rounded <= kept_.size_bytes && kept_.size_bytes - rounded <= rounded / 4;
  lent_.push_back(fits ? std::exchange(kept_, {}) : block{map(rounded), rounded});
  return lent_.back().start;
}

void huge_page_resource::do_deallocate(void* start, std::size_t size_bytes, std::size_t alignment) {
  if (!is_large(size_bytes)) {
    std::pmr::new_delete_resource()->deallocate(start, size_bytes, alignment);
    return;
  }
  block old;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(lent_.begin(), lent_.end(), [start](const block& b) { return b.start == start; });
    assert(at != lent_.end());
    old = std::exchange(kept_, *at);
    lent_.erase(at);
  }
  if (old.start != nullptr) munmap(old.start, old.size_bytes);
}

bool huge_page_resource::do_is_equal(const std::pmr::memory_resource& other) const noexcept { return this == &other; }

}  // namespace cellroute::io
