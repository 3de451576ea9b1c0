#pragma once

#include <compare>
#include <utility>

namespace cellroute {

/// A distinct type over one representation, so that a cell's name is never taken for a placement's.
///
/// `Tag` is never defined. Reading is explicit: `id.value`.
template <class Tag, class T>
struct strong {
  T value{};

  constexpr strong() = default;
  explicit constexpr strong(T v) : value(std::move(v)) {}

  friend bool operator==(const strong&, const strong&) = default;
  friend auto operator<=>(const strong&, const strong&) = default;
};

}  // namespace cellroute
