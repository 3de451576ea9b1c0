#include "adapters/process/drain.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace cellroute::process {
namespace {

const drain_policy policy{.unready_for = 5s, .timeout = 30s, .cut_timeout = 1s};
const time_point start = time_point() + 1h;

/// A machine in that state, entered at `start`.
drain entered(drain_state state) {
  drain machine(policy);
  const time_point asked = start - (state == drain_state::unready ? 0s : state == drain_state::closing ? 5s : 35s);
  if (state != drain_state::serving) machine.ask(asked);
  if (state != drain_state::serving && state != drain_state::unready) machine.tick(asked + 5s, 1);
  if (state == drain_state::cutting || state == drain_state::ended) machine.tick(asked + 35s, 1);
  if (state == drain_state::ended) machine.tick(start, 0);
  REQUIRE(machine.state() == state);
  return machine;
}

constexpr drain_state states[] = {drain_state::serving, drain_state::unready, drain_state::closing,
                                  drain_state::cutting, drain_state::ended};

/// All that can happen to it, as a table: the one in ARCHITECTURE.md.
std::string printed() {
  std::string text = "drain      asked to stop   its time is over   no connection is open\n";
  for (const drain_state state : states) {
    const auto cell = [&text](std::size_t width, std::string_view word) {
      text += word;
      text.append(width - word.size(), ' ');
    };
    const auto next = [state](drain_state to) { return to == state ? std::string_view("-") : to_string(to); };
    cell(11, to_string(state));
    drain asked = entered(state);
    cell(16, next(asked.ask(start)));
    drain late = entered(state);
    cell(19, next(late.tick(start + 30s, 1)));
    drain idle = entered(state);
    text += next(idle.tick(start, 0));
    text += '\n';
  }
  return text;
}

TEST_CASE("drain: ARCHITECTURE.md shows its table as it is") {
  std::ifstream file(CELLROUTE_SOURCE_DIR "/ARCHITECTURE.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  INFO(printed());
  CHECK(document.find("```\n" + printed() + "```\n") != std::string::npos);
}

struct moment_case {
  std::string_view says;
  drain_state from;
  duration later;
  std::size_t open;
  drain_state to;
};

const moment_case moment_cases[] = {
    {"nobody asked", drain_state::serving, 24h, 0, drain_state::serving},
    {"who balances has 5 s to see it", drain_state::unready, 5s - 1ns, 0, drain_state::unready},
    {"and not longer", drain_state::unready, 5s, 0, drain_state::closing},
    {"what runs has 30 s", drain_state::closing, 30s - 1ns, 1, drain_state::closing},
    {"and not longer", drain_state::closing, 30s, 1, drain_state::cutting},
    {"the last one ended", drain_state::closing, 0s, 0, drain_state::ended},
    {"what was cut has a moment", drain_state::cutting, 1s - 1ns, 1, drain_state::cutting},
    {"and not longer", drain_state::cutting, 1s, 1, drain_state::ended},
    {"all that was cut ended", drain_state::cutting, 0s, 0, drain_state::ended},
    {"nothing follows the end (late)", drain_state::ended, 24h, 5, drain_state::ended},
};

TEST_CASE("drain: each step takes its time, or less when nothing is left") {
  for (const moment_case& row : moment_cases) {
    CAPTURE(row.says);
    drain machine = entered(row.from);
    CHECK(machine.tick(start + row.later, row.open) == row.to);
  }
}

TEST_CASE("drain: without a pause before it closes, the next tick does") {
  drain machine({.unready_for = 0s, .timeout = 2s});
  CHECK(machine.ask(start) == drain_state::unready);
  CHECK(machine.tick(start, 3) == drain_state::closing);
  CHECK(machine.tick(start + 1s, 3) == drain_state::closing);
  CHECK(machine.tick(start + 1s, 0) == drain_state::ended);
}

TEST_CASE("drain: who asks twice does not want to wait") {
  for (const drain_state state : {drain_state::unready, drain_state::closing, drain_state::cutting}) {
    CAPTURE(to_string(state));
    drain machine = entered(state);
    CHECK(machine.ask(start) == drain_state::ended);
  }
}

}  // namespace
}  // namespace cellroute::process
