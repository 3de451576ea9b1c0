#include "adapters/process/file_activity.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::process {
namespace {

using namespace std::chrono_literals;

constexpr auto written_at = wall_time(1'700'000'000s);

/// A file that was written at `written_at`, and a descriptor that it is open by.
struct written_file {
  explicit written_file(int flags) : path(folder.file("file")) {
    descriptor = ::open(path.c_str(), O_CREAT | O_CLOEXEC | flags, 0600);
    const timespec at[] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
    REQUIRE(::futimens(descriptor, at) == 0);
  }
  ~written_file() { ::close(descriptor); }

  support::scratch_folder folder;
  std::string path;
  int descriptor = -1;
};

TEST_CASE("file activity: young is being written, old is not, and a clock that went back says nothing") {
  struct row {
    duration age;
    bool is_written;
  };
  const written_file file(O_RDONLY);
  for (const row& r : {row{0ms, true}, row{249ms, true}, row{250ms, false}, row{10s, false}, row{-1s, false}}) {
    CAPTURE(r.age.count());
    CHECK(is_being_written(file.path, 250ms, written_at + r.age) == r.is_written);
  }
}

TEST_CASE("file activity: open for writing is being written, however old, until it is closed") {
  written_file file(O_WRONLY);
  CHECK(is_being_written(file.path, 250ms, written_at + 10s));
  ::close(file.descriptor);
  file.descriptor = -1;
  CHECK_FALSE(is_being_written(file.path, 250ms, written_at + 10s));
}

TEST_CASE("file activity: what is no file is not being written") {
  const support::scratch_folder folder;
  CHECK_FALSE(is_being_written(folder.file("missing"), 250ms, written_at));
  CHECK_FALSE(is_being_written(folder.path().string(), 250ms, written_at));
}

}  // namespace
}  // namespace cellroute::process
