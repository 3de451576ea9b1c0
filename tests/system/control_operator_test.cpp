// What an operator's day with the control plane needs besides changes: who may do what by a certificate, a followed
// file that changes too much, and watching.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/certificates.hpp"
#include "tests/system/support/control_process.hpp"
#include "tests/system/support/ctl.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/native_double.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

struct head_case {
  std::string_view says;
  std::string_view path;
  std::string_view fields;
  int status;
  bool has_length;  ///< as GET has it; else none
};

const head_case head_cases[] = {
    {"a page of the port", "/health", "", 200, true},
    {"an answer of the API", "/v1/info", "", 200, true},
    {"a refusal", "/v1/keys/nobody", "", 404, true},
    {"the contract", "/v1/openapi.json", "", 200, true},
    {"what is streamed has no length before it ends", "/v1/config", "", 200, false},
    {"what is known already", "/v1/config", "If-None-Match: \"1.1\"\r\n", 304, false},
};

TEST_CASE("control operator: HEAD tells the length that GET would have, or none (RFC 9110 section 8.6)") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  for (const head_case& row : head_cases) {
    CAPTURE(row.says);
    const message got = control.page(row.path, "GET", row.fields);
    const message head = control.page(row.path, "HEAD", row.fields);
    CHECK(got.status() == row.status);
    CHECK(head.status() == row.status);
    CHECK(head.content.empty());
    CHECK(head.head.value("Content-Length") == (row.has_length ? std::to_string(got.content.size()) : ""));
    CHECK(head.head.value("Content-Type") == got.head.value("Content-Type"));
  }
}

TEST_CASE("control operator: HEAD of a backup makes none") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const auto is_made = [&] { return control.page("/v1/audit").content.find("store.backup") != std::string::npos; };
  const message head = control.page("/v1/backup", "HEAD");
  CHECK(head.status() == 200);
  CHECK(head.head.value("Content-Length") == "");
  CHECK_FALSE(is_made());
  const message got = control.page("/v1/backup");
  CHECK(is_made());
  CHECK(got.content.starts_with("SQLite format 3"));
  CHECK(head.head.value("Content-Type") == got.head.value("Content-Type"));
  CHECK(head.head.value("ETag") == got.head.value("ETag"));
}

