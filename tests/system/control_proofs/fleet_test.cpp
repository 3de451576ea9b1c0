// A fleet of routers, and how soon each of them runs what was published (control-plane.md section 12, T1 and T23).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/system/control_proofs/light_fleet.hpp"
#include "tests/system/control_proofs/linked_fleet.hpp"
#include "tests/system/control_proofs/plane.hpp"
#include "tests/system/support/proof_size.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::size_t few_keys = 1'000;

/// Moves one key; returns the version that this made.
std::uint64_t move_one(const control_process& control, std::size_t number) {
  const message answer = tell(control, "PUT", "/v1/keys/" + key_name(number),
                              R"({"placement":")" + std::string(cell_in(number, 1)) + "\"}");
  REQUIRE(answer.status() == 200);
  return version_of(answer);
}

/// `linked` routers with tables of their own, and `light` ones: from the answer to a change to the last ack.
void publish_to(std::size_t linked, std::size_t light, std::size_t keys) {
  const std::size_t publishes = sized(10U, 50U);
  if (!has_descriptors(light + linked * 8 + 200)) return skip("it needs more descriptors");
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(keys, 0, 1, 2)).status() / 100 == 2);
  light_fleet lights(control.port(), light, "light");
  linked_fleet routers(control.port(), linked);
  REQUIRE(lights.all_run(1, 60s));
  REQUIRE(all_on_target(control, linked + light));
  std::vector<double> answered;
  std::vector<double> last;
  for (std::size_t i = 0; i < publishes; ++i) {
    const stopwatch putting;
    const std::uint64_t version = move_one(control, i);
    answered.push_back(putting.ms());
    const stopwatch since;
    REQUIRE(lights.all_run(version));
    REQUIRE(eventually([&] { return routers.all_applied(i + 2); }));
    // What counts is that the control plane knows: asked for once they are through, so that asking costs nobody time.
    REQUIRE(all_on_target(control, linked + light));
    last.push_back(since.ms());
  }
  const double p99 = quantile(last, 0.99);
  MESSAGE(linked << " routers and " << light << " light ones, " << keys << " keys, " << publishes
                 << " publishes of one moved key: PUT to 200 " << median(answered)
                 << " ms (median), 200 to the last ack " << median(last) << " ms (median), " << quantile(last, 0.9)
                 << " ms (p90), " << p99 << " ms (p99)");
  CHECK((is_full_size() ? p99 : median(last)) < 1'000);
  CHECK(routers.refused() == 0);
  CHECK(lights.lost() == 0);
}

TEST_CASE("fleet proof: the last of all routers acknowledges a small change within a second") {
  publish_to(sized(20U, 200U), sized(200U, 2'000U), few_keys);
}

TEST_CASE("fleet proof: and so it does where they have many keys") {
  publish_to(sized(10U, 100U), sized(10U, 100U), sized(10'000U, 100'000U));
}

TEST_CASE("fleet proof: thousands of routers take little memory, and the API answers beside them") {
  const std::size_t asked_at = sized(400U, 4'000U);
  const std::size_t all = sized(500U, 10'000U);
  if (!has_descriptors(all + 200)) return skip("it needs more descriptors");
  control_process control(written_by_api());
  REQUIRE(tell(control, "PUT", "/v1/config", fleet_of(few_keys, 0, 1, 2)).status() / 100 == 2);
  (void)control.page("/v1/info");
  const std::size_t before = control.resident_bytes();
  const stopwatch connecting;
  light_fleet first(control.port(), asked_at, "first");
  REQUIRE(first.all_run(1, 60s));
  const double connected_ms = connecting.ms();

  std::vector<double> health;
  const auto ask_health = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const stopwatch time;
      REQUIRE(control.page("/health").status() == 200);
      health.push_back(time.ms());
      std::this_thread::sleep_for(5ms);
    }
  };
  for (std::size_t i = 0; i < sized(2U, 5U); ++i) {  // beats and pushes are among what it stands beside
    const std::uint64_t version = move_one(control, i);
    ask_health(sized(50, 300));
    REQUIRE(first.all_run(version));
  }
  MESSAGE("/health beside " << asked_at << " routers, 5 times while something is pushed: " << median(health)
                            << " ms (median), " << quantile(health, 0.99) << " ms (p99), " << quantile(health, 1)
                            << " ms (longest of " << health.size() << ")");
  CHECK(quantile(health, is_full_size() ? 1 : 0.5) < 50);

  light_fleet second(control.port(), all - asked_at, "second");
  REQUIRE(all_on_target(control, all));
  const std::size_t each = (control.resident_bytes() - before) / all;
  const stopwatch pushing;
  const std::uint64_t version = move_one(control, 7);
  REQUIRE(first.all_run(version));
  REQUIRE(second.all_run(version));
  MESSAGE(asked_at << " routers connected and served in " << connected_ms << " ms; " << all << " of them take " << each
                   << " bytes each; a change reaches all of them within " << pushing.ms() << " ms of its PUT");
  CHECK(each < 16 * 1024);
  CHECK(first.lost() + second.lost() == 0);
}

}  // namespace
}  // namespace cellroute::system_test
