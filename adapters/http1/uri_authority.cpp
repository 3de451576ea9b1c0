#include "adapters/http1/uri_authority.hpp"

#include <cstddef>

#include "adapters/http1/bytes.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::http1 {
namespace {

constexpr std::size_t name_bytes_max = 255;

// RFC 3986 section 3.2.2: unreserved and sub-delims, but the comma; '%' is looked at apart.
constexpr byte_set name_bytes = alphanumeric_and("-._~!$&'()*+;=");

bool is_port(std::string_view digits) {
  if (digits.size() > 5) return false;
  unsigned port = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = text.find('.');
    const std::string_view digits = text.substr(0, dot);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return false;
    unsigned value = 0;
    for (const char c : digits) {
      if (!is_digit(c)) return false;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    if (value > 255 || (dot == std::string_view::npos) != (part == 3)) return false;
    text.remove_prefix(part == 3 ? text.size() : dot + 1);
  }
  return true;
}

// Counts the 16-bit groups of one side of "::"; an address of IPv4 at the very end counts for two. -1: malformed.
int count_groups(std::string_view text, bool ends_address) {
  int groups = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && ends_address && group.find('.') != std::string_view::npos) {
      return is_ipv4(group) ? groups + 2 : -1;
    }
    if (group.empty() || group.size() > 4) return -1;
    for (const char c : group) {
      if (!is_hex_digit(c)) return -1;
    }
    ++groups;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return -1;
  }
  return groups;
}

bool is_ipv6(std::string_view text) {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text, true) == 8;
  const std::string_view right = text.substr(gap + 2);
  const int before = count_groups(text.substr(0, gap), false);
  const int after = count_groups(right, true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

}  // namespace

bool is_host_and_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return false;
    const std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)));
  }
  std::size_t size = 0;
  while (size < text.size() && text[size] != ':') {
    if (holds(name_bytes, text[size])) {
      ++size;
    } else if (text[size] == '%' && text.size() - size > 2 && is_hex_digit(text[size + 1]) &&
               is_hex_digit(text[size + 2])) {
      size += 3;
    } else {
      return false;
    }
  }
  if (size == 0 || size > name_bytes_max) return false;
  return size == text.size() || is_port(text.substr(size + 1));
}

}  // namespace cellroute::http1
