#include "adapters/process/background_thread.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

namespace cellroute::process {

TEST_CASE("background thread: is nicer than the process; the others are not") {
  const int before = getpriority(PRIO_PROCESS, 0);
  int within = before;
  std::thread([&within] {
    become_background_thread();
    within = getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(within == std::min(before + background_niceness, 19));
  CHECK(getpriority(PRIO_PROCESS, 0) == before);
}

}  // namespace cellroute::process
