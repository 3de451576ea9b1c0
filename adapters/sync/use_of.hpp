#pragma once

#include <cstddef>
#include <utility>

namespace cellroute::sync {

/// A thing in use: its owner keeps it as long as one of these has it. Threads: one owner of all.
template <class T>
class use_of {
 public:
  /// What is counted, with its count.
  struct counted {
    T what{};
    std::size_t users = 0;
  };

  use_of() = default;
  explicit use_of(counted& of) : of_(&of) { ++of_->users; }
  use_of(use_of&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  use_of& operator=(use_of&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  ~use_of() {
    if (of_ != nullptr) --of_->users;
  }

  /// One more use of the same.
  [[nodiscard]] use_of share() const { return of_ != nullptr ? use_of(*of_) : use_of(); }

  explicit operator bool() const { return of_ != nullptr; }
  const T& operator*() const { return of_->what; }
  const T* operator->() const { return &of_->what; }
  [[nodiscard]] bool is(const counted& other) const { return of_ == &other; }
  void reset() { use_of gone(std::move(*this)); }

 private:
  counted* of_ = nullptr;  // outlives this: its owner looks at the count before it lets go
};

}  // namespace cellroute::sync
