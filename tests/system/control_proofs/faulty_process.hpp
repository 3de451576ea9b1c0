#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "tests/support/call_points.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/system/support/descriptor.hpp"
#include "tests/system/support/proof_size.hpp"

namespace cellroute::system_test {

using outcome = support::call_points::outcome;

/// What is tried at which call: the one of this number, from 1, among those of this name.
struct fault {
  outcome what = outcome::count;
  std::string name{};
  int number = 0;
};

/// The calls of a program that is started with `environment`: counted, and one of them chosen to fail or to be the
/// last.
class call_control {
 public:
  call_control() : file_((folder_.path() / "points").string()) {
    const descriptor opened(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(opened);
    REQUIRE(::ftruncate(opened.get(), sizeof(support::call_points)) == 0);
    void* const mapped =
        ::mmap(nullptr, sizeof(support::call_points), PROT_READ | PROT_WRITE, MAP_SHARED, opened.get(), 0);
    REQUIRE(mapped != MAP_FAILED);
    points_ = static_cast<support::call_points*>(mapped);
  }
  call_control(const call_control&) = delete;
  call_control& operator=(const call_control&) = delete;
  ~call_control() { ::munmap(points_, sizeof(support::call_points)); }

  [[nodiscard]] std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" CELLROUTE_CALL_POINTS_PATH, std::string(support::call_points_variable) + "=" + file_};
  }
  /// From now on.
  void arm(const fault& what) {
    points_->seen = 0;
    points_->has_come = false;
    points_->wanted = {};
    what.name.copy(points_->wanted.data(), points_->wanted.size() - 1);
    points_->countdown = what.number;
    points_->armed = what.what;
  }
  /// After it no call fails any more, and whether one has is known.
  void disarm() {
    const bool is_taken = points_->armed.exchange(outcome::none) == outcome::none;
    if (is_taken) CHECK(eventually([this] { return has_come(); }));
  }
  [[nodiscard]] bool has_come() const { return points_->has_come; }
  /// The names of the calls since it was armed.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    const auto count = std::min(static_cast<std::size_t>(points_->seen.load()), support::call_points::names_max);
    for (std::size_t i = 0; i < count; ++i) all.emplace_back(points_->names[i].data());
    return all;
  }

 private:
  support::scratch_folder folder_;
  std::string file_;
  support::call_points* points_ = nullptr;
};

struct fault_tally {
  std::map<std::string, int> calls{};   ///< by name, of the run without a fault that had the most of each
  std::map<std::string, int> points{};  ///< that were tried, and came

  [[nodiscard]] static int sum_of(const std::map<std::string, int>& counts) {
    int sum = 0;
    for (const auto& [name, count] : counts) sum += count;
    return sum;
  }
  [[nodiscard]] std::string text() const {
    std::string all = std::to_string(sum_of(calls)) + " calls, " + std::to_string(sum_of(points)) + " points tried:";
    for (const auto& [name, count] : points) all += " " + name + " " + std::to_string(count);
    return all;
  }
};

/// Tries each call, once with an error and once as the last thing that the process does; in short, the last call of
/// each name. `try_one` arms the control that it is given, for the time that is looked at.
template <class TryOne>
fault_tally try_all_calls(TryOne&& try_one) {
  fault_tally tally;
  for (int run = 0; run < sized(1, 3); ++run) {  // what other threads do beside it is not always the same
    call_control calls;
    try_one(calls, fault{});
    std::map<std::string, int> counts;
    for (const std::string& name : calls.names()) ++counts[name];
    for (const auto& [name, count] : counts) tally.calls[name] = std::max(tally.calls[name], count);
  }
  const auto comes = [&](const fault& what) {
    call_control calls;
    const stopwatch time;
    try_one(calls, what);
    if (time.elapsed() > 8s) MESSAGE(what.name << " " << what.number << " took " << time.ms() << " ms");
    tally.points[what.name] += calls.has_come() ? 1 : 0;
    return calls.has_come();
  };
  for (const auto& [name, count] : tally.calls) {
    for (const outcome what : {outcome::error, outcome::kill}) {
      if (!is_full_size()) {
        for (int number = count; number > 0 && !comes({what, name, number}); --number) {
        }
        continue;
      }
      // It is over when three in a row do not come.
      for (int number = 1, missed = 0; missed < 3; ++number) missed = comes({what, name, number}) ? 0 : missed + 1;
    }
  }
  return tally;
}

}  // namespace cellroute::system_test
