#include "adapters/control/write_pace.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::control {
namespace {

struct pace_step {
  std::string_view says;
  duration at;
  std::string_view who;
  duration wait;  ///< 0: at once
};

const pace_step pace_steps[] = {
    {"the first", 1s, "ann", 0ns},
    {"the second at once", 1s, "ann", 0ns},
    {"not a third", 1s, "ann", 50ms},
    {"asking costs nothing", 1s, "ann", 50ms},
    {"others are not in the way", 1s, "bob", 0ns},
    {"a moment too early", 1s + 50ms - 1ns, "ann", 1ns},
    {"in time", 1s + 50ms, "ann", 0ns},
    {"one, and no more", 1s + 50ms, "ann", 50ms},
    {"after a while both again", 1min, "ann", 0ns},
    {"both", 1min, "ann", 0ns},
    {"not three", 1min, "ann", 50ms},
    {"a clock that was set back", 1s, "ann", 50ms},
    {"is made up for in an interval", 1s + 50ms, "ann", 0ns},
};

TEST_CASE("write pace: some versions at once, and then one an interval") {
  write_pace pace(50ms, 2);
  for (const pace_step& row : pace_steps) {
    CAPTURE(row.says);
    CHECK(pace.take(row.who, wall_time(row.at)).value_or(0ns) == row.wait);
  }
}

TEST_CASE("write pace: without an interval nobody waits; of thousands nobody is mistaken for another") {
  write_pace any(std::nullopt, 1);
  for (int i = 0; i < 1'000; ++i) CHECK(!any.take("ann", wall_time(1s)));
  write_pace pace(50ms, 1);
  CHECK(!pace.take("ann", wall_time(1s)));
  for (int i = 0; i < 3'000; ++i) CHECK(!pace.take("p" + std::to_string(i), wall_time(1s)));
  CHECK(pace.take("ann", wall_time(1s)));
  CHECK(!pace.take("ann", wall_time(2s)));
}

}  // namespace
}  // namespace cellroute::control
