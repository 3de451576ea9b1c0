#pragma once

#include <cstdint>
#include <string_view>

#include "cellroute/base/ascii.hpp"

namespace cellroute::io {

/// How well a name of a certificate fits the host that a client asks for.
enum class host_fit : std::uint8_t { none, wildcard, exact };

/// Compares a host with a name, which may begin with `*.` for exactly one label; case does not count. A wildcard has at
/// least two labels behind it, so that nobody can speak for a whole top-level domain.
///
/// Source: RFC 6125 section 6.4.3.
[[nodiscard]] constexpr host_fit fit_host(std::string_view pattern, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (pattern.empty() || host.empty()) return host_fit::none;
  if (!pattern.starts_with("*.")) return equal_ignoring_case(pattern, host) ? host_fit::exact : host_fit::none;
  const std::string_view parent = pattern.substr(1);  // with its dot
  if (parent.find('.', 1) == std::string_view::npos) return host_fit::none;
  const std::size_t label_end = host.find('.');
  if (label_end == 0 || label_end == std::string_view::npos) return host_fit::none;
  return equal_ignoring_case(parent, host.substr(label_end)) ? host_fit::wildcard : host_fit::none;
}

}  // namespace cellroute::io