TEST_CASE("control operator: what a certificate may do, its names say; who fits nothing may do nothing") {
  support::certificate_folder certificates;
  certificates.add("control", {.subject = "control", .alternative_names = "DNS:localhost,IP:127.0.0.1"});
  certificates.add("router", {.subject = "x", .alternative_names = "DNS:router-1.example"});
  certificates.add("deploy", {.subject = "deploy"});
  certificates.add("ann", {.subject = "ann", .alternative_names = "URI:spiffe://corp/people/ann"});
  certificates.add("eve", {.subject = "deploy", .alternative_names = "DNS:eve.example"});
  const std::string tls = ", tls: {certificates: [{cert_file: " + certificates.certificate_file("control") +
                          ", key_file: " + certificates.key_file("control") +
                          "}], client_auth: {mode: optional, ca_file: " + certificates.authority_file() + "}}";
  control_process control({.routes_name = "",
                           .settings =
                               "auth: {loopback_without_token: false, certificates: [{name: \"router-*\", role: "
                               "router}, {name: \"spiffe://corp/people/*\", role: viewer}, {name: deploy, role: "
                               "publisher}]}\n",
                           .listener = tls});
  const auto status_of = [&](std::string_view who, const std::string& path, std::vector<std::string> further = {}) {
    std::vector<std::string> command{"curl",
                                     "-s",
                                     "-o",
                                     "/dev/null",
                                     "-w",
                                     "%{http_code}\n",
                                     "--max-time",
                                     "5",
                                     "--http1.1",
                                     "--cacert",
                                     certificates.authority_file()};
    if (!who.empty())
      command.insert(command.end(), {"--cert", certificates.certificate_file(std::string(who)), "--key",
                                     certificates.key_file(std::string(who))});
    command.insert(command.end(), further.begin(), further.end());
    command.push_back("https://localhost:" + std::to_string(control.port()) + path);
    program curl(command, {}, 0);
    (void)curl.wait_exit();
    return curl.whole_output();
  };
  const std::vector<std::string> put{"-X",
                                     "PUT",
                                     "-H",
                                     "Content-Type: application/yaml",
                                     "--data-binary",
                                     "@" + written(control, "fleet.yaml", fleet)};
  const std::vector<std::string> session{"-H",         "Connection: Upgrade",
                                         "-H",         "Upgrade: websocket",
                                         "-H",         "Sec-WebSocket-Version: 13",
                                         "-H",         "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                                         "--max-time", "3"};
  struct row {
    std::string_view who;
    std::string_view reads, writes, connects, metrics;
  };
  const row rows[] = {
      {"", "401\n", "401\n", "401\n", "401\n"},    {"router", "403\n", "403\n", "101\n", "403\n"},
      {"ann", "200\n", "403\n", "403\n", "200\n"}, {"deploy", "200\n", "200\n", "403\n", "200\n"},
      {"eve", "403\n", "403\n", "403\n", "403\n"},
  };
  for (const row& r : rows) {
    CAPTURE(r.who);
    CHECK(status_of(r.who, "/v1/info") == r.reads);
    CHECK(status_of(r.who, "/v1/config", put) == r.writes);
    CHECK(status_of(r.who, "/connect", session) == r.connects);
    CHECK(status_of(r.who, "/metrics") == r.metrics);
    CHECK(status_of(r.who, "/health") == "200\n");
  }
  CHECK(status_of("deploy", "/v1/info", {"-H", "Authorization: Bearer nobody-knows-this-token"}) == "401\n");
}

std::string routes_with_keys(int keys) {
  std::string text = "routing: {default_placement: a}\nplacements: {a: {endpoints: [{url: \"http://127.0.0.1:1\"}]}}\n";
  std::string rows;
  for (int i = 0; i < keys; ++i) rows += (i == 0 ? "" : ", ") + ("k" + std::to_string(i)) + ": a";
  text.insert(text.find('}'), ", keys: {inline: {" + rows + "}}");
  return text;
}

TEST_CASE(
    "control operator: a followed file that breaks a guard is refused, until that is lifted once, or it is another") {
  control_process control({.routes = routes_with_keys(3), .settings = "guard: {min_keys: 2}\n"});
  const auto has_version = [&control](int version) {
    return eventually([&] {
      return control.page("/v1/info").content.find("\"version\":" + std::to_string(version) + ",") != std::string::npos;
    });
  };
  REQUIRE(has_version(1));
  control.write_routes(routes_with_keys(1));
  REQUIRE(control.process().wait_line(R"("event":"config_rejected")"));
  CHECK(
      eventually([&] { return ctl(control, {"status"}).has("not published  guard.min_keys: 1 keys would be left"); }));
  CHECK(ctl(control, {"status"}).has("to let it pass once, ctl retry --override min_keys"));
  CHECK(control.metric("cellroute_control_files_refused_total") == 1);
  CHECK(has_version(1));
  CHECK(ctl(control, {"retry"}).code == 0);  // as it is: no
  CHECK(eventually([&] { return control.metric("cellroute_control_files_refused_total") == 2; }));

  // The same where it is started anew: what was published goes on.
  control.process().signal(SIGTERM);
  REQUIRE(control.process().wait_exit() == 0);
  control.start();
  CHECK(control.process().wait_line(R"("event":"config_rejected")"));
  CHECK(control.page("/readyz").status() == 200);
  CHECK(has_version(1));

  CHECK(ctl(control, {"retry", "--override", "max_moved_percent"}).code == 0);  // another one
  CHECK(eventually([&] { return control.metric("cellroute_control_files_refused_total") == 2; }));
  CHECK(ctl(control, {"retry", "--override", "min_keys"}).code == 0);
  REQUIRE(has_version(2));
  CHECK(control.page("/v1/versions/2").content.find(R"("override":"min_keys")") != std::string::npos);
  CHECK(control.page("/v1/audit").content.find("watch.retry") != std::string::npos);
  CHECK(!ctl(control, {"status"}).has("not published"));
  control.write_routes(routes_with_keys(0));  // lifted once only
  CHECK(eventually([&] { return control.metric("cellroute_control_files_refused_total") == 3; }));
  CHECK(has_version(2));
  control.write_routes(routes_with_keys(5));
  CHECK(has_version(3));
}

TEST_CASE("control operator: ctl watch tells what happens, also after a restart, and ends when it is told") {
  control_process control({.routes_name = ""});
  program watching(
      {tool_path(), "ctl", "--url", "http://127.0.0.1:" + std::to_string(control.port()), "watch", "--json"}, {}, 0);
  const auto push = [&](std::string_view key, std::string_view to) {
    CHECK(ctl(control, {"keys", "set", std::string(key), std::string(to)}).code == 0);
  };
  // It is not known when it began to watch: until it has, there is something new again and again.
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  bool is_b = false;
  REQUIRE(eventually([&] {
    push("acme", (is_b = !is_b) ? "b" : "a");
    return watching.find_line(R"("event":"config.published")").has_value();
  }));
  control.kill();
  CHECK(watching.wait_line("cut off"));
  control.start();
  const std::string made = ctl(control, {"keys", "set", "after-the-cut", "b"}).output;  // `version 7: ...`
  const std::string version = made.substr(0, made.find(':'));
  REQUIRE(version.starts_with("version "));
  CHECK(watching.wait_line(R"("event":"lost")"));  // which routers came and went meanwhile is known to nobody
  CHECK(watching.wait_line(R"("target":")" + version + "\""));  // lines of the audit are all told
  watching.signal(SIGINT);
  CHECK(watching.wait_exit() == 0);
}

