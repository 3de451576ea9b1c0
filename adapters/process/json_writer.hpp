#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/time.hpp"

namespace cellroute::process {

/// Appends `text` as a JSON string, quotes included, so that the result is valid UTF-8 and one line whatever came in:
/// control characters (C0, DEL, C1) are escaped, each byte that is not part of a well-formed sequence becomes
/// `\ufffd`. A log must not pass on bytes that make a terminal or a parser act. Written for speed, which the core's own
/// does without: eight bytes at a time.
///
/// Source: RFC 8259 section 7; RFC 3629 section 4 for what is well-formed.
void append_json_string(std::string& out, std::string_view text);

/// Appends milliseconds with exactly three digits after the point, rounded to nearest.
void append_milliseconds(std::string& out, duration elapsed);

/// Appends `2026-01-04T12:00:00.123Z`; what is below a millisecond is cut off.
///
/// Range:  years 0 to 9999.
/// Source: RFC 3339 section 5.6.
void append_timestamp(std::string& out, wall_time instant);

/// Appends one JSON text to a string and keeps its commas. Nothing is checked that the caller's code shows: a `begin`
/// has its `end`, a member has a name.
///
/// Range: 32 levels.
class json_writer {
 public:
  explicit json_writer(std::string& out) : out_(out) {}

  json_writer& begin_object() { return begin('{'); }
  json_writer& end_object() { return end('}'); }
  json_writer& begin_array() { return begin('['); }
  json_writer& end_array() { return end(']'); }

  /// The name of the next member. Names come from our code: plain ASCII, written as they are.
  json_writer& name(std::string_view text);

  json_writer& value(std::string_view text);
  json_writer& value(const char* text) { return value(std::string_view(text)); }
  json_writer& value(std::nullptr_t);
  json_writer& value(std::span<const std::string> texts);  ///< an array
  json_writer& value(duration elapsed);                    ///< milliseconds, three digits after the point
  json_writer& value(wall_time instant);                   ///< RFC 3339
  json_writer& value(double number);                       ///< `null` where JSON has no word for it
  template <std::integral Integer>
  json_writer& value(Integer number) {
    if constexpr (std::same_as<Integer, bool>)
      return boolean(number);
    else if constexpr (std::signed_integral<Integer>)
      return integer(std::int64_t{number});
    else
      return natural(std::uint64_t{number});
  }

  template <class Value>
  json_writer& field(std::string_view field_name, const Value& field_value) {
    return name(field_name).value(field_value);
  }

 private:
  json_writer& begin(char bracket);
  json_writer& end(char bracket);
  json_writer& boolean(bool truth);
  json_writer& integer(std::int64_t number);
  json_writer& natural(std::uint64_t number);
  void separate();

  std::string& out_;
  std::uint32_t filled_ = 0;  // one bit a level: something stands there already
};

}  // namespace cellroute::process
