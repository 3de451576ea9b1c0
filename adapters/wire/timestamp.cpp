#include "adapters/wire/timestamp.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "cellroute/base/ascii.hpp"

namespace cellroute::wire {
namespace {

constexpr std::string_view must_be_instant =
    "must be an instant such as 2026-02-01T00:00:00Z, or with +01:00 for the Z";

/// Takes a text apart from its front.
class scanner {
 public:
  explicit scanner(std::string_view text) : rest_(text) {}

  /// So many digits; anything else is remembered as a fault.
  unsigned number(std::size_t digits) {
    unsigned value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = take();
      const bool has_digit = is_digit(c);
      if (!has_digit) is_good_ = false;
      value = value * 10 + (has_digit ? static_cast<unsigned>(c - '0') : 0);
    }
    return value;
  }
  void expect(char a, char b) {
    const char c = take();
    if (c != a && c != b) is_good_ = false;
  }
  void expect(char c) { expect(c, c); }
  char take() {
    if (rest_.empty()) {
      is_good_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  [[nodiscard]] bool sees_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  [[nodiscard]] bool sees(char c) const { return !rest_.empty() && rest_.front() == c; }
  [[nodiscard]] bool is_good() const { return is_good_; }
  [[nodiscard]] bool is_done() const { return is_good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

/// What stands behind the seconds' point; digits beyond the nanosecond are cut off.
duration read_fraction(scanner& in) {
  if (!in.sees('.')) return {};
  in.take();
  if (!in.sees_digit()) in.expect('0');
  std::int64_t nanoseconds = 0;
  std::int64_t unit = 100'000'000;
  for (; in.sees_digit(); unit /= 10) nanoseconds += unit * (in.take() - '0');
  return duration(nanoseconds);
}

/// How far the local time is before UTC.
duration read_offset(scanner& in) {
  const char sign = in.take();
  if (sign == 'Z' || sign == 'z') return {};
  const unsigned hours = in.number(2);
  in.expect(':');
  const unsigned minutes = in.number(2);
  if ((sign != '+' && sign != '-') || hours > 23 || minutes > 59) in.expect('\0');
  const duration offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return sign == '-' ? -offset : offset;
}

}  // namespace

parsed<wall_time> parse_timestamp(std::string_view text) {
  scanner in(text);
  const unsigned year = in.number(4);
  in.expect('-');
  const unsigned month = in.number(2);
  in.expect('-');
  const unsigned day = in.number(2);
  in.expect('T', 't');
  const unsigned hour = in.number(2);
  in.expect(':');
  const unsigned minute = in.number(2);
  in.expect(':');
  const unsigned second = in.number(2);
  const duration fraction = read_fraction(in);
  const duration offset = read_offset(in);
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                         std::chrono::day(day));
  if (!in.is_done() || !date.ok() || hour > 23 || minute > 59 || second > 59) {
    return unexpected(must_be_instant);
  }
  constexpr std::string_view years = "must be from the years 1970 to 2261";
  if (year < 1970 || year > 2261) return unexpected(years);
  const wall_time instant = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                            std::chrono::seconds(second) + fraction - offset;
  if (instant < wall_time() || to_string(instant).starts_with("2262")) return unexpected(years);  // in UTC, too
  return instant;
}

std::string to_string(wall_time instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) {
    text += fmt::format(".{:09}", time.subseconds().count());
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace cellroute::wire
