#include "adapters/wire/timestamp.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

namespace cellroute::wire {
namespace {

struct taken_case {
  std::string_view says;
  std::string_view text;
  std::int64_t nanoseconds;  // since 1970
  std::string_view printed;
};

const taken_case taken_cases[] = {
    {"the beginning", "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
    {"an hour east of it", "1970-01-01T01:00:00+01:00", 0, "1970-01-01T00:00:00Z"},
    {"half an hour west of it", "1970-01-01T00:00:00-00:30", 1'800'000'000'000, "1970-01-01T00:30:00Z"},
    {"small letters", "2026-02-01t00:00:00z", 1'769'904'000'000'000'000, "2026-02-01T00:00:00Z"},
    {"a leap day", "2028-02-29T23:59:59Z", 1'835'481'599'000'000'000, "2028-02-29T23:59:59Z"},
    {"half a second", "1970-01-01T00:00:01.5Z", 1'500'000'000, "1970-01-01T00:00:01.5Z"},
    {"a nanosecond", "1970-01-01T00:00:00.000000001Z", 1, "1970-01-01T00:00:00.000000001Z"},
    {"finer than that", "1970-01-01T00:00:00.1000000019Z", 100'000'001, "1970-01-01T00:00:00.100000001Z"},
    {"the last year", "2261-12-31T23:59:59Z", 9'214'646'399'000'000'000, "2261-12-31T23:59:59Z"},
};

TEST_CASE("wire timestamp: an instant as RFC 3339 has it") {
  for (const taken_case& row : taken_cases) {
    CAPTURE(row.says);
    const auto read = parse_timestamp(row.text);
    REQUIRE(read.has_value());
    CHECK(read->time_since_epoch().count() == row.nanoseconds);
    CHECK(to_string(*read) == row.printed);
    CHECK((parse_timestamp(row.printed) == read));
  }
}

const std::string_view refused_timestamps[] = {
    "",
    "tomorrow",
    "next year, on the first of May",
    "2026-02-01",
    "2026-02-01 00:00:00Z",
    "2026-02-01T00:00:00",
    "2026-02-01T00:00Z",
    "2026-02-30T00:00:00Z",
    "2027-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-01T24:00:00Z",
    "2026-02-01T00:60:00Z",
    "2026-12-31T23:59:60Z",
    "2026-02-01T00:00:00.Z",
    "2026-02-01T00:00:00,5Z",
    "2026-02-01T00:00:00+0100",
    "2026-02-01T00:00:00+24:00",
    "2026-02-01T00:00:00+00:60",
    "2026-02-01T00:00:00Z ",
    "2026-2-1T00:00:00Z",
    "1700000000",
    "tomorrow",
    "-026-02-01T00:00:00Z",
};

TEST_CASE("wire timestamp: what is no instant") {
  for (const std::string_view text : refused_timestamps) {
    CAPTURE(text);
    const auto read = parse_timestamp(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().starts_with("must be an instant such as 2026-02-01T00:00:00Z"));
  }
  CHECK(parse_timestamp("1969-12-31T23:59:59Z").error() == "must be from the years 1970 to 2261");
  CHECK(parse_timestamp("1970-01-01T00:00:00+00:01").error() == "must be from the years 1970 to 2261");
  CHECK(parse_timestamp("2261-12-31T23:59:59-00:01").error() == "must be from the years 1970 to 2261");
  CHECK(parse_timestamp("2262-01-01T00:00:00Z").error() == "must be from the years 1970 to 2261");
}

}  // namespace
}  // namespace cellroute::wire
