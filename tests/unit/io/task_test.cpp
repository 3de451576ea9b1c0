#include "adapters/io/task.hpp"

#include <doctest/doctest.h>

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/socket_pair.hpp"

namespace cellroute::io {
namespace {

/// Waits until `open`.
struct gate {
  std::coroutine_handle<> waiting;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> w) noexcept { waiting = w; }
  void await_resume() const noexcept {}
  void open() { std::exchange(waiting, nullptr).resume(); }
};

/// Says when it begins and ends, and when its frame goes.
struct in_frame {
  std::string& told;
  char name;
  ~in_frame() { told += std::string("~") + name; }
};

task<void> work(std::string& told, char name, gate* at) {
  const in_frame alive{told, name};
  told += name;
  if (at != nullptr) co_await *at;
  told += std::string("/") + name;
}

task<int> answer() { co_return 42; }
task<int> ask_twice() {
  const int first = co_await answer();
  const int second = co_await answer();
  co_return first + second;
}
task<std::unique_ptr<int>> make_owned() { co_return std::make_unique<int>(7); }
task<int> use_owned() {
  const std::unique_ptr<int> owned = co_await make_owned();
  co_return *owned;
}

TEST_CASE("task: hands its result up, a value that only moves too") {
  CHECK(support::started<int>(ask_twice()).result == 84);
  CHECK(support::started<int>(use_owned()).result == 7);
}

TEST_CASE("task: does not run before it is awaited") {
  std::string told;
  {
    const task<void> never = work(told, 'a', nullptr);
  }
  CHECK(told == "");
}

TEST_CASE("task: its frame goes where it is destroyed while it waits, from the inside out") {
  std::string told;
  gate g;
  const auto outer = [](std::string& out, gate& at) -> task<int> {
    const in_frame alive{out, 'o'};
    co_await work(out, 'i', &at);
    co_return 1;
  };
  std::optional<support::started<int>> running;
  running.emplace(outer(told, g));
  CHECK(told == "i");
  running.reset();
  CHECK(told == "i~i~o");
}

task<int> joined(std::string& told, gate* first, gate* second) {
  co_await join(work(told, 'a', first), work(told, 'b', second));
  told += '.';
  co_return 0;
}

TEST_CASE("join: goes on when both have ended, in whatever order") {
  struct join_case {
    std::string_view says;
    bool first_waits;
    bool second_waits;
    std::string_view opened;
    std::string_view expected;
  };
  const join_case cases[] = {
      {"none waits", false, false, "", "a/a~ab/b~b."},
      {"only the first waits", true, false, "1", "ab/b~b/a~a."},
      {"only the second waits", false, true, "2", "a/a~ab/b~b."},
      {"the first ends first", true, true, "12", "ab/a~a/b~b."},
      {"the second ends first", true, true, "21", "ab/b~b/a~a."},
      {"one is not enough", true, true, "1", "ab/a~a"},
  };
  for (const join_case& row : cases) {
    CAPTURE(row.says);
    std::string told;
    gate first;
    gate second;
    const support::started<int> running(
        joined(told, row.first_waits ? &first : nullptr, row.second_waits ? &second : nullptr));
    for (const char which : row.opened) (which == '1' ? first : second).open();
    CHECK(told == row.expected);
    CHECK(running.result.has_value() == row.expected.ends_with('.'));
  }
}

TEST_CASE("join: destroyed while both wait, both frames go") {
  std::string told;
  gate first;
  gate second;
  {
    const support::started<int> running(joined(told, &first, &second));
  }
  CHECK(told.find("~a") != std::string::npos);
  CHECK(told.find("~b") != std::string::npos);
}

}  // namespace
}  // namespace cellroute::io
