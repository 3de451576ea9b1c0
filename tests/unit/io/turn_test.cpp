#include <doctest/doctest.h>

#include <string>

#include "adapters/io/reactor.hpp"
#include "adapters/io/task.hpp"

namespace cellroute::io {
namespace {

task<void> write_thrice(reactor& r, std::string& out, char letter) {
  for (int i = 0; i < 3; ++i) {
    out += letter;
    co_await r.turn();
  }
  if (r.running_count() == 1) r.stop();
}

TEST_CASE("reactor: a turn lets the others go on first") {
  reactor r;
  std::string out;
  r.post([&] {
    r.spawn(write_thrice(r, out, 'a'));
    r.spawn(write_thrice(r, out, 'b'));
  });
  r.run();
  CHECK(out == "ababab");
}

TEST_CASE("reactor: a million turns take no stack") {
  reactor r;
  int turns = 0;
  const auto count = [](reactor& owner, int& done) -> task<void> {
    for (; done < 1'000'000; ++done) co_await owner.turn();
    owner.stop();
  };
  r.post([&] { r.spawn(count(r, turns)); });
  r.run();
  CHECK(turns == 1'000'000);
}

TEST_CASE("reactor: what waits for its turn when the reactor stops is destroyed") {
  struct noting {
    bool& gone;
    ~noting() { gone = true; }
  };
  bool gone = false;
  {
    reactor r;
    const auto wait = [](reactor& owner, bool& told) -> task<void> {
      const noting note{told};
      owner.stop();
      for (;;) co_await owner.turn();
    };
    r.post([&] { r.spawn(wait(r, gone)); });
    r.run();
  }
  CHECK(gone);
}

}  // namespace
}  // namespace cellroute::io
