// The control plane as a process: how it starts and stops, who may connect, and what its pages say.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/certificates.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/native_double.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::string_view routes =
    "version: \"v1\"\nrouting: {default_placement: a, keys: {inline: {acme: a}}}\n"
    "placements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}]}}\n";

struct ended {
  int code = -1;
  std::string output;
};

/// Runs it until it ends by itself.
ended run_control(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{control_path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  program control(command, {}, 0);
  const int code = control.wait_exit().value_or(-1);
  return {code, control.whole_output()};
}

struct start_case {
  std::string_view says;
  std::vector<std::string> arguments;  ///< `FOLDER/` stands for the folder of the files
  int code;
  std::string_view printed;
};

const start_case start_cases[] = {
    {"help has examples", {"--help"}, 0, "cellroute-control --watch cellroute.yaml"},
    {"the version", {"--version"}, 0, "cellroute-control 0."},
    {"nothing to publish", {}, 2, "nothing to publish, and nowhere to keep it: name a routing file with --watch FILE"},
    {"a flag that there is not", {"--port", "1"}, 2, "--port"},
    {"settings that are not there", {"--config", "FOLDER/no.yaml"}, 2, "no.yaml: no such file"},
    {"settings with a mistake, and its place", {"--config", "FOLDER/bad.yaml"}, 1, "bad.yaml:1:1: past: unknown key"},
    {"a flag that others reach",
     {"--watch", "FOLDER/routes.yaml", "--listen", ":0"},
     2,
     "--listen: must be an address"},
    {"a routing file with a mistake, and its place",
     {"--watch", "FOLDER/wrong.yaml", "--listen", "127.0.0.1:0"},
     1,
     "wrong.yaml:1:11: routing.default_placement"},
    {"a routing file that is not there",
     {"--watch", "FOLDER/none.yaml", "--listen", "127.0.0.1:0"},
     1,
     "none.yaml: no such file"},
    {"a store that cannot be had",
     {"--watch", "FOLDER/routes.yaml", "--listen", "127.0.0.1:0", "--store", "sqlite:FOLDER/no/control.db"},
     1,
     "store: "},
};

TEST_CASE("control: how a start ends that cannot be one") {
  const scratch_folder folder;
  std::ofstream(folder.file("routes.yaml")) << routes;
  std::ofstream(folder.file("wrong.yaml")) << "routing: {default_placement: b}\nplacements: {a: {endpoints: [{url: "
                                              "\"http://127.0.0.1:1\"}]}}\n";
  std::ofstream(folder.file("bad.yaml")) << "past: {}\n";
  for (const start_case& row : start_cases) {
    CAPTURE(row.says);
    std::vector<std::string> arguments = row.arguments;
    for (std::string& a : arguments) {
      const std::size_t at = a.find("FOLDER/");
      if (at != std::string::npos) a.replace(at, 7, folder.path().string() + "/");
    }
    const ended result = run_control(arguments);
    CHECK(result.code == row.code);
    CAPTURE(result.output);
    CHECK(result.output.find(row.printed) != std::string::npos);
  }
}

TEST_CASE("control: a port and a store have one control plane each") {
  control_process control({.routes = std::string(routes)});
  const std::string file = (control.folder() / "cellroute.yaml").string();
  const ended on_port = run_control({"--watch", file, "--listen", "127.0.0.1:" + std::to_string(control.port())});
  CHECK(on_port.code == 1);
  CHECK(on_port.output.find("cannot listen on 127.0.0.1:" + std::to_string(control.port())) != std::string::npos);
  const ended on_store = run_control(
      {"--watch", file, "--listen", "127.0.0.1:0", "--store", "sqlite:" + (control.folder() / "control.db").string()});
  CHECK(on_store.code == 1);
  CHECK(on_store.output.find("another process uses it") != std::string::npos);
}

struct page_case {
  std::string_view method;
  std::string_view path;
  int status;
  std::string_view holds;
};

const page_case page_cases[] = {
    {"GET", "/health", 200, R"({"status":"healthy"})"},
    {"GET", "/livez", 200, R"({"status":"alive"})"},
    {"GET", "/readyz", 200, R"({"status":"ready"})"},
    {"GET", "/v1/info", 200, R"("epoch":1,"version":1,)"},
    {"GET", "/v1/config", 200, R"("default_placement": "a")"},
    {"GET", "/v1/routers", 200, R"({"routers":[]})"},
    {"GET", "/v1/fleet/drift", 200, R"("connected":0,"on_target":0)"},
    {"GET", "/metrics", 200, "cellroute_control_keys 1\n"},
    {"GET", "/v1/routers/rt-1", 404, R"("code":"unknown")"},
    {"GET", "/", 404, R"("code":"unknown")"},
    {"GET", "/health/", 404, R"("code":"unknown")"},
    {"POST", "/v1/config", 405, R"("code":"method")"},
    {"DELETE", "/v1/keys/acme", 409, R"("code":"following_file")"},
    {"GET", "/v1/openapi.json", 200, R"("openapi": "3.1.0")"},
    {"GET", "/v1/nothing", 404, R"("code":"unknown")"},
    {"GET", "/connect", 426, R"("code":"handshake")"},
    {"POST", "/connect", 405, R"("code":"handshake")"},
};

TEST_CASE("control: its pages") {
  control_process control({.routes = std::string(routes)});
  for (const page_case& row : page_cases) {
    CAPTURE(row.path);
    const message answer = control.page(row.path, row.method);
    CHECK(answer.status() == row.status);
    CHECK(answer.content.find(row.holds) != std::string::npos);
    const std::string type = answer.head.value("Content-Type");
    if (row.status >= 400) CHECK(type == "application/problem+json");
    CHECK(answer.head.has("Date"));
  }
  CHECK(control.page("/v1/config").head.value("ETag") == "\"1.1\"");
  CHECK(control.page("/v1/config", "POST").head.value("Allow") == "GET, HEAD, PUT");
  CHECK(control.page("/connect").head.value("Sec-WebSocket-Version") == "13");
}

struct refused_case {
  std::string_view says;
  std::string_view fields;
  int status;
};

const refused_case refused_cases[] = {
    {"a page of a browser", "Origin: http://evil.example\r\n", 403},
    {"a token where there is none", "Authorization: Bearer 0123456789abcdef\r\n", 401},
};

TEST_CASE("control: sessions that are not opened") {
  control_process control({.routes = std::string(routes), .settings = "push: {max_routers: 2}\n"});
  for (const refused_case& row : refused_cases) {
    CAPTURE(row.says);
    websocket_double client(control.port());
    CHECK(client.open("/v1/connect", "cellroute.v1", row.fields).status() == row.status);
  }
  websocket_double first(control.port());
  websocket_double second(control.port());
  websocket_double third(control.port());
  CHECK(first.open("/connect").status() == 101);
  CHECK(second.open("/connect").status() == 101);
  const message_head busy = third.open("/connect");
  CHECK(busy.status() == 503);
  CHECK(busy.value("Retry-After") == "5");
  first.close();
  CHECK(eventually([&] { return control.metric("cellroute_control_sessions") == 1; }));
  websocket_double fourth(control.port());
  CHECK(fourth.open("/connect").status() == 101);
}

TEST_CASE("control: with a token, whoever knows it may connect; health is for all") {
  control_process control({.routes = std::string(routes),
                           .settings = "auth: {loopback_without_token: false, admin_token_file: cp.token}\n",
                           .files = {{"cp.token", "a-long-secret-of-this-test\n"}}});
  const std::string token = "Authorization: Bearer a-long-secret-of-this-test\r\n";
  CHECK(control.page("/health").status() == 200);
  CHECK(control.page("/readyz").status() == 200);
  const message denied = control.page("/v1/info");
  CHECK(denied.status() == 401);
  CHECK(denied.head.value("WWW-Authenticate") == "Bearer");
  CHECK(control.page("/v1/info", "GET", token).status() == 200);
  websocket_double without(control.port());
  CHECK(without.open("/connect").status() == 401);
  websocket_double with(control.port());
  CHECK(with.open("/connect", {}, token).status() == 101);
}

TEST_CASE("control: with TLS, whoever shows a certificate needs no token; one is replaced without a restart") {
  support::certificate_folder certificates;
  certificates.add("control", {.subject = "control", .alternative_names = "DNS:localhost,IP:127.0.0.1"});
  certificates.add("router", {.subject = "rt-1"});
  const std::string tls = ", tls: {certificates: [{cert_file: " + certificates.certificate_file("control") +
                          ", key_file: " + certificates.key_file("control") +
                          "}], client_auth: {mode: optional, ca_file: " + certificates.authority_file() + "}}";
  control_process control(
      {.routes = std::string(routes), .settings = "auth: {loopback_without_token: false}\n", .listener = tls});
  const auto ask = [&](const std::string& path, bool shows_certificate) {
    std::vector<std::string> command{"curl",     "-s",
                                     "-o",       "/dev/null",
                                     "-w",       "%{http_code} %{ssl_verify_result}\n",
                                     "--cacert", certificates.authority_file()};
    if (shows_certificate)
      command.insert(command.end(),
                     {"--cert", certificates.certificate_file("router"), "--key", certificates.key_file("router")});
    command.push_back("https://localhost:" + std::to_string(control.port()) + path);
    program curl(command, {}, 0);
    (void)curl.wait_exit();
    return curl.whole_output();
  };
  CHECK(ask("/health", false) == "200 0\n");
  CHECK(ask("/v1/info", false) == "401 0\n");
  CHECK(ask("/v1/info", true) == "200 0\n");
  CHECK(control.page("/health").status() == 400);  // in plain
  certificates.add("control", {.subject = "another", .alternative_names = "DNS:localhost"});
  CHECK(control.process().wait_line(R"("event":"certificates_renewed")"));
  CHECK(ask("/v1/info", true) == "200 0\n");
  std::ofstream(certificates.key_file("control")) << "no key";
  CHECK(control.process().wait_line(R"("event":"certificates_rejected")"));
  CHECK(ask("/v1/info", true) == "200 0\n");
}

TEST_CASE("control: metrics on a port of their own, for whoever gathers them") {
  const std::uint16_t port = unused_port();
  control_process control(
      {.routes = std::string(routes), .settings = "metrics: {address: \"127.0.0.1:" + std::to_string(port) + "\"}\n"});
  const auto page = [&](std::string_view path) {
    return ask(port, "GET " + std::string(path) + " HTTP/1.1\r\nHost: metrics.example\r\nConnection: close\r\n\r\n");
  };
  CHECK(page("/metrics").status() == 200);
  CHECK(page("/health").status() == 200);
  CHECK(page("/v1/config").status() == 404);
  CHECK(page("/connect").status() == 404);
}

struct broken_case {
  std::string_view says;
  void (*acts)(websocket_double&);
  int code;
};

const broken_case broken_cases[] = {
    {"routers send texts", [](websocket_double& c) { c.send_frame(2, "binary"); }, 1003},
    {"what is no UTF-8", [](websocket_double& c) { c.send_frame(1, "\xff"); }, 1007},
    {"a message that is too long", [](websocket_double& c) { c.send_frame(1, std::string((1 << 20) + 1, ' ')); }, 1009},
    {"a frame without a mask", [](websocket_double& c) { c.send("\x81\x01x"); }, 1002},
    {"no hello", [](websocket_double& c) { c.send_text(R"({"type":"pong","seq":1})"); }, 1008},
    {"no message at all", [](websocket_double& c) { c.send_text("nonsense"); }, 1008},
    {"it closes by itself", [](websocket_double& c) { c.send_frame(8, "\x03\xe8"); }, 1000},
};

TEST_CASE("control: who breaks the protocol is told, and has lost its session") {
  control_process control({.routes = std::string(routes)});
  for (const broken_case& row : broken_cases) {
    CAPTURE(row.says);
    websocket_double client(control.port());
    REQUIRE(client.open("/v1/connect", "cellroute.v1").status() == 101);
    row.acts(client);
    while (client.read_text()) {
    }
    CHECK(client.close_code() == row.code);
    CHECK(client.wait_end() != ending::none);
  }
  CHECK(eventually([&] { return control.metric("cellroute_control_sessions") == 0; }));
}

TEST_CASE("control: a ping of WebSocket is answered with its payload") {
  control_process control({.routes = std::string(routes)});
  websocket_double client(control.port());
  REQUIRE(client.open("/connect").status() == 101);
  client.send_frame(9, "are you there");
  auto frame = client.read_frame();
  while (frame && frame->opcode == 1) frame = client.read_frame();
  REQUIRE(frame);
  CHECK(frame->opcode == 10);
  CHECK(frame->payload == "are you there");
}

TEST_CASE("control: SIGTERM sends routers away, each in the words of its protocol, and ends with 0") {
  control_process control({.routes = std::string(routes)});
  native_double native(control.port(), "rt-1");
  REQUIRE(native.runs(1));
  websocket_double base(control.port());
  REQUIRE(base.open("/connect").status() == 101);
  REQUIRE(base.read_text());
  const stopwatch time;
  control.process().signal(SIGTERM);
  while (base.read_text()) {
  }
  CHECK(base.close_code() == 1001);
  CHECK(base.close_reason() == "the control plane stops");
  CHECK(control.process().wait_exit() == 0);
  CHECK(time.ms() < 3000);
  CHECK(eventually([&] { return !native.seen().events.empty(); }));
  CHECK(native.seen().events.front() == "goaway");
  CHECK(control.process().wait_line(R"("event":"drain_done")"));
}

TEST_CASE("control: a router that does not read holds up no end for long; a second signal none at all") {
  control_process control({.routes = std::string(routes)});
  websocket_double deaf(control.port());
  REQUIRE(deaf.open("/connect").status() == 101);
  control.process().signal(SIGTERM);
  REQUIRE(control.process().wait_line(R"("event":"drain_started")"));
  control.process().signal(SIGTERM);
  CHECK(control.process().wait_exit() == 0);
  CHECK(control.process().wait_line("a second signal: ending at once"));
  const auto done = control.process().wait_line(R"("event":"drain_done")");  // with the deaf one: it was not waited for
  REQUIRE(done);
  CHECK(log_line(*done)["connections"] == "1");
}

TEST_CASE("control: SIGHUP reads the file again, SIGUSR1 opens the log again, SIGUSR2 means nothing") {
  control_process control({.routes = std::string(routes)});
  control.process().signal(SIGHUP);
  CHECK(control.process().wait_line(R"("event":"config_unchanged")"));
  control.process().signal(SIGUSR1);
  CHECK(control.process().wait_line(R"("event":"log_reopen")"));
  control.process().signal(SIGUSR2);
  CHECK(control.process().wait_line(R"("event":"signal_ignored")"));
}

}  // namespace
}  // namespace cellroute::system_test
