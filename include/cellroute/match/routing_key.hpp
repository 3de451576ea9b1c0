#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cellroute/base/ascii.hpp"
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
  if (f.id != header.id) return false;
  return header.id != field_name::other || equal_ignoring_case(f.name, header.name);
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

/// What a client is told whose request has no key that leads anywhere.
struct key_refusal {
  std::uint16_t status = 400;
  std::string_view code;     ///< for programs
  std::string_view message;  ///< for people
  friend bool operator==(const key_refusal&, const key_refusal&) = default;
};

[[nodiscard]] constexpr key_refusal refusal_of(key_error error) {
  switch (error) {
    case key_error::missing:
      return {400, "routing_key_missing", "the request has no routing key"};
    case key_error::empty:
      return {400, "routing_key_empty", "the routing key is empty"};
    case key_error::too_long:
      return {400, "routing_key_too_long", "the routing key is longer than 256 bytes"};
    case key_error::duplicate:
      return {400, "routing_key_repeated", "the routing key was sent more than once"};
    case key_error::list:
      return {400, "routing_key_list", "the routing key is a list; one value is meant"};
  }
  return {};
}

/// A head with such a byte is refused before anybody looks for a key.
inline constexpr key_refusal key_breaks_head{400, "malformed_request", "a control character cannot stand in a header"};
inline constexpr key_refusal key_is_unknown{404, "routing_key_unknown", "no placement is assigned to this routing key"};

/// Reads a key that a person names as if it came in a header: explanations must say what requests then get.
///
/// The key is a view into `text`, without the white space around it.
/// Source: RFC 9110 section 5.5: white space around a value is no part of it, and control characters but the tab are
///         refused.
[[nodiscard]] constexpr expected<std::string_view, key_refusal> read_named_key(std::string_view text) {
  constexpr std::string_view space = " \t";
  const std::size_t first = text.find_first_not_of(space);
  text = first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(space) - first + 1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) return unexpected(key_breaks_head);
  }
  constexpr key_header header;
  const field sent[] = {{header.name, text, header.id, false}};
  const auto key = read_routing_key(sent, header);
  if (!key) return unexpected(refusal_of(key.error()));
  return *key;
}

}  // namespace cellroute
