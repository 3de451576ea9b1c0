#include "adapters/http1/field_lines.hpp"

#include <limits>

#include "adapters/http1/bytes.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::http1 {
namespace {

// Reads one line that is not empty and returns where the next begins.
expected<const char*, head_error> parse_field_line(const char* at, const char* end, std::size_t bytes_max, field& out) {
  const char* const begin = at;
  at = fast_search::find_token_end(at, end);
  if (at == end) return unexpected(head_error::cut_short);
  if (*at != ':' || at == begin) {
    if (!is_ows(*at)) return unexpected(head_error::bad_field_name);
    return unexpected(at == begin ? head_error::folded_line : head_error::space_before_colon);
  }
  out.name = {begin, static_cast<std::size_t>(at - begin)};
  ++at;
  while (at != end && is_ows(*at)) ++at;
  const char* const line_end = fast_search::find_control(at, end);
  if (end - line_end < 2) return unexpected(head_error::cut_short);
  if (line_end[0] != '\r') return unexpected(*line_end == '\n' ? head_error::bare_lf : head_error::control_byte);
  if (line_end[1] != '\n') return unexpected(head_error::bare_cr);
  if (static_cast<std::size_t>(line_end - begin) > bytes_max) return unexpected(head_error::field_too_long);

  const char* value_end = line_end;
  while (value_end != at && is_ows(value_end[-1])) --value_end;
  out.value = {at, static_cast<std::size_t>(value_end - at)};
  return line_end + 2;
}

std::optional<std::uint64_t> parse_length(std::string_view digits) {
  constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  if (digits.empty()) return {};
  std::uint64_t length = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return {};
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (length > (max - digit) / 10) return {};
    length = length * 10 + digit;
  }
  return length;
}

// A coding that we do not have is not implemented (501); what cannot be a list of codings with `chunked` at its end, or
// has `chunked` elsewhere, is an attempt to be read in two ways (400).
head_error why_not_chunked(std::string_view codings) {
  if (codings.empty() || codings.front() == ',' || codings.back() == ',') return head_error::bad_transfer_coding;
  bool well_formed = true;
  bool chunked_before = false;
  for_each_member(codings, [&](std::string_view member) {
    const std::string_view name = trim_ows(member.substr(0, member.find(';')));
    well_formed = is_token(name) && !chunked_before;
    if (equal_ignoring_case(name, "chunked")) {
      chunked_before = true;
      well_formed = well_formed && name.size() == member.size();
    }
    return well_formed;
  });
  return well_formed ? head_error::unsupported_transfer_coding : head_error::bad_transfer_coding;
}

}  // namespace

expected<field_lines, head_error> parse_field_lines(std::string_view text, const head_limits& limits, name_set skipped,
                                                    std::span<field> storage) {
  const char* at = text.data();
  const char* const end = at + text.size();
  field_lines lines;
  std::size_t count = 0;
  for (;;) {
    if (end - at < 2) return unexpected(head_error::cut_short);
    if (at[0] == '\r' && at[1] == '\n') break;
    if (count == limits.fields_max || count == storage.size()) return unexpected(head_error::too_many_fields);
    field& f = storage[count++];
    const auto next = parse_field_line(at, end, limits.field_bytes_max, f);
    if (!next) return unexpected(next.error());
    at = *next;

    f.id = classify(f.name);
    f.skip = skipped.has(f.id);
    const std::uint64_t bit = name_set::bit(f.id);
    lines.repeated.bits |= lines.seen.bits & bit;
    lines.seen.bits |= bit;
  }
  lines.fields = storage.first(count);
  lines.raw = text.substr(0, static_cast<std::size_t>(at - text.data()));
  return lines;
}

expected<connection_options, head_error> apply_connection(const field_lines& lines) {
  connection_options options;
  if (!lines.seen.has(field_name::connection)) return options;
  std::size_t nominated = 0;
  const auto take = [&](std::string_view option) {
    if (equal_ignoring_case(option, "close")) {
      options.close = true;
    } else if (equal_ignoring_case(option, "keep-alive")) {
      options.keep_alive = true;
    } else if (equal_ignoring_case(option, "upgrade")) {
      options.upgrade = true;
    } else {
      options.nominates = true;
      if (++nominated > connection_options_max) return false;
      for (field& f : lines.fields) {
        if (!never_nominated.has(f.id) && equal_ignoring_case(f.name, option)) f.skip = true;
      }
    }
    return true;
  };
  for (const field& f : lines.fields) {
    if (f.id == field_name::connection) for_each_member(f.value, take);
  }
  if (nominated > connection_options_max) return unexpected(head_error::too_many_connection_options);
  return options;
}

expected<framing_fields, head_error> parse_framing(const field_lines& lines, std::uint8_t version_minor) {
  framing_fields framing;
  const bool has_length = lines.seen.has(field_name::content_length);
  if (lines.seen.has(field_name::transfer_encoding)) {
    if (version_minor == 0) return unexpected(head_error::coding_in_http10);
    if (has_length) return unexpected(head_error::length_and_coding);
    if (lines.repeated.has(field_name::transfer_encoding)) return unexpected(head_error::bad_transfer_coding);
    const std::string_view codings = find_field(lines.fields, field_name::transfer_encoding)->value;
    if (!equal_ignoring_case(codings, "chunked")) return unexpected(why_not_chunked(codings));
    framing.chunked = true;
  } else if (has_length) {
    if (lines.repeated.has(field_name::content_length)) return unexpected(head_error::repeated_content_length);
    framing.length_bytes = parse_length(find_field(lines.fields, field_name::content_length)->value);
    if (!framing.length_bytes) return unexpected(head_error::bad_content_length);
  }
  return framing;
}

expected<std::uint8_t, head_error> parse_version(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7])) {
    return unexpected(head_error::bad_version);
  }
  if (text[5] != '1') return unexpected(head_error::unsupported_version);
  return static_cast<std::uint8_t>(text[7] == '0' ? 0 : 1);
}

}  // namespace cellroute::http1
