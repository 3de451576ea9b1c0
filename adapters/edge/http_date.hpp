#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "cellroute/base/time.hpp"

namespace cellroute::edge {

/// The value of Date: `Sun, 06 Nov 1994 08:49:37 GMT`. Written anew when the second has changed, which is once a second
/// and not once an answer.
///
/// Range:   from 1970 on.
/// Time:    passed in. Threads: one owner.
/// Source:  RFC 9110 sections 5.6.7 and 6.6.1.
class http_date {
 public:
  /// Holds until the next call.
  [[nodiscard]] std::string_view at(wall_time now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
    if (second != written_) {
      written_ = second;
      write(std::chrono::sys_seconds(std::chrono::seconds(second)));
    }
    return {text_.data(), text_.size()};
  }

 private:
  void write(std::chrono::sys_seconds now) {
    static constexpr std::string_view days = "SunMonTueWedThuFriSat";
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date(day);
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    const auto of_day = static_cast<unsigned>((now - day).count());
    put(0, days.substr(3 * std::chrono::weekday(day).c_encoding(), 3));
    put_number(5, static_cast<unsigned>(date.day()));
    put(8, months.substr(3 * (static_cast<unsigned>(date.month()) - 1), 3));
    put_number(12, year / 100);
    put_number(14, year % 100);
    put_number(17, of_day / 3600);
    put_number(20, of_day / 60 % 60);
    put_number(23, of_day % 60);
  }
  void put(std::size_t at, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) text_[at + i] = text[i];
  }
  void put_number(std::size_t at, unsigned two_digits) {
    text_[at] = static_cast<char>('0' + two_digits / 10);
    text_[at + 1] = static_cast<char>('0' + two_digits % 10);
  }

  std::int64_t written_ = -1;
  std::array<char, 29> text_ = {'?', '?', '?', ',', ' ', '?', '?', ' ', '?', '?', '?', ' ', '?', '?', '?',
                                '?', ' ', '?', '?', ':', '?', '?', ':', '?', '?', ' ', 'G', 'M', 'T'};
};

}  // namespace cellroute::edge
