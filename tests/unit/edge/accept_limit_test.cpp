#include "adapters/edge/accept_limit.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace cellroute::edge {
namespace {

constexpr time_point start{1000h};

struct accept_case {
  std::string_view says;
  std::uint32_t rate;
  std::uint32_t burst;
  std::vector<duration> asked;  // since the start
  std::string_view expected;    // a letter each: yes or no
};

const accept_case accept_cases[] = {
    {"one, and no second at once", 1, 1, {0s, 0s}, "yn"},
    {"a burst, and no more", 1, 3, {0s, 0s, 0s, 0s}, "yyyn"},
    {"the next when its time has come, and not 1 ns before", 1, 1, {0s, 1s - 1ns, 1s, 1s}, "ynyn"},
    {"the rate goes on through a burst", 10, 2, {0s, 0s, 99999999ns, 100ms, 100ms, 200ms}, "yynyny"},
    {"a refusal costs nothing", 1, 1, {0s, 500ms, 999ms, 1s}, "ynny"},
    {"what was not used is kept, up to a burst", 1, 2, {0s, 0s, 10s, 10s, 10s}, "yyyyn"},
    {"half of it after half of the time", 2, 2, {0s, 0s, 500ms, 500ms}, "yyyn"},
    {"a third of a second is rounded up: never too early", 3, 1, {0s, 333333333ns, 333333334ns}, "yny"},
    {"the greatest rate", 10'000'000, 1, {0s, 99ns, 100ns}, "yny"},
    {"a clock that is late sees the same burst", 1, 3, {1ms, 0s, 0s, 0s}, "yyyn"},
    {"a clock that is late admits nothing that another would not", 1, 1, {1s, 0s, 1999ms, 1s, 2s}, "ynnny"},
    {"a clock that is late is told the time by the others", 1, 1, {0s, 900ms, 1s, 0s, 2s}, "ynyny"},
};

TEST_CASE("accept limit: a burst at once, then the rate") {
  for (const accept_case& row : accept_cases) {
    CAPTURE(row.says);
    accept_limit limit(row.rate, row.burst);
    std::string admitted;
    for (const duration at : row.asked) admitted += limit.admit(start + at) ? 'y' : 'n';
    CHECK(admitted == row.expected);
  }
}

TEST_CASE("accept limit: the greatest burst of the lowest rate does not overflow") {
  accept_limit limit(1, 10'000'000);
  int admitted = 0;
  for (int i = 0; i < 10'000'001; ++i) admitted += limit.admit(start) ? 1 : 0;
  CHECK(admitted == 10'000'000);
}

TEST_CASE("accept limit: threads that ask at once, by clocks that differ, get one burst together") {
  constexpr int threads = 4;
  constexpr int each = 1000;
  accept_limit limit(1, threads * each / 2);
  std::atomic<int> admitted{0};
  {
    std::vector<std::jthread> crowd;
    for (int t = 0; t < threads; ++t) {
      crowd.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          if (limit.admit(start + std::chrono::microseconds((i * 7 + t * 13) % 100))) ++admitted;
        }
      });
    }
  }
  CHECK(admitted == threads * each / 2);
}

}  // namespace
}  // namespace cellroute::edge
