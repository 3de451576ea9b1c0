// How near are look-up, build, update and exchange of the routing table to what the machine allows?
//
// Prints each bar with its unit, its anchor, the ratio and PASS or FAIL. All of one size is measured in one interleaved
// run: rounds, each of every contestant once, medians of the rounds. Only figures of one run compare: the same
// binary drifts by up to 1.9 between minutes on a shared machine. Times in ms or ns are held against the bar times
// max(1, DRAM line / 200 ns).
//
// Isolated: an lfence between look-ups, so that none overlaps the next; this is what one request sees. Stream: back to
// back. The keys asked for lie in the order of asking, so that fetching them costs nothing; the table's own lines are
// cold.
//
// Tried, and lost (n = 10 million, hits isolated; ns; bytes a key beyond the key):
//   a walk over entries without tags           352 to 447   4.3   10 to 15 ns of mispredictions in cache
//   fixed buckets of 256 bytes, no directory   245 to 283  16.3   12 bytes a key are too dear for 1.1 times
//   minimal perfect hash                       542          7.9   still slot -> offset -> bytes, and 3 times the build
//   absl::flat_hash_map<string_view> + arena   905         41.9
//   immer::map                                1141         73.7
//   8 keys a bucket instead of 4               379          4.4
//   prefetchnta                                423 against 390 without
//   keys of 8 to 32 bytes hashed and compared without a branch on their size: no gain (1,000 keys, stream: 16 ns both)
//   a hash for keys of over 16 bytes whose products do not wait for each other: no gain (1,000 keys, stream: 11 ns
//   both) a build that sorts hashes and fetches the keys afterwards: 1.7 times as long at a million keys, 3 times at
//   ten a batch that asks for the bucket's own lines instead of three: no gain (67 ns a key both) a delta written past
//   the caches: the copy alone takes 15 % less, the delta 10 % more (changed buckets read lines back) a delta that asks
//   for the lines ahead before it writes a changed bucket: 5 % of the time, which is the noise an overlay for updates;
//   4,096 shards copied on write: 1.08 to 1.14 times slower look-ups for deltas that a copy does in 33 ms
//
// usage: bench_table [--keys N]... [--quick]

#include <absl/container/flat_hash_map.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "cellroute/cellroute.hpp"

namespace {

using cellroute::key_table;
using cellroute::random_numbers;

/// As the router does: huge pages, and the last block kept for the next table.
cellroute::io::huge_page_resource memory;

volatile std::uint64_t sink;

/// The time that this thread had a core, so that a neighbour who takes the core for a while does not count.
template <class F>
double nanoseconds(F&& f) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  f();
  return now() - start;
}

/// Sees to it that the machine has as much memory at hand. A hypervisor may have taken back what its guest did not use
/// for two seconds: then the first touch takes 30 times as long, and says nothing about the table.
void warm(std::size_t size_bytes) {
  memory.trim();
  sink = std::pmr::vector<std::uint8_t>(size_bytes, &memory)[size_bytes / 2];
  memory.trim();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Keys of 8 to 40 bytes, 24 in the mean, one behind the other in memory.
class key_pool {
 public:
  key_pool(std::size_t count, std::uint64_t seed) {
    random_numbers random(seed);
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    ends_.reserve(count + 1);
    ends_.push_back(0);
    text_.reserve(count * 25);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = 8 + random.below(33);
      for (std::size_t k = 0; k < size; ++k) text_ += letters[random.below(letters.size())];
      ends_.push_back(text_.size());
    }
  }
  [[nodiscard]] std::size_t size() const { return ends_.size() - 1; }
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    return std::string_view(text_).substr(ends_[i], ends_[i + 1] - ends_[i]);
  }
  [[nodiscard]] std::size_t bytes() const { return text_.size(); }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// Keys in the order of asking, copied together.
struct questions {
  std::string text;
  std::vector<std::string_view> keys;

  questions(const key_pool& pool, std::size_t count, std::uint64_t seed) {
    random_numbers random(seed);
    std::vector<std::pair<std::size_t, std::size_t>> parts;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view key = pool[random.below(pool.size())];
      parts.emplace_back(text.size(), key.size());
      text += key;
    }
    for (const auto& [start, size] : parts) keys.push_back(std::string_view(text).substr(start, size));
  }
};

