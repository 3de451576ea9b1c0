// A publish on a disk on which each call that reaches it fails once, or is the last before the process or the machine
// is gone: nothing that was acknowledged is lost, and nothing is there by halves (T13).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/unit/control/faulty_disk.hpp"
#include "tests/unit/control/store_script.hpp"

namespace cellroute::control {
namespace {

/// The rows of each version of the history that is written, by version.
struct plan {
  std::string_view says;
  std::vector<rows> versions;
  std::size_t there_before = 0;  ///< versions that are in the store already
  std::uint64_t stride = 1;      ///< 1: each call; else one of so many
};

plan small_plan() {
  return {"small publishes",
          {{}, {{"a", "x"}, {"b", "x"}}, {{"a", "y"}, {"c", "x"}}, {{"a", "z"}, {"c", "x"}, {"d", "z"}}},
          1};
}

plan whole_plan() { return {"a publish of all rows", {{}, {{"a", "x"}}, many(11'000, "x")}, 1, 29}; }

stored<store> open_twice(const std::string& path) {
  auto first = store::open(path);
  if (first) return first;
  return store::open(path);
}

/// The versions that are not there yet; opening and each publish is tried twice. Returns the last that was
/// acknowledged.
std::uint64_t publish_all(const std::string& path, const plan& what) {
  std::uint64_t acknowledged = what.there_before;
  auto opened = open_twice(path);
  if (!opened) return acknowledged;
  for (std::size_t version = what.there_before + 1; version < what.versions.size(); ++version) {
    const sync::content made =
        sync::make_content(fmt::format("document {}", version), table_of(what.versions[version]), test_salt);
    const key_table before = table_of(what.versions[version - 1]);
    const row_changes changes = changes_between(before, made.keys);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto done = opened->publish({version - 1, made, changes});
      if (!done) continue;
      CHECK(done->version == version);
      acknowledged = version;
      break;
    }
    if (acknowledged != version) break;
    // Half of the log into the file, so that the next one begins the log anew.
    if (auto beside = database::open(path, database_use::write)) (void)beside->run("PRAGMA wal_checkpoint(PASSIVE)");
  }
  return acknowledged;
}

void check_store(const std::string& path, const plan& what, std::uint64_t acknowledged) {
  store opened = must(store::open(path, "test"));
  const store_head head = must(opened.reading().head());
  CHECK(head.version >= acknowledged);
  REQUIRE(head.version < what.versions.size());
  for (std::uint64_t version = 1; version <= head.version; ++version) {
    CHECK(rows_in(must(opened.reading().rows_at(version, test_seed))) == what.versions[version]);
  }
  must(opened.reading().check_whole());
  CHECK(!must(opened.reading().verify_audit()).first_bad);
}

/// A store with what is there before, copied anew for each point.
class template_store {
 public:
  explicit template_store(const plan& what) {
    store made = create_store(folder_.file("control.db"));
    for (std::size_t version = 1; version <= what.there_before; ++version) must(publish(made, what.versions[version]));
    // Taken while it is open: as a process leaves it that was killed.
    for (const std::string_view name : {"control.db", "control.db-wal"}) {
      std::filesystem::copy_file(folder_.file(name), folder_.file("kept-" + std::string(name)));
    }
  }
  /// The files, as new. Nothing has them open.
  std::string renew() {
    for (const std::string_view name : {"control.db-shm", "control.db-wal", "control.db"}) {
      std::filesystem::remove(folder_.file(name));
    }
    for (const std::string_view name : {"control.db", "control.db-wal"}) {
      std::filesystem::copy_file(folder_.file("kept-" + std::string(name)), folder_.file(name));
    }
    return folder_.file("control.db");
  }

 private:
  support::scratch_folder folder_;
};

TEST_CASE("store faults: each call of a publish fails, or is the last (T13)") {
  faulty_disk disk;
  random_numbers rng(1);
  for (const plan& what : {small_plan(), whole_plan()}) {
    CAPTURE(what.says);
    template_store kept(what);
    const auto start = [&] {
      const std::string path = kept.renew();
      disk.start({path, path + "-wal"});
      return path;
    };
    const std::string undisturbed = start();
    CHECK(publish_all(undisturbed, what) == what.versions.size() - 1);
    const std::uint64_t calls = disk.calls();
    disk.stop();
    check_store(undisturbed, what, what.versions.size() - 1);
    REQUIRE(calls > 50);

    std::uint64_t points = 0;
    std::uint64_t lost = 0;  // attempts that were not acknowledged: that faults matter at all
    for (std::uint64_t call = 0; call < calls; call += what.stride) {
      CAPTURE(call);
      const std::string path = start();
      disk.fail_at(call);
      const std::uint64_t after_failure = publish_all(path, what);
      CHECK(after_failure == what.versions.size() - 1);  // the disk is well again at the second try
      disk.stop();
      check_store(path, what, after_failure);
      ++points;
      for (const survival left : {survival::all, survival::none, survival::some}) {
        CAPTURE(static_cast<int>(left));
        start();
        disk.crash_at(call);
        const std::uint64_t before_crash = publish_all(path, what);
        CHECK(disk.has_crashed());
        disk.stop();
        disk.power_up(left, rng);
        check_store(path, what, before_crash);
        if (before_crash < what.versions.size() - 1) ++lost;
        ++points;
      }
    }
    CHECK(lost > points / 4);
    std::printf("store faults: %s: %llu calls, %llu points\n", std::string(what.says).c_str(),
                static_cast<unsigned long long>(calls), static_cast<unsigned long long>(points));
  }
}

}  // namespace
}  // namespace cellroute::control
