// The files of other systems run as they are.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// A text with the ports of two cells put in.
std::string with_ports(std::string text, std::uint16_t one, std::uint16_t two) {
  for (const auto& [name, port] : {std::pair("$one", one), std::pair("$two", two)}) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name)) {
      text.replace(at, 4, std::to_string(port));
    }
  }
  return text;
}

struct foreign_case {
  std::string_view says;
  std::string text;
  bool implies_health_checks;
  std::string_view table;  // where the rows of keys stand
};

const foreign_case foreign_cases[] = {
    {"a table and endpoints",
     R"({"version": "1", "routingTable": {"acme": "acme", "hooli": "tier1"}, "defaultPlacement": "tier3",
 "cellEndpoints": {"acme": "http://127.0.0.1:$one", "tier1": "http://127.0.0.1:$one", "tier3": "http://127.0.0.1:$two"}})",
     true, "routingTable"},
    {"a table and placements",
     R"({"version": 1, "routingTable": {"acme": "acme", "hooli": "tier1"}, "defaultPlacement": "tier3",
 "placements": {"acme": {"url": "http://127.0.0.1:$one", "max_request_body_bytes": 5},
   "tier1": {"url": "http://127.0.0.1:$one"}, "tier3": {"url": "http://127.0.0.1:$two"}}})",
     false, "routingTable"},
    {"a push of the draft, kept as a file",
     R"({"type": "config_update", "version": 1, "config": {"default_placement": "tier3",
 "customer_to_placement": {"acme": "acme", "hooli": "tier1"},
 "placement_to_endpoint": {"acme": "http://127.0.0.1:$one", "tier1": "http://127.0.0.1:$one", "tier3": "http://127.0.0.1:$two"}}})",
     false, "config.customer_to_placement"},
    {"the draft in YAML",
     "version: 1\ndefault_placement: tier3\ncustomer_to_placement: {acme: acme, hooli: tier1}\nplacement_to_endpoint:\n"
     "  acme: http://127.0.0.1:$one\n  tier1: http://127.0.0.1:$one\n  tier3: http://127.0.0.1:$two\n",
     false, "customer_to_placement"},
};

message get_as(const router_process& router, std::string_view key) {
  return ask(router.port(), request("GET /", "X-Routing-Key: " + std::string(key) + "\r\n"));
}

TEST_CASE("foreign shapes: a router starts with the file as it is, and follows it") {
  fake_cell one(echo_head{});
  fake_cell two(says{"two"});
  for (const foreign_case& row : foreign_cases) {
    CAPTURE(row.says);
    router_process router({.placements = {},
                           .arguments = {"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
                           .whole = with_ports(row.text, one.port(), two.port())});
    const message own = get_as(router, "acme");
    CHECK(own.head.value("X-Route-Reason") == "dedicated");
    CHECK(message_head{own.content}.value("Host") == "127.0.0.1:" + std::to_string(one.port()));  // the target's
    CHECK(get_as(router, "hooli").head.value("X-Route-Reason") == "tier");
    CHECK(get_as(router, "nobody").head.value("X-Route-Reason") == "default");
    CHECK(get_as(router, "nobody").content == "two");
    CHECK(log_line(router.admin("/debug/config").content)["version"] == "1");
    const auto told = [&] {
      const std::string all = router.process().output();
      int count = 0;
      for (std::size_t at = all.find("health_checks_inactive"); at != std::string::npos;
           at = all.find("health_checks_inactive", at + 1)) {
        ++count;
      }
      return count;
    };
    CHECK(told() == (row.implies_health_checks ? 1 : 0));

    std::string text = with_ports(row.text, one.port(), two.port());
    const bool is_json = text.front() == '{';
    const std::string before = is_json ? R"("acme": "acme")" : "acme: acme";
    const std::size_t at = text.find(before);
    text.replace(at, before.size(), is_json ? R"("acme": "nowhere")" : "acme: nowhere");
    router.edit(text);
    const auto refused = router.process().wait_line("config_rejected");
    REQUIRE(refused);
    CHECK(refused->find(std::string(row.table) + ".acme: no placement is named") != std::string::npos);
    CHECK(get_as(router, "acme").head.value("X-Routed-To") == "acme");

    text.replace(text.find("nowhere"), 7, "tier3");
    router.edit(text);
    REQUIRE(router.reaches_generation(2));
    CHECK(get_as(router, "acme").content == "two");
    CHECK(eventually([&] { return told() == (row.implies_health_checks ? 2 : 0); }));
  }
}

TEST_CASE("foreign shapes: a limit that is built counts") {
  fake_cell one(echo_content{});
  router_process router({.placements = {},
                         .arguments = {"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
                         .whole = with_ports(foreign_cases[1].text, one.port(), one.port())});
  CHECK(ask(router.port(), keyed("POST /", "Content-Length: 5\r\n") + "12345").status() == 200);
  CHECK(ask(router.port(), keyed("POST /", "Content-Length: 6\r\n") + "123456").status() == 413);
}

}  // namespace
}  // namespace cellroute::system_test
