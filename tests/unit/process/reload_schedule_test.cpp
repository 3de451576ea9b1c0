#include "adapters/process/reload_schedule.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>

namespace cellroute::process {
namespace {

/// What happens, each at so many milliseconds, and when it is read: `c` a change, `a` somebody asks, `.` nothing,
/// `ok` and `bad` the reading is over.
struct schedule_case {
  std::string_view says;
  std::string_view happens;
  std::string_view reads_at;
};

const schedule_case schedule_cases[] = {
    {"nothing happens: the poll", ".@4999 .@5000 ok@5001 .@10000 .@10001", "5000 10001"},
    {"a change is read when it has been quiet for 250 ms", "c@100 .@349 .@350", "350"},
    {"twenty changes in 100 ms are read once",
     "c@100 c@105 c@110 c@115 c@120 c@125 c@130 c@135 c@140 c@145 c@150 c@155 c@160 c@165 c@170 c@175 c@180 c@185 "
     "c@190 "
     "c@200 .@449 .@450 ok@460 .@1000",
     "450"},
    {"changes without an end are read 2 s after the first",
     "c@100 c@300 c@500 c@700 c@900 c@1100 c@1300 c@1500 c@1700 c@1900 c@2100 .@2100", "2100"},
    {"asking has no wait", "a@100 .@100", "100"},
    {"asking while a change settles reads at once, and once", "c@100 a@150 .@150 ok@160 .@400", "150"},
    {"a change while it is read is read behind it", "a@100 .@100 c@110 ok@200 .@449 .@450", "100 450"},
    {"asking while it is read reads again: it may have been read before the change", "a@100 .@100 a@110 ok@200 .@200",
     "100 200"},
    {"it is not read twice at once", "a@100 .@100 c@200 .@500 .@6000 ok@6001 .@6251", "100 6251"},
    {"behind a refusal a change waits 2 s", "a@100 .@100 bad@110 c@120 .@2109 .@2110", "100 2110"},
    {"behind a refusal asking does not wait", "a@100 .@100 bad@110 a@120 .@120", "100 120"},
    {"a poll counts from the last reading", "c@4000 .@4250 ok@4300 .@9299 .@9300", "4250 9300"},
    {"a refusal puts no poll off", "a@100 .@100 bad@110 .@5109 .@5110", "100 5110"},
};

std::string reads_of(std::string_view happens, const follow_policy& policy) {
  reload_schedule schedule(policy, time_point{});
  std::istringstream words{std::string(happens)};
  std::string reads;
  for (std::string word; words >> word;) {
    const std::string what = word.substr(0, word.find('@'));
    const long ms = std::stol(word.substr(word.find('@') + 1));
    const time_point now = time_point{} + std::chrono::milliseconds(ms);
    if (what == "c") schedule.notice(now);
    if (what == "a") schedule.demand(now);
    if (what == "ok" || what == "bad") schedule.end(now, what == "bad");
    if (schedule.begin(now)) reads += (reads.empty() ? "" : " ") + std::to_string(ms);
  }
  return reads;
}

TEST_CASE("reload schedule: when a configuration is read again") {
  for (const schedule_case& row : schedule_cases) {
    CAPTURE(row.says);
    CHECK(reads_of(row.happens, {}) == row.reads_at);
  }
}

TEST_CASE("reload schedule: without a poll only changes and wishes count") {
  follow_policy policy;
  policy.poll.reset();
  CHECK(reads_of(".@5000 .@100000 c@200000 .@200250", policy) == "200250");
}

TEST_CASE("reload schedule: another policy counts from now on, and forgets no change") {
  reload_schedule schedule({}, time_point{});
  schedule.set_policy({.poll = 1s, .debounce = 10ms, .backoff_on_error = 0s}, time_point{} + 500ms);
  CHECK_FALSE(schedule.begin(time_point{} + 1499ms));
  CHECK(schedule.begin(time_point{} + 1500ms));
  schedule.end(time_point{} + 1500ms, false);
  schedule.notice(time_point{} + 1600ms);
  schedule.set_policy({.poll = std::nullopt, .debounce = 1s, .backoff_on_error = 0s}, time_point{} + 1605ms);
  CHECK(schedule.begin(time_point{} + 1610ms));
}

}  // namespace
}  // namespace cellroute::process
