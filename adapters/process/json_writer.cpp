#include "adapters/process/json_writer.hpp"

#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "adapters/process/number_text.hpp"
#include "cellroute/base/escape.hpp"

namespace cellroute::process {
namespace {

constexpr std::uint64_t every_byte(std::uint64_t value) { return 0x0101010101010101u * value; }
constexpr std::uint64_t any_zero_byte(std::uint64_t word) { return (word - every_byte(1)) & ~word & every_byte(0x80); }

constexpr bool is_plain_in_json(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/// How many bytes at the front can be copied as they are. Eight at a time: nearly all of a log is plain ASCII.
std::size_t plain_length(std::string_view text) {
  std::size_t length = 0;
  for (; text.size() - length >= 8; length += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + length, 8);
    const std::uint64_t below_space = (word - every_byte(0x20)) & ~word;
    const std::uint64_t found = ((word | below_space) & every_byte(0x80)) | any_zero_byte(word ^ every_byte('"')) |
                                any_zero_byte(word ^ every_byte('\\')) | any_zero_byte(word ^ every_byte(0x7F));
    if (found != 0) break;
  }
  while (length < text.size() && is_plain_in_json(text[length])) ++length;
  return length;
}

void append_escape(std::string& out, unsigned code) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u00";
  out += digits[code >> 4];
  out += digits[code & 15];
}

/// Appends what cannot be copied at the front of `text`; returns how many of its bytes that was.
std::size_t append_escaped(std::string& out, std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  switch (lead) {
    case '"':
      out += "\\\"";
      return 1;
    case '\\':
      out += "\\\\";
      return 1;
    case '\n':
      out += "\\n";
      return 1;
    case '\r':
      out += "\\r";
      return 1;
    case '\t':
      out += "\\t";
      return 1;
    default:
      break;
  }
  if (lead < 0x20 || lead == 0x7F) {
    append_escape(out, lead);
    return 1;
  }
  const std::size_t length = utf8_size(text);
  if (length == 0) {
    out += "\\ufffd";
    return 1;
  }
  if (lead == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {  // C1: some terminals obey these
    append_escape(out, static_cast<unsigned char>(text[1]));
  } else {
    out.append(text, 0, length);
  }
  return length;
}

/// Writes `value` in decimal with leading zeros into [to, to + width).
void put_digits(char* to, unsigned width, unsigned value) {
  for (unsigned i = width; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_length(text);
    out.append(text, 0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(append_escaped(out, text));
  }
  out += '"';
}

void append_milliseconds(std::string& out, duration elapsed) {
  const auto microseconds = elapsed <= 0ns ? 0 : std::chrono::round<std::chrono::microseconds>(elapsed).count();
  append_number(out, microseconds / 1000);
  std::array<char, 4> fraction{'.'};
  put_digits(fraction.data() + 1, 3, static_cast<unsigned>(microseconds % 1000));
  out.append(fraction.data(), fraction.size());
}

void append_timestamp(std::string& out, wall_time instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(instant - day));
  std::array<char, 24> text{};
  const std::string_view shape = "0000-00-00T00:00:00.000Z";
  shape.copy(text.data(), shape.size());
  put_digits(text.data(), 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(text.data() + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text.data() + 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text.data() + 11, 2, static_cast<unsigned>(time.hours().count()));
  put_digits(text.data() + 14, 2, static_cast<unsigned>(time.minutes().count()));
  put_digits(text.data() + 17, 2, static_cast<unsigned>(time.seconds().count()));
  put_digits(text.data() + 20, 3, static_cast<unsigned>(time.subseconds().count()));
  out.append(text.data(), text.size());
}

json_writer& json_writer::name(std::string_view text) {
  separate();
  out_ += '"';
  out_ += text;
  out_ += "\":";
  filled_ &= ~1u;  // the value that follows needs no comma
  return *this;
}

json_writer& json_writer::value(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

json_writer& json_writer::value(std::span<const std::string> texts) {
  begin_array();
  for (const std::string& text : texts) value(std::string_view(text));
  return end_array();
}

json_writer& json_writer::value(std::nullptr_t) {
  separate();
  out_ += "null";
  return *this;
}

json_writer& json_writer::value(duration elapsed) {
  separate();
  append_milliseconds(out_, elapsed);
  return *this;
}

json_writer& json_writer::value(wall_time instant) {
  separate();
  out_ += '"';
  append_timestamp(out_, instant);
  out_ += '"';
  return *this;
}

json_writer& json_writer::value(double number) {
  if (!std::isfinite(number)) return value(nullptr);
  separate();
  append_number(out_, number);
  return *this;
}

json_writer& json_writer::boolean(bool truth) {
  separate();
  out_ += truth ? "true" : "false";
  return *this;
}

json_writer& json_writer::integer(std::int64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

json_writer& json_writer::natural(std::uint64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

json_writer& json_writer::begin(char bracket) {
  separate();
  out_ += bracket;
  assert((filled_ >> 31) == 0 && "deeper than 32 levels");
  filled_ <<= 1;
  return *this;
}

json_writer& json_writer::end(char bracket) {
  out_ += bracket;
  filled_ >>= 1;
  return *this;
}

/// A comma, where something stands on this level; from now on something does.
void json_writer::separate() {
  if ((filled_ & 1) != 0) out_ += ',';
  filled_ |= 1;
}

}  // namespace cellroute::process
