#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

/// What the system tests share: the router as a process, and both of its neighbours as scripts.
namespace cellroute::system_test {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using steady = std::chrono::steady_clock;

/// Says that a case cannot be tried here. Where everything was installed that tests need, that is a failure.
inline void skip(const std::string& why) {
  MESSAGE("SKIPPED: " << why);
  const char* const strict = std::getenv("CELLROUTE_NO_SKIP");
  if (strict != nullptr && std::string_view(strict) == "1") FAIL_CHECK("nothing may be skipped here: " << why);
}

/// How long a test waits for a fact before it fails. Never reached when all is well, so it is generous: sanitizers on a
/// busy machine are slow.
inline constexpr std::chrono::seconds patience{20};

/// Waits until `holds` says true; false when it did not within `limit`.
template <class Fact>
[[nodiscard]] bool eventually(Fact holds, steady::duration limit = patience) {
  const steady::time_point end = steady::now() + limit;
  while (!holds()) {
    if (steady::now() >= end) return holds();
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A door between the test and a script of its cell: closed until somebody opens it, then open for good.
class gate {
 public:
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  [[nodiscard]] bool wait() {
    std::unique_lock lock(mutex_);
    return opened_.wait_for(lock, patience, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

/// A machine that others use, too, is slow for a while now and then: tries again, at most five times, until `attempt`
/// tells of a time below `bar`. The least of those times.
template <class Attempt>
[[nodiscard]] steady::duration least_of_five(steady::duration bar, Attempt attempt) {
  steady::duration least = steady::duration::max();
  for (int i = 0; i < 5 && least >= bar; ++i) {
    const steady::duration told = attempt();
    if (told < least) least = told;
  }
  return least;
}

class stopwatch {
 public:
  [[nodiscard]] steady::duration elapsed() const { return steady::now() - begin_; }
  [[nodiscard]] double ms() const { return std::chrono::duration<double, std::milli>(elapsed()).count(); }

 private:
  steady::time_point begin_ = steady::now();
};

}  // namespace cellroute::system_test