/// One random line after the other, each address read from the line before: what memory itself costs.
class line_chase {
 public:
  explicit line_chase(std::size_t footprint_bytes) : lines_(std::max<std::size_t>(64, footprint_bytes / 64), &memory) {
    std::vector<std::uint32_t> order(lines_.size());
    std::iota(order.begin(), order.end(), 0u);
    random_numbers random(5);
    for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i)]);
    for (std::size_t i = 0; i < order.size(); ++i) lines_[order[i]].next = order[(i + 1) % order.size()];
  }
  double run(std::size_t count) {
    const double time = nanoseconds([&] {
      for (std::size_t i = 0; i < count; ++i) at_ = lines_[at_].next;
      sink = at_;
    });
    return time / static_cast<double>(count);
  }

 private:
  struct alignas(64) line {
    std::uint32_t next;
  };
  std::pmr::vector<line> lines_;
  std::uint32_t at_ = 0;
};

template <class Ask>
double per_question(const questions& asked, Ask&& ask) {
  std::uint64_t sum = 0;
  const double time = nanoseconds([&] {
    for (const std::string_view key : asked.keys) sum += ask(key);
  });
  sink = sum;
  return time / static_cast<double>(asked.keys.size());
}

template <class Find>
double isolated(const questions& asked, Find&& find) {
  return per_question(asked, [&find](std::string_view key) {
    const std::uint64_t found = find(key);
    _mm_lfence();
    return found;
  });
}

template <class Find>
double stream(const questions& asked, Find&& find) {
  return per_question(asked, find);
}

double batch(const questions& asked, const key_table& keys) {
  std::uint64_t sum = 0;
  std::optional<std::uint16_t> found[16];
  const double time = nanoseconds([&] {
    for (std::size_t i = 0; i + 16 <= asked.keys.size(); i += 16) {
      keys.find_batch(std::span(asked.keys).subspan(i, 16), found);
      for (const auto& each : found) sum += each.value_or(0);
    }
  });
  sink = sum;
  return time / static_cast<double>(asked.keys.size());
}

int failures = 0;

void report(const char* what, double value, const char* unit, const char* anchor, double anchor_value) {
  std::printf("  %-44s %9.2f %-6s", what, value, unit);
  if (anchor_value > 0) std::printf(" %6.2f x %s (%.1f)", value / anchor_value, anchor, anchor_value);
  std::printf("\n");
}

/// A bar is a value in the unit of what is measured, already scaled.
void bar(const char* what, double value, const char* unit, double most, const char* anchor, double anchor_value) {
  const bool is_kept = value <= most;
  if (!is_kept) ++failures;
  std::printf("  %-44s %9.2f %-6s", what, value, unit);
  if (anchor_value > 0) std::printf(" %6.2f x %s (%.1f)", value / anchor_value, anchor, anchor_value);
  std::printf("  bar %.2f  %s\n", most, is_kept ? "PASS" : "FAIL");
}

double scale_of(double dram_line) { return std::max(1.0, dram_line / 200); }

