// Contents that end the process, and contents that are refused: what a start takes then.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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

TEST_CASE("last known good: a content whose check ends three processes is refused from then on, and no other is") {
  simulated_disk disk;
  const auto fatal = [&](std::uint64_t version) { kept_router(disk).kept.check_begins(history().whole(version).sum); };
  const auto checked = [&](std::uint64_t version) {
    kept_router router(disk);
    router.kept.check_begins(history().whole(version).sum);
    router.kept.check_ends();
  };
  REQUIRE(kept_router(disk).snapshot(1));
  fatal(2);
  fatal(2);
  for (int i = 0; i < 4; ++i) checked(3);  // that something else is checked between does not matter
  fatal(4);
  CHECK(kept_router(disk).kept.quarantined().empty());
  checked(4);
  fatal(4);
  fatal(2);
  kept_router router(disk);
  CHECK(router.version() == 1);
  const std::vector<wire::quarantined_content> refused{{history().whole(2).sum, "crash_loop"}};
  CHECK((router.kept.quarantined() == refused));
  CHECK(router.told().find("its check has ended 3 processes; it is refused") != std::string::npos);
  // Once it was lifted it has its three tries again.
  REQUIRE(router.kept.quarantine({}));
  fatal(2);
  fatal(2);
  CHECK(kept_router(disk).kept.quarantined().empty());
}

TEST_CASE("last known good: who ran while a check ended the process is not to blame, and is for what it does itself") {
  simulated_disk disk;
  REQUIRE(kept_router(disk).snapshot(1));
  REQUIRE(kept_router(disk).snapshot(2));
  for (int start = 0; start < 5; ++start) {
    kept_router router(disk);
    CHECK(router.version() == 2);
    REQUIRE(router.begin(2));
    router.kept.check_begins(history().whole(static_cast<std::uint64_t>(3 + start % 3)).sum);
  }
  for (int start = 0; start < 3; ++start) {
    kept_router router(disk);
    CHECK(router.version() == 2);
    REQUIRE(router.begin(2));
  }
  CHECK(kept_router(disk).version() == 1);
}

TEST_CASE("last known good: a note of checks that is damaged is told, and they are counted anew") {
  simulated_disk disk;
  REQUIRE(kept_router(disk).snapshot(1));
  REQUIRE(process::write_file(disk, "CHECK", {std::as_bytes(std::span(std::string_view("cellroute boots 1\n")))}));
  kept_router router(disk);
  CHECK(router.version() == 1);
  CHECK(router.told().find("checks are counted anew") != std::string::npos);
  router.kept.check_begins(history().whole(2).sum);
  router.kept.check_ends();
  CHECK(kept_router(disk).told().empty());
  CHECK(count_of(names_on(disk), "CHECK") == 0);  // nor CHECKS
}

TEST_CASE("last known good: a disk that fails keeps no check from being made, and makes no content refused") {
  for (std::size_t call = 1; call <= 8; ++call) {
    CAPTURE(call);
    simulated_disk disk;
    kept_router router(disk);
    disk.fail_call(call, disk_fault::io_error);
    for (int i = 0; i < 4; ++i) {
      router.kept.check_begins(history().whole(1).sum);
      router.kept.check_ends();
    }
    CHECK(disk.has_failed());
    CHECK(kept_router(disk).kept.quarantined().empty());
  }
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
