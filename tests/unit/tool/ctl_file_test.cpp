#include "adapters/tool/ctl_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::tool {
namespace {

namespace fs = std::filesystem;
using support::scratch_folder;

std::string content_of(const std::string& file) {
  std::ifstream input(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

fs::perms mode_of(const std::string& file) { return fs::status(file).permissions(); }

TEST_CASE("ctl file: a file is replaced as a whole, and for its owner alone") {
  const scratch_folder folder;
  const std::string file = folder.file("rows");
  std::ofstream(file) << "what was there before";
  fs::permissions(file, fs::perms(0644));
  CHECK(kind_of_output(file) == output_kind::file);
  REQUIRE(write_output(file, "new"));
  CHECK(content_of(file) == "new");
  CHECK(mode_of(file) == fs::perms(0600));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("ctl file: a link stays, and what it leads to is replaced") {
  const scratch_folder folder;
  std::ofstream(folder.file("rows")) << "before";
  fs::create_symlink("rows", folder.file("link"));
  REQUIRE(write_output(folder.file("link"), "new"));
  CHECK(fs::is_symlink(folder.file("link")));
  CHECK(content_of(folder.file("rows")) == "new");
}

TEST_CASE("ctl file: what is no file is written into, and stays what it is") {
  const scratch_folder folder;
  const std::string pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  fs::create_symlink("pipe", folder.file("link"));
  const int reads = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reads >= 0);
  for (const char* const name : {"pipe", "link"}) {
    CAPTURE(name);
    CHECK(kind_of_output(folder.file(name)) == output_kind::no_file);
    REQUIRE(write_output(folder.file(name), "new"));
    char got[8] = {};
    CHECK(::read(reads, got, sizeof got) == 3);
    CHECK(std::string(got) == "new");
    CHECK(fs::is_fifo(pipe));
  }
  ::close(reads);
}

TEST_CASE("ctl file: what cannot be written is told, and nothing is left behind") {
  const scratch_folder folder;
  fs::create_directory(folder.file("folder"));
  CHECK(write_output(folder.file("folder"), "x").error() ==
        folder.file("folder") + ": cannot be written: Is a directory");
  CHECK(write_output(folder.file("nowhere/x"), "x").error() ==
        folder.file("nowhere/x") + ": cannot be written: No such file or directory");
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

}  // namespace
}  // namespace cellroute::tool
