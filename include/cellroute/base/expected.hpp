#pragma once

#include <cassert>
#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

namespace cellroute {

/// The reason why there is no value; becomes an `expected` of any value type.
template <class E>
struct unexpected {
  E reason;
  explicit constexpr unexpected(E e) : reason(std::move(e)) {}
};

/// A value or the reason why not: a small subset of C++23's `std::expected`, with its spelling.
///
/// Always this type, never an alias chosen by the library at hand: one program must not hold two layouts.
/// There is no `value()`: look first, then read with `*`.
template <class T, class E>
class [[nodiscard]] expected {
 public:
  using value_type = T;
  using error_type = E;

  constexpr expected(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  template <class G>
    requires std::is_constructible_v<E, G>
  constexpr expected(unexpected<G> e) : held_(std::in_place_index<1>, std::move(e.reason)) {}

  [[nodiscard]] constexpr bool has_value() const { return held_.index() == 0; }
  constexpr explicit operator bool() const { return has_value(); }

  [[nodiscard]] constexpr T& operator*() & { return assert(has_value()), *std::get_if<0>(&held_); }
  [[nodiscard]] constexpr const T& operator*() const& { return assert(has_value()), *std::get_if<0>(&held_); }
  [[nodiscard]] constexpr T&& operator*() && { return assert(has_value()), std::move(*std::get_if<0>(&held_)); }
  [[nodiscard]] constexpr T* operator->() { return assert(has_value()), std::get_if<0>(&held_); }
  [[nodiscard]] constexpr const T* operator->() const { return assert(has_value()), std::get_if<0>(&held_); }

  [[nodiscard]] constexpr E& error() & { return assert(!has_value()), *std::get_if<1>(&held_); }
  [[nodiscard]] constexpr const E& error() const& { return assert(!has_value()), *std::get_if<1>(&held_); }
  [[nodiscard]] constexpr E&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&held_)); }

  /// Calls `f` with the value; `f` returns another `expected` with the same error type.
  template <class F>
  constexpr auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return unexpected<E>(std::move(*this).error());
    return std::invoke(std::forward<F>(f), *std::move(*this));
  }

  friend constexpr bool operator==(const expected& a, const expected& b)
    requires std::equality_comparable<T> && std::equality_comparable<E>
  {
    return a.held_ == b.held_;
  }

 private:
  std::variant<T, E> held_;
};

/// Success without a value, or the reason why not.
template <class E>
class [[nodiscard]] expected<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  constexpr expected() = default;
  template <class G>
    requires std::is_constructible_v<E, G>
  constexpr expected(unexpected<G> e) : held_(std::in_place_index<1>, std::move(e.reason)) {}

  [[nodiscard]] constexpr bool has_value() const { return held_.index() == 0; }
  constexpr explicit operator bool() const { return has_value(); }
  [[nodiscard]] constexpr const E& error() const { return assert(!has_value()), *std::get_if<1>(&held_); }

  friend constexpr bool operator==(const expected& a, const expected& b)
    requires std::equality_comparable<E>
  {
    return a.held_ == b.held_;
  }

 private:
  std::variant<std::monostate, E> held_;
};

}  // namespace cellroute
