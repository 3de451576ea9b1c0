// How long does a configuration with a million keys take from its file to a table that routes, and how much memory?
//
// Each form is read by a child process of its own, so that its peak is its own: all that is resident then, less what
// was before. Bars: JSON of 39 bytes a key at most 200 ms and 5 times the file a million keys. One thread does it all,
// so that the time it had of a core is what it takes where nobody else wants the core; the clock's time stands beside
// it.
//
// Tried, and lost, for JSON of a million keys (ms to read and parse, table not included):
//   simdjson 3.0, on demand     86 to 97   a second pass for places and keys given twice not included
//   simdjson 3.0, tree          100
//   RapidJSON, events, in situ  128
//   a node of our tree for each row   700, and 10 times the text
//
// usage: bench_load_keys [--keys N] [--rounds N]

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/io/huge_pages.hpp"
#include "adapters/wire/config_file.hpp"
#include "adapters/wire/table_file.hpp"

namespace {

using namespace cellroute;

struct form {
  const char* name;
  const char* file;
  bool is_inline;
  void (*row)(std::string&, std::string_view key, std::string_view placement);
};

void tsv_row(std::string& out, std::string_view key, std::string_view placement) {
  out.append(key).append("\t").append(placement).append("\n");
}

const form forms[] = {
    {"JSON, name", "names.json", true,
     [](std::string& out, std::string_view key, std::string_view placement) {
       out.append("      \"").append(key).append("\": \"").append(placement).append("\",\n");
     }},
    {"JSON, map", "maps.json", true,
     [](std::string& out, std::string_view key, std::string_view placement) {
       out.append("\"").append(key).append("\":{\"placement\":\"").append(placement).append("\"},");
     }},
    {"TSV", "keys.tsv", false, tsv_row},
    {"compiled", "keys.ctab", false, tsv_row},
    {"JSON lines", "keys.jsonl", false,
     [](std::string& out, std::string_view key, std::string_view placement) {
       out.append("{\"key\":\"").append(key).append("\",\"placement\":\"").append(placement).append("\"}\n");
     }},
};

constexpr std::string_view cells = R"("placements": {
  "tier1": {"endpoints": [{"url": "http://127.0.0.1:9001"}]},
  "tier2": {"endpoints": [{"url": "http://127.0.0.1:9002"}]},
  "tier3": {"endpoints": [{"url": "http://127.0.0.1:9003"}]}}})";

std::string rows_of(const form& f, std::size_t keys) {
  std::string rows;
  char key[32];
  for (std::size_t i = 0; i < keys; ++i) {
    std::snprintf(key, sizeof key, "customer-%010zu", i * 7919 % keys);
    const char placement[] = {'t', 'i', 'e', 'r', static_cast<char>('1' + i * 2654435761U / 7 % 3), '\0'};
    f.row(rows, key, placement);
  }
  return rows;
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) std::abort();
}

void compile(const std::filesystem::path& file, std::string rows) {
  wire::key_file lines;
  lines.name = "rows.tsv";
  lines.text = std::make_unique<const std::string>(std::move(rows));
  wire::name_list names;
  if (!wire::read_key_file(lines, names).empty()) std::abort();
  const auto table = key_table::build(lines.rows, 1, names.names());
  if (!table || !wire::write_table_file(file.string(), *table)) std::abort();
}

/// The configuration's file; for a key file the one that names it.
std::filesystem::path make(const std::filesystem::path& folder, const form& f, std::size_t keys) {
  std::string rows = rows_of(f, keys);
  if (f.is_inline) {
    rows.resize(rows.rfind(','));
    rows = "{\"inline\": {\n" + rows + "}}";
    write(folder / f.file,
          R"({"routing": {"default_placement": "tier3", "keys": )" + rows + "},\n" + std::string(cells));
    return folder / f.file;
  }
  write(folder / f.file, rows);
  if (std::string_view(f.file).ends_with(".ctab")) compile(folder / f.file, std::move(rows));
  const std::filesystem::path main = folder / (std::string(f.file) + ".json");
  write(main, R"({"routing": {"default_placement": "tier3", "keys": {"files": [")" + std::string(f.file) + "\"]}},\n" +
                  std::string(cells));
  return main;
}

double resident_mib(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  }
  return 0;
}