void bench_size(std::size_t count, double dram_line, bool is_quick) {
  const bool is_small = count <= 1'000;
  const bool is_large = count >= 10'000'000;
  const double scale = scale_of(dram_line);
  // Not fewer for small tables: a short sequence that comes again is learnt by the branch predictor.
  const std::size_t asked_count = is_quick ? 100'000 : 400'000;
  std::printf("\n%zu keys\n", count);

  const key_pool pool(count, 11);
  std::vector<std::uint16_t> outcomes(count);
  random_numbers random(3);
  for (auto& each : outcomes) each = static_cast<std::uint16_t>(random.below(1000));
  std::vector<cellroute::key_row> rows;
  rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) rows.push_back({pool[i], outcomes[i]});
  const questions asked(pool, asked_count, 17);
  const key_pool unknown(std::min<std::size_t>(count, asked_count), 99);
  const questions missed(unknown, asked_count, 23);

  absl::flat_hash_map<std::string, std::uint16_t> flat;
  std::unordered_map<std::string, std::uint16_t> standard;
  flat.reserve(count);
  standard.reserve(count);
  for (const auto& row : rows) flat.emplace(row.key, row.outcome);
  for (const auto& row : rows) standard.emplace(row.key, row.outcome);

  const std::size_t rounds = is_quick ? 3 : is_large ? 5 : 11;
  std::map<std::string, std::vector<double>> times;
  auto built = key_table::build(rows, 42, {}, &memory);
  if (!built) std::abort();
  const key_table& keys = *built;
  line_chase lines(keys.memory_bytes());

  // The keys lie together, as in the message that brings them.
  std::vector<std::string> changed;
  std::string message;
  for (std::size_t i = 0; i < 10'000; ++i) {  // half overwrite, four tenths insert, one tenth erase
    const bool is_fresh = i % 10 >= 5 && i % 10 < 9;
    changed.push_back(is_fresh ? "fresh-key-number-" + std::to_string(i) : std::string(pool[(i * 7919) % count]));
    message += changed.back();
  }
  std::vector<cellroute::key_change> delta;
  for (std::size_t i = 0, start = 0; i < changed.size(); start += changed[i++].size()) {
    const std::string_view key = std::string_view(message).substr(start, changed[i].size());
    delta.push_back({key, i % 10 == 9 ? std::nullopt : std::optional<std::uint16_t>(7)});
  }
  const bool has_delta = count >= 1'000'000;
  const key_table::stored_bytes stored = keys.bytes();
  std::vector<std::byte> file(stored.head.begin(), stored.head.end());
  file.insert(file.end(), stored.rest.begin(), stored.rest.end());

  // Both inlined by order: which of several uses becomes a call is chance, and the call is 4 ns of 16.
  const auto ours = [&](std::string_view key)
                        __attribute__((always_inline)) { return std::uint64_t{keys.find(key).value_or(0)}; };
  const auto of_flat = [&](std::string_view key) __attribute__((always_inline)) {
    const auto at = flat.find(absl::string_view(key.data(), key.size()));
    return std::uint64_t{at == flat.end() ? std::uint16_t{0} : at->second};
  };
  std::string owned;
  const auto of_standard = [&](std::string_view key) {
    owned.assign(key);
    const auto at = standard.find(owned);
    return std::uint64_t{at == standard.end() ? std::uint16_t{0} : at->second};
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    times["line"].push_back(lines.run(asked_count));
    times["hit"].push_back(isolated(asked, ours));
    times["flat hit"].push_back(isolated(asked, of_flat));
    times["standard hit"].push_back(isolated(asked, of_standard));
    times["hit stream"].push_back(stream(asked, ours));
    times["flat hit stream"].push_back(stream(asked, of_flat));
    times["batch"].push_back(batch(asked, keys));
    times["miss"].push_back(isolated(missed, ours));
    times["miss stream"].push_back(stream(missed, ours));
    warm(count * 90);
    times["build"].push_back(nanoseconds([&] {
      const auto again = key_table::build(rows, 42 + round, {}, &memory);
      if (!again) std::abort();
    }));
    warm(count * 35);
    times["open"].push_back(nanoseconds([&] {
      const auto opened = key_table::open(file, &memory);
      if (!opened) std::abort();
    }));
    if (!has_delta) continue;
    const auto merge = [&] {
      const auto merged = keys.merged(delta);
      if (!merged) std::abort();
    };
    warm(count * 35);
    times["first delta"].push_back(nanoseconds(merge));
    times["delta"].push_back(nanoseconds(merge));  // in the memory that the one before gave back
  }
  const auto typical = [&times](const char* name) { return median(times[name]); };
  const double line = typical("line");
  const double millions = static_cast<double>(count) / 1e6;
  const double over =
      (static_cast<double>(keys.memory_bytes()) - static_cast<double>(pool.bytes())) / static_cast<double>(count);

  report("dependent random line, same footprint", line, "ns", "", 0);
  if (is_large) {
    bar("hit, isolated", typical("hit"), "ns", 2.5 * line, "line", line);
  } else {
    report("hit, isolated", typical("hit"), "ns", "line", line);
  }
  report("  against absl::flat_hash_map<string>", typical("hit"), "ns", "absl", typical("flat hit"));
  report("  against std::unordered_map<string>", typical("hit"), "ns", "std", typical("standard hit"));
  if (is_small) {
    bar("hit, stream", typical("hit stream"), "ns", 0.7 * typical("flat hit stream"), "absl",
        typical("flat hit stream"));
  } else {
    report("hit, stream", typical("hit stream"), "ns", "absl", typical("flat hit stream"));
  }
  report("miss, isolated", typical("miss"), "ns", "line", line);
  report("miss, stream", typical("miss stream"), "ns", "line", line);
  if (is_large) {
    bar("hit, batch of 16", typical("batch"), "ns/key", 60 * scale, "line", line);
  } else {
    report("hit, batch of 16", typical("batch"), "ns/key", "line", line);
  }
  if (count >= 100'000) {
    bar("beyond the key's own bytes", over, "B/key", 6, "", 0);
  } else {
    report("beyond the key's own bytes", over, "B/key", "", 0);
  }
  if (has_delta) {
    bar("build, per million", typical("build") / 1e6 / millions, "ms", 80 * scale, "", 0);
    bar("delta of 10,000 keys", typical("delta") / 1e6, "ms", (is_large ? 60 : 5) * scale, "build",
        typical("build") / 1e6);
    report("  the first one, in memory new to the process", typical("first delta") / 1e6, "ms", "build",
           typical("build") / 1e6);
  } else {
    report("build", typical("build") / 1e6, "ms", "", 0);
  }
  if (count == 1'000'000) {
    bar("open, checked, with checksum", typical("open") / 1e6, "ms", 8 * scale, "", 0);
  } else {
    report("open, checked, with checksum", typical("open") / 1e6, "ms", "", 0);
  }
}

