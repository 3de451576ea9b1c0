// Whatever a disk does, at whatever call: a start takes what was kept last, or what was being kept; never something
// else, never a part.
#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/proxy/last_known_good.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/unit/proxy/kept_router.hpp"
#include "tests/unit/proxy/pushed_history.hpp"

namespace cellroute::proxy {
namespace {

using support::disk_aftermath;
using support::disk_fault;
using support::simulated_disk;

const pushed_history& short_history() {
  static const pushed_history all(6, 3);
  return all;
}

bool keep_delta(last_known_good& kept, std::uint64_t version) {
  return kept.keep(short_history().whole(version), short_history().delta(version)).has_value();
}
bool keep_snapshot(last_known_good& kept, std::uint64_t version) {
  return kept.keep(short_history().whole(version), short_history().snapshot(version)).has_value();
}
bool keep_renamed(last_known_good& kept, std::uint64_t version, std::uint64_t number) {
  return kept.keep(short_history().whole(version), {1, number, short_history().id(version).sum}, "").has_value();
}

/// The version that a start takes; 0 where there is none.
std::uint64_t load(last_known_good& kept) {
  const auto found = kept.load(how);
  return found.newest ? short_history().version_of(found.newest->content) : 0;
}

/// What is done while the disk fails, after what was done before in peace.
struct deed {
  std::string_view says;
  log_limits limits;
  void (*before)(last_known_good& kept);
  bool (*does)(last_known_good& kept);
  std::set<std::uint64_t> expected;  ///< versions that a start may take where it failed
  std::uint64_t done;                ///< the version where it is done
  std::uint64_t before_it = 0;       ///< the version before; 0 where nothing is to go back to
};

const deed deeds[] = {
    {"the first snapshot",
     roomy,
     [](last_known_good&) {},
     [](last_known_good& k) { return keep_snapshot(k, 1); },
     {0, 1},
     1},
    {"a snapshot behind another",
     roomy,
     [](last_known_good& k) { keep_snapshot(k, 1); },
     [](last_known_good& k) { return keep_snapshot(k, 2); },
     {1, 2},
     2,
     1},
    {"a third snapshot",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_snapshot(k, 2);
     },
     [](last_known_good& k) { return keep_snapshot(k, 3); },
     {2, 3},
     3,
     2},
    {"the first delta",
     roomy,
     [](last_known_good& k) { keep_snapshot(k, 1); },
     [](last_known_good& k) { return keep_delta(k, 2); },
     {1, 2},
     2,
     1},
    {"a delta behind others",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_delta(k, 2);
     },
     [](last_known_good& k) { return keep_delta(k, 3); },
     {2, 3},
     3,
     2},
    {"a delta that makes the log a snapshot",
     tight,
     [](last_known_good& k) { keep_snapshot(k, 1); },
     [](last_known_good& k) { return keep_delta(k, 2); },
     {1, 2},
     2,
     1},
    {"a snapshot behind a chain",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_snapshot(k, 2);
       keep_delta(k, 3);
     },
     [](last_known_good& k) { return keep_snapshot(k, 4); },
     {3, 4},
     4,
     3},
    {"the content before, again",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_delta(k, 2);
     },
     [](last_known_good& k) { return keep_snapshot(k, 1); },
     {1, 2},
     1,
     2},
    {"another number",
     roomy,
     [](last_known_good& k) { keep_snapshot(k, 1); },
     [](last_known_good& k) { return keep_renamed(k, 1, 5); },
     {1},
     1},
    {"a start of it",
     roomy,
     [](last_known_good& k) { keep_snapshot(k, 1); },
     [](last_known_good& k) { return k.begin(short_history().id(1).sum).has_value(); },
     {1},
     1},
    {"its survival",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       (void)k.begin(short_history().id(1).sum);
     },
     [](last_known_good& k) { return k.survived().has_value(); },
     {1},
     1},
    {"refusing it",
     roomy,
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_snapshot(k, 2);
     },
     [](last_known_good& k) { return k.quarantine({{short_history().id(2).sum, "crash_loop"}}).has_value(); },
     {1, 2},
     1},
};

constexpr disk_fault faults[] = {disk_fault::io_error, disk_fault::no_space, disk_fault::short_write,
                                 disk_fault::read_only, disk_fault::crash};
/// The process ends; or the power is gone, and with it nothing, all that is not synced, or some of it.
constexpr disk_aftermath aftermaths[] = {disk_aftermath::killed, disk_aftermath::kept, disk_aftermath::lost,
                                         disk_aftermath::torn};

