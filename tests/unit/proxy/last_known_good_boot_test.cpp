// Contents that end the process, and contents that are refused: what a start takes then.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/proxy/kept_router.hpp"

namespace cellroute::proxy {
namespace {

using support::disk_fault;
using support::simulated_disk;

TEST_CASE("last known good: a content that was begun three times and never survived is refused for the one before") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.delta(2));
  REQUIRE(first.begin(2));  // it comes, and the process ends: once
  for (int start = 1; start <= 2; ++start) {
    kept_router again(disk);
    CHECK(again.version() == 2);
    CHECK(again.told().empty());
    REQUIRE(again.begin(2));
  }
  kept_router third(disk);
  CHECK(third.version() == 1);
  CHECK(third.told().find("was begun 3 times and did not survive; it is refused") != std::string::npos);
  const std::vector<wire::quarantined_content> refused{{history().whole(2).sum, "crash_loop"}};
  CHECK((third.kept.quarantined() == refused));
  REQUIRE(third.begin(1));
  REQUIRE(third.kept.survived());
  kept_router fourth(disk);
  CHECK(fourth.version() == 1);
  CHECK((fourth.kept.quarantined() == refused));
  // What comes then goes on from the one that was taken.
  REQUIRE(fourth.kept.keep(history().whole(3), history().id(3), "label"));
  CHECK(kept_router(disk).version() == 3);
}

TEST_CASE(
    "last known good: a start that ends while it unpacks or compiles counts, and one that has compiled does not") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.delta(2));
  const auto version_at_start = [&](auto then) {
    last_known_good kept(disk, roomy);
    const found_contents found = kept.load(how, {}, true);
    then(kept);
    return found.newest ? history().version_of(found.newest->content) : 0;
  };
  const auto nothing = [](last_known_good&) {};
  for (int start = 0; start < 5; ++start) {
    CHECK(version_at_start([](last_known_good& kept) { REQUIRE(kept.ended()); }) == 2);
  }
  for (int start = 0; start < 3; ++start) CHECK(version_at_start(nothing) == 2);
  CHECK(version_at_start(nothing) == 1);
  kept_router later(disk);
  REQUIRE(later.kept.quarantined().size() == 1);
  CHECK(later.kept.quarantined().front().code == "crash_loop");
}

TEST_CASE("last known good: a content that has survived is never left, whatever ends the process") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.begin(1));
  REQUIRE(first.kept.survived());
  for (int start = 0; start < 10; ++start) {
    kept_router again(disk);
    CHECK(again.version() == 1);
    const std::size_t calls = disk.calls();
    REQUIRE(again.begin(1));
    CHECK(disk.calls() == calls);  // nothing to count, nothing to wait for
  }
}

TEST_CASE("last known good: where the newest content is of no use, the one of the chain before is taken, and goes on") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.delta(2));
  REQUIRE(first.snapshot(3));
  kept_router second(disk);
  CHECK(second.version() == 3);
  second.found = second.kept.load_previous(how);
  CHECK(second.version() == 2);
  CHECK(second.told().empty());
  REQUIRE(second.begin(2));
  REQUIRE(second.snapshot(4));
  CHECK(kept_router(disk).version() == 4);
}

TEST_CASE("last known good: where there is no chain before, nothing takes the place of what is of no use") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  kept_router second(disk);
  CHECK(second.version() == 1);
  CHECK_FALSE(second.kept.load_previous(how).newest);
}

TEST_CASE("last known good: where every content ends the process, nothing is taken") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  for (int start = 0; start < 3; ++start) REQUIRE(kept_router(disk).begin(1));
  const kept_router last(disk);
  CHECK(last.version() == 0);
  CHECK(last.kept.quarantined().size() == 1);
}

TEST_CASE("last known good: a content that was refused is not taken at a start") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.snapshot(2));
  REQUIRE(first.kept.quarantine({{history().whole(2).sum, "guard_moved"}}));
  const kept_router next(disk);
  CHECK(next.version() == 1);
  CHECK(next.told().find("was refused (guard_moved)") != std::string::npos);
}

TEST_CASE("last known good: a list that could not be kept is written when it is given again") {
  simulated_disk disk;
  kept_router first(disk);
  const std::vector<wire::quarantined_content> refused{{wire::digest{}, "schema"}};
  disk.fail_call(1, disk_fault::io_error);
  CHECK_FALSE(first.kept.quarantine(refused));
  CHECK(first.kept.quarantine(refused));
  CHECK((kept_router(disk).kept.quarantined() == refused));
  const std::size_t calls = disk.calls();
  CHECK(first.kept.quarantine(refused));
  CHECK(disk.calls() == calls);
}

}  // namespace
}  // namespace cellroute::proxy
