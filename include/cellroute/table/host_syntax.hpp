#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "cellroute/base/ascii.hpp"

namespace cellroute {

/// Whether a text is an IPv4 address of four decimal numbers. Source: RFC 3986 section 3.2.2; no leading zero, because
/// some readers take such a number for an octal one.
[[nodiscard]] constexpr bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    std::size_t size = 0;
    int number = 0;
    for (; size < text.size() && size < 3 && is_digit(text[size]); ++size) {
      number = 10 * number + (text[size] - '0');
    }
    if (size == 0 || number > 255 || (size > 1 && text[0] == '0')) return false;
    text.remove_prefix(size);
    if (part == 3) break;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return text.empty();
}

/// Whether a text is an IPv6 address without brackets and without a zone. Source: RFC 4291 section 2.2.
[[nodiscard]] constexpr bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool has_gap = false;
  if (text.starts_with("::")) {
    has_gap = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  for (;;) {
    std::size_t size = 0;
    while (size < text.size() && is_hex_digit(text[size])) ++size;
    if (size < text.size() && text[size] == '.')
      return groups + 2 <= (has_gap ? 7 : 8) && (has_gap || groups == 6) && is_ipv4(text);
    if (size == 0 || size > 4) return false;
    ++groups;
    text.remove_prefix(size);
    if (text.empty()) break;
    if (text.starts_with("::")) {
      if (has_gap) return false;
      has_gap = true;
      text.remove_prefix(2);
      if (text.empty()) break;
      continue;
    }
    if (!text.starts_with(':')) return false;
    text.remove_prefix(1);
  }
  return has_gap ? groups <= 7 : groups == 8;
}

/// Whether a text is a name that can be resolved. An underscore is let through because container networks use it.
///
/// Source: RFC 1123 section 2.1. A last label of digits alone is an address that was mistyped.
[[nodiscard]] constexpr bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '_'; })) {
      return false;
    }
    if (dot == std::string_view::npos) return !std::all_of(label.begin(), label.end(), is_digit);
    text.remove_prefix(dot + 1);
  }
}

/// Whether a text can stand as the host of an endpoint.
[[nodiscard]] constexpr bool is_host(std::string_view text) {
  return is_ipv4(text) || is_ipv6(text) || is_host_name(text);
}

}  // namespace cellroute
