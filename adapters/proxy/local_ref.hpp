#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

namespace cellroute::proxy {

/// The count inside something that `local_ref` holds.
class locally_counted {
 public:
  locally_counted() = default;
  locally_counted(const locally_counted&) = delete;
  locally_counted& operator=(const locally_counted&) = delete;

 protected:
  ~locally_counted() = default;

 private:
  template <class T>
  friend class local_ref;
  std::size_t count_ = 0;
};

/// Shared ownership within one reactor: a plain count, since one thread counts. What a request that waits holds on to.
///
/// Threads: one owner, for all references to one object.
template <class T>
class local_ref {
 public:
  local_ref() = default;
  /// Takes a new object over; it ends with its last reference.
  explicit local_ref(T* object) : object_(object) { hold(); }
  local_ref(const local_ref& other) : object_(other.object_) { hold(); }
  local_ref(local_ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class Derived>
    requires std::derived_from<Derived, T>
  local_ref(const local_ref<Derived>& other) : object_(other.object_) {
    hold();
  }
  local_ref& operator=(local_ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~local_ref() {
    if (object_ != nullptr && --object_->count_ == 0) delete object_;  // allow: delete: the last reference ends it
  }

  [[nodiscard]] T& operator*() const { return *object_; }
  [[nodiscard]] T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void hold() {
    if (object_ != nullptr) ++object_->count_;
  }
  template <class>
  friend class local_ref;
  T* object_ = nullptr;
};

template <class T, class... Arguments>
[[nodiscard]] local_ref<T> make_local(Arguments&&... arguments) {
  return local_ref<T>(new T(std::forward<Arguments>(arguments)...));  // allow: new: local_ref takes it over
}

}  // namespace cellroute::proxy
