#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "tests/system/support/control_process.hpp"
#include "tests/system/support/ctl.hpp"
#include "tests/system/support/waiting.hpp"

// The socket for whoever has lost all else.
namespace cellroute::system_test {
namespace {

constexpr std::string_view fleet_of_two =
    R"({"version":"one","routing":{"default_placement":"a","keys":{"inline":{"acme":"a"}}},)"
    R"("placements":{"a":{"endpoints":[{"url":"http://127.0.0.1:1"}]},"b":{"endpoints":[{"url":"http://127.0.0.1:2"}]}}})";

/// Nobody may do anything but by a token.
control_setup closed() {
  control_setup made;
  made.routes_name = "";
  made.settings =
      "auth: {loopback_without_token: false, admin_token_file: admin.token}\nbreak_glass: {socket: glass.sock}\n";
  made.files = {{"admin.token", "0123456789abcdef"}};
  return made;
}

std::string socket_of(const control_process& control) { return (control.folder() / "glass.sock").string(); }

told by_socket(const control_process& control, std::vector<std::string> words) {
  words.insert(words.begin(), {"ctl", "--url", "unix:" + socket_of(control)});
  return tool(std::move(words));
}

/// The answer to a request, as it came.
std::string asked_at(const std::string& path, std::string_view request) {
  const descriptor to(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);  // allow: reinterpret_cast: socket API
  REQUIRE(::connect(to.get(), where, sizeof address) == 0);
  REQUIRE(::send(to.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
  std::string all;
  char piece[4096];
  for (ssize_t got = 0; (got = ::recv(to.get(), piece, sizeof piece, 0)) > 0;)
    all.append(piece, static_cast<std::size_t>(got));
  return all;
}

TEST_CASE("control break glass: whoever may open the socket may do everything, and all of it stands in the audit") {
  control_process control(closed());
  CHECK(ctl(control, {"status"}).code != 0);  // nobody else
  CHECK(by_socket(control, {"push", written(control, "fleet.json", fleet_of_two)}).output ==
        "version 1: 1 key; 1 added, 0 moved, 0 removed\n");
  CHECK(by_socket(control, {"keys", "set", "acme", "b"}).code == 0);
  CHECK(by_socket(control, {"where", "acme"}).code == 0);
  const std::string audit =
      asked_at(socket_of(control), "GET /v1/audit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(audit.starts_with("HTTP/1.1 200"));
  const std::string who = R"("actor":"break-glass uid=)" + std::to_string(::geteuid()) + "\"";
  CHECK(audit.find(who + R"(,"action":"config.put","target":"version 1")") != std::string::npos);
  CHECK(audit.find(who + R"(,"action":"break-glass","target":"GET /v1/keys/acme")") != std::string::npos);
  CHECK(audit.find(who + R"(,"action":"break-glass","target":"GET /v1/audit")") != std::string::npos);
}

TEST_CASE(
    "control break glass: its user alone can open it; routers, pages of a browser and wrong tokens cannot use it") {
  control_process control(closed());
  const std::string path = socket_of(control);
  struct stat facts{};
  REQUIRE(::lstat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  struct row {
    std::string_view says;
    std::string_view target;
    std::string_view fields;
    std::string_view status;
  };
  const row rows[] = {
      {"a look", "/v1/info", "", "200"},
      {"the right token", "/v1/info", "Authorization: Bearer 0123456789abcdef\r\n", "200"},
      {"a wrong token is judged by itself", "/v1/info", "Authorization: Bearer x\r\n", "401"},
      {"a page of a browser", "/v1/info", "Origin: http://evil.example\r\n", "403"},
      {"a client that says who it is", "/v1/info", "X-Cellroute-User: 0\r\n", "200"},
      {"a router", "/connect", "", "403"},
      {"a router with a token", "/v1/connect", "Authorization: Bearer 0123456789abcdef\r\n", "403"},
      {"metrics", "/metrics", "", "403"},
      {"whether it is alive", "/health", "", "200"},
  };
  for (const row& each : rows) {
    CAPTURE(each.says);
    const std::string got = asked_at(path, "GET " + std::string(each.target) + " HTTP/1.1\r\nHost: localhost\r\n" +
                                               std::string(each.fields) + "Connection: close\r\n\r\n");
    CHECK(got.substr(0, 12) == "HTTP/1.1 " + std::string(each.status));
  }
  // A client of the port cannot say that it came by the socket.
  CHECK(control.page("/v1/info", "GET", "X-Cellroute-User: 0\r\n").status() == 401);
}

TEST_CASE(
    "control break glass: what a killed process left is replaced, a second process is refused, and the end tidies") {
  control_process control(closed());
  const std::string path = socket_of(control);
  control.kill();
  CHECK(std::filesystem::exists(path));
  control.start();
  CHECK(by_socket(control, {"status"}).code == 0);
  const std::string other = written(control, "other.yaml",
                                    "apiVersion: cellroute-control/v1\nlisteners: [{address: \"127.0.0.1:0\"}]\n"
                                    "store: \"sqlite:other.db\"\n"
                                    "break_glass: {socket: glass.sock}\n");
  program second({control_path(), "--config", other}, {}, 0);
  CHECK(second.wait_exit() == 1);
  CHECK(second.whole_output().find("break_glass.socket: socket " + path + ": another process uses it") !=
        std::string::npos);
  CHECK(by_socket(control, {"status"}).code == 0);
  control.process().signal(SIGTERM);
  CHECK(control.process().wait_exit() == 0);
  CHECK_FALSE(std::filesystem::exists(path));
  control.start();
}

}  // namespace
}  // namespace cellroute::system_test
