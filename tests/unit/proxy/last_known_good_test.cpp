// What a control plane pushed, from one start to the next.
#include "adapters/proxy/last_known_good.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"
#include "tests/unit/proxy/kept_router.hpp"

namespace cellroute::proxy {
namespace {

using support::disk_fault;
using support::simulated_disk;

TEST_CASE("last known good: a folder without anything has nothing, and says nothing") {
  simulated_disk disk;
  const kept_router first(disk);
  CHECK(first.version() == 0);
  CHECK(first.told().empty());
  CHECK(names_on(disk).empty());
}

TEST_CASE("last known good: what was kept is there at the next start, with its number, its label and its salt") {
  simulated_disk disk;
  REQUIRE(kept_router(disk).snapshot(1));
  const kept_router next(disk);
  CHECK(next.version() == 1);
  CHECK(next.told().empty());
  CHECK((next.found.newest->id == history().id(1)));
  CHECK(next.found.newest->label == "label");
  CHECK(next.found.newest->content.digest.salt() == history_salt);
  CHECK((names_on(disk) ==
         std::vector<std::string>{"CURRENT", snapshot_name("1-1-" + wire::to_hex(history().id(1).sum).substr(0, 8))}));
}

TEST_CASE("last known good: on the disk of this machine, too, beside files of others") {
  const support::scratch_folder folder;
  auto disk = process::disk_folder::open_folder(folder.path().string());
  REQUIRE(disk);
  for (const char* name : {"lock", "keys-1-0123456789abcdef.ctab", "keys-1.ctab.7.tmp"}) {
    REQUIRE(process::append_to_file(*disk, name, {}));
  }
  REQUIRE(kept_router(*disk).snapshot(1));
  kept_router second(*disk);
  REQUIRE(second.delta(2));
  REQUIRE(second.begin(2));
  REQUIRE(second.kept.survived());
  REQUIRE(second.kept.quarantine({{wire::digest{}, "schema"}}));
  const kept_router third(*disk);
  CHECK(third.version() == 2);
  CHECK(third.told().empty());
  CHECK((third.kept.quarantined() == std::vector<wire::quarantined_content>{{wire::digest{}, "schema"}}));
  REQUIRE(kept_router(*disk, tight).delta(3));
  const auto names = disk->list();
  REQUIRE(names);
  CHECK(names->size() == 3 + 4 + 3);  // theirs; CURRENT, PREVIOUS, BOOT, QUARANTINE; two snapshots and a log
}

TEST_CASE("last known good: deltas are records of one log, and a start joins them") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  const std::size_t before = disk.calls();
  REQUIRE(first.delta(2));
  const std::size_t second = disk.calls();
  REQUIRE(first.delta(3));
  CHECK(second - before == 5);  // open, head, delta, sync; and the name of the log
  CHECK(disk.calls() - second == 4);
  for (std::uint64_t version = 4; version <= 12; ++version) {
    CHECK(kept_router(disk).version() == version - 1);
    REQUIRE(first.delta(version));
  }
  const kept_router next(disk);
  CHECK(next.version() == 12);
  CHECK(next.told().empty());
  CHECK(count_of(names_on(disk), "snap-") == 1);
  CHECK(count_of(names_on(disk), "log-") == 1);
}

TEST_CASE("last known good: a log goes on where an earlier process left it") {
  simulated_disk disk;
  REQUIRE(kept_router(disk).snapshot(1));
  for (std::uint64_t version = 2; version <= 6; ++version) REQUIRE(kept_router(disk).delta(version));
  CHECK(kept_router(disk).version() == 6);
  CHECK(count_of(names_on(disk), "snap-") == 1);
}

TEST_CASE("last known good: a log over a quarter of its snapshot becomes a snapshot; two chains stay") {
  const pushed_history large(40, 1'000);
  simulated_disk disk;
  last_known_good kept(disk, tight);
  CHECK_FALSE(kept.load(how).newest);
  REQUIRE(kept.keep(large.whole(1), large.snapshot(1)));
  std::size_t log_bytes_max = 0;
  for (std::uint64_t version = 2; version <= 40; ++version) {
    REQUIRE(kept.keep(large.whole(version), large.delta(version)));
    const auto files = disk.content();
    for (const auto& [name, bytes] : files) {
      if (!name.starts_with("log-")) continue;
      log_bytes_max = std::max(log_bytes_max, bytes.size());
      const std::string stem = name.substr(4, name.size() - 8);
      CHECK(bytes.size() * 4 <= files.at(snapshot_name(stem)).size());
    }
    CHECK(count_of(names_on(disk), "snap-") <= 2);
  }
  CHECK(count_of(names_on(disk), "snap-") == 2);
  CHECK(log_bytes_max > 2'000);
  last_known_good next(disk, tight);
  const auto found = next.load(how);
  REQUIRE(found.newest);
  CHECK(large.version_of(found.newest->content) == 40);
}

struct other_way {
  std::string_view says;
  void (*keep)(kept_router& r);
  std::size_t snapshots;
};

TEST_CASE("last known good: what is no delta on what was kept last is kept as a snapshot") {
  const other_way other_ways[] = {
      {"a snapshot", [](kept_router& r) { CHECK(r.snapshot(3)); }, 2},
      {"a delta on another content", [](kept_router& r) { CHECK(r.delta(3)); }, 2},
      {"a repair",
       [](kept_router& r) {
         const auto& [before, after] = std::pair(&history().whole(1), &history().whole(3));
         const auto buckets = differing_buckets(before->digest, after->digest);
         const sync::artifact a = sync::pack_repair(*after, buckets, before->sum, history_salt, history().id(3));
         CHECK(r.kept.keep(*after, sync::piece{announce(a), a.bytes}));
       },
       2},
      {"a content without bytes",
       [](kept_router& r) { CHECK(r.kept.keep(history().whole(3), history().id(3), "label")); }, 2},
      {"a delta on what was kept last is not", [](kept_router& r) { CHECK((r.delta(2) && r.delta(3))); }, 1},
  };
  for (const other_way& row : other_ways) {
    CAPTURE(row.says);
    simulated_disk disk;
    kept_router first(disk);
    REQUIRE(first.snapshot(1));
    row.keep(first);
    CHECK(kept_router(disk).version() == 3);
    CHECK(count_of(names_on(disk), "snap-") == row.snapshots);
  }
}

TEST_CASE("last known good: the same content is not written again, and another number for it is a small record") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  const std::size_t before = disk.calls();
  CHECK(first.snapshot(1));
  CHECK(first.kept.keep(history().whole(1), history().id(1), "label"));
  CHECK(disk.calls() == before);
  const wire::content_id renamed{1, 9, history().whole(1).sum};
  CHECK(first.kept.keep(history().whole(1), renamed, "again"));
  const kept_router next(disk);
  CHECK((next.found.newest->id == renamed));
  CHECK(next.found.newest->label == "again");
  CHECK(count_of(names_on(disk), "snap-") == 1);
}

TEST_CASE("last known good: an earlier content that comes again gets files of its own") {
  simulated_disk disk;
  kept_router first(disk);
  REQUIRE(first.snapshot(1));
  REQUIRE(first.delta(2));
  REQUIRE(first.kept.keep(history().whole(1), history().id(1), "label"));  // with the very same number
  CHECK(count_of(names_on(disk), "snap-") == 2);
  CHECK(kept_router(disk).version() == 1);
}

TEST_CASE("last known good: a content that cannot be written down is told") {
  simulated_disk disk;
  kept_router first(disk);
  const auto kept = first.kept.keep(history().whole(1), history().id(1), "no \xff text");
  REQUIRE_FALSE(kept);
  CHECK(kept.error().ends_with("cannot be kept: bad_announcement"));
}

// What is damaged.

struct damage {
  std::string_view says;
  void (*damage)(simulated_disk& disk);
  std::uint64_t expected;
  std::string_view told;
  std::uint64_t before = expected;  ///< what stays behind the next one
};

std::string name_on(simulated_disk& disk, std::string_view part) {
  for (const std::string& name : names_on(disk)) {
    if (name.find(part) != std::string::npos) return name;
  }
  FAIL("no such file");
  return {};
}

void cut(simulated_disk& disk, std::string_view part, std::size_t bytes) {
  const std::string name = name_on(disk, part);
  auto content = disk.content().at(name);
  content.resize(content.size() - bytes);
  disk.put(name, content);
}

/// Versions 1 to 3 in one chain, 4 to 6 in the next.
void fill(simulated_disk& disk) {
  kept_router r(disk);
  REQUIRE(r.snapshot(1));
  REQUIRE(r.delta(2));
  REQUIRE(r.delta(3));
  REQUIRE(r.snapshot(4));
  REQUIRE(r.delta(5));
  REQUIRE(r.delta(6));
}

TEST_CASE("last known good: what is damaged is told, and the newest that is good is taken") {
  const damage damages[] = {
      {"nothing", [](simulated_disk&) {}, 6, "", 3},
      {"the end of the log", [](simulated_disk& d) { cut(d, "log-1-4", 1); }, 5,
       "crd: 1 deltas are taken, and what follows is not: cut_off"},
      {"all of the log",
       [](simulated_disk& d) { d.put(name_on(d, "log-1-4"), "nonsense, and quite some of it, to fill a head"); }, 4,
       "crd: 0 deltas are taken, and what follows is not: bad_magic"},
      {"another chain's log",
       [](simulated_disk& d) { d.put(name_on(d, "log-1-4"), d.content().at(name_on(d, "log-1-1"))); }, 4,
       "a record that does not follow the one before"},
      {"the snapshot", [](simulated_disk& d) { cut(d, "snap-1-4", 1); }, 3, "crs: cut_off; it is not taken"},
      {"no snapshot", [](simulated_disk& d) { d.drop(name_on(d, "snap-1-4")); }, 3, "crs: is not there"},
      {"another snapshot",
       [](simulated_disk& d) { d.put(name_on(d, "snap-1-4"), d.content().at(name_on(d, "snap-1-1"))); }, 3,
       "is not what CURRENT names"},
      {"a log in the place of a snapshot",
       [](simulated_disk& d) { d.put(name_on(d, "snap-1-4"), d.content().at(name_on(d, "log-1-4"))); }, 3,
       "is no snapshot"},
      {"the mark", [](simulated_disk& d) { cut(d, "CURRENT", 1); }, 3, "CURRENT: is damaged"},
      {"no mark", [](simulated_disk& d) { d.drop("CURRENT"); }, 3, ""},
      {"the mark, and what is before",
       [](simulated_disk& d) {
         cut(d, "CURRENT", 1);
         cut(d, "snap-1-1", 1);
       },
       0, "CURRENT: is damaged"},
      {"the snapshot, and the end of the log before",
       [](simulated_disk& d) {
         cut(d, "snap-1-4", 1);
         cut(d, "log-1-1", 1);
       },
       2, "cut_off"},
      {"the mark before", [](simulated_disk& d) { cut(d, "PREVIOUS", 1); }, 6, "PREVIOUS: is damaged"},
      {"the counts", [](simulated_disk& d) { d.put("BOOT", "?"); }, 6, "BOOT: is damaged", 3},
      {"the list of refused contents", [](simulated_disk& d) { d.put("QUARANTINE", "?"); }, 6, "QUARANTINE: is damaged",
       3},
  };
  for (const damage& row : damages) {
    CAPTURE(row.says);
    simulated_disk disk;
    fill(disk);
    row.damage(disk);
    kept_router next(disk);
    CHECK(next.version() == row.expected);
    INFO(next.told());
    CHECK(next.told().find(row.told) != std::string::npos);
    CHECK(next.told().empty() == row.told.empty());
    // Whatever there was, what is kept from here on is good, and what was taken stays behind it.
    REQUIRE(next.delta(7));
    REQUIRE(next.begin(7));
    REQUIRE(next.kept.quarantine(next.kept.quarantined()));
    CHECK(kept_router(disk).version() == 7);
    CHECK(kept_router(disk).told().empty());
    CHECK(count_of(names_on(disk), "snap-") <= 2);
    if (row.expected == 0) continue;
    cut(disk, "CURRENT", 1);
    CHECK(kept_router(disk).version() == row.before);
  }
}

TEST_CASE("last known good: what is larger than it may be is not taken") {
  simulated_disk disk;
  fill(disk);
  last_known_good kept(disk);
  const auto found = kept.load(how, {1'000'000, history().whole(6).keys.size() - 1});
  CHECK_FALSE(found.newest);
  CHECK(found.told.size() == 2);
}

// What a disk does that is full, or fails.

TEST_CASE("last known good: a disk that is full keeps what it has, and takes the next content when it is not") {
  simulated_disk disk;
  kept_router r(disk);
  REQUIRE(r.snapshot(1));
  REQUIRE(r.delta(2));
  disk.fail_call(1, disk_fault::no_space);
  for (std::uint64_t version = 3; version <= 5; ++version) {
    const auto kept = r.kept.keep(history().whole(version), history().delta(version));
    REQUIRE_FALSE(kept);
    CHECK(kept.error().find("No space left on device") != std::string::npos);
  }
  CHECK(count_of(names_on(disk), "snap-") == 1);  // nothing is left that would keep the disk full
  disk.heal();
  CHECK(r.kept.keep(history().whole(5), history().id(5), "label"));  // the last one, when somebody asks again
  CHECK(kept_router(disk).version() == 5);
}

TEST_CASE("last known good: a disk that can only be read serves what it has") {
  simulated_disk disk;
  fill(disk);
  const auto files = disk.content();
  disk.fail_call(1, disk_fault::read_only);
  (void)disk.sync_folder();
  kept_router r(disk);
  CHECK(r.version() == 6);
  CHECK(r.told().find("cannot be brought to the disk") != std::string::npos);
  CHECK_FALSE(r.begin(6));
  CHECK_FALSE(r.delta(7));
  CHECK_FALSE(r.kept.survived());
  CHECK((disk.content() == files));
  disk.heal();
  CHECK(kept_router(disk).version() == 6);
}

}  // namespace
}  // namespace cellroute::proxy
