#include "adapters/wire/config_guard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace cellroute::wire {
namespace {

struct guard_case {
  std::string_view says;
  guard_settings guard;
  std::size_t moved;
  std::size_t removed;
  std::size_t before;
  std::size_t after;
  std::string_view lifted;
  std::string_view broken;  // the names of the guards
};

const guard_case guard_cases[] = {
    {"nothing is guarded unless written", {}, 5000, 4999, 10000, 1, "", ""},
    {"but that 1,000 keys go, all of them", {}, 0, 1000, 1000, 0, "", "min_keys"},
    {"which may be lifted", {}, 0, 1000, 1000, 0, "min_keys", ""},
    {"or let be for good", {{}, {}, 0}, 0, 1000, 1000, 0, "", ""},
    {"999 may", {}, 0, 999, 999, 0, "", ""},
    {"as many as may move", {1, {}, 0}, 100, 0, 10000, 10000, "", ""},
    {"one more", {1, {}, 0}, 101, 0, 10000, 10000, "", "max_moved_percent"},
    {"a part of a per cent", {0.25, {}, 0}, 26, 0, 10000, 10000, "", "max_moved_percent"},
    {"none may move", {0, {}, 0}, 1, 0, 10000, 10000, "", "max_moved_percent"},
    {"as many as may go", {{}, 0.5, 0}, 0, 50, 10000, 9950, "", ""},
    {"one more goes", {{}, 0.5, 0}, 0, 51, 10000, 9949, "", "max_removed_percent"},
    {"percentages of 999 keys do not count", {1, 1, 0}, 999, 999, 999, 0, "", ""},
    {"those of 1,000 do", {1, 1, 0}, 11, 11, 1000, 989, "", "max_moved_percent max_removed_percent"},
    {"enough keys are left", {{}, {}, 3}, 0, 2, 5, 3, "", ""},
    {"too few are", {{}, {}, 3}, 0, 3, 5, 2, "", "min_keys"},
    {"two that are lifted", {1, 1, 0}, 11, 11, 1000, 989, "max_removed_percent,max_moved_percent", ""},
    {"a guard that is lifted", {1, 1, 0}, 11, 11, 1000, 989, "max_moved_percent", "max_removed_percent"},
    {"the last one that is lifted", {{}, {}, 3}, 0, 3, 5, 2, "min_keys", ""},
};

/// What lets a change pass: the names of what it breaks, and of what is lifted already.
std::string lifting(const guard_case& row) {
  std::string names = std::string(row.lifted) + (row.lifted.empty() ? "" : ",") + std::string(row.broken);
  std::ranges::replace(names, ' ', ',');
  return names;
}

TEST_CASE("config guard: names are read with commas between, each once") {
  CHECK(read_guards("min_keys") == "min_keys");
  CHECK(read_guards("min_keys,max_moved_percent,min_keys") == "max_moved_percent,min_keys");
  for (const std::string_view bad : {"", ",", "min_keys,", ",min_keys", "min_keys, min_keys", "all", "min_keys,all"}) {
    CAPTURE(bad);
    CHECK(!read_guards(bad));
  }
}

TEST_CASE("config guard: a call that asks for something already keeps that") {
  const auto broken = broken_guards({{}, {}, 3}, {}, 5, 2, "", "POST /v1/keys:import?format=csv");
  REQUIRE(broken.size() == 1);
  CHECK(broken.front().ends_with("once, POST /v1/keys:import?format=csv&override=min_keys"));
}

TEST_CASE("config guard: what a change may do") {
  for (const guard_case& row : guard_cases) {
    CAPTURE(row.says);
    table_diff change;
    change.moved = row.moved;
    change.removed = row.removed;
    std::string broken;
    for (const std::string& line : broken_guards(row.guard, change, row.before, row.after, row.lifted)) {
      const std::size_t begin = std::string_view("guard.").size();
      REQUIRE(line.starts_with("guard."));
      const std::string name = line.substr(begin, line.find(':') - begin);
      CHECK(line.ends_with("override=" + lifting(row)));  // says how to let all of it pass
      broken += (broken.empty() ? "" : " ") + name;
    }
    CHECK(broken == row.broken);
  }
}

TEST_CASE("config guard: each says what it found and what it allows, also where all is well") {
  table_diff change;
  change.moved = 100;
  change.removed = 30;
  const auto told = [&](const guard_settings& guard, std::size_t before, std::size_t after, std::string_view lifted) {
    std::string text;
    for (const guard_verdict& each : judge_guards(guard, change, before, after, lifted, "PUT /v1/config")) {
      text += std::string(each.name) + " " + std::to_string(static_cast<int>(each.value)) + "/" +
              (each.limit ? std::to_string(static_cast<int>(*each.limit)) : "off") + (each.ok ? " ok " : " broken ") +
              each.detail.substr(0, each.detail.find(';')) + "\n";
    }
    return text;
  };
  CHECK(told({}, 1000, 970, "") == "max_moved_percent 10/off ok \nmax_removed_percent 3/off ok \nmin_keys 970/1 ok \n");
  CHECK(told({}, 999, 970, "") ==
        "max_moved_percent 10/off ok \nmax_removed_percent 3/off ok \nmin_keys 970/off ok \n");
  CHECK(told({10, 2, 5}, 1000, 970, "") ==
        "max_moved_percent 10/10 ok \n"
        "max_removed_percent 3/2 broken 30 of 1000 keys would be removed, which is 3.00 % and not at most 2 %\n"
        "min_keys 970/5 ok \n");
  CHECK(told({5, 5, 0}, 500, 470, "") ==
        "max_moved_percent 20/5 ok percentages of fewer than 1000 keys do not count\n"
        "max_removed_percent 6/5 ok percentages of fewer than 1000 keys do not count\nmin_keys 470/off ok \n");
  CHECK(told({5, 5, 0}, 1000, 970, "max_moved_percent") ==
        "max_moved_percent 10/5 ok it is lifted, and does not count\nmax_removed_percent 3/5 ok \n"
        "min_keys 970/off ok \n");
  CHECK(told({5, {}, 1}, 0, 0, "") ==
        "max_moved_percent 0/5 ok \nmax_removed_percent 0/off ok \n"
        "min_keys 0/1 broken 0 keys would be left, not at least 1\n");
}

TEST_CASE("config guard: of a change that a control plane made it says who can let it pass") {
  const auto broken = broken_guards({{}, {}, 3}, {}, 5, 2, "", "");
  REQUIRE(broken.size() == 1);
  CHECK(
      broken.front().ends_with("change this guard in the router's own file and send it again: "
                               "cellroute ctl resync ID, or POST /v1/routers/ID:resync at the control plane"));
}

TEST_CASE("config guard: it says how many keys, and of how many") {
  table_diff change;
  change.moved = 26;
  const auto broken = broken_guards({0.25, {}, 0}, change, 10000, 10000, "");
  REQUIRE(broken.size() == 1);
  CHECK(
      broken.front() ==
      "guard.max_moved_percent: 26 of 10000 keys would move, which is 0.26 % and not at most 0.25 %; check the change; "
      "to let it pass once, POST /v1/reload?override=max_moved_percent");
}

}  // namespace
}  // namespace cellroute::wire
