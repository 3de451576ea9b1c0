// How long does the control plane's store take for a version, beside a sync of the same disk alone?
//
// A million rows are published into an empty store, then versions of 1, 100 and 10,000 changed rows, each many times;
// the median is told. At the end all rows are read, now and as they were a hundred versions ago. Then the
// registry does the same from texts: a PUT of a million keys, and a change of a hundred. Bars: 8 s for the million,
// from the text to the answer; 100 ms for the hundred.
//
// usage: bench_control_store [FOLDER] [KEYS]     FOLDER is on the disk that is meant; the folder of scratch files else

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "adapters/control/registry.hpp"
#include "adapters/control/store.hpp"

namespace {

using namespace cellroute;
using namespace cellroute::control;

constexpr std::uint64_t salt = 77;

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

template <class T>
T must(stored<T> got) {
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error().detail.c_str());
    std::exit(1);
  }
  return *std::move(got);
}

/// What a commit cannot be faster than: 4 KiB into a file, and a sync.
double sync_ms(const std::string& path) {
  std::vector<double> all;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::vector<char> page(4096, 'x');
  for (int i = 0; i < 51; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0) std::exit(1);
    all.push_back(ms_since(start));
  }
  ::close(file);
  return median(all);
}

std::string key_of(std::size_t i) {
  char text[32];
  std::snprintf(text, sizeof text, "tenant-%08zu", i);
  return text;
}

struct timing {
  double digest_ms = 0;
  double store_ms = 0;
};

/// Publishes what some rows become.
timing publish(store& to, sync::content& now, const std::vector<key_change>& changes,
               const std::vector<std::string_view>& names) {
  const row_changes all = changes_of(names, changes);
  auto start = std::chrono::steady_clock::now();
  auto table = apply(now.keys, all);
  if (!table) std::exit(1);
  sync::content next = sync::make_content(now.document, *std::move(table), salt);
  timing took;
  took.digest_ms = ms_since(start);
  const store_head head = must(to.reading().head());
  start = std::chrono::steady_clock::now();
  must(to.publish({head.version, next, all}));
  took.store_ms = ms_since(start);
  now = std::move(next);
  return took;
}

template <class T>
T must(expected<T, problem> got) {
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error().detail.c_str());
    std::exit(1);
  }
  return *std::move(got);
}

/// A configuration as text, every key to the same placement.
std::string text_of(std::size_t keys, std::string_view placement) {
  std::string text = R"({"routing":{"default_placement":"tier1","keys":{"inline":{)";
  for (std::size_t i = 0; i < keys; ++i)
    text.append(i == 0 ? "\n\"" : ",\n\"").append(key_of(i)).append("\":\"").append(placement).append("\"");
  return text + R"(}}},"placements":{"tier1":{"endpoints":[{"url":"http://127.0.0.1:9001"}]},
    "tier2":{"endpoints":[{"url":"http://127.0.0.1:9002"}]}}})";
}

/// What a request takes from its text to its answer.
void time_registry(const std::string& path, std::size_t keys) {
  const auto made = must(registry::open(must(store::create(path, {"bench", salt}, wall_time{})), {}, nullptr));
  for (const std::string_view placement : {"tier1", "tier2"}) {
    std::string text = text_of(keys, placement);
    const auto start = std::chrono::steady_clock::now();
    auto all = must(read_whole(std::move(text), "bench", 1, std::pmr::get_default_resource()));
    const double read_ms = ms_since(start);
    auto turn = made->begin();
    must(turn.publish(must(turn.replace_all(std::move(all))), {}));
    std::printf("%9zu keys PUT, all %s %6.0f ms, of which %.0f ms to read\n", keys,
                placement == "tier1" ? "new  " : "moved", ms_since(start), read_ms);
  }
  std::vector<double> took;
  for (std::size_t round = 0; round < 21; ++round) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 100; ++i) texts.push_back(key_of((i * 7'919 + round) % keys));
    std::vector<key_change> changes;
    for (const std::string& key : texts) changes.push_back({key, std::uint16_t{0}});
    const auto start = std::chrono::steady_clock::now();
    auto turn = made->begin();
    must(turn.publish(must(turn.change_rows(changes_of({"tier1"}, changes))), {}));
    took.push_back(ms_since(start));
  }
  std::printf("      100 keys PATCHed       %9.1f ms (median of %zu)\n", median(took), took.size());
}

}  // namespace

