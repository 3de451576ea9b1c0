#include "adapters/control/head_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::control {
namespace {

using support::scratch_folder;

publish_head head_of(std::uint64_t version, std::uint64_t salt = 7) {
  publish_head h{{1, version, {}}, salt};
  h.content.sum.front() = static_cast<std::byte>(version);
  return h;
}

void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

TEST_CASE("head file: it begins as it is told, and is then what was kept last") {
  const scratch_folder folder;
  const std::string path = folder.file("control.db.head");
  {
    auto file = head_file::open(path, head_of(0));
    REQUIRE(file);
    CHECK((file->head() == head_of(0)));
    REQUIRE(file->keep(head_of(1)));
    REQUIRE(file->keep(head_of(2)));
    CHECK((file->head() == head_of(2)));
  }
  const auto again = head_file::open(path, head_of(0, 99));
  REQUIRE(again);
  CHECK((again->head() == head_of(2)));  // the salt, too
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("head file: one process at a time has it") {
  const scratch_folder folder;
  const std::string path = folder.file("control.db.head");
  auto first = head_file::open(path, head_of(0));
  REQUIRE(first);
  const auto second = head_file::open(path, head_of(0));
  REQUIRE_FALSE(second);
  CHECK(second.error() == path + ".lock: another control plane has this store; end that one, or name another store");
  {
    const head_file moved(*std::move(first));
    CHECK_FALSE(head_file::open(path, head_of(0)));
  }
  CHECK(head_file::open(path, head_of(0)));
}

TEST_CASE("head file: what a process left that was ended while it wrote does not count") {
  const scratch_folder folder;
  const std::string path = folder.file("control.db.head");
  write(path, write_head(head_of(4)));
  write(path + ".new", "{\"epoch\":1,\"vers");
  auto file = head_file::open(path, head_of(0));
  REQUIRE(file);
  CHECK((file->head() == head_of(4)));
  CHECK(file->keep(head_of(5)));
}

struct text_case {
  std::string_view says;
  std::string text;
};
const std::string sum(64, '0');
const text_case refused_texts[] = {
    {"nothing", ""},
    {"no JSON", "{"},
    {"no map", "[]"},
    {"no digest", R"({"epoch":1,"version":2,"salt":3})"},
    {"a digest that is too short", R"({"epoch":1,"version":2,"digest":"00","salt":3})"},
    {"a version that is a text", R"({"epoch":1,"version":"2","digest":")" + sum + R"(","salt":3})"},
    {"a negative epoch", R"({"epoch":-1,"version":2,"digest":")" + sum + R"(","salt":3})"},
};

TEST_CASE("head file: something else is refused, and not begun anew: routers would take no number of it") {
  const scratch_folder folder;
  const std::string path = folder.file("control.db.head");
  for (const text_case& row : refused_texts) {
    CAPTURE(row.says);
    write(path, row.text);
    const auto file = head_file::open(path, head_of(0));
    REQUIRE_FALSE(file);
    CHECK(file.error() == path + ": is no head of a control plane; bring back the one of a backup");
  }
}

TEST_CASE("head file: one that others may write is refused") {
  const scratch_folder folder;
  const std::string path = folder.file("control.db.head");
  write(path, write_head(head_of(4)));
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  const auto file = head_file::open(path, head_of(0));
  REQUIRE_FALSE(file);
  CHECK(file.error() == path + ": others may write it; chmod go-w it");
}

TEST_CASE("head file: what cannot be written is told, and changes nothing") {
  const scratch_folder folder;
  CHECK(head_file::open(folder.file("nowhere/control.db.head"), head_of(0)).error() ==
        folder.file("nowhere/control.db.head.lock") + ": cannot open: No such file or directory");
  const std::string path = folder.file("control.db.head");
  auto file = head_file::open(path, head_of(0));
  REQUIRE(file);
  std::filesystem::create_directory(path + ".new");  // where the next is to be written
  const auto kept = file->keep(head_of(1));
  REQUIRE_FALSE(kept);
  CHECK(kept.error() == path + ".new: cannot open: Is a directory");
  CHECK((file->head() == head_of(0)));
}

TEST_CASE("head file: without a store it counts and keeps nothing") {
  head_file file(head_of(1'700'000'000));
  CHECK(file.keep(head_of(1'700'000'001)));
  CHECK((file.head() == head_of(1'700'000'001)));
}

}  // namespace
}  // namespace cellroute::control
