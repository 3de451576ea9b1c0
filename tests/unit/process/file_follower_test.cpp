#include "adapters/process/file_follower.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::process {
namespace {

using support::scratch_folder;

/// Reads one file, and says of each reading what the test wants; ends the reactor when it has seen all that it waits
/// for, or after some seconds without.
struct reader final : file_reader, io::tick_listener {
  reader(std::string file, std::size_t readings_wanted) : path(std::move(file)), wanted(readings_wanted) {
    reactor.add_tick_listener(*this);
    begun = reactor.now();
  }
  ~reader() {
    follower.reset();
    reactor.remove_tick_listener(*this);
  }

  void begin(const follow_reading& how) override { asked.push_back(how.is_asked); }
  void read() override {
    std::ifstream in(path);
    std::getline(in, text);
  }
  void take(const std::string& why_not) override {
    REQUIRE(why_not.empty());
    texts.push_back(text);
    if (unsettled > 0) {
      --unsettled;
      follower->end_unsettled();
    } else {
      follower->end(text == "bad");
    }
    if (after_reading != nullptr) after_reading(*this);
    if (texts.size() >= wanted) reactor.stop();
  }
  void on_tick(time_point now) override {
    if (now - begun > 10s) reactor.stop();
  }
  std::string told() const {
    std::string all;
    for (const std::string& t : texts) all += (all.empty() ? "" : " ") + t;
    return all;
  }
  void write(std::string_view next) const {
    std::ofstream(path + ".next") << next << "\n";
    std::filesystem::rename(path + ".next", path);
  }
  void run(const follow_policy& policy) {
    follower.emplace(reactor, *this);
    follower->start(policy, std::vector<std::string>{path});
    reactor.run();
  }

  io::reactor reactor;
  std::string path;
  std::size_t wanted;
  void (*after_reading)(reader&) = nullptr;
  int unsettled = 0;
  std::string text;
  std::vector<std::string> texts;
  std::vector<bool> asked;
  time_point begun;
  std::optional<file_follower> follower;
};

const follow_policy quick{.watch = true, .poll = {}, .debounce = 0ms, .backoff_on_error = 0s};

TEST_CASE("file follower: it is read once at the start, and again when it has changed") {
  const scratch_folder folder;
  reader r(folder.file("file"), 3);
  r.write("one");
  r.after_reading = [](reader& of) {
    if (of.texts.size() == 1) of.write("two");
    if (of.texts.size() == 2) of.write("bad");
  };
  r.run(quick);
  CHECK(r.told() == "one two bad");
}

TEST_CASE("file follower: who asks is answered at once, and is told apart") {
  const scratch_folder folder;
  reader r(folder.file("file"), 2);
  r.write("one");
  r.after_reading = [](reader& of) {
    if (of.texts.size() == 1) CHECK(of.follower->demand() == 2);
  };
  r.run({.watch = true, .poll = {}, .debounce = 0ms, .backoff_on_error = 1h});
  CHECK(r.told() == "one one");
  CHECK((r.asked == std::vector<bool>{false, true}));
  CHECK(r.follower->begun() == 2);
  CHECK(r.follower->ended() == 2);
}

TEST_CASE("file follower: what somebody writes is read again, without a further change") {
  const scratch_folder folder;
  reader r(folder.file("file"), 3);
  r.write("one");
  r.unsettled = 2;
  r.run(quick);
  CHECK(r.told() == "one one one");
}

TEST_CASE("file follower: without the system's word it is looked at as often as it is said") {
  const scratch_folder folder;
  reader r(folder.file("file"), 3);
  r.write("one");
  r.run({.watch = false, .poll = 100ms, .debounce = 0ms, .backoff_on_error = 0s});
  CHECK(r.told() == "one one one");
}

TEST_CASE("file follower: files that somebody writes are known by their age") {
  const scratch_folder folder;
  const std::string path = folder.file("file");
  std::ofstream(path) << "one";
  const std::vector<std::string> files{folder.file("none"), path};
  CHECK(is_any_being_written(files, 1h));
  CHECK_FALSE(is_any_being_written(files, 0s));
  CHECK_FALSE(is_any_being_written(std::vector<std::string>{folder.file("none")}, 1h));
}

}  // namespace
}  // namespace cellroute::process
