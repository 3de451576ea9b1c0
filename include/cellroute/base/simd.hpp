#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Vector compares, each beside its plain twin that says what it does. The twin runs where there is no such
/// instruction, and the tests hold the two together.
namespace cellroute {

/// Most bytes that the functions below look at.
inline constexpr std::size_t lanes_max = 32;

namespace plain {

/// Bit i is set where `bytes[i] == wanted`, for i < `count`.
[[nodiscard]] inline std::uint32_t match_mask(const std::uint8_t* bytes, std::uint8_t wanted, std::size_t count) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < count; ++i) mask |= std::uint32_t{bytes[i] == wanted} << i;
  return mask;
}

/// Bit i is set where `bytes[i] >= bytes[i + 1]`, for i + 1 < `count`.
[[nodiscard]] inline std::uint32_t not_rising_mask(const std::uint8_t* bytes, std::size_t count) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i + 1 < count; ++i) mask |= std::uint32_t{bytes[i] >= bytes[i + 1]} << i;
  return mask;
}

/// The sum of the first `count` bytes.
[[nodiscard]] inline std::uint32_t sum_bytes(const std::uint8_t* bytes, std::size_t count) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += bytes[i];
  return sum;
}

/// The largest of all 16-bit words seen; 0 while there was none.
class largest_word {
 public:
  /// Looks at `count` words that lie anywhere.
  void add(const std::uint8_t* words, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t word;
      std::memcpy(&word, words + 2 * i, sizeof word);
      if (word > largest_) largest_ = word;
    }
  }
  [[nodiscard]] std::uint16_t value() const { return largest_; }

 private:
  std::uint16_t largest_ = 0;
};

/// Whether two texts of one length, 16 bytes or more, are the same.
[[nodiscard]] inline bool same_long(const char* a, const char* b, std::size_t size) {
  return std::memcmp(a, b, size) == 0;
}

}  // namespace plain

#if defined(__SSE2__)

namespace simd_detail {

inline __m128i load16(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

/// 16 bytes of 255 and then 16 of 0: read n before the middle for a mask of n bytes.
inline constexpr std::uint8_t mask_source[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                 255, 255, 255, 255, 255, 255, 255, 255};

inline std::uint32_t sum8(const std::uint8_t* bytes, std::size_t count) {
  const auto load8 = [](const void* at) { return _mm_loadl_epi64(static_cast<const __m128i*>(at)); };
  const __m128i kept = _mm_and_si128(load8(bytes), load8(mask_source + 16 - count));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_sad_epu8(kept, _mm_setzero_si128())));
}

inline std::uint32_t sum16(const std::uint8_t* bytes, std::size_t count) {
  const __m128i kept = _mm_and_si128(load16(bytes), load16(mask_source + 16 - count));
  const __m128i sums = _mm_sad_epu8(kept, _mm_setzero_si128());
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4));
}

}  // namespace simd_detail

/// As `plain::match_mask`.
///
/// Range: `count` <= 32. Up to 16 bytes are read where `count` <= 16, up to 32 otherwise: the memory must be there.
[[nodiscard, gnu::always_inline]] inline std::uint32_t match_mask(const std::uint8_t* bytes, std::uint8_t wanted,
                                                                  std::size_t count) {
  const __m128i all = _mm_set1_epi8(static_cast<char>(wanted));
  auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(simd_detail::load16(bytes), all)));
  if (count > 16) [[unlikely]] {
    const __m128i more = _mm_cmpeq_epi8(simd_detail::load16(bytes + 16), all);
    mask |= static_cast<std::uint32_t>(_mm_movemask_epi8(more)) << 16;
  }
  return mask & static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
}

/// As `plain::not_rising_mask`; range as in `match_mask`, and one byte more is read.
[[nodiscard]] inline std::uint32_t not_rising_mask(const std::uint8_t* bytes, std::size_t count) {
  // A byte is not below another one where it is the larger of the two.
  const auto mask16 = [](const std::uint8_t* at) {
    const __m128i each = simd_detail::load16(at);
    const __m128i larger = _mm_max_epu8(each, simd_detail::load16(at + 1));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(each, larger)));
  };
  std::uint32_t mask = mask16(bytes);
  if (count > 16) [[unlikely]]
    mask |= mask16(bytes + 16) << 16;
  return mask & static_cast<std::uint32_t>(((std::uint64_t{1} << count) - 1) >> 1);
}

/// As `plain::sum_bytes`; range and reads as in `match_mask`.
[[nodiscard, gnu::always_inline]] inline std::uint32_t sum_bytes(const std::uint8_t* bytes, std::size_t count) {
  if (count <= 8) [[likely]]
    return simd_detail::sum8(bytes, count);
  if (count <= 16) return simd_detail::sum16(bytes, count);
  return simd_detail::sum16(bytes, 16) + simd_detail::sum16(bytes + 16, count - 16);
}