struct figures {
  double load_ms = 0;  // of a core, as the next
  double compile_ms = 0;
  double elapsed_ms = 0;
  double peak_mib = 0;
};

double core_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

figures measure(const std::filesystem::path& file, std::size_t keys) {
  using clock = std::chrono::steady_clock;
  ::malloc_trim(0);                               // what the parent let go of would be taken first, and not be counted
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here on
  const double before = resident_mib("VmRSS:");
  io::huge_page_resource memory;
  const auto began = clock::now();
  const double core_began = core_ms();
  auto read = wire::load({file.string(), {}, {}}, &memory);
  const double core_loaded = core_ms();
  if (!read) std::abort();
  const auto table = wire::compile(*read, generation_number{1}, 1, &memory);
  const double core_compiled = core_ms();
  const double elapsed_ms = std::chrono::duration<double, std::milli>(clock::now() - began).count();
  if (!table || table->keys().size() != keys) std::abort();
  return {core_loaded - core_began, core_compiled - core_loaded, elapsed_ms, resident_mib("VmHWM:") - before};
}

/// In a process of its own.
figures measure_apart(const std::filesystem::path& file, std::size_t keys) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    const figures found = measure(file, keys);
    if (::write(ends[1], &found, sizeof found) != sizeof found) std::abort();
    ::_exit(0);
  }
  figures found;
  if (::read(ends[0], &found, sizeof found) != sizeof found) std::abort();
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t keys = 1'000'000;
  int rounds = 7;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--keys" && i + 1 < argc) {
      keys = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--rounds" && i + 1 < argc) {
      rounds = std::atoi(argv[++i]);
    } else {
      std::fprintf(stderr, "usage: bench_load_keys [--keys N] [--rounds N]\n");
      return 2;
    }
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("bench_load_keys." + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  int missed = 0;
  std::printf(
      "%zu keys, from file to table; %d rounds each in a process of its own; medians, best in brackets; ms of a core "
      "but for `elapsed`\n\n",
      keys, rounds);
  std::printf("%-12s %9s %16s %16s %16s %16s %18s\n", "form", "file MiB", "load ms", "compile ms", "both ms",
              "elapsed ms", "peak MiB, x file");
  for (const form& f : forms) {
    const std::filesystem::path file = make(folder, f, keys);
    const double file_mib = static_cast<double>(std::filesystem::file_size(folder / f.file)) / (1 << 20);
    if (f.is_inline && std::filesystem::file_size(file) > wire::configuration_bytes_max) {
      std::printf("%-12s %9.1f is more than a configuration may have; keys belong in files then\n", f.name, file_mib);
      continue;
    }
    std::vector<double> load;
    std::vector<double> compile;
    std::vector<double> both;
    std::vector<double> elapsed;
    std::vector<double> peak;
    for (int i = 0; i < rounds; ++i) {
      const figures found = measure_apart(file, keys);
      load.push_back(found.load_ms);
      compile.push_back(found.compile_ms);
      both.push_back(found.load_ms + found.compile_ms);
      elapsed.push_back(found.elapsed_ms);
      peak.push_back(found.peak_mib);
    }
    for (auto* figures : {&load, &compile, &both, &elapsed, &peak}) std::ranges::sort(*figures);
    const std::size_t middle = load.size() / 2;
    std::printf("%-12s %9.1f %8.1f (%5.1f) %8.1f (%5.1f) %8.1f (%5.1f) %8.1f (%5.1f) %10.1f  %5.2f", f.name, file_mib,
                load[middle], load[0], compile[middle], compile[0], both[middle], both[0], elapsed[middle], elapsed[0],
                peak[middle], peak[middle] / file_mib);
    if (f.is_inline) {
      const double allowed_ms = 200 * static_cast<double>(keys) / 1e6;
      const bool holds = both[middle] <= allowed_ms && peak[middle] <= 5 * file_mib;
      std::printf("  %s: at most %.0f ms and 5 times the file", holds ? "PASS" : "FAIL", allowed_ms);
      if (!holds) ++missed;
    }
    std::printf("\n");
  }
  std::filesystem::remove_all(folder);
  std::printf("\n%d bar(s) missed\n", missed);
  return missed == 0 ? 0 : 1;
}