/// What comes after an error that ended nothing: the next content, the same one again, or the one before it.
enum class sequel { next, again, back };

/// Returns the version that a start takes then; 0 where this sequel makes no sense.
std::uint64_t go_on(const deed& row, last_known_good& kept, sequel then) {
  if (then == sequel::again) {
    CHECK(row.does(kept));
    return row.done;
  }
  if (then == sequel::next) {
    CHECK(keep_delta(kept, 6));
    return 6;
  }
  if (row.before_it == 0) return 0;
  CHECK(kept.keep(short_history().whole(row.before_it), short_history().id(row.before_it), "").has_value());
  return row.before_it;
}

/// One way in which one call goes wrong, without an end of the process. Returns whether there was such a call.
bool run_error(const deed& row, disk_fault how_bad, sequel then, std::size_t n, random_numbers& rng) {
  simulated_disk disk;
  last_known_good kept(disk, row.limits);
  (void)kept.load(how);
  row.before(kept);
  disk.fail_call(n, how_bad);
  (void)row.does(kept);
  if (!disk.has_failed()) return false;
  disk.heal();
  const std::uint64_t version = go_on(row, kept, then);
  for (const disk_aftermath after : {disk_aftermath::lost, disk_aftermath::kept}) {
    simulated_disk left = disk;
    left.restart(after, rng);
    last_known_good next(left, row.limits);
    if (version != 0) CHECK(load(next) == version);
  }
  return true;
}

/// One way in which one call goes wrong. Returns whether there was such a call.
bool run_point(const deed& row, disk_fault how_bad, disk_aftermath after, std::size_t n, random_numbers& rng) {
  simulated_disk disk;
  std::optional<last_known_good> kept(std::in_place, disk, row.limits);
  (void)kept->load(how);
  row.before(*kept);
  disk.fail_call(n, how_bad);
  const bool is_done = row.does(*kept);
  if (!disk.has_failed()) return false;
  disk.restart(after, rng);
  kept.emplace(disk, row.limits);
  const std::uint64_t version = load(*kept);
  CHECK(row.expected.contains(version));
  if (is_done) CHECK(version == row.done);
  // What comes next is kept, whatever was left: after the power is gone once more, it is there.
  const std::uint64_t next = *row.expected.rbegin() + 1;
  CHECK(keep_delta(*kept, next));
  disk.restart(disk_aftermath::lost, rng);
  kept.emplace(disk, row.limits);
  CHECK(load(*kept) == next);
  return true;
}

/// Fails one call after the other until there is none. `run` says whether there was an n-th.
template <class Run>
std::size_t each_call(Run&& run) {
  std::size_t points = 0;
  for (std::size_t n = 1, misses = 0; misses < 3; ++n) {  // a call that cannot fail in that way is no end
    CAPTURE(n);
    const bool is_point = run(n);
    points += is_point ? 1 : 0;
    misses = is_point ? 0 : misses + 1;
  }
  return points;
}

TEST_CASE("last known good: an error or a crash at any call of any deed leaves what was kept, or what was being kept") {
  random_numbers rng(3);
  std::size_t points = 0;
  for (const deed& row : deeds) {
    CAPTURE(row.says);
    const std::size_t points_before = points;
    for (const disk_fault how_bad : faults) {
      CAPTURE(static_cast<int>(how_bad));
      for (const disk_aftermath after : aftermaths) {
        CAPTURE(static_cast<int>(after));
        points += each_call([&](std::size_t n) { return run_point(row, how_bad, after, n, rng); });
      }
      for (const sequel then : {sequel::next, sequel::again, sequel::back}) {
        if (how_bad == disk_fault::crash) continue;
        CAPTURE(static_cast<int>(then));
        points += each_call([&](std::size_t n) { return run_error(row, how_bad, then, n, rng); });
      }
    }
    CHECK(points > points_before + 20);
  }
  MESSAGE("last known good: " << points << " points");
  CHECK(points > 1'000);
}

/// A disk as a process left it, and the version that a start takes.
struct left_behind {
  std::string_view says;
  void (*by)(last_known_good& kept);
  std::uint64_t expected;
};

const left_behind lefts[] = {
    {"a chain with a log",
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_delta(k, 2);
       keep_delta(k, 3);
     },
     3},
    {"two chains",
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_delta(k, 2);
       keep_snapshot(k, 3);
       keep_delta(k, 4);
     },
     4},
    {"a content that was begun three times",
     [](last_known_good& k) {
       keep_snapshot(k, 1);
       keep_snapshot(k, 2);
       (void)k.begin(short_history().id(2).sum);
     },
     1},
};

