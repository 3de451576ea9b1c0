#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cellroute/base/hash.hpp"

namespace cellroute {

/// How many leading bytes two keys have in common.
[[nodiscard]] inline std::size_t shared_size(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + 8 <= most; at += 8) {
    const auto differing =
        hash_detail::load<std::uint64_t>(a.data() + at) ^ hash_detail::load<std::uint64_t>(b.data() + at);
    if (differing != 0) return at + static_cast<std::size_t>(std::countr_zero(differing)) / 8;
  }
  while (at < most && a[at] == b[at]) ++at;
  return at;
}

/// Keys in the order of their bytes: that in which they are sent and in which digests take them.
///
/// Sorts numbers of eight bytes, taken behind what all the keys have in common; those with one number are sorted by
/// the next eight. std::sort, which reads two cold lines for each compare, takes 4.5 times as long for a million
/// (bench/digest.cpp).
///
/// Threads: one owner. Its memory is kept for the next call.
class key_order {
 public:
  /// Indices of keys in their order, for each i below `count` that of `key_of(i)`; of equal keys the earlier comes
  /// first. Holds until the next call.
  ///
  /// Range: `count` < 2^32.
  template <class KeyOf>
  std::span<const std::uint32_t> sort(std::size_t count, KeyOf&& key_of) {
    items_.resize(count);
    for (std::size_t i = 0; i < count; ++i) items_[i].index = static_cast<std::uint32_t>(i);
    sort_behind(items_, 0, key_of);
    sorted_.clear();
    sorted_.reserve(count);
    for (const item& each : items_) sorted_.push_back(each.index);
    return sorted_;
  }

 private:
  struct item {
    std::uint64_t word = 0;   // the next bytes of the key, the first one on top; 0 for each behind its end
    std::uint32_t index = 0;  // of the key
    std::uint32_t reach = 0;  // how many bytes of the word are the key's, or `goes_on`
    /// Of two keys with one word the shorter is the beginning of the other.
    friend bool operator<(const item& a, const item& b) {
      if (a.word != b.word) return a.word < b.word;
      return a.reach != b.reach ? a.reach < b.reach : a.index < b.index;
    }
  };
  static constexpr std::uint32_t goes_on = 9;  // more bytes than the word has

  /// Sorts keys that are the same up to `start`.
  template <class KeyOf>
  void sort_behind(std::span<item> some, std::size_t start, KeyOf& key_of) {
    if (some.size() < 2) return;
    const std::string_view first = key_of(some.front().index);
    std::size_t shared = first.size();
    for (std::size_t i = 1; i < some.size() && shared > start; ++i) {
      shared = std::min(shared, shared_size(first, key_of(some[i].index)));
    }
    for (item& each : some) {
      const std::string_view rest = std::string_view(key_of(each.index)).substr(shared);
      each.word = word_of(rest);
      each.reach = rest.size() > 8 ? goes_on : static_cast<std::uint32_t>(rest.size());
    }
    std::sort(some.begin(), some.end());
    for (std::size_t i = 0, end = 0; i < some.size(); i = end) {
      while (end < some.size() && some[end].word == some[i].word && some[end].reach == some[i].reach) ++end;
      // At most 32 times one within the other, since a key has 256 bytes.
      if (some[i].reach == goes_on) sort_behind(some.subspan(i, end - i), shared + 8, key_of);
    }
  }

  static std::uint64_t word_of(std::string_view text) {
    if (text.size() >= 8) return __builtin_bswap64(hash_detail::load<std::uint64_t>(text.data()));
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (56 - 8 * i);
    }
    return word;
  }

  std::vector<item> items_;
  std::vector<std::uint32_t> sorted_;
};

}  // namespace cellroute