/// What it costs a request to get at the current snapshot, while another thread publishes 1,000 a second.
template <class MakeReader, class Publish>
double exchange(std::size_t reader_count, MakeReader&& make_reader, Publish&& publish) {
  constexpr std::size_t reads = 4'000'000;
  std::atomic<bool> is_over = false;
  std::vector<double> times(reader_count);
  std::thread writer([&] {
    for (std::uint64_t generation = 2; !is_over.load(); ++generation) {
      publish(generation);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < reader_count; ++r) {
    readers.emplace_back([&, r] {
      auto read = make_reader();
      std::uint64_t sum = 0;
      times[r] = nanoseconds([&] {
        for (std::size_t i = 0; i < reads; ++i) sum += read();
      });
      sink = sum;
    });
  }
  for (std::thread& each : readers) each.join();
  is_over = true;
  writer.join();
  return median(times) / static_cast<double>(reads);
}

void bench_exchange(bool is_quick) {
  std::printf("\nexchange of snapshots, 1,000 published a second\n");
  using value = std::uint64_t;
  using counted_value = std::shared_ptr<const value>;  // allow: shared_ptr: the anchor
  const auto new_value = [](std::uint64_t generation) {
    return std::make_shared<const value>(generation);  // allow: shared_ptr: the anchor
  };
  for (const std::size_t reader_count : {std::size_t{1}, std::size_t{2}}) {
    std::map<std::string, std::vector<double>> times;
    for (int round = 0; round < (is_quick ? 3 : 5); ++round) {
      {
        cellroute::published<value> source({1, 1});
        const auto make = [&source] {
          return [reader = std::make_unique<cellroute::reader<value>>(source)] { return reader->current().value; };
        };
        times["ours"].push_back(exchange(reader_count, make, [&](std::uint64_t generation) {
          if (!source.publish({generation, generation})) std::abort();
        }));
      }
      {
        // One pointer that every request copies, set before the threads start: only the count is shared.
        const counted_value source(new_value(1));
        const auto make = [&source] {
          return [&source] {
            const counted_value copy = source;
            return *copy;
          };
        };
        times["copy"].push_back(exchange(reader_count, make, [](std::uint64_t) {}));
      }
      {
        std::atomic<counted_value> source = new_value(1);
        const auto make = [&source] { return [&source] { return *source.load(); }; };
        times["atomic"].push_back(
            exchange(reader_count, make, [&](std::uint64_t generation) { source.store(new_value(generation)); }));
      }
    }
    const std::string title = "reader::current, " + std::to_string(reader_count) + " reader(s)";
    bar(title.c_str(), median(times["ours"]), "ns", 3, "counted copy", median(times["copy"]));
    report("  against the standard's atomic", median(times["ours"]), "ns", "atomic", median(times["atomic"]));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> sizes;
  bool is_quick = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      is_quick = true;
    } else if (argument == "--keys" && i + 1 < argc) {
      sizes.push_back(std::strtoull(argv[++i], nullptr, 10));
    } else {
      std::fprintf(stderr, "usage: bench_table [--keys N]... [--quick]\n");
      return 2;
    }
  }
  if (sizes.empty()) sizes = {1'000, 100'000, 1'000'000, 10'000'000};

  line_chase dram(std::size_t{512} << 20);
  std::vector<double> lines;
  for (int i = 0; i < 5; ++i) lines.push_back(dram.run(1'000'000));
  const double dram_line = median(lines);
  std::printf("dependent random DRAM line over 512 MiB: %.1f ns, so times are held against their bars x %.2f\n",
              dram_line, scale_of(dram_line));
  for (const std::size_t count : sizes) bench_size(count, dram_line, is_quick);
  bench_exchange(is_quick);
  std::printf("\n%d bar(s) missed\n", failures);
  return failures == 0 ? 0 : 1;
}
