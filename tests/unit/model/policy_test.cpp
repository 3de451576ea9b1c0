#include "cellroute/model/policy.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string_view>

#include "cellroute/model/table_spec.hpp"

using namespace cellroute;

namespace {

struct default_case {
  std::string_view says;
  std::optional<duration> value;
  std::optional<duration> expected;
};

const upstream_policy policy;
const default_case default_cases[] = {
    {"a connection is given 5 s", policy.timeouts.connect, 5s},
    {"an answer's head is given 30 s", policy.timeouts.response_header, 30s},
    {"a stream may be silent for 5 min", policy.timeouts.stream_idle, 5min},
    {"a client may pause its body for 10 s", policy.timeouts.request_body_idle, 10s},
    {"nothing limits the whole, or streams would be cut", policy.timeouts.total, std::nullopt},
    {"an idle connection is kept for 90 s", policy.pool.idle_timeout, 90s},
};

}  // namespace

TEST_CASE("policy: what holds where the operator wrote nothing") {
  for (const default_case& row : default_cases) {
    CAPTURE(row.says);
    CHECK((row.value == row.expected));
  }
  CHECK(policy.pool.idle_max == 128);
  CHECK(policy.pool.requests_max == 0);
  CHECK(policy.retries.attempts == 1);
  CHECK(policy.host == host_policy::preserve);
  CHECK_FALSE(policy.request_body_max.has_value());
  CHECK(endpoint{}.weight == 1);
  CHECK(table_spec{}.on_unknown == unknown_key_policy::use_default);
}

TEST_CASE("model: two names of different kinds do not mix") {
  static_assert(!std::is_convertible_v<cell_id, placement_id>);
  static_assert(!std::is_constructible_v<cell_id, placement_id>);
  static_assert(!std::is_convertible_v<std::string, cell_id>);
  CHECK(cell_id("a") < cell_id("b"));
  CHECK(generation_number(2) > generation_number(1));
}
