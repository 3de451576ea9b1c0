#pragma once

// Classes of bytes, and the search for the first byte that ends one. A head is read twice: once to find its end (the
// scanner), once for its parts. Both passes spend their time in these searches, so each exists twice: plain, and
// sixteen bytes a step with what every x86-64 has. Wider vectors were measured on whole heads and were within the
// noise.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cellroute::http1 {

/// A set of byte values.
using byte_set = std::array<bool, 256>;

/// Letters and digits, and those in `others`.
constexpr byte_set alphanumeric_and(std::string_view others) {
  byte_set set{};
  for (unsigned c = '0'; c <= '9'; ++c) set[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) set[c] = set[c | 0x20u] = true;
  for (const char c : others) set[static_cast<unsigned char>(c)] = true;
  return set;
}

/// What names and methods are made of. Source: RFC 9110 section 5.6.2.
inline constexpr byte_set token_bytes = alphanumeric_and("!#$%&'*+-.^_`|~");

[[nodiscard]] constexpr bool holds(const byte_set& set, char c) { return set[static_cast<unsigned char>(c)]; }

/// The white space that may stand inside a line: optional, and never of another kind. Source: RFC 9110 section 5.6.3.
[[nodiscard]] constexpr bool is_ows(char c) { return c == ' ' || c == '\t'; }

[[nodiscard]] constexpr std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `take` with each member of a comma-separated list that is not empty, until it returns false.
///
/// Quoted strings are not understood: none of the lists that are read here may hold one.
template <class Take>
constexpr void for_each_member(std::string_view list, Take take) {
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view member = trim_ows(list.substr(0, comma));
    if (!member.empty() && !take(member)) return;
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

/// One byte a step: the meaning of the searches, and what runs where there are no vectors.
struct plain_search {
  /// No field value may hold such a byte: a control byte other than a tab.
  [[nodiscard]] static constexpr bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  }
  /// No request target may hold such a byte: all but visible ASCII, and the mark of a fragment.
  [[nodiscard]] static constexpr bool ends_target(char c) { return c <= ' ' || c == 0x7f || c == '#' || c < 0; }

  /// The first control byte in [from, end), or `end`.
  [[nodiscard]] static constexpr const char* find_control(const char* from, const char* end) {
    while (from != end && !is_control(*from)) ++from;
    return from;
  }
  /// The first byte in [from, end) that is no part of a target, or `end`.
  [[nodiscard]] static constexpr const char* find_target_end(const char* from, const char* end) {
    while (from != end && !ends_target(*from)) ++from;
    return from;
  }
  /// The first byte in [from, end) that is no part of a token, or `end`.
  [[nodiscard]] static constexpr const char* find_token_end(const char* from, const char* end) {
    while (from != end && holds(token_bytes, *from)) ++from;
    return from;
  }
};

#if defined(__SSE2__)
/// Sixteen bytes a step. Never reads at or past `end`.
struct vector_search {
  [[nodiscard]] static const char* find_control(const char* from, const char* end) {
    for (; end - from >= 16; from += 16) {
      const __m128i block = load(from);
      const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
      const __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
      const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
      const auto found = mask(_mm_or_si128(_mm_andnot_si128(tab, low), del));
      if (found != 0) return from + std::countr_zero(found);
    }
    return plain_search::find_control(from, end);
  }
  [[nodiscard]] static const char* find_target_end(const char* from, const char* end) {
    for (; end - from >= 16; from += 16) {
      const __m128i block = load(from);
      // Bytes from 0x80 on are negative here, so that one compare refuses them with the controls and the space.
      const __m128i visible = _mm_cmpgt_epi8(block, _mm_set1_epi8(' '));
      const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
      const __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
      const auto found = mask(_mm_or_si128(del, hash)) | (mask(visible) ^ 0xffffu);
      if (found != 0) return from + std::countr_zero(found);
    }
    return plain_search::find_target_end(from, end);
  }
  [[nodiscard]] static const char* find_token_end(const char* from, const char* end) {
    for (; end - from >= 16; from += 16) {
      const __m128i block = load(from);
      // Letters, digits and '-' are nearly all that names have; what else may stand in a token is looked at apart.
      const __m128i letter = between(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
      const __m128i digit = between(block, '0', '9');
      const __m128i dash = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
      const auto other = mask(_mm_or_si128(_mm_or_si128(letter, digit), dash)) ^ 0xffffu;
      if (other != 0) {
        from += std::countr_zero(other);
        if (!holds(token_bytes, *from)) return from;
        break;
      }
    }
    return plain_search::find_token_end(from, end);
  }

 private:
  static __m128i between(__m128i block, char first, char last) {
    return _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8(static_cast<char>(first - 1))),
                         _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(last + 1)), block));
  }
  static __m128i load(const char* from) {
    __m128i block;
    std::memcpy(&block, from, sizeof block);
    return block;
  }
  static unsigned mask(__m128i block) { return static_cast<unsigned>(_mm_movemask_epi8(block)); }
};
using fast_search = vector_search;
#else
using fast_search = plain_search;
#endif

[[nodiscard]] inline bool is_token(std::string_view text) {
  const char* const end = text.data() + text.size();
  return !text.empty() && fast_search::find_token_end(text.data(), end) == end;
}

}  // namespace cellroute::http1
