// Which requests are logged, and why.
#include "adapters/proxy/access_sampling.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::proxy {
namespace {

struct sampling_case {
  std::string_view says;
  wire::sampling_settings settings;
  std::uint16_t status;
  duration elapsed;
  std::string_view key;
  sampling_decision expected;
};

/// Chance logs nothing here, so that what is logged is so for another reason.
wire::sampling_settings only(wire::always_logged always) { return {0, std::move(always)}; }

const wire::always_logged failures{{{500, 599}, {404, 404}}, {}, {}};
const wire::always_logged slow{{}, 1s, {}};
const wire::always_logged keys{{}, {}, {"visa", "acme"}};
const wire::always_logged all_three{{{500, 599}}, 1s, {"acme"}};

const sampling_case sampling_cases[] = {
    {"all, by default", {}, 200, 1ms, "acme", sampling_decision::ratio},
    {"all is all: nothing else needs to be asked", {1, all_three}, 500, 2s, "acme", sampling_decision::ratio},
    {"none", {0, {}}, 500, 1h, "acme", sampling_decision::dropped},
    {"the first status of a class", only(failures), 500, 1ms, "", sampling_decision::status},
    {"its last one", only(failures), 599, 1ms, "", sampling_decision::status},
    {"the one below", only(failures), 499, 1ms, "", sampling_decision::dropped},
    {"a single status", only(failures), 404, 1ms, "", sampling_decision::status},
    {"and not the next", only(failures), 405, 1ms, "", sampling_decision::dropped},
    {"a status that HTTP has not", only(failures), 999, 1ms, "", sampling_decision::dropped},
    {"no status: the request was cut before", only(failures), 0, 1ms, "", sampling_decision::dropped},
    {"slower", only(slow), 200, 1s + 1ns, "", sampling_decision::slow},
    {"as slow as the limit is not slower", only(slow), 200, 1s, "", sampling_decision::dropped},
    {"a key", only(keys), 200, 1ms, "acme", sampling_decision::key},
    {"another one", only(keys), 200, 1ms, "visa", sampling_decision::key},
    {"keys compare whole", only(keys), 200, 1ms, "acm", sampling_decision::dropped},
    {"and byte by byte", only(keys), 200, 1ms, "ACME", sampling_decision::dropped},
    {"a request without a key", only(keys), 400, 1ms, "", sampling_decision::dropped},
    {"the first reason is told", only(all_three), 503, 2s, "acme", sampling_decision::status},
    {"then the second", only(all_three), 200, 2s, "acme", sampling_decision::slow},
};

TEST_CASE("access sampling: what is always logged") {
  for (const sampling_case& row : sampling_cases) {
    CAPTURE(row.says);
    random_numbers chance(1);
    const access_sampling sampling(row.settings);
    for (int i = 0; i < 100; ++i) CHECK(sampling.decide(row.status, row.elapsed, row.key, chance) == row.expected);
  }
}

struct ratio_case {
  double ratio;
  int low;  ///< of 100,000
  int high;
};

const ratio_case ratio_cases[] = {
    {0, 0, 0},
    {0.001, 50, 150},
    {0.1, 9'500, 10'500},
    {0.5, 49'500, 50'500},
    {0.999, 99'800, 99'980},
    {1, 100'000, 100'000},
};

TEST_CASE("access sampling: of 100,000 requests the share is logged that was asked for") {
  for (const ratio_case& row : ratio_cases) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(row.ratio);
      CAPTURE(seed);
      const access_sampling sampling({row.ratio, {}});
      random_numbers chance(seed);
      int logged = 0;
      for (int i = 0; i < 100'000; ++i) {
        logged += sampling.decide(200, 1ms, "acme", chance) == sampling_decision::ratio;
      }
      CHECK(logged >= row.low);
      CHECK(logged <= row.high);
    }
  }
}

TEST_CASE("access sampling: what is always logged takes no chance from the others") {
  const access_sampling sampling({0.1, failures});
  random_numbers chance(1);
  random_numbers twin(1);
  for (int i = 0; i < 1000; ++i) (void)sampling.decide(500, 1ms, "acme", chance);
  CHECK(chance() == twin());
}

}  // namespace
}  // namespace cellroute::proxy
