// What does a router wait for that keeps what was pushed, and how soon does a start have it again?
//
// A million keys `tenant-00000001` and so on, to one of three placements; each delta moves some of them. Medians of
// rounds, on the disk of the folder that is given. Beside what waits for a disk stands one write and one sync of as
// many bytes, by the clock; beside it, what the thread had of a core. Bar: a start in a second.
//
// usage: bench_last_known_good [--keys N] [--folder FOLDER]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "adapters/process/kept_file.hpp"
#include "adapters/proxy/last_known_good.hpp"
#include "cellroute/table/table_rows.hpp"

namespace {

using namespace cellroute;

constexpr std::uint64_t salt = 17;
constexpr int rounds = 5;
constexpr std::size_t delta_count = 50;  // of each size
const std::vector<std::string_view> placements = {"tier1", "tier2", "tier3"};

io::huge_page_resource memory;
bool is_bar_kept = true;

struct times {
  double clock_ms = 0;
  double core_ms = 0;
};

template <class F>
times time_of(F&& f) {
  const auto core = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
  };
  const double core_start = core();
  const auto start = std::chrono::steady_clock::now();
  f();
  return {std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count(),
          core() - core_start};
}

times median(std::vector<times> all) {
  const auto middle = [&all](double times::* which) {
    std::ranges::sort(all, {}, which);
    return all[all.size() / 2].*which;
  };
  return {middle(&times::clock_ms), middle(&times::core_ms)};
}

void report(const char* what, const times& t, std::optional<double> bar_ms = {}) {
  std::printf("  %-58s %9.2f ms  (core %8.2f ms)", what, t.clock_ms, t.core_ms);
  if (bar_ms) {
    is_bar_kept = is_bar_kept && t.clock_ms <= *bar_ms;
    std::printf("  bar %.0f  %s", *bar_ms, t.clock_ms <= *bar_ms ? "PASS" : "FAIL");
  }
  std::printf("\n");
}

void require(bool holds) {
  if (!holds) std::abort();
}

sync::content first_of(std::size_t count) {
  std::vector<std::string> keys(count);
  std::vector<key_row> rows;
  for (std::size_t i = 0; i < count; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "tenant-%08zu", i);
    keys[i] = text;
    rows.push_back({keys[i], static_cast<std::uint16_t>(mix(i) % 3)});
  }
  auto table = key_table::build(rows, 42, placements, &memory);
  require(table.has_value());
  return sync::make_content("{}", *std::move(table), salt);
}

/// What comes when `size` keys move, and the way there.
struct step {
  sync::content whole;
  sync::artifact artifact;
};

step moved(const sync::content& from, std::size_t size, std::uint64_t version) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < size; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "tenant-%08zu",
                  static_cast<std::size_t>(mix(version * size + i) % from.keys.size()));
    keys.emplace_back(text);
  }
  std::vector<key_change> changes;
  for (const std::string& key : keys) changes.push_back({key, static_cast<std::uint16_t>(version % 3)});
  const row_changes all = changes_of({placements.begin(), placements.end()}, std::move(changes));
  auto table = apply(from.keys, all);
  require(table.has_value());
  key_digest digest = from.digest.updated(*table, all.changes, sync::sha256);
  step made{{from.document, *std::move(table), std::move(digest), {}}, {}};
  made.whole.sum = made.whole.digest.root(sync::sha256(std::as_bytes(std::span(from.document))), sync::sha256);
  made.artifact = sync::pack_delta(from, made.whole, {1, version, made.whole.sum});
  return made;
}

void bench(std::size_t count, const std::string& folder) {
  auto disk = process::disk_folder::open_folder(folder);
  require(disk.has_value());
  sync::content now = first_of(count);
  std::uint64_t version = 1;
  const sync::artifact snapshot = sync::pack_snapshot(now, {1, version, now.sum});
  const sync::unpacking how{0, 42, &memory};
  std::printf("\n%zu keys; a snapshot of %zu bytes\n", now.keys.size(), snapshot.bytes.size());

  std::vector<times> started;
  std::vector<times> kept;
  std::vector<times> written;
  proxy::last_known_good store(*disk);
  (void)store.load(how);
  kept.push_back(time_of([&] { require(store.keep(now, {announce(snapshot), snapshot.bytes}).has_value()); }));
  written.push_back(time_of([&] { require(process::append_to_file(*disk, "anchor", {snapshot.bytes}).has_value()); }));
  report("a snapshot as it came is kept (once)", kept.front());
  report("  as many bytes written and synced", written.front());
  const auto start = [&](const char* what) {
    started.clear();
    for (int round = 0; round < rounds; ++round) {
      std::optional<proxy::found_contents> found;
      started.push_back(time_of([&] { found.emplace(proxy::last_known_good(*disk).load(how)); }));
      require(found->newest && found->newest->content.sum == now.sum && found->told.empty());
    }
    report(what, median(started), 1'000 * std::max(1.0, static_cast<double>(count) / 1e6));
  };
  start("a start with a snapshot alone");
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}}) {
    kept.clear();
    written.clear();
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < delta_count; ++i) {
      step next = moved(now, size, ++version);
      bytes = next.artifact.bytes.size();
      kept.push_back(time_of(
          [&] { require(store.keep(next.whole, {announce(next.artifact), next.artifact.bytes}).has_value()); }));
      written.push_back(
          time_of([&] { require(process::append_to_file(*disk, "anchor", {next.artifact.bytes}).has_value()); }));
      now = std::move(next.whole);
    }
    std::printf("  a delta of %zu rows has %zu bytes\n", size, bytes);
    report("a delta is kept", median(kept));
    report("  as many bytes written and synced", median(written));
  }
  start("a start with 100 deltas behind the snapshot");
  step last = moved(now, count / 5, ++version);
  report("a delta that moves a fifth, for which all is written anew",
         time_of([&] { require(store.keep(last.whole, {announce(last.artifact), last.artifact.bytes}).has_value()); }));
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 1'000'000;
  std::string folder = std::filesystem::temp_directory_path().string();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--keys") count = std::strtoul(argv[i + 1], nullptr, 10);
    if (std::string_view(argv[i]) == "--folder") folder = argv[i + 1];
  }
  folder += "/cellroute-bench-XXXXXX";
  require(::mkdtemp(folder.data()) != nullptr);
  bench(count, folder);
  std::filesystem::remove_all(folder);
  return is_bar_kept ? 0 : 1;
}
