// Delivery of contents under everything that can happen to it, at random: a control plane and its routers, in one
// thread and one clock. What must always hold is checked as it happens (`sync_router::verify`,
// `sync_control::read_store`, and wherever `fail` is called): no request fails, no acknowledged version is lost, the
// changes in the store come to what was published, routers run what was checked and say what they run, orders never go
// back, what was refused is not sent again, and nothing grows. Here stands what must hold in the end. A failure prints
// its seed and the story; set CELLROUTE_SEED to see one again.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/simulation/sync_world.hpp"
#include "tests/support/sanitizer.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint64_t lives = CELLROUTE_SANITIZER ? 20 : 200;  // of each kind: what a sanitizer sees, it sees soon
constexpr std::size_t routers_of_world = 50;

void live_under(std::uint64_t seed, const sync_faults& faults, int publishes) {
  random_numbers rng(mix(seed));
  sync_world world(seed, routers_of_world, faults);
  for (int i = 0; i < publishes && world.broken().empty(); ++i) {
    const std::uint64_t kind = rng.below(10);
    if (kind == 0) {
      (void)world.publish_again();
    } else {
      (void)world.publish_change(1 + static_cast<int>(rng.below(kind < 3 ? 150 : 5)), kind == 1);
    }
    world.run(duration(static_cast<std::int64_t>(rng.below(3'000'000'000))));
  }
  world.heal();
  REQUIRE(world.publish_change(3));
  // The longest wait for the next try is 30 s; where a refusal is lost, which no connection does, the control plane
  // waits a minute for it.
  world.run(faults.lost > 0 ? 100s : 40s);
  CAPTURE(seed);
  INFO(world.story());
  REQUIRE_MESSAGE(world.broken().empty(), world.broken());
  REQUIRE(world.on_target() == routers_of_world);
  CHECK(world.requests() > 0);
}

void many_lives(const sync_faults& faults) {
  if (const char* const seed = std::getenv("CELLROUTE_SEED"))
    return live_under(std::strtoull(seed, nullptr, 10), faults, 6);
  for (std::uint64_t seed = 1; seed <= lives; ++seed) live_under(seed, faults, 6);
}

TEST_CASE("sync simulation: without faults each publish reaches every router within a second, and costs its changes") {
  sync_world world(7, routers_of_world, {});
  REQUIRE(world.publish_change(150));
  world.run(2s);
  REQUIRE(world.on_target() == routers_of_world);
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = world.content_bytes();
    REQUIRE(world.publish_change(1));
    world.run(1s);
    REQUIRE_MESSAGE(world.on_target() == routers_of_world, world.story());
    CHECK(world.content_bytes() - before < routers_of_world * 64);
  }
}

TEST_CASE("sync simulation: a bad content runs nowhere, is sent once to each, and the next good one runs everywhere") {
  sync_world world(7, routers_of_world, {});
  REQUIRE(world.publish_change(150));
  world.run(2s);
  REQUIRE(world.publish_change(10, true));
  world.run(2s);
  CHECK(world.on_target() == 0);
  const std::uint64_t before = world.content_bytes();
  world.run(20s);
  CHECK(world.content_bytes() == before);
  REQUIRE(world.publish_change(1));
  world.run(2s);
  CHECK(world.on_target() == routers_of_world);
  CHECK_MESSAGE(world.broken().empty(), world.broken());
}

TEST_CASE("sync simulation: going back to a content that routers still hold sends no bytes") {
  sync_world world(7, routers_of_world, {});
  REQUIRE(world.publish_change(150));
  world.run(2s);
  REQUIRE(world.publish_change(5));
  world.run(2s);
  const std::uint64_t before = world.content_bytes();
  REQUIRE(world.publish_again());
  REQUIRE(world.publish_again());
  world.run(3s);
  CHECK(world.on_target() == routers_of_world);
  CHECK(world.content_bytes() == before);
}

TEST_CASE("sync simulation: connections that end, and both ends that crash") {
  many_lives({.cut = 50, .router_crash = 20, .control_crash = 4, .disk = 300});
}

TEST_CASE("sync simulation: routers that read nothing, and damage on the way and in memory") {
  many_lives({.cut = 10, .stall = 20, .damage = 20, .rot = 50});
}

TEST_CASE("sync simulation: messages that are lost, doubled and late, as no connection should do") {
  many_lives({.lost = 10, .doubled = 20, .late = 30});
}

TEST_CASE("sync simulation: a store that takes nothing, and one that ends with its control plane") {
  many_lives({.cut = 5, .control_crash = 4, .disk = 300, .failed_commit = 150, .torn_commit = 250});
}

TEST_CASE("sync simulation: what was acknowledged runs after a crash, what was not is there wholly or not at all") {
  std::size_t lost = 0;
  std::size_t there = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    sync_world world(seed, 3, {.torn_commit = 500});
    while (!world.publish_change(20)) world.run(6s);
    while (world.publish_change(20)) world.run(1s);
    world.heal();
    world.run(40s);
    REQUIRE_MESSAGE(world.broken().empty(), world.broken());
    CHECK(world.on_target() == 3);
    ++(world.versions() > world.acknowledged() ? there : lost);
  }
  CHECK(lost > 0);
  CHECK(there > 0);
}

TEST_CASE("sync simulation: routers that leave what does harm, for what ran before") {
  many_lives({.cut = 20, .router_crash = 5, .control_crash = 2, .disk = 100, .revert = 60});
}

TEST_CASE("sync simulation: what a router has left is not sent to it again, and the next content runs everywhere") {
  constexpr std::size_t routers = 6;
  sync_world world(7, routers, {});
  REQUIRE(world.publish_change(150));
  world.run(5s);
  REQUIRE(world.publish_change(5));
  world.run(5s);
  REQUIRE(world.on_target() == routers);
  for (std::size_t router = 0; router < 4; ++router) world.go_back(router);
  const std::uint64_t before = world.content_bytes();
  world.run(20s);
  CHECK(world.on_target() == routers - 4);
  CHECK(world.content_bytes() == before);
  REQUIRE(world.publish_change(1));
  world.run(5s);
  CHECK(world.on_target() == routers);
  CHECK_MESSAGE(world.broken().empty(), world.broken());
}

TEST_CASE("sync simulation: what changes in the memory of routers comes to them again, without a publish") {
  constexpr std::size_t routers = 6;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    sync_world world(seed, routers, {.cut = 20, .control_crash = 2, .stall = 5});
    REQUIRE(world.publish_change(150));
    world.run(5s);
    for (std::size_t router = 1; router < routers; ++router) {
      world.damage(router);
      world.run(1s);
    }
    CHECK(world.sound() < routers);
    world.heal();
    world.run(80s);  // it waits twice: until it has told, and until it asks
    INFO(world.story());
    REQUIRE_MESSAGE(world.broken().empty(), world.broken());
    CHECK(world.on_target() == routers);
    CHECK(world.sound() == routers);
  }
}

TEST_CASE("sync simulation: routers that were away for long are repaired, whatever happens meanwhile") {
  int repaired = 0;
  for (std::uint64_t seed = 1; seed <= std::min<std::uint64_t>(lives, 25); ++seed) {
    CAPTURE(seed);
    const sync_faults faults{.cut = 20, .router_crash = 10, .control_crash = 5, .damage = 5, .disk = 500, .rot = 20};
    sync_world world(seed, 6, faults, true);
    for (int i = 0; i < 8; ++i) {
      (void)world.publish_change(i == 0 ? 150 : 2);
      world.run(300ms);
    }
    world.heal();
    REQUIRE(world.publish_change(1));
    world.run(40s);
    INFO(world.story());
    REQUIRE_MESSAGE(world.broken().empty(), world.broken());
    REQUIRE(world.on_target() == 6);
    const auto found = world.transfers().find(wire::transfer_kind::repair);
    repaired += found != world.transfers().end() ? found->second : 0;
  }
  CHECK(repaired > 0);
}

TEST_CASE("sync simulation: everything at once") {
  many_lives({.cut = 20,
              .router_crash = 10,
              .control_crash = 2,
              .stall = 5,
              .damage = 5,
              .lost = 3,
              .doubled = 5,
              .late = 10,
              .disk = 100,
              .rot = 20,
              .revert = 10,
              .failed_commit = 50,
              .torn_commit = 50});
}

}  // namespace
}  // namespace cellroute::simulation