void leave(simulated_disk& disk, const left_behind& row, random_numbers& rng) {
  last_known_good first(disk, roomy);
  (void)first.load(how);
  row.by(first);
  for (int start = 0; row.expected == 1 && start < 2; ++start) {
    last_known_good again(disk, roomy);
    (void)again.load(how);
    (void)again.begin(short_history().id(2).sum);
  }
  disk.restart(disk_aftermath::killed, rng);
}

TEST_CASE("last known good: an error or a crash at any call of a start takes nothing away from the next one") {
  random_numbers rng(4);
  std::size_t points = 0;
  for (const left_behind& row : lefts) {
    for (const disk_fault how_bad : faults) {
      for (const auto after : {disk_aftermath::killed, disk_aftermath::lost, disk_aftermath::torn}) {
        for (std::size_t n = 1, misses = 0; misses < 3; ++n) {
          CAPTURE(row.says);
          CAPTURE(static_cast<int>(how_bad));
          CAPTURE(n);
          simulated_disk disk;
          leave(disk, row, rng);
          disk.fail_call(n, how_bad);
          {
            last_known_good disturbed(disk, roomy);
            const auto found = disturbed.load(how);
            const std::uint64_t version = found.newest ? short_history().version_of(found.newest->content) : 0;
            CHECK((version != 0 || !found.newest));  // whatever could not be read: never something else
            CHECK(version <= row.expected + 1);      // where even BOOT could not be read
            if (version != row.expected) CHECK_FALSE(found.told.empty());
          }
          misses = disk.has_failed() ? 0 : misses + 1;
          points += disk.has_failed();
          disk.heal();
          disk.restart(after, rng);
          last_known_good next(disk, roomy);
          CHECK(load(next) == row.expected);
        }
      }
    }
  }
  MESSAGE("last known good: " << points << " points of starts");
  CHECK(points > 300);
}

/// Which version a start takes where a byte of a file is changed, and where the current snapshot is gone besides.
struct changed_file {
  std::string_view name;
  std::uint64_t expected;
  std::optional<std::uint64_t> without_current;  ///< nothing where the file is of no use then
};

const changed_file changed_files[] = {
    {"CURRENT", 2, {}}, {"PREVIOUS", 4, 0}, {"BOOT", 4, {}},     {"QUARANTINE", 4, {}},
    {"snap-1-1", 4, 0}, {"log-1-1", 4, 1},  {"snap-1-3", 2, {}}, {"log-1-3", 3, {}},
};

/// Changes each byte of a file in its turn. Returns how many there are.
std::size_t change_bytes(const simulated_disk& good, const std::string& name, std::uint64_t expected) {
  const simulated_disk::bytes content = good.content().at(name);
  for (std::size_t at = 0; at < content.size(); ++at) {
    CAPTURE(name);
    CAPTURE(at);
    simulated_disk::bytes bad = content;
    bad[at] ^= static_cast<std::byte>(1 << (at % 8));
    simulated_disk disk = good;
    disk.put(name, bad);
    last_known_good kept(disk, roomy);
    const auto found = kept.load(how);
    CHECK((found.newest ? short_history().version_of(found.newest->content) : 0) == expected);
    CHECK((found.newest.has_value() == (expected != 0)));
    if (expected != 4) CHECK_FALSE(found.told.empty());
  }
  return content.size();
}

TEST_CASE(
    "last known good: with any byte of any file changed a start takes what is whole, and says so where that is not the "
    "newest") {
  random_numbers rng(6);
  simulated_disk disk;
  leave(disk, lefts[1], rng);
  last_known_good kept(disk, roomy);
  CHECK(load(kept) == 4);
  REQUIRE(kept.begin(short_history().id(4).sum));
  REQUIRE(kept.quarantine({{short_history().id(6).sum, "schema"}}));
  std::map<std::string_view, std::string> names;  // of the files, by the beginnings above
  for (const auto& [name, bytes] : disk.content()) {
    for (const changed_file& row : changed_files) {
      if (name.starts_with(row.name)) names[row.name] = name;
    }
  }
  CHECK(names.size() == disk.content().size());
  simulated_disk without_current = disk;
  without_current.drop(names["snap-1-3"]);
  std::size_t points = 0;
  for (const changed_file& row : changed_files) {
    points += change_bytes(disk, names[row.name], row.expected);
    if (row.without_current) points += change_bytes(without_current, names[row.name], *row.without_current);
  }
  MESSAGE("last known good: " << points << " changed bytes");
  CHECK(points > 2'500);
}

}  // namespace
}  // namespace cellroute::proxy
