#include "adapters/edge/http_date.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string_view>

namespace cellroute::edge {
namespace {

struct date_case {
  std::int64_t seconds;
  std::string_view text;
};

const date_case date_cases[] = {
    {784'111'777, "Sun, 06 Nov 1994 08:49:37 GMT"},  // the example of RFC 9110 section 5.6.7
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {951'827'696, "Tue, 29 Feb 2000 12:34:56 GMT"},
    {1'798'761'599, "Thu, 31 Dec 2026 23:59:59 GMT"},
    {1'798'761'600, "Fri, 01 Jan 2027 00:00:00 GMT"},
};

wall_time at(std::int64_t seconds) { return wall_time(std::chrono::seconds(seconds)); }

TEST_CASE("http date: as RFC 9110 section 5.6.7 has it") {
  http_date one;  // goes forwards and back: each is written anew
  for (const date_case& row : date_cases) {
    CHECK(one.at(at(row.seconds)) == row.text);
    CHECK(http_date().at(at(row.seconds)) == row.text);
  }
}

TEST_CASE("http date: the second changes when it is over") {
  http_date date;
  CHECK(date.at(at(100) + 999'999'999ns) == "Thu, 01 Jan 1970 00:01:40 GMT");
  CHECK(date.at(at(101)) == "Thu, 01 Jan 1970 00:01:41 GMT");
}

}  // namespace
}  // namespace cellroute::edge