int main(int count, char** words) {
  const std::filesystem::path parent = count > 1 ? words[1] : std::filesystem::temp_directory_path();
  const std::size_t keys = count > 2 ? std::strtoull(words[2], nullptr, 10) : 1'000'000;
  const std::filesystem::path folder = parent / "cellroute-control-bench";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "control.db").string();
  for (const auto& old : std::filesystem::directory_iterator(folder)) std::filesystem::remove(old.path());

  std::printf("a sync of 4 KiB             %9.2f ms\n", sync_ms((folder / "sync").string()));
  store made = must(store::create(path, {"bench", salt}, wall_time{}));
  const std::vector<std::string_view> names{"tier1", "tier2", "tier3"};
  std::vector<std::string> texts;
  std::vector<key_change> all;
  for (std::size_t i = 0; i < keys; ++i) texts.push_back(key_of(i));
  for (std::size_t i = 0; i < keys; ++i) all.push_back({texts[i], static_cast<std::uint16_t>(i % 2)});
  sync::content now = sync::make_content("{}", key_table(), salt);
  const timing load = publish(made, now, all, names);
  std::printf("%9zu rows, first       %9.0f ms, and %.0f ms for table and digest\n", keys, load.store_ms,
              load.digest_ms);
  std::printf("file and log                %9.1f MB\n",
              static_cast<double>(std::filesystem::file_size(path) + std::filesystem::file_size(path + "-wal")) / 1e6);

  std::uint16_t to = 2;
  for (const std::size_t changed : {std::size_t{1}, std::size_t{100}, std::size_t{10'000}}) {
    std::vector<double> stored_ms;
    std::vector<double> digest_ms;
    for (int round = 0; round < (changed > 1'000 ? 9 : 51); ++round) {
      std::vector<key_change> some;
      to = to == 2 ? 1 : 2;
      const std::size_t first = static_cast<std::size_t>(round) * 7'919 % 100;
      for (std::size_t i = 0; i < changed; ++i) some.push_back({texts[(first + i * (keys / changed)) % keys], to});
      if (changed == 1) some[0].key = texts[static_cast<std::size_t>(round) * 19'937 % keys];
      std::erase_if(some, [&](const key_change& each) {
        const auto was = now.keys.find(each.key);
        return was && now.keys.outcomes()[*was] == names[*each.outcome];
      });
      if (some.empty()) continue;
      const timing took = publish(made, now, some, names);
      stored_ms.push_back(took.store_ms);
      digest_ms.push_back(took.digest_ms);
    }
    std::printf("%9zu rows changed      %9.2f ms, and %.1f ms for table and digest (medians of %zu)\n", changed,
                median(stored_ms), median(digest_ms), stored_ms.size());
  }

  const store_head head = must(made.reading().head());
  auto start = std::chrono::steady_clock::now();
  if (must(made.reading().rows_at(head.version, 1)).size() != head.keys) return 1;
  std::printf("all rows read, now          %9.0f ms\n", ms_since(start));
  start = std::chrono::steady_clock::now();
  if (must(made.reading().rows_at(2, 1)).size() != head.keys) return 1;
  std::printf("all rows read, of version 2 %9.0f ms\n", ms_since(start));
  start = std::chrono::steady_clock::now();
  if (const auto whole = made.reading().check_whole(); !whole) {
    std::fprintf(stderr, "%s\n", whole.error().detail.c_str());
    return 1;
  }
  std::printf("history, rows and digest compared %3.0f ms\n", ms_since(start));
  time_registry((folder / "registry.db").string(), keys);
  std::filesystem::remove_all(folder);
  return 0;
}