/// A control plane over TLS, and what ctl needs to ask it.
class secure_control {
 public:
  [[nodiscard]] control_process& process() { return control_; }
  [[nodiscard]] const support::certificate_folder& certificates() const { return certificates_; }
  [[nodiscard]] std::string url(const std::string& host = "localhost") const {
    return "https://" + host + ":" + std::to_string(control_.port());
  }
  [[nodiscard]] std::vector<std::string> environment() const {
    return {"CELLROUTE_CONTROL_URL=" + url(), "CELLROUTE_CA_FILE=" + certificates_.authority_file()};
  }

 private:
  std::string listener() {
    certificates_.add("control", {.subject = "control", .alternative_names = "DNS:localhost"});
    return ", tls: {certificates: [{cert_file: " + certificates_.certificate_file("control") +
           ", key_file: " + certificates_.key_file("control") + "}]}";
  }

  support::certificate_folder certificates_;
  control_process control_{{.routes_name = "", .listener = listener()}};
};

/// What a program wrote so far, to files and peers.
std::size_t bytes_written_by(const program& by) {
  const std::string facts = read_text("/proc/" + std::to_string(by.pid()) + "/io");
  const std::size_t found = facts.find("wchar: ");
  return found == std::string::npos ? 0 : std::strtoull(facts.c_str() + found + 7, nullptr, 10);
}

TEST_CASE("control operator: over TLS, a control plane that goes is told, and ends no watch; SIGINT ends it with 0") {
  secure_control secure;
  REQUIRE(tool({"ctl", "push", written(secure.process(), "fleet.yaml", fleet)}, secure.environment()).code == 0);
  program watching({tool_path(), "ctl", "watch", "--json"}, secure.environment(), 0);
  bool is_b = false;
  const auto sees = [&](std::string_view text) {
    return eventually([&] {
      CHECK(tool({"ctl", "keys", "set", "acme", (is_b = !is_b) ? "b" : "a"}, secure.environment()).code == 0);
      return watching.find_line(text).has_value();
    });
  };
  REQUIRE(sees(R"("event":"config.published")"));
  secure.process().kill();
  CHECK(watching.wait_line("cut off"));
  secure.process().start();
  CHECK(tool({"ctl", "keys", "set", "after-the-cut", "b"}, secure.environment()).code == 0);
  REQUIRE((sees(R"("event":"lost")") || sees(R"("keys":2)")));
  watching.signal(SIGINT);
  CHECK(watching.wait_exit() == 0);
}

