// What do a digest of the key table, its update, and rows as bytes cost a control plane and a router?
//
// Prints each bar with its unit and PASS or FAIL; medians of rounds, each round of everything once. Times are held
// against the bar times max(1, DRAM line / 200 ns), as in bench_table. The hash is OpenSSL's SHA-256; what it takes
// alone for as many bytes stands beside the digest. Keys are `tenant-00000001` and so on, a third each to one of three
// placements; with --random they are 16 random bytes.
//
// usage: bench_digest [--keys N] [--random] [--quick]

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "cellroute/cellroute.hpp"

namespace {

using namespace cellroute;

io::huge_page_resource memory;
volatile std::uint64_t sink;

digest_bytes sha256(std::span<const std::byte> message) {
  digest_bytes result;
  auto* out = static_cast<unsigned char*>(static_cast<void*>(result.data()));
  if (EVP_Digest(message.data(), message.size(), out, nullptr, EVP_sha256(), nullptr) != 1) std::abort();
  return result;
}

/// The time that this thread had a core.
template <class F>
double milliseconds(F&& f) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
  };
  const double start = now();
  f();
  return now() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// One random line after the other, each address read from the line before: nanoseconds for one.
double dram_line() {
  struct alignas(64) line {
    std::uint32_t next;
  };
  std::vector<line> lines((std::size_t{512} << 20) / sizeof(line));
  std::vector<std::uint32_t> order(lines.size());
  std::iota(order.begin(), order.end(), 0u);
  random_numbers random(5);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i)]);
  for (std::size_t i = 0; i < order.size(); ++i) lines[order[i]].next = order[(i + 1) % order.size()];
  std::vector<double> times;
  std::uint32_t at = 0;
  for (int round = 0; round < 5; ++round) {
    times.push_back(milliseconds([&] {
      for (int i = 0; i < 1'000'000; ++i) at = lines[at].next;
    }));
  }
  sink = at;
  return median(times);
}

int failures = 0;

void report(const char* what, double value, const char* unit) { std::printf("  %-60s %9.2f %s\n", what, value, unit); }

void bar(const char* what, double value, const char* unit, double most) {
  const bool is_kept = value <= most;
  if (!is_kept) ++failures;
  std::printf("  %-60s %9.2f %-6s bar %.2f  %s\n", what, value, unit, most, is_kept ? "PASS" : "FAIL");
}

std::vector<std::string> keys_of(std::size_t count, bool is_random) {
  random_numbers random(9);
  std::vector<std::string> keys(count);
  for (std::size_t i = 0; i < count; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "tenant-%08zu", i);
    keys[i] = is_random ? std::string(16, '\0') : text;
    if (!is_random) continue;
    for (char& each : keys[i]) each = static_cast<char>(random());
  }
  return keys;
}

/// Changes of `count` keys that are there: one in ten is removed, the others move.
std::vector<key_change> changes_of_some(std::span<const std::string> keys, std::size_t count) {
  std::vector<key_change> changes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& key = keys[(i * 7919 + 13) % keys.size()];
    changes.push_back({key, i % 10 == 9 ? std::nullopt : std::optional<std::uint16_t>(2)});
  }
  return changes;
}