/// As `plain::largest_word`. Reads 16 bytes at a time, and once even for no word: the memory must be there.
class largest_word {
 public:
  [[gnu::always_inline]] inline void add(const std::uint8_t* words, std::size_t count) {
    std::size_t done = 0;
    do {
      const std::size_t kept = count - done < 8 ? count - done : 8;
      const __m128i mask = simd_detail::load16(simd_detail::mask_source + 16 - 2 * kept);
      const __m128i block = _mm_and_si128(simd_detail::load16(words + 2 * done), mask);
      largest_ = _mm_max_epi16(largest_, _mm_xor_si128(block, sign_bits()));
      done += 8;
    } while (done < count);
  }
  [[nodiscard]] std::uint16_t value() const {
    __m128i largest = _mm_max_epi16(largest_, _mm_srli_si128(largest_, 8));
    largest = _mm_max_epi16(largest, _mm_srli_si128(largest, 4));
    largest = _mm_max_epi16(largest, _mm_srli_si128(largest, 2));
    return static_cast<std::uint16_t>(_mm_extract_epi16(largest, 0) ^ 0x8000);
  }

 private:
  // There is only a signed maximum: moving all words down by 2^15, and the result up again, makes it an unsigned one.
  static __m128i sign_bits() { return _mm_set1_epi16(static_cast<short>(-0x8000)); }

  __m128i largest_ = sign_bits();
};

/// As `plain::same_long`: two overlapping reads of 16 bytes, and one more for each 16 bytes beyond 32.
[[nodiscard, gnu::always_inline]] inline bool same_long(const char* a, const char* b, std::size_t size) {
  const auto same16 = [a, b](std::size_t at) {
    return _mm_cmpeq_epi8(simd_detail::load16(a + at), simd_detail::load16(b + at));
  };
  __m128i same = _mm_and_si128(same16(0), same16(size - 16));
  for (std::size_t at = 16; at + 16 < size; at += 16) same = _mm_and_si128(same, same16(at));
  return _mm_movemask_epi8(same) == 0xffff;
}

#else

using plain::largest_word;
using plain::match_mask;
using plain::not_rising_mask;
using plain::same_long;
using plain::sum_bytes;

#endif

/// Whether two texts of one length are the same: for keys, which are short, without a call. Most keys meet no loop: two
/// overlapping reads cover a text of up to twice their size.
[[nodiscard, gnu::always_inline]] inline bool same_bytes(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const char*>(left);
  const auto* b = static_cast<const char*>(right);
  const auto differ = [a, b]<class Word>(Word, std::size_t at) {
    Word x;
    Word y;
    std::memcpy(&x, a + at, sizeof x);
    std::memcpy(&y, b + at, sizeof y);
    return static_cast<Word>(x ^ y);
  };
  if (size >= 16) return same_long(a, b, size);
  if (size >= 8) return (differ(std::uint64_t{}, 0) | differ(std::uint64_t{}, size - 8)) == 0;
  if (size >= 4) return (differ(std::uint32_t{}, 0) | differ(std::uint32_t{}, size - 4)) == 0;
  if (size == 0) return true;
  return a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1];
}

/// Copies a text of a few bytes without a call. The two places do not overlap.
inline void copy_short(void* to, const void* from, std::size_t size) {
  auto* a = static_cast<char*>(to);
  const auto* b = static_cast<const char*>(from);
  if (size >= 16) {
    for (std::size_t at = 0; at + 16 <= size; at += 16) std::memcpy(a + at, b + at, 16);
    std::memcpy(a + size - 16, b + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(a, b, 8);
    std::memcpy(a + size - 8, b + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(a, b, 4);
    std::memcpy(a + size - 4, b + size - 4, 4);
  } else if (size > 0) {
    a[0] = b[0];
    a[size / 2] = b[size / 2];
    a[size - 1] = b[size - 1];
  }
}

/// Copies a run of bytes, most often a long one. The two places do not overlap.
///
/// A loop of its own, because memcpy is `rep movsb` from some 2 KiB on where a processor announces that as fast, and on
/// some of these it takes twenty times as long when both places lie nearly alike in their pages.
inline void copy_long(void* to, const void* from, std::size_t size) {
  auto* a = static_cast<char*>(to);
  const auto* b = static_cast<const char*>(from);
  for (; size >= 64; size -= 64, a += 64, b += 64) {
    std::memcpy(a, b, 16);
    std::memcpy(a + 16, b + 16, 16);
    std::memcpy(a + 32, b + 32, 16);
    std::memcpy(a + 48, b + 48, 16);
  }
  if (size > 0) std::memcpy(a, b, size);  // nothing may come from nowhere
}

/// Asks for the memory at `at`, to be read soon. Never fails, whatever the address. Inlined by order: GCC 12 sees no
/// effect in it and drops calls of it.
[[gnu::always_inline]] inline void prefetch(const void* at) { __builtin_prefetch(at); }

/// As above, to be written soon.
[[gnu::always_inline]] inline void prefetch_to_write(const void* at) { __builtin_prefetch(at, 1); }

}  // namespace cellroute
