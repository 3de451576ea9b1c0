// Who may include what. The table below is the project's architecture; every #include is read against it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/source_tree.hpp"

namespace cellroute {
namespace {

using support::source_file;

/// A folder, and the folders and libraries that it may include besides itself and the standard library. A trailing
/// `/` stands for every folder below; a file name for that one header.
struct layer {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

const layer layers[] = {
    {"core", {"core/"}},  // cellroute.hpp, which includes every public header
    {"core/base", {"simd"}},
    {"core/model", {"core/base"}},
    {"core/match", {"core/base", "core/model"}},
    {"core/balance", {"core/base", "core/model"}},
    {"core/resilience", {"core/base", "core/model"}},
    {"core/snapshot", {"core/base"}},
    {"core/table", {"core/base", "core/model", "core/match", "core/balance"}},
    {"adapters/io", {"core/base", "posix", "address-text", "asio", "openssl", "c-ares"}},
    {"adapters/process", {"core/base", "adapters/io", "posix"}},
    {"adapters/http1", {"core/base", "core/match/request_view.hpp", "simd"}},
    {"adapters/http2", {"core/base", "core/match/request_view.hpp", "nghttp2"}},
    {"adapters/http3", {"core/base", "core/match/request_view.hpp", "ngtcp2"}},
    {"adapters/websocket", {"core/base", "core/match/request_view.hpp", "openssl"}},
    {"adapters/wire", {"core/", "posix", "yaml", "json", "address-text", "regex", "compression", "openssl"}},
    {"adapters/sync", {"core/", "adapters/wire", "compression", "openssl"}},
    {"adapters/edge",
     {"core/base", "core/model", "core/match/request_view.hpp", "adapters/io", "adapters/http1", "adapters/http2",
      "adapters/http3", "adapters/websocket", "posix"}},
    {"adapters/proxy",
     {"core/", "adapters/io", "adapters/process", "adapters/http1", "adapters/http2", "adapters/http3",
      "adapters/websocket", "adapters/wire", "adapters/sync", "adapters/edge", "posix", "asio", "openssl",
      "command-line"}},
    {"adapters/control",
     {"core/", "adapters/io", "adapters/process", "adapters/edge", "adapters/websocket", "adapters/wire",
      "adapters/sync", "posix", "asio", "openssl", "command-line", "httplib", "json", "store", "zlib"}},
    {"adapters/tool", {"core/", "adapters/wire", "httplib", "json", "openssl", "command-line", "posix"}},
    {"examples", {"core/", "httplib", "fmt"}},
    {"examples/demo_cell", {"core/", "httplib", "fmt"}},
    {"tests/support",
     {"core/", "adapters/io", "adapters/process/disk.hpp", "doctest", "asio", "openssl", "posix", "zlib"}},
};

/// Where the header that `<name>` asks for comes from, by how its name begins. What is in no row and has no dot is the
/// standard library's.
struct library {
  std::string_view name;
  std::string_view begins;
};

const library libraries[] = {
    {"asio", "asio"},         {"benchmark", "benchmark/"}, {"benchmark", "absl/"},  {"c-ares", "ares"},
    {"command-line", "CLI/"}, {"compression", "zstd"},     {"doctest", "doctest/"}, {"fmt", "fmt/"},
    {"httplib", "httplib.h"}, {"json", "nlohmann/"},       {"json", "simdjson"},    {"nghttp2", "nghttp2/"},
    {"ngtcp2", "nghttp3/"},   {"ngtcp2", "ngtcp2/"},       {"openssl", "openssl/"}, {"address-text", "arpa/inet.h"},
    {"posix", "dirent.h"},    {"posix", "dlfcn.h"},        {"posix", "fcntl.h"},    {"posix", "grp.h"},
    {"posix", "linux/"},      {"posix", "malloc.h"},       {"posix", "net/"},       {"posix", "netdb.h"},
    {"posix", "netinet/"},    {"posix", "poll.h"},         {"posix", "pthread.h"},  {"posix", "pwd.h"},
    {"posix", "sched.h"},     {"posix", "signal.h"},       {"posix", "spawn.h"},    {"posix", "sys/"},
    {"posix", "time.h"},      {"posix", "unistd.h"},       {"regex", "re2/"},       {"simd", "arm_neon.h"},
    {"simd", "emmintrin.h"},  {"simd", "immintrin.h"},     {"simd", "x86intrin.h"}, {"store", "sqlite3.h"},
    {"yaml", "yaml-cpp/"},    {"zlib", "zlib.h"},
};

const std::filesystem::path root = CELLROUTE_SOURCE_DIR;

const std::vector<source_file>& tree() {
  static const std::vector<source_file> files = support::read_tree(root);
  return files;
}

/// The folder of a file in the words of the table: `core/table`, `adapters/io`, `tests/unit/table`, ...
std::string folder_of(std::string_view path) {
  const std::string_view core = "include/cellroute/";
  if (path.starts_with(core)) return folder_of("core/" + std::string(path.substr(core.size())));
  return std::string(path.substr(0, path.find_last_of('/')));
}

/// What an #include asks for, in the words of the table; empty if nobody knows the name.
std::string included_file(std::string_view name, bool quoted) {
  if (name == "cellroute/cellroute.hpp") return "core/cellroute.hpp";
  if (name.starts_with("cellroute/")) return "core/" + std::string(name.substr(name.find('/') + 1));
  if (quoted) return std::filesystem::exists(root / name) ? std::string(name) : "";
  const auto* known =
      std::ranges::find_if(libraries, [name](const library& row) { return name.starts_with(row.begins); });
  if (known != std::end(libraries)) return std::string(known->name);
  return name.empty() || name.find_first_of("./") != std::string_view::npos ? "" : "std/" + std::string(name);
}

/// The standard headers that the core uses. A new one is written down here by whoever needs it: none that waits, opens,
/// prints, or asks the machine for anything. `<mutex>` is for the publisher alone; conventions_test.cpp sees to that.
constexpr std::string_view core_headers[] = {
    "algorithm",       "array",         "atomic",   "bit",     "cassert",    "chrono",      "compare",
    "concepts",        "cstddef",       "cstdint",  "cstring", "functional", "map",         "memory",
    "memory_resource", "mutex",         "optional", "span",    "string",     "string_view", "type_traits",
    "unordered_map",   "unordered_set", "utility",  "variant", "vector"};

struct include {
  std::string from;    ///< folder, in the words of the table
  std::string target;  ///< file or library, in the words of the table
  std::string where;   ///< path and line, for the reader of a failure
  bool from_header = false;
};

std::vector<include> includes_of(const source_file& file) {
  std::vector<include> found;
  for (const support::include_line& line : support::include_lines_of(file.text)) {
    const std::string where = file.path + ":" + std::to_string(line.number) + ": " + line.name;
    found.push_back(
        {folder_of(file.path), included_file(line.name, line.is_quoted), where, file.path.ends_with(".hpp")});
  }
  return found;
}

bool covers(std::string_view allowed, std::string_view target) {
  if (allowed.ends_with('/')) return target.starts_with(allowed);
  return target == allowed || (target.starts_with(allowed) && target.substr(allowed.size()).starts_with('/'));
}

bool row_allows(std::string_view folder, const include& asked) {
  if (covers(folder, asked.target) && folder != "core") return true;
  const auto* row = std::ranges::find(layers, folder, &layer::folder);
  if (row == std::end(layers)) return false;
  return std::ranges::any_of(row->may_include, [&](std::string_view word) { return covers(word, asked.target); });
}

/// The folder whose rules a unit test lives by: `tests/unit/http1` -> `adapters/http1`.
std::string tested_folder(std::string_view unit_folder) {
  const std::string part(unit_folder.substr(std::string_view("tests/unit/").size()));
  return std::ranges::find(layers, "core/" + part, &layer::folder) != std::end(layers) ? "core/" + part
                                                                                       : "adapters/" + part;
}

/// Folders that only put things together: they may include everything.
bool is_free(std::string_view folder) {
  constexpr std::string_view folders[] = {"bench", "tests/system", "tests/fuzz", "tests/simulation"};
  return std::ranges::any_of(folders, [folder](std::string_view row) { return covers(row, folder); });
}

bool is_allowed(const include& asked) {
  if (asked.target.empty()) return false;
  if (is_free(asked.from)) return true;
  if (asked.target.starts_with("std/")) {
    return !covers("core", asked.from) ||
           std::ranges::find(core_headers, asked.target.substr(4)) != std::end(core_headers);
  }
  if (asked.target == "fmt" && asked.from.starts_with("adapters/")) return !asked.from_header;  // never in an interface
  if (asked.from == "tests" || asked.from == "tests/unit") {
    return covers("core/", asked.target) || covers("tests/support", asked.target) || asked.target == "doctest";
  }
  if (asked.from.starts_with("tests/unit/")) {
    const std::string tested = tested_folder(asked.from);
    return covers(tested, asked.target) || row_allows(tested, asked) || covers("tests/support", asked.target) ||
           covers(asked.from, asked.target) || asked.target == "doctest" || asked.target == "fmt";
  }
  return row_allows(asked.from, asked);
}

std::vector<include> all_includes() {
  std::vector<include> all;
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    const std::vector<include> some = includes_of(file);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

TEST_CASE("layers: every include is allowed by the table") {
  const std::vector<include> all = all_includes();
  REQUIRE(all.size() > 50);
  for (const include& asked : all) {
    INFO(asked.where << " (in " << asked.from << ", which is " << (asked.target.empty() ? "unknown" : asked.target)
                     << ")");
    CHECK(is_allowed(asked));
  }
}

struct verdict_row {
  std::string_view says;
  include asked;
  bool expected;
};

const verdict_row verdicts[] = {
    {"a folder includes itself", {"core/table", "core/table/decision.hpp", "", true}, true},
    {"the table looks at conditions", {"core/table", "core/match/host.hpp", "", true}, true},
    {"conditions do not know the table", {"core/match", "core/table/decision.hpp", "", true}, false},
    {"the core knows no adapter", {"core/table", "adapters/wire/yaml.hpp", "", true}, false},
    {"the core knows no library", {"core/table", "asio", "", true}, false},
    {"only the umbrella includes the umbrella's kind", {"core/model", "core/cellroute.hpp", "", true}, false},
    {"a protocol sees one header of match", {"adapters/http1", "core/match/request_view.hpp", "", true}, true},
    {"a protocol sees no other", {"adapters/http1", "core/match/host.hpp", "", true}, false},
    {"a protocol knows no socket", {"adapters/http1", "adapters/io/task.hpp", "", true}, false},
    {"a protocol knows no system", {"adapters/http1", "posix", "", false}, false},
    {"a protocol has the library of its own", {"adapters/websocket", "openssl", "", false}, true},
    {"and not another one's", {"adapters/http1", "openssl", "", false}, false},
    {"forwarding does not decide", {"adapters/edge", "core/table/decision.hpp", "", true}, false},
    {"forwarding does not log", {"adapters/edge", "adapters/process/log.hpp", "", true}, false},
    {"the proxy may use the edge", {"adapters/proxy", "adapters/edge/exchange.hpp", "", true}, true},
    {"the proxy does not know the tool", {"adapters/proxy", "adapters/tool/check.hpp", "", true}, false},
    {"the core may use what it lists", {"core/table", "std/span", "", true}, true},
    {"no thread", {"core/table", "std/thread", "", true}, false},
    {"no stream, not even in the umbrella", {"core", "std/iostream", "", true}, false},
    {"an adapter may use all of the standard library", {"adapters/io", "std/thread", "", true}, true},
    {"fmt is for sources", {"adapters/wire", "fmt", "", false}, true},
    {"fmt is not for interfaces", {"adapters/wire", "fmt", "", true}, false},
    {"fmt is not for the core", {"core/table", "fmt", "", true}, false},
    {"a unit test lives by its folder's rules", {"tests/unit/http1", "core/base/hash.hpp", "", false}, true},
    {"and no further", {"tests/unit/http1", "adapters/io/task.hpp", "", false}, false},
    {"a unit test of the core sees no adapter", {"tests/unit/table", "adapters/wire/yaml.hpp", "", false}, false},
    {"a system test sees everything", {"tests/system", "adapters/proxy/admin.hpp", "", false}, true},
    {"an example shows the core", {"examples", "core/cellroute.hpp", "", false}, true},
    {"an example does not need the system", {"examples", "posix", "", false}, false},
    {"a folder that the table lacks has no rights", {"adapters/new", "core/base/hash.hpp", "", true}, false},
    {"a name that nobody knows is refused", {"adapters/proxy", "", "", false}, false},
};

TEST_CASE("layers: the table means what it says") {
  for (const verdict_row& row : verdicts) {
    CAPTURE(row.says);
    CHECK(is_allowed(row.asked) == row.expected);
  }
}

struct include_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;  ///< what is asked for, in the words of the table; `nothing` where no #include was seen
};

const include_case include_cases[] = {
    {"a header of the project", "#include \"cellroute/base/hash.hpp\"", "core/base/hash.hpp"},
    {"one of the standard library", "#include <thread>", "std/thread"},
    {"indented", "  #include <thread>", "std/thread"},
    {"with space behind the mark", "#  include <thread>", "std/thread"},
    {"with a tab, and none before the name", "#\tinclude<thread>", "std/thread"},
    {"a macro, whatever it stands for, is refused", "#include HEADER", ""},
    {"one without its end", "#include <thread", ""},
    {"one without anything", "#include", ""},
    {"one in a comment", "// #include <thread>", "nothing"},
};

TEST_CASE("layers: an include is seen however it is written") {
  for (const include_case& row : include_cases) {
    CAPTURE(row.says);
    const std::vector<include> found = includes_of({"adapters/io/a.cpp", std::string(row.text)});
    CHECK((found.empty() ? "nothing" : found[0].target) == row.expected);
  }
}

TEST_CASE("layers: what is compiled is called .hpp or .cpp, so that these tests read it") {
  CHECK(support::is_compiled("a/b.ipp"));
  CHECK(!support::is_compiled("a/b.md"));
  for (const source_file& file : tree()) {
    CAPTURE(file.path);
    CHECK(support::is_compiled(file.path) == support::is_cpp(file.path));
  }
}

TEST_CASE("layers: includes of the project are written from its root") {
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    for (const support::include_line& line : support::include_lines_of(file.text)) {
      if (!line.is_quoted) continue;
      INFO(file.path << ":" << line.number << ": " << line.name);
      CHECK(!line.name.starts_with(".."));
      CHECK(line.name.find('/') != std::string::npos);
    }
  }
}

using graph = std::map<std::string, std::set<std::string>>;

/// A folder from which the walk along `edges` comes back to itself; empty if there is none.
std::string find_cycle(const graph& edges) {
  std::set<std::string> done;
  std::vector<std::string> path;
  const auto walk = [&](const auto& self, const std::string& folder) -> std::string {
    if (std::ranges::find(path, folder) != path.end()) return folder;
    if (!done.insert(folder).second) return "";
    path.push_back(folder);
    if (const auto next = edges.find(folder); next != edges.end()) {
      for (const std::string& target : next->second) {
        if (std::string found = self(self, target); !found.empty()) return found;
      }
    }
    path.pop_back();
    return "";
  };
  for (const auto& [folder, targets] : edges) {
    if (std::string found = walk(walk, folder); !found.empty()) return found;
  }
  return "";
}

TEST_CASE("layers: no folder cycle exists") {
  CHECK(find_cycle({{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}) == "a");
  CHECK(find_cycle({{"a", {"b", "c"}}, {"b", {"c"}}}).empty());

  graph edges;
  for (const include& asked : all_includes()) {
    const std::string target = folder_of(asked.target);
    if (target != asked.from && (target.starts_with("core/") || target.starts_with("adapters/"))) {
      edges[asked.from].insert(target);
    }
  }
  REQUIRE(!edges.empty());
  CHECK(find_cycle(edges) == "");
}

TEST_CASE("layers: every folder is in the table") {
  std::set<std::string> folders;
  for (const source_file& file : tree()) {
    const std::string folder = folder_of(file.path);
    if (support::is_cpp(file.path) && (folder.starts_with("core/") || folder.starts_with("adapters/"))) {
      folders.insert(folder);
    }
  }
  REQUIRE(folders.size() > 5);
  for (const std::string& folder : folders) {
    CAPTURE(folder);
    CHECK(std::ranges::find(layers, folder, &layer::folder) != std::end(layers));
  }
}

TEST_CASE("layers: cellroute.hpp includes every header of the core") {
  std::set<std::string, std::less<>> included;
  std::size_t headers = 0;
  for (const source_file& file : tree()) {
    if (file.path != "include/cellroute/cellroute.hpp") continue;
    for (const include& asked : includes_of(file)) included.insert(asked.target);
  }
  for (const source_file& file : tree()) {
    constexpr std::string_view core = "include/cellroute/";
    if (!file.path.starts_with(core) || file.path.ends_with("/cellroute.hpp")) continue;
    ++headers;
    CAPTURE(file.path);
    CHECK(included.contains("core/" + file.path.substr(core.size())));
  }
  CHECK(headers > 10);
}

TEST_CASE("layers: every file is reached from a target") {
  // The build writes down the sources of its targets; a header is reached when somebody includes it.
  const std::string written = support::read_file(CELLROUTE_BUILT_SOURCES);
  std::set<std::string, std::less<>> reached;
  for (const support::source_line& line : support::lines_of(written)) {
    reached.insert(std::filesystem::path(line.text).lexically_relative(root).generic_string());
  }
  REQUIRE(reached.size() > 5);
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path)) continue;
    for (const include& asked : includes_of(file)) {
      const bool core = asked.target.starts_with("core/");
      reached.insert(core ? "include/cellroute/" + asked.target.substr(5) : asked.target);
    }
  }
  for (const source_file& file : tree()) {
    if (!support::is_cpp(file.path) || file.path.starts_with("bench/")) continue;  // benches are built when asked for
    CAPTURE(file.path);
    CHECK(reached.contains(file.path));
  }
}

}  // namespace
}  // namespace cellroute