void bench(std::size_t count, bool is_random, bool is_quick, double scale) {
  constexpr std::uint64_t salt = 17;
  const std::vector<std::string> keys = keys_of(count, is_random);
  const std::vector<std::string_view> names = {"tier1", "tier2", "tier3"};
  std::vector<key_row> rows;
  for (const std::string& key : keys) rows.push_back({key, static_cast<std::uint16_t>(mix(rows.size()) % 3)});
  const auto table = key_table::build(rows, 42, names, &memory);
  const auto other = key_table::build(rows, 43, names, &memory);
  if (!table || !other) std::abort();
  std::vector<std::string_view> by_hash;  // as a table has its keys
  table->for_each([&by_hash](std::string_view key, std::uint16_t) { by_hash.push_back(key); });
  const key_digest digest = key_digest::of(*table, salt, sha256);
  const std::vector<std::byte> block = row_block::encode(rows_of(*table));
  std::vector<std::byte> hashed((std::size_t{3} + 16 + 6) * count / key_digest::bucket_count);

  std::map<std::string, std::vector<double>> times;
  const std::size_t sizes[] = {1, 100, 10'000};
  for (int round = 0; round < (is_quick ? 3 : 9); ++round) {
    times["digest"].push_back(milliseconds([&] {
      if (!(key_digest::of(*table, salt, sha256) == digest)) std::abort();
    }));
    times["hash"].push_back(milliseconds([&] {
      for (std::size_t i = 0; i < key_digest::bucket_count; ++i) sink = static_cast<std::uint64_t>(sha256(hashed)[0]);
    }));
    times["root"].push_back(milliseconds([&] { sink = static_cast<std::uint64_t>(digest.root({}, sha256)[0]); }));
    for (const std::size_t size : sizes) {
      const std::vector<key_change> changes = changes_of_some(keys, size);
      const auto now = table->merged(changes);
      if (!now) std::abort();
      key_digest updated = digest;
      times["update " + std::to_string(size)].push_back(
          milliseconds([&] { updated = digest.updated(*now, changes, sha256); }));
      if (round == 0 && !(updated == key_digest::of(*now, salt, sha256))) std::abort();
    }
    times["order"].push_back(milliseconds([&] {
      key_order order;
      sink = order.sort(by_hash.size(), [&by_hash](std::size_t i) { return by_hash[i]; })[0];
    }));
    times["std order"].push_back(milliseconds([&] {
      std::vector<std::string_view> sorted = by_hash;
      std::sort(sorted.begin(), sorted.end());
      sink = sorted[0].size();
    }));
    times["encode"].push_back(milliseconds([&] {
      if (row_block::encode(rows_of(*table)) != block) std::abort();
    }));
    times["decode"].push_back(milliseconds([&] {
      const auto decoded = row_block::decode_rows(block, {}, &memory);
      if (!decoded || decoded->rows.size() != count) std::abort();
    }));
    times["between"].push_back(milliseconds([&] {
      if (!changes_between(*table, *other).changes.empty()) std::abort();
    }));
  }
  const auto typical = [&times](const std::string& name) { return median(times[name]); };
  const double millions = static_cast<double>(count) / 1e6;
  std::printf("\n%zu keys%s\n", count, is_random ? ", random" : "");
  bar("digest of a table, per million", typical("digest") / millions, "ms", 250 * scale);
  report("  SHA-256 alone over as many bytes, per million", typical("hash") / millions, "ms");
  bar("updated by 1 change, per million rows", typical("update 1") / millions, "ms", 15 * scale);
  bar("updated by 100 changes, per million rows", typical("update 100") / millions, "ms", 15 * scale);
  report("updated by 10,000 changes, per million rows", typical("update 10000") / millions, "ms");
  report("root", typical("root") * 1e3, "us");
  bar("rows of a table to bytes, per million", typical("encode") / millions, "ms", 400 * scale);
  report("  to put the keys in order, per million", typical("order") / millions, "ms");
  report("  to do that with std::sort, per million", typical("std order") / millions, "ms");
  bar("bytes to rows, per million", typical("decode") / millions, "ms", 60 * scale);
  const double size = static_cast<double>(block.size()) / static_cast<double>(count);
  if (is_random) {
    report("a row in bytes", size, "B");
  } else {
    bar("a row in bytes", size, "B", 8);
  }
  report("what changes between two tables of one content, per million", typical("between") / millions, "ms");
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 1'000'000;
  bool is_random = false;
  bool is_quick = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      is_quick = true;
    } else if (argument == "--random") {
      is_random = true;
    } else if (argument == "--keys" && i + 1 < argc) {
      count = std::max<std::size_t>(1, std::strtoull(argv[++i], nullptr, 10));
    } else {
      std::fprintf(stderr, "usage: bench_digest [--keys N] [--random] [--quick]\n");
      return 2;
    }
  }
  const double line = dram_line();
  const double scale = std::max(1.0, line / 200);
  std::printf("dependent random DRAM line over 512 MiB: %.1f ns, so times are held against their bars x %.2f\n", line,
              scale);
  bench(count, is_random, is_quick, scale);
  std::printf("\n%d bar(s) missed\n", failures);
  return failures == 0 ? 0 : 1;
}
