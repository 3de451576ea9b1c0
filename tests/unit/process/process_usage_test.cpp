#include "adapters/process/process_usage.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

namespace cellroute::process {
namespace {

TEST_CASE("process usage: one descriptor more is counted as one more") {
  const process_usage before = read_process_usage();
  REQUIRE(before.open_fds);
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  const process_usage after = read_process_usage();
  ::close(descriptor);
  CHECK(after.open_fds == *before.open_fds + 1);
  CHECK(read_process_usage().open_fds == before.open_fds);
}

TEST_CASE("process usage: the rest is there and plausible") {
  const process_usage usage = read_process_usage();
  REQUIRE(usage.resident_bytes);
  CHECK(*usage.resident_bytes > 500'000);
  CHECK(*usage.resident_bytes < 4'000'000'000);
  REQUIRE(usage.max_fds);
  CHECK(*usage.max_fds >= *usage.open_fds);
  REQUIRE(usage.cpu_seconds);
  CHECK(*usage.cpu_seconds >= 0);
}

}  // namespace
}  // namespace cellroute::process
