#include "adapters/tool/progress.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::tool {
namespace {

struct progress_case {
  std::string_view says;
  duration at;
  transfer what;
  std::uint64_t done;
  std::uint64_t all;
  std::string_view line;  ///< empty: none
};

const progress_case progress_cases[] = {
    {"what is short says nothing", 299ms, transfer::sent, 1 << 20, 4 << 20, ""},
    {"what is long does", 500ms, transfer::sent, 1 << 20, 4 << 20, "sent 1.0 MiB of 4.0 MiB, 2.0 MiB/s"},
    {"not too often", 699ms, transfer::sent, 2 << 20, 4 << 20, ""},
    {"but again", 1s, transfer::sent, 2 << 20, 4 << 20, "sent 2.0 MiB of 4.0 MiB, 2.0 MiB/s"},
    {"all of it, at once", 1001ms, transfer::sent, 4 << 20, 4 << 20,
     "sent 4.0 MiB of 4.0 MiB, 4.0 MiB/s; waiting for the answer"},
    {"an answer that is there", 2s, transfer::received, 200, 200, ""},
    {"where nobody knows how much there is", 4s, transfer::received, 10 << 10, 0, "received 10.0 KiB, 2.5 KiB/s"},
};

TEST_CASE("progress: a line on how far it is, now and then") {
  progress_line line(time_point(1h));
  CHECK(line.end().empty());
  for (const progress_case& row : progress_cases) {
    CAPTURE(row.says);
    const auto told = line.tell(row.what, row.done, row.all, time_point(1h + row.at));
    CHECK(told.value_or("") == (row.line.empty() ? "" : "\r\x1b[K" + std::string(row.line)));
  }
  CHECK(line.end() == "\r\x1b[K");
}

TEST_CASE("progress: what is sent in no time, but is large, is waited for; what is small is not worth a word") {
  progress_line large(time_point(1h));
  CHECK(large.tell(transfer::sent, 1 << 20, 1 << 20, time_point(1h + 1ms)));
  progress_line small(time_point(1h));
  CHECK(!small.tell(transfer::sent, (1 << 20) - 1, (1 << 20) - 1, time_point(1h + 1ms)));
}

TEST_CASE("progress: sizes as people read them") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(1023) == "1023 B");
  CHECK(size_text(1536) == "1.5 KiB");
  CHECK(size_text(5.0 * (1 << 30)) == "5.0 GiB");
  CHECK(size_text(5000.0 * (1 << 30)) == "5000.0 GiB");
}

}  // namespace
}  // namespace cellroute::tool