TEST_CASE("control operator: over TLS, a change that is cut off on its way ends with words, and 5") {
  secure_control secure;
  const std::string large = written(secure.process(), "large.json", std::string(std::size_t{200} << 20, ' '));
  program pushing({tool_path(), "ctl", "push", large}, secure.environment(), 0);
  REQUIRE(eventually([&] { return bytes_written_by(pushing) > 1'000'000; }));
  secure.process().kill();
  CHECK(pushing.wait_exit() == 5);
  const std::string said = pushing.whole_output();
  CHECK_MESSAGE(said.find("no answer from " + secure.url() + ": the connection was cut") == 0, said);
  CHECK(said.find("it may be done all the same: `cellroute ctl history` shows it then\n") != std::string::npos);
  secure.process().start();
}

TEST_CASE("control operator: why there is no answer is told in words, with what to do") {
  secure_control secure;
  const std::string port = std::to_string(secure.process().port());
  const std::string ca = "--ca-file=" + secure.certificates().authority_file();
  const std::string nobody = written(secure.process(), "empty.pem", "no certificate\n");
  struct reach_case {
    std::string_view says;
    std::vector<std::string> words;
    int code;
    std::string told;
  };
  const std::string no_answer = "no answer from ";
  const reach_case cases[] = {
      {"all is well", {"--url", secure.url(), ca}, 0, "control plane"},
      {"no such file", {"--url", secure.url(), "--ca-file", "nosuch.pem"}, 2, "--ca-file nosuch.pem: no such file\n"},
      {"a file of something else",
       {"--url", secure.url(), "--ca-file", nobody},
       2,
       "--ca-file " + nobody + ": holds no certificate in PEM\n"},
      {"nobody believes it",
       {"--url", secure.url()},
       5,
       no_answer + secure.url() +
           ": its certificate is not believed: unable to get local issuer certificate; name the authority's "
           "certificate with --ca-file\n"},
      {"another name",
       {"--url", secure.url("127.0.0.1"), ca},
       5,
       no_answer + secure.url("127.0.0.1") +
           ": its certificate is for another name; --url must say one that stands in the certificate\n"},
      {"plain HTTP where TLS is spoken",
       {"--url", "http://localhost:" + port},
       4,
       "refused (400): this port speaks TLS; use https\n"},
      {"nobody is there",
       {"--url", "http://127.0.0.1:1"},
       5,
       no_answer + "http://127.0.0.1:1: nobody takes a connection there, or the name is not known; is the control "
                   "plane there, and is it --url?\n"},
  };
  for (const reach_case& row : cases) {
    CAPTURE(row.says);
    std::vector<std::string> words{"ctl", "status"};
    words.insert(words.end(), row.words.begin(), row.words.end());
    const told done = tool(words);
    CHECK(done.code == row.code);
    CHECK_MESSAGE(done.has(row.told), done.output);
  }
  control_process without_tls({.routes_name = ""});
  const told done = tool({"ctl", "status", "--url", "https://localhost:" + std::to_string(without_tls.port()), ca});
  CHECK(done.code == 5);
  CHECK_MESSAGE(done.has(": no TLS can be agreed on; if it speaks plain HTTP, --url begins with http://\n"),
                done.output);
}

TEST_CASE("control operator: a token that others may read is used by nobody, and a router serves on meanwhile") {
  control_process control({.routes_name = ""});
  const std::string token = written(control, "fleet.token", "a-token-of-this-test\n");
  std::filesystem::permissions(token, std::filesystem::perms(0644));
  const std::string told_why = token + ": others may read it; chmod 600 it";
  const told open = ctl(control, {"status", "--token-file", token});
  CHECK(open.code == 2);
  CHECK(open.output == told_why + "\n");

  fake_cell one(says{"one"});
  router_config config;
  config.whole =
      "listeners: [{name: web, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\ncontrol_plane: {urls: "
      "[\"ws://127.0.0.1:" +
      std::to_string(control.port()) + "\"], token_file: " + token +
      "}\nrouting: {default_placement: a}\nplacements: {a: {" + at(one.port()) + "}}\n";
  router_process router(config);
  CHECK(router.process().wait_line("control_plane.token_file: " + told_why));
  CHECK(router.admin("/ready").status() == 200);
  CHECK(ask(router.port(), "GET / HTTP/1.1\r\nHost: x\r\nX-Routing-Key: k\r\nConnection: close\r\n\r\n").status() ==
        200);

  std::filesystem::permissions(token, std::filesystem::perms(0600));
  CHECK(ctl(control, {"status", "--token-file", token}).has("refused (401)"));
  router_process another(config);
  CHECK(another.process().wait_line("it answers 401"));
}

