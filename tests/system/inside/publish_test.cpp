#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "cellroute/table/routing_table.hpp"
#include "tests/system/inside/router_inside.hpp"
#include "tests/system/support/client.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"
#include "tests/system/support/waiting.hpp"

namespace cellroute::system_test {
namespace {

std::string two_workers(std::uint16_t cell_port) {
  return router_config{.placements = {{"tier1", at(cell_port)}, {"tier3", at(cell_port)}},
                       .log = "level: error, access: {output: \"off\"}",
                       .decision = "route_decision: true",
                       .workers = 2}
      .yaml();
}

routing_table table_of(const std::string& yaml, std::uint64_t generation) {
  auto table = routing_table::compile(read_yaml_spec(yaml), generation_number{generation}, generation);
  REQUIRE(table);
  return *std::move(table);
}

TEST_CASE("publish: idle reactors let the old table go within a tick or two") {
  const std::string yaml = two_workers(9);  // nothing is sent there
  router_inside router(yaml);
  for (std::uint64_t generation = 2; generation < 6; ++generation) {
    REQUIRE((*router).publish(table_of(yaml, generation)));
    const steady::time_point published = steady::now();
    CHECK(eventually([&] { return (*router).collect_tables() == 0; }));
    MESSAGE("let go after " << std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - published).count()
                            << " ms");
  }
}

TEST_CASE("publish: a table that was overtaken is not published") {
  const std::string yaml = two_workers(9);  // nothing is sent there
  router_inside router(yaml);
  REQUIRE((*router).publish(table_of(yaml, 7)));
  CHECK_FALSE((*router).publish(table_of(yaml, 7)));
  CHECK_FALSE((*router).publish(table_of(yaml, 6)));
  CHECK((*router).publish(table_of(yaml, 8)));
}

TEST_CASE("publish: under load every answer names one generation, they only grow on a connection, and none fails") {
  fake_cell cell([](cell_connection& c) {
    message request;
    while (c.read_request(request)) c.answer("200 OK", "here");
  });
  const std::string yaml = two_workers(cell.port());
  router_inside router(yaml);
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::thread publisher([&] {
    for (std::uint64_t generation = 2; !stop; ++generation) {
      if (!(*router).publish(table_of(yaml, generation))) return;
      ++published;
      std::this_thread::yield();
    }
  });
  CHECK(eventually([&] { return published >= 1; }));
  client c(router.port());
  std::uint64_t last = 0;
  int answered = 0;
  for (int i = 0; i < 500; ++i) {
    const auto answer = c.ask(keyed("GET /"));
    if (!answer.complete || answer.head.status() != 200) break;
    const std::string decision(answer.head.value("X-Route-Decision"));
    const std::size_t at = decision.find("gen=");
    if (at == std::string::npos) break;
    const std::uint64_t generation = std::stoull(decision.substr(at + 4));
    CHECK(generation >= last);
    last = generation;
    ++answered;
  }
  stop = true;
  publisher.join();
  CHECK(answered == 500);
  CHECK(last > 1);
}

/// How long tables are flipped: two seconds, or as scripts/soak says.
std::chrono::seconds flip_time() {
  const char* const given = std::getenv("CELLROUTE_FLIP_SECONDS");
  return std::chrono::seconds(given == nullptr ? 2 : std::atoi(given));
}

TEST_CASE("publish: two tables in turns, 1,000 a second, under load: each answer is of one of them from head to end") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const auto yaml_for = [&](std::string keys) {
    return router_config{.placements = {{"tier1", at(one.port())}, {"tier3", at(two.port())}},
                         .keys = std::move(keys),
                         .log = "level: error, access: {output: \"off\"}",
                         .decision = "route_decision: true",
                         .workers = 2}
        .yaml();
  };
  const table_spec odd = read_yaml_spec(yaml_for("acme: tier1"));
  const table_spec even = read_yaml_spec(yaml_for("acme: tier3"));
  router_inside router(yaml_for("acme: tier1"));

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> asked{0};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {  // both reactors have connections, whichever the kernel chooses
    clients.emplace_back([&] {
      client c(router.port());
      while (!stop) {
        const auto answer = c.ask(keyed("GET /"));
        const std::string decision(answer.head.value("X-Route-Decision"));
        const std::size_t gen = decision.find("gen=");
        const bool has_gen = answer.complete && answer.head.status() == 200 && gen != std::string::npos;
        const bool is_odd = has_gen && std::stoull(decision.substr(gen + 4)) % 2 == 1;
        const std::string placement = is_odd ? "tier1" : "tier3";
        const bool agrees = has_gen && answer.content == (is_odd ? "one" : "two") &&
                            answer.head.value("X-Routed-To") == placement &&
                            decision.find("placement=" + placement) != std::string::npos &&
                            decision.find("cell=" + placement) != std::string::npos;
        if (!agrees) ++wrong;
        ++asked;
      }
    });
  }
  const steady::time_point begin = steady::now();
  const steady::time_point end = begin + flip_time();
  std::uint64_t generation = 1;
  for (steady::time_point next = begin; next < end; next += std::chrono::milliseconds(1)) {
    ++generation;
    auto table = routing_table::compile(generation % 2 == 1 ? odd : even, generation_number{generation}, generation);
    REQUIRE(table);
    REQUIRE((*router).publish(*std::move(table)));
    std::this_thread::sleep_until(next);
  }
  const double seconds = std::chrono::duration<double>(steady::now() - begin).count();
  stop = true;
  for (std::thread& c : clients) c.join();
  MESSAGE((generation - 1) << " tables in " << seconds << " s, " << asked.load() << " requests, " << wrong.load()
                           << " failed or mixed");
  CHECK(wrong == 0);
  CHECK(asked > 100);
}

}  // namespace
}  // namespace cellroute::system_test
