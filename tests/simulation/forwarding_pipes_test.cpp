// Content goes through pipes, unseen, only to a side that carries it as it is: an encrypted one does not.
#include <doctest/doctest.h>

#include <string_view>

#include "tests/simulation/forwarding_world.hpp"

namespace cellroute::simulation {
namespace {

TEST_CASE("forwarding: pieces may come in pipes where the other side takes them, each way for itself") {
  struct pipe_case {
    std::string_view says;
    bool client_takes;
    bool cell_takes;
  };
  const pipe_case cases[] = {
      {"both plain", true, true},
      {"an encrypted client", false, true},
      {"an encrypted cell", true, false},
      {"both encrypted", false, false},
  };
  for (const pipe_case& row : cases) {
    CAPTURE(row.says);
    world_settings settings;
    settings.endpoints = {"a"};
    forwarding_world world(settings);
    world.endpoint("a")->carries_pipes = row.cell_takes;
    client_request request;
    request.name = "r1";
    request.fields = {{"X-Routing-Key", "acme"}};
    request.takes_pipes = row.client_takes;
    const fake_client& client = world.start(std::move(request));
    fake_connection* const connection = world.connection("a1");
    REQUIRE(connection != nullptr);
    CHECK(client.are_pipes_welcome() == row.cell_takes);
    CHECK(connection->pipes_welcome == row.client_takes);
    connection->answers({});
    world.advance(1s);
    CHECK(client.has_whole_answer());
  }
}

}  // namespace
}  // namespace cellroute::simulation
