#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Bytes that strangers chose, written so that they cannot end a line, a header field or a string.
namespace cellroute {

/// Whatever text can be appended to: a string, a buffer of fixed size, a counter of bytes.
template <class Sink>
concept text_sink = requires(Sink& sink, std::string_view text) { sink.append(text); };

/// Visible ASCII but the separators of header parameters, and but `%`, which escapes.
[[nodiscard]] constexpr bool is_plain_byte(char c) {
  return c > ' ' && c <= '~' && c != ';' && c != ',' && c != '"' && c != '%' && c != '\\';
}

/// Writes a text with every byte that is not plain as %XX.
template <text_sink Sink>
constexpr void append_escaped(Sink& sink, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain_byte(text[i])) continue;
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape[] = {'%', digits[byte >> 4], digits[byte & 15]};
    sink.append(text.substr(done, i - done));
    sink.append(std::string_view(escape, 3));
    done = i + 1;
  }
  sink.append(text.substr(done));
}

/// The size of the UTF-8 character at the front of a text; 0 if there is none.
///
/// Source: RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF.
[[nodiscard]] constexpr std::size_t utf8_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&byte](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const auto in = [&byte](unsigned low, unsigned high) { return byte(1) >= low && byte(1) <= high; };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = first == 0xe0 ? in(0xa0, 0xbf) : first == 0xed ? in(0x80, 0x9f) : continues(1);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = first == 0xf0 ? in(0x90, 0xbf) : first == 0xf4 ? in(0x80, 0x8f) : continues(1);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Writes a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, since JSON has no way to carry them.
///
/// Source: RFC 8259 section 7.
template <text_sink Sink>
constexpr void append_json_string(Sink& sink, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  sink.append(std::string_view("\""));
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const char c = text.front();
    if (size == 0) {
      sink.append(std::string_view("\\ufffd"));
    } else if (c == '"' || c == '\\') {
      const char escape[] = {'\\', c};
      sink.append(std::string_view(escape, 2));
    } else if (size == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
      sink.append(std::string_view(escape, 6));
    } else {
      sink.append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  sink.append(std::string_view("\""));
}

/// Writes a number in decimal.
template <text_sink Sink>
constexpr void append_number(Sink& sink, std::uint64_t number) {
  char digits[20];
  std::size_t start = sizeof digits;
  do {
    digits[--start] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  sink.append(std::string_view(digits + start, sizeof digits - start));
}

}  // namespace cellroute
