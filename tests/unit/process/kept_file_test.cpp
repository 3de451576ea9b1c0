// Files that outlive crashes: on the disk of this machine, and on one that fails at every call.
#include "adapters/process/kept_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"
#include "tests/support/simulated_disk.hpp"

namespace cellroute::process {
namespace {

using support::disk_aftermath;
using support::disk_fault;
using support::simulated_disk;

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte each : bytes) text += static_cast<char>(each);
  return text;
}

/// What a file has, `none` where there is none, or why it cannot be read.
std::string read_text(disk& on, const std::string& name, std::size_t size_max = 1'000'000) {
  const auto read = read_file(on, name, size_max);
  if (!read) return read.error();
  return *read ? text_of(**read) : "none";
}

void check_disk(disk& on) {
  CHECK(read_text(on, "a") == "none");
  REQUIRE(replace_file(on, "a", {as_bytes("one"), as_bytes(""), as_bytes("two")}));
  CHECK(read_text(on, "a") == "onetwo");
  REQUIRE(replace_file(on, "a", {as_bytes("three")}));
  CHECK(read_text(on, "a") == "three");
  REQUIRE(append_to_file(on, "a", {as_bytes("four"), as_bytes("five")}));
  REQUIRE(append_to_file(on, "b", {as_bytes("six")}));
  CHECK(read_text(on, "a") == "threefourfive");
  CHECK(read_text(on, "b") == "six");
  const std::string large(1'000'000, 'x');
  REQUIRE(replace_file(on, "large", {as_bytes(large)}));
  CHECK(read_text(on, "large") == large);
  CHECK(read_text(on, "large", large.size() - 1) == "large: is larger than anything that is kept here");
  auto names = on.list();
  REQUIRE(names);
  std::ranges::sort(*names);
  CHECK((*names == std::vector<std::string>{"a", "b", "large"}));
  CHECK(on.remove("b"));
  CHECK(read_text(on, "b") == "none");
  const auto again = on.remove("b");
  REQUIRE_FALSE(again);
  CHECK((again.error() == std::errc::no_such_file_or_directory));
}

TEST_CASE("kept file: what is written is read, on this machine's disk and on the simulated one") {
  const support::scratch_folder folder;
  auto real = disk_folder::open_folder(folder.path().string());
  REQUIRE(real);
  check_disk(*real);
  struct stat facts{};
  REQUIRE(::stat(folder.file("a").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 077) == 0);
  simulated_disk simulated;
  check_disk(simulated);
}

TEST_CASE("kept file: a folder that is not there, and a link in the place of a file, are told") {
  const support::scratch_folder folder;
  CHECK_FALSE(disk_folder::open_folder(folder.file("none")));
  auto real = disk_folder::open_folder(folder.path().string());
  REQUIRE(real);
  std::filesystem::create_symlink("elsewhere", folder.file("a.tmp"));
  const auto written = replace_file(*real, "a", {as_bytes("one")});
  REQUIRE_FALSE(written);
  CHECK(written.error().what.starts_with("a.tmp: cannot be written: "));
  CHECK_FALSE(std::filesystem::exists(folder.file("elsewhere")));
}

/// Every call of `replace_file`, failing in every way, and what is there afterwards.
TEST_CASE("kept file: a crash or an error at any call leaves a file as it was or as it is to be") {
  random_numbers rng(5);
  std::size_t points = 0;
  for (const auto how : {disk_fault::io_error, disk_fault::no_space, disk_fault::short_write, disk_fault::read_only,
                         disk_fault::crash}) {
    for (const auto after : {disk_aftermath::killed, disk_aftermath::kept, disk_aftermath::lost, disk_aftermath::torn,
                             disk_aftermath::torn, disk_aftermath::torn}) {
      for (std::size_t n = 1;; ++n) {
        CAPTURE(static_cast<int>(how));
        CAPTURE(static_cast<int>(after));
        CAPTURE(n);
        simulated_disk on;
        on.put("a", "before");
        const std::size_t before = on.calls();
        on.fail_call(n, how);
        const auto done = replace_file(on, "a", {as_bytes("after"), as_bytes("wards")});
        const std::size_t calls = on.calls() - before;
        if (!done && how != disk_fault::crash) {
          on.heal();
          if (!done.error().may_be_there) CHECK(read_text(on, "a") == "before");
          CHECK(done.error().what.starts_with("a"));
        }
        on.restart(after, rng);
        const std::string left = read_text(on, "a");
        CHECK((left == "before" || left == "afterwards"));
        if (done) CHECK(left == "afterwards");
        if (n > calls) break;
        ++points;
      }
    }
  }
  MESSAGE("kept file: " << points << " points");
  CHECK(points > 150);
}

TEST_CASE("simulated disk: what was not brought to the disk is lost with the power, and not with the process") {
  random_numbers rng(1);
  simulated_disk on;
  REQUIRE(append_to_file(on, "a", {as_bytes("one")}));
  on.restart(disk_aftermath::killed, rng);
  CHECK(read_text(on, "a") == "one");
  on.restart(disk_aftermath::lost, rng);
  CHECK(read_text(on, "a") == "none");
  REQUIRE(append_to_file(on, "a", {as_bytes("one")}));
  REQUIRE(on.sync_folder());
  const auto file = on.open("a", disk::access::append);
  REQUIRE(file);
  REQUIRE(on.write(*file, as_bytes("two")));
  on.fail_call(1, disk_fault::io_error);
  CHECK_FALSE(on.sync(*file));
  CHECK(on.sync(*file));  // as a system has it that forgets what it could not write
  CHECK(read_text(on, "a") == "onetwo");
  on.restart(disk_aftermath::lost, rng);
  CHECK(read_text(on, "a") == std::string("one\0\0\0", 6));
}

}  // namespace
}  // namespace cellroute::process
