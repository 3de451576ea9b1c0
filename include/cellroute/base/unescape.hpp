#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "cellroute/base/ascii.hpp"

namespace cellroute {

/// A part of a path, each `%XX` as the byte that it stands for; nothing where an escape is none.
///
/// Source: RFC 3986 section 2.1.
[[nodiscard]] inline std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// A name or a value of a query, where `+` is a space, too.
///
/// Source: URL Standard, section 5.1 (application/x-www-form-urlencoded).
[[nodiscard]] inline std::optional<std::string> unescape_query(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) c = c == '+' ? ' ' : c;
  return unescape(spaced);
}

}  // namespace cellroute
