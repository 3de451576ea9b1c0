#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "cellroute/table/routing_table.hpp"
#include "tests/system/support/client.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_inside.hpp"
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
  auto table = routing_table::compile(read_yaml_configuration(yaml).spec, generation_number{generation}, generation);
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
  std::thread publisher([&] {
    for (std::uint64_t generation = 2; !stop; ++generation) {
      if (!(*router).publish(table_of(yaml, generation))) return;
      std::this_thread::yield();
    }
  });
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

}  // namespace
}  // namespace cellroute::system_test
