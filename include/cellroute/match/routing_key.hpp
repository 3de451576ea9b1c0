#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cellroute/base/expected.hpp"
#include "cellroute/match/request_view.hpp"

namespace cellroute {

/// The longest routing key that a request may carry and a table may hold.
inline constexpr std::size_t key_size_max = 256;

/// Why a request has no routing key that could be trusted. All are answered 400.
enum class key_error {
  missing,    ///< no such field
  empty,      ///< the field is there, without a value
  too_long,   ///< over `key_size_max` bytes
  duplicate,  ///< the field was sent twice, even with one and the same value
  list,       ///< the value has a comma, so it may be several fields that somebody joined
};

/// The word for logs and error bodies.
[[nodiscard]] constexpr std::string_view to_string(key_error error) {
  switch (error) {
    case key_error::missing:
      return "missing";
    case key_error::empty:
      return "empty";
    case key_error::too_long:
      return "too_long";
    case key_error::duplicate:
      return "duplicate";
    case key_error::list:
      return "list";
  }
  return {};
}

/// The field that carries the routing key. Make it once, with `id` as the readers of heads classify `name`.
struct key_header {
  std::string_view name = "X-Routing-Key";
  field_name id = field_name::x_routing_key;  ///< `other` makes names be compared, without case
};

/// Whether this is a field that carries the routing key.
[[nodiscard]] constexpr bool carries_key(const field& f, const key_header& header) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (f.id != header.id) return false;
  if (header.id != field_name::other) return true;
  if (f.name.size() != header.name.size()) return false;
  for (std::size_t i = 0; i < f.name.size(); ++i) {
    if (lower(f.name[i]) != lower(header.name[i])) return false;
  }
  return true;
}

/// Reads the routing key out of the fields of a request. The key is a view into the field.
///
/// A field counts even if `skip` is set: a `Connection: X-Routing-Key` must not take the key away before routing.
/// Errors: as told at `key_error`. A field sent twice is `duplicate` whatever the two values are: some peers take the
///         first, some the last, some join them, and two hops would route one request to two cells.
/// Cost:   one pass over the fields; nothing allocates.
[[nodiscard]] constexpr expected<std::string_view, key_error> read_routing_key(std::span<const field> fields,
                                                                               const key_header& header = {}) {
  const field* found = nullptr;
  for (const field& f : fields) {
    if (!carries_key(f, header)) continue;
    if (found != nullptr) return unexpected(key_error::duplicate);
    found = &f;
  }
  if (found == nullptr) return unexpected(key_error::missing);
  if (found->value.empty()) return unexpected(key_error::empty);
  if (found->value.size() > key_size_max) return unexpected(key_error::too_long);
  if (found->value.find(',') != std::string_view::npos) return unexpected(key_error::list);
  return found->value;
}

}  // namespace cellroute
