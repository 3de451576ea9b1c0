#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "cellroute/base/escape.hpp"

/// Searches that look at eight bytes at once: a text of megabytes is mostly made of bytes that nobody asks for.
namespace cellroute::wire {
namespace scan_detail {

inline constexpr std::uint64_t ones = 0x0101010101010101;
inline constexpr std::uint64_t tops = 0x8080808080808080;

inline std::uint64_t word_at(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Not 0 where a byte of the word is below `limit`. Range: `limit` up to 128.
constexpr std::uint64_t below(std::uint64_t word, std::uint64_t limit) { return (word - ones * limit) & ~word & tops; }

}  // namespace scan_detail

/// How many lines end in a text.
[[nodiscard]] inline std::size_t count_line_ends(std::string_view text) {
  using namespace scan_detail;
  std::size_t count = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    const std::uint64_t other = word_at(text.data() + at) ^ ones * '\n';      // 0 where a line ends
    const std::uint64_t ends = ~(((other & ~tops) + ~tops) | other | ~tops);  // exact, in the top of each byte
    count += static_cast<std::size_t>((ends >> 7) * ones >> 56);              // their sum
  }
  for (; at < text.size(); ++at) count += text[at] == '\n';
  return count;
}

/// The first byte from `at` on that is NUL or no ASCII; the text's size where there is none.
[[nodiscard]] inline std::size_t skip_ascii(std::string_view text, std::size_t at) {
  using namespace scan_detail;
  for (; at + 8 <= text.size(); at += 8) {
    const std::uint64_t word = word_at(text.data() + at);
    if (((word & tops) | below(word, 1)) != 0) break;
  }
  while (at < text.size() && text[at] > '\0' && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

/// The offset of the first byte that keeps a text from being UTF-8, and with `is_nul_bad` from having no NUL; `npos`
/// when there is none.
[[nodiscard]] inline std::size_t find_bad_text(std::string_view text, bool is_nul_bad) {
  std::size_t done = 0;
  while ((done = skip_ascii(text, done)) < text.size()) {
    const std::size_t size_bytes = is_nul_bad && text[done] == '\0' ? 0 : utf8_size(text.substr(done));
    if (size_bytes == 0) return done;
    done += size_bytes;
  }
  return std::string_view::npos;
}

/// The first byte from `at` on that a text of JSON cannot hold as it is: a quote, a backslash, a control character;
/// the size where there is none.
[[nodiscard]] inline std::size_t find_text_end(std::string_view text, std::size_t at) {
  using namespace scan_detail;
  const auto is_end = [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; };
  for (; at + 8 <= text.size(); at += 8) {
    const std::uint64_t word = word_at(text.data() + at);
    const std::uint64_t ends = below(word ^ ones * '"', 1) | below(word ^ ones * '\\', 1) | below(word, 0x20);
    if (ends == 0) continue;
    // The lowest mark is exact; those above it may come from a borrow.
    if constexpr (std::endian::native == std::endian::little) {
      return at + static_cast<std::size_t>(std::countr_zero(ends)) / 8;
    }
    break;
  }
  while (at < text.size() && !is_end(text[at])) ++at;
  return at;
}

/// A text of JSON without escapes that begins at `at`, which then stands behind it; nothing where there is none, and
/// `at` stays.
[[nodiscard]] inline std::optional<std::string_view> take_plain_text(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '"') return std::nullopt;
  const std::size_t end = find_text_end(text, at + 1);
  if (end == text.size() || text[end] != '"') return std::nullopt;
  const std::string_view found = text.substr(at + 1, end - at - 1);
  at = end + 1;
  return found;
}

/// The first place from `at` on that is no white space of JSON.
[[nodiscard]] inline std::size_t skip_json_space(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) ++at;
  return at;
}

}  // namespace cellroute::wire
