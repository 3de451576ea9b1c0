// The executables of the demo, as a user starts them: a router in front of cells that tell what they saw, and the tool.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// The demo's cell on a port of its own choice.
class demo_cell {
 public:
  explicit demo_cell(const std::string& name) : process_({demo_cell_path(), "--name", name, "--port", "0"}, {}, 0) {
    const std::optional<std::string> line = process_.wait_line("listening on ");
    if (!line) FAIL("the cell did not start: " << process_.output());
    port_ = static_cast<std::uint16_t>(std::atoi(line->c_str() + line->rfind(':') + 1));
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  program process_;
  std::uint16_t port_ = 0;
};

TEST_CASE("demo cell: it answers with who it is and what it saw, and is healthy") {
  const demo_cell cell("tier1");
  router_process router({.placements = {{"tier1", at(cell.port())}}});
  client c(router.port());
  const message echo = c.ask(keyed("GET /a%2Fb?x=1", "X-Request-Id: seen\r\n"));
  CHECK(echo.status() == 200);
  CHECK(echo.head.value("X-Cell-Name") == "tier1");
  const log_line seen(echo.content);
  CHECK(seen["cell"] == "tier1");
  CHECK(seen["method"] == "GET");
  CHECK(seen["path"] == "/a%2Fb");
  CHECK(seen["query"] == "x=1");
  CHECK(seen["message"] == "Hello from cell tier1");
  CHECK(seen["timestamp"] != "<none>");
  CHECK(echo.content.find("\"X-Request-Id\":\"seen\"") != std::string::npos);
  CHECK(c.ask(keyed("GET /health")).content == "{\"status\":\"healthy\",\"cell\":\"tier1\"}\n");
  CHECK(c.ask(keyed("GET /status/418")).status() == 418);
  CHECK(c.ask(keyed("GET /bytes?n=100000")).content.size() == 100'000);
  CHECK(c.ask(keyed("GET /stream?n=3&ms=1")).content == "0000001\n0000002\n0000003\n");
  const message upload = c.ask(keyed("POST /upload", "Content-Length: 9\r\n") + "123456789");
  CHECK(log_line(upload.content)["bytes"] == "9");
  CHECK(log_line(upload.content)["crc32"] == "cbf43926");  // the check value of this CRC
}

TEST_CASE("demo cell: a request without content is answered at once, whatever its method (RFC 9112 section 6.3)") {
  const demo_cell cell("tier1");
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CAPTURE(method);
    client c(cell.port());
    for (const std::string fields : {"", "Content-Length: 0\r\n"}) {
      CAPTURE(fields);
      const stopwatch watch;
      const message answer = c.ask(request(method + " /x?y=1", fields));
      CHECK(answer.status() == 200);
      CHECK(answer.head.value("X-Cell-Name") == "tier1");
      CHECK(log_line(answer.content)["method"] == method);
      CHECK(log_line(answer.content)["query"] == "y=1");
      CHECK(watch.elapsed() < 4s);  // cpp-httplib waits 5 s for content
    }
  }
  client c(cell.port());
  const message upload = c.ask(request("POST /upload"));
  CHECK(log_line(upload.content)["bytes"] == "0");
  CHECK(log_line(upload.content)["crc32"] == "00000000");
  CHECK(c.ask(request("POST /status/418")).status() == 418);
  CHECK(c.ask(request("POST /x", "Content-Length: 5\r\n") + "hello").status() == 200);
}

TEST_CASE("demo cell: what the tool explains is what the router then does") {
  const demo_cell cell("tier1");
  const scratch_folder folder;
  const router_config config{
      .placements = {{"visa", "kind: dedicated, " + at(cell.port())}, {"tier3", at(cell.port())}},
      .keys = "acme: tier3, visa: visa"};
  const std::string file = (folder.path() / "cellroute.yaml").string();
  std::ofstream(file) << config.yaml();
  router_process router(config);
  for (const std::string key : {"acme", "visa", "nobody"}) {
    CAPTURE(key);
    program tool({tool_path(), "explain", "--json", "--config", file, key}, {}, 0);
    CHECK(tool.wait_exit() == 0);
    const log_line explained(tool.whole_output());
    const message answer = ask(router.port(), request("GET /", "X-Routing-Key: " + key + "\r\n"));
    CHECK(explained["placement"] == answer.head.value("X-Routed-To"));
    CHECK(explained["reason"] == answer.head.value("X-Route-Reason"));
  }
}

}  // namespace
}  // namespace cellroute::system_test
