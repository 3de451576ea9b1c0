#pragma once

#include <cstddef>
#include <memory_resource>

namespace cellroute::support {

/// Counts what it gives out and what has not come back, and gets it from where all memory comes from.
class counting_resource : public std::pmr::memory_resource {
 public:
  std::size_t taken = 0;  ///< blocks, ever
  std::size_t held = 0;   ///< blocks, now

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++taken;
    ++held;
    return std::pmr::get_default_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override {
    --held;
    std::pmr::get_default_resource()->deallocate(at, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace cellroute::support
