#include "adapters/process/file_watcher.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::process {
namespace {

namespace fs = std::filesystem;

/// A folder to change, as its users would.
class changing_folder {
 public:
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  void write(std::string_view name, std::string_view text) const { std::ofstream(*this / name) << text; }
  void make_folder(std::string_view name) const { fs::create_directories(path_ / name); }
  void link(std::string_view target, std::string_view name) const { fs::create_symlink(target, path_ / name); }
  void rename(std::string_view from, std::string_view to) const { fs::rename(path_ / from, path_ / to); }

 private:
  support::scratch_folder scratch_;
  fs::path path_ = fs::canonical(scratch_.path());  // the places are compared with it, and hold no link
};

/// The places relative to the folder, `folder|name` each.
std::vector<std::string> places_below(const changing_folder& folder, std::string_view name) {
  std::vector<std::string> found;
  for (const place& p : places_on_path(folder / name)) {
    const std::string relative = fs::path(p.folder).lexically_relative(folder / "").string();
    found.push_back((relative.empty() ? "." : relative) + "|" + p.name);
  }
  return found;
}

TEST_CASE("file watcher: the places on a path are the file's and those of the links that lead to it") {
  using list = std::vector<std::string>;
  const changing_folder folder;
  folder.make_folder("a/b");
  folder.write("a/b/plain.yaml", "");
  folder.make_folder("map/..2024");
  folder.write("map/..2024/c.yaml", "");
  folder.link("..2024", "map/..data");
  folder.link("..data/c.yaml", "map/c.yaml");
  folder.link(folder / "a/b", "far");
  folder.link("loop", "loop");
  CHECK(places_below(folder, "a/b/plain.yaml") == list{"a/b|plain.yaml"});
  CHECK(places_below(folder, "a/./b/../b/plain.yaml") == list{"a/b|plain.yaml"});
  CHECK(places_below(folder, "a/b/missing.yaml") == list{"a/b|missing.yaml"});
  CHECK(places_below(folder, "map/c.yaml") == list{"map|c.yaml", "map|..data", "map/..2024|c.yaml"});
  CHECK(places_below(folder, "far/plain.yaml") == list{".|far", "a/b|plain.yaml"});
  CHECK(places_below(folder, "far/../b/plain.yaml") == list{".|far", "a/b|plain.yaml"});  // `..` of where it leads
  CHECK(places_below(folder, "loop").size() == 41);
}

TEST_CASE("file watcher: what is told, and what is not") {
  const changing_folder folder;
  folder.write("c.yaml", "1");
  file_watcher watcher;
  const std::vector<std::string> files{folder / "c.yaml"};
  REQUIRE(watcher.watch(files));
  CHECK_FALSE(watcher.take_changes());

  folder.write("other.log", "a line");
  CHECK_FALSE(watcher.take_changes());
  folder.write("c.yaml", "2");  // written in place
  CHECK(watcher.take_changes());
  CHECK_FALSE(watcher.take_changes());
  folder.write("c.tmp", "3");
  CHECK_FALSE(watcher.take_changes());
  folder.rename("c.tmp", "c.yaml");  // replaced
  CHECK(watcher.take_changes());
  folder.write("c.yaml", "4");  // the new one is watched, too
  CHECK(watcher.take_changes());
  fs::remove(folder / "c.yaml");
  CHECK(watcher.take_changes());
  folder.write("c.yaml", "5");  // and one that comes where there was none
  CHECK(watcher.take_changes());

  const std::vector<std::string> others{folder / "d.yaml"};
  REQUIRE(watcher.watch(others));
  (void)watcher.take_changes();
  folder.write("c.yaml", "6");
  CHECK_FALSE(watcher.take_changes());
  folder.write("d.yaml", "1");
  CHECK(watcher.take_changes());
}

TEST_CASE("file watcher: the swap of a ConfigMap is told, and the next one, too") {
  const changing_folder folder;
  for (const std::string_view generation : {"..1", "..2", "..3"}) {
    folder.make_folder(generation);
    folder.write(std::string(generation) + "/c.yaml", generation);
  }
  folder.link("..1", "..data");
  folder.link("..data/c.yaml", "c.yaml");
  file_watcher watcher;
  const std::vector<std::string> files{folder / "c.yaml"};
  REQUIRE(watcher.watch(files));
  for (const std::string_view generation : {"..2", "..3"}) {
    folder.link(generation, "..data_tmp");
    folder.rename("..data_tmp", "..data");
    CHECK(watcher.take_changes());
    REQUIRE(watcher.watch(files));
    CHECK_FALSE(watcher.take_changes());
  }
}

TEST_CASE("file watcher: a folder that is not there cannot be watched; one that goes is told") {
  const changing_folder folder;
  file_watcher watcher;
  const std::vector<std::string> files{folder / "gone/c.yaml"};
  CHECK_FALSE(watcher.watch(files));
  folder.make_folder("gone");
  folder.write("gone/c.yaml", "1");
  REQUIRE(watcher.watch(files));
  fs::remove_all(folder / "gone");
  CHECK(watcher.take_changes());
  CHECK_FALSE(watcher.watch(files));
}

}  // namespace
}  // namespace cellroute::process