TEST_CASE(
    "control operator: keys come from files of every kind that is promised, and mistakes are told with their place") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  struct import_case {
    std::string name;
    std::string_view text;
    int code;
    std::string_view told;
  };
  const import_case cases[] = {
      {"x.csv", "key,placement\nc1,a\n", 0, "1 added"},
      {"x.json", R"({"j1": "a", "j2": "b"})", 0, "2 added"},
      {"x.jsonl", "{\"key\": \"l1\", \"placement\": \"b\"}\n", 0, "1 added"},
      {"x.tsv", "t1\ta\n\nt2\tb\n", 0, "2 added"},
      {"wrong.csv", "key,placement\nc1\n", 1, "wrong.csv:2:"},
      {"wrong.tsv", "t3\ta\nt3\tb\n", 1, "wrong.tsv:"},
      {"x.txt", "t1\ta\n", 2, "rows are taken from .csv, .tsv, .jsonl, .ndjson and .json"},
  };
  for (const import_case& row : cases) {
    CAPTURE(row.name);
    const told done = ctl(control, {"keys", "import", written(control, row.name, row.text)});
    CHECK(done.code == row.code);
    CHECK_MESSAGE(done.has(row.told), done.output);
  }
  CHECK(ctl(control, {"keys", "import", "--replace", "-m", "anew", written(control, "y.csv", "key,placement\nq,a\n")})
            .has("1 key;"));
}

TEST_CASE("control operator: a backup overwrites nothing; an export replaces a file, and nothing else") {
  control_process control({.routes_name = ""});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  const std::string kept = written(control, "kept", "a backup of yesterday");
  const told refused = ctl(control, {"backup", "-o", kept});
  CHECK(refused.code == 2);
  CHECK(refused.output == kept + ": is there already; remove it, or name another\n");
  CHECK(read_text(kept) == "a backup of yesterday");
  CHECK(ctl(control, {"backup", "-o", (control.folder() / "new.db").string()}).code == 0);
  CHECK(read_text(control.folder() / "new.db").starts_with("SQLite format 3"));
  CHECK(ctl(control, {"keys", "export", "-o", kept}).code == 0);
  CHECK(read_text(kept) == "{\"key\":\"acme\",\"placement\":\"a\"}\n");

  const std::string pipe = (control.folder() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  program reads({"cat", pipe}, {}, 0);
  CHECK(ctl(control, {"keys", "export", "-o", pipe}).code == 0);
  CHECK(reads.wait_exit() == 0);
  CHECK(reads.whole_output() == read_text(kept));
  CHECK(std::filesystem::is_fifo(pipe));
}

TEST_CASE(
    "control operator: who was here is known after a restart, since when he is away, and is forgotten in the end") {
  control_process control({.routes_name = "", .settings = "fleet: {forget_after: 1m}\n"});
  REQUIRE(ctl(control, {"push", written(control, "fleet.yaml", fleet)}).code == 0);
  {
    native_double router(control.port(), "rt-1");
    REQUIRE(router.runs(1));
    CHECK(eventually([&] { return ctl(control, {"routers"}).has("in_sync"); }));
    control.process().signal(SIGTERM);
    REQUIRE(control.process().wait_exit() == 0);
  }
  control.start();
  const told routers = ctl(control, {"routers"});
  CHECK_MESSAGE(routers.has("rt-1    away since 20"), routers.output);
  CHECK(routers.has("  1        -"));
  CHECK(control.page("/v1/routers?state=away").content.find(R"("router_id":"rt-1")") != std::string::npos);
  CHECK(control.page("/v1/routers/rt-1").content.find(R"("connected":false)") != std::string::npos);
  CHECK(control.metric("cellroute_control_sessions") == 0);
  native_double again(control.port(), "rt-1");
  REQUIRE(again.runs(1));
  CHECK(eventually([&] { return ctl(control, {"routers"}).has("in_sync"); }));
  CHECK(!ctl(control, {"routers"}).has("away"));
}

}  // namespace
}  // namespace cellroute::system_test
