#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "cellroute/table/key_format.hpp"
#include "cellroute/table/key_table.hpp"

namespace cellroute {

namespace row_pairs_detail {

/// Whether a number that both have is one outcome.
[[nodiscard]] inline bool numbers_agree(const key_table& from, const key_table& to) {
  const std::size_t shared = std::min(from.outcomes().size(), to.outcomes().size());
  return from.outcomes().empty() == to.outcomes().empty() &&
         std::ranges::equal(from.outcomes().first(shared), to.outcomes().first(shared));
}

template <class F>
void compare_buckets(const key_format::bucket_view& from, const key_format::bucket_view& to, F& f) {
  for (std::size_t i = 0; i < to.count(); ++i)
    f(to.key(i), from.find(to.key(i), to.tag(i)), std::optional(to.outcome(i)));
  for (std::size_t i = 0; i < from.count(); ++i) {
    if (!to.find(from.key(i), from.tag(i)))
      f(from.key(i), std::optional(from.outcome(i)), std::optional<std::uint16_t>());
  }
}

/// Range: of one seed and one count of buckets.
template <class F>
void compare_alike(std::span<const std::byte> from, std::span<const std::byte> to, F& f) {
  while (!from.empty() && !to.empty()) {
    const key_format::bucket_view before(from.data());
    const key_format::bucket_view after(to.data());
    const std::size_t before_bytes = before.size_bytes();
    const std::size_t after_bytes = after.size_bytes();
    if (before_bytes != after_bytes || std::memcmp(from.data(), to.data(), before_bytes) != 0) {
      compare_buckets(before, after, f);
    }
    from = from.subspan(before_bytes);
    to = to.subspan(after_bytes);
  }
}

}  // namespace row_pairs_detail

/// Calls `f(key, before, after)` for each key of either table, with the number of its outcome in both, if it is there;
/// but not for keys of which it sees at once that nothing has changed. In no order.
///
/// Cost: between a table and what was made of it by a few changes, one comparison of their bytes: 5 ms a million keys.
///       Else a look-up for each key of both: counting those of both is no short cut where a stranger's table may hold
///       a key twice, which then hides that another one is gone.
template <class F>
void for_each_row_pair(const key_table& from, const key_table& to, F&& f) {
  if (from.seed() == to.seed() && from.bucket_count() == to.bucket_count() &&
      row_pairs_detail::numbers_agree(from, to)) {
    row_pairs_detail::compare_alike(from.buckets(), to.buckets(), f);
    return;
  }
  to.for_each([&](std::string_view key, std::uint16_t after) { f(key, from.find(key), std::optional(after)); });
  from.for_each([&](std::string_view key, std::uint16_t before) {
    if (!to.find(key)) f(key, std::optional(before), std::optional<std::uint16_t>());
  });
}

}  // namespace cellroute
