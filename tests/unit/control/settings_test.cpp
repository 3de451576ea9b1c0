#include "adapters/control/settings.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::control {
namespace {

settings made(auto change) {
  settings s;
  s.listeners.front().address.host = "127.0.0.1";  // as long as no token is asked for
  change(s);
  return s;
}

struct read_case {
  std::string_view says;
  std::string text;
  settings_flags flags;
  settings expected;
};

const std::string token_section = "auth: {admin_token_file: cp.token}\n";

const read_case read_cases[] = {
    {"nothing: the defaults, on an address that only this machine reaches",
     "apiVersion: cellroute-control/v1\n",
     {},
     made([](settings&) {})},
    {"with a token the default address is every one", token_section, {}, made([](settings& s) {
       s.listeners.front().address.host = "";
       s.auth.admin_token_file = "/etc/cp.token";
     })},
    {"paths count from the folder of the file",
     "watch: routes.yaml\nstore: \"sqlite:state/control.db\"\n",
     {},
     made([](settings& s) {
       s.watch = "/etc/routes.yaml";
       s.store = "sqlite:/etc/state/control.db";
     })},
    {"absolute ones stay",
     "watch: /routes.yaml\nlog: {access: {output: /var/log/control.log}}\n",
     {},
     made([](settings& s) {
       s.watch = "/routes.yaml";
       s.log.output = {wire::access_sink::file, "/var/log/control.log"};
     })},
    {"files of TLS, too; who has to show a certificate needs no token",
     "listeners: [{address: \":8081\", tls: {certificates: [{cert_file: c.pem, key_file: c.key}], client_auth: {mode: "
     "required, ca_file: ca.pem}}}]\n",
     {},
     made([](settings& s) {
       s.listeners = {{{"", 8081}}};
       s.listeners.front().tls = {wire::tls_version::v1_2,
                                  {{{}, "/etc/c.pem", "/etc/c.key"}},
                                  {wire::client_auth_mode::required, "/etc/ca.pem"}};
     })},
    {"what certificates are for",
     "listeners: [{address: \"127.0.0.1:1\", tls: {certificates: [{cert_file: /c, key_file: /k}], client_auth: {mode: "
     "optional, ca_file: /a}}}]\nauth: {certificates: [{name: \"router-*\", role: router}, {name: ops, role: "
     "operator}]}\n",
     {},
     made([](settings& s) {
       s.listeners = {{{"127.0.0.1", 1}}};
       s.listeners.front().tls = {
           wire::tls_version::v1_2, {{{}, "/c", "/k"}}, {wire::client_auth_mode::optional, "/a"}};
       s.auth.certificates = {{"router-*", role::router}, {"ops", role::operator_}};
     })},
    {"an empty watch is none", "watch: \"\"\n", {}, made([](settings&) {})},
    {"how routers are served",
     "push: {base_dialect: config_snapshot, ping: 1s, dead_after: 5, max_routers: 7, coalesce: 0s, "
     "hellos_per_second: 9, max_session_age: off}\n",
     {},
     made([](settings& s) { s.push = {wire::base_dialect::config_snapshot, 1s, 5, 7, 0s, 9, std::nullopt}; })},
    {"the API, its guards, and the past",
     "api: {require_preconditions: false, max_body: 1MiB, idempotency_for: 1h, max_watchers: 2, version_interval: off, "
     "version_burst: 7}\nfleet: {forget_after: 1h}\n"
     "guard: {max_moved_percent: 5, min_keys: 3}\nhistory: {keep_versions: 7, keep_for: 30d, verify_every: 1h}\n",
     {},
     made([](settings& s) {
       s.api = {false, 1 << 20, 1h, 2, std::nullopt, 7};
       s.fleet = {1h};
       s.guard = {5.0, std::nullopt, 3};
       s.history = {7, 720h, 1h};
     })},
    {"a door for when tokens are lost", "break_glass: {socket: run/control.sock}\n", {}, made([](settings& s) {
       s.break_glass_socket = "/etc/run/control.sock";
     })},
    {"a store that nobody looks at", "history: {verify_every: off}\n", {}, made([](settings& s) {
       s.history.verify_every.reset();
     })},
    {"a past without an age", "history: {keep_for: off}\n", {}, made([](settings& s) { s.history.age_max.reset(); })},
    {"several listeners",
     "listeners: [{address: \"127.0.0.1:1\"}, {address: \"[::1]:2\"}]\n",
     {},
     made([](settings& s) { s.listeners = {{{"127.0.0.1", 1}}, {{"::1", 2}}}; })},
    {"metrics on a port of their own",
     "metrics: {address: \"127.0.0.1:8082\"}\nlog: {level: warn}\n",
     {},
     made([](settings& s) {
       s.metrics_address = {"127.0.0.1", 8082};
       s.log.level = wire::log_level::warn;
     })},
    {"flags win, and their paths count from where the process is",
     "listeners: [{address: \"127.0.0.1:1\"}]\nwatch: a.yaml\nstore: \"sqlite:a.db\"\n",
     {"127.0.0.1:2", "sqlite:b.db", "b.yaml"},
     made([](settings& s) {
       s.listeners = {{{"127.0.0.1", 2}}};
       s.watch = "b.yaml";
       s.store = "sqlite:b.db";
     })},
    {"with a token a flag may name any address", token_section, {":9", {}, {}}, made([](settings& s) {
       s.listeners = {{{"", 9}}};
       s.auth.admin_token_file = "/etc/cp.token";
     })},
};

TEST_CASE("control settings: what a file and flags come to") {
  for (const read_case& row : read_cases) {
    CAPTURE(row.says);
    const auto read = read_settings(row.text, "/etc/control.yaml", row.flags);
    if (!read) {
      for (const std::string& line : lines_of(read.error())) MESSAGE(line);
    }
    REQUIRE(read);
    CHECK((*read == row.expected));
  }
}

TEST_CASE("control settings: no file is the defaults") {
  const auto read = load_settings("", {});
  REQUIRE(read);
  CHECK((*read == made([](settings&) {})));
  CHECK(file_of_store(read->store).empty());
  CHECK(file_of_store("sqlite:a.db") == "a.db");
}

struct broken_case {
  std::string_view says;
  std::string text;
  std::string_view told;
  settings_flags flags{};
};

const broken_case broken_cases[] = {
    {"a key that there is not", "listen: 1\n",
     "c.yaml:1:1: listen: unknown key; known here: apiVersion, listeners, store, "
     "watch, auth, break_glass, push, api, guard, history, fleet, log, metrics\n"},
    {"no watcher at all", "api: {max_watchers: 0}\n",
     "c.yaml:1:21: api.max_watchers: must be from 1 to 1000, not \"0\"\n"},
    {"TLS without a certificate", "listeners: [{address: \"127.0.0.1:1\", tls: {}}]\n",
     "c.yaml:1:43: listeners[0].tls.certificates: is missing; add one, such as certificates: [{cert_file: "
     "certs/example.pem, key_file: certs/example.key}]\n"},
    {"every mistake at once, in the order of the text",
     "push: {ping: 1}\nstore: db\nauth: {loopback_without_token: maybe}\n",
     "c.yaml:1:14: push.ping: must be a duration, a whole number and a unit, such as 250ms, 5s, 5m or 1h, not \"1\"\n"
     "c.yaml:2:8: store: must be sqlite: and the name of a file, such as sqlite:control.db, not \"db\"\n"
     "c.yaml:3:32: auth.loopback_without_token: must be true or false, not \"maybe\"\n"},
    {"a file of a router", "apiVersion: cellroute/v1\n",
     "c.yaml:1:13: apiVersion: must be cellroute-control/v1, not \"cellroute/v1\"\n"},
    {"others reach it, and no token is asked for", "listeners: [{address: \":8081\"}]\n",
     "c.yaml:1:14: listeners[0].address: others than this machine reach :8081, and no token is asked for; name an "
     "auth.admin_token_file, or listen on 127.0.0.1:8081\n"},
    {"certificates that nobody asks for", "auth: {certificates: [{name: \"router-*\", role: router}]}\n",
     "c.yaml:1:8: auth.certificates: means nothing where no listener asks for certificates; add "
     "listeners[].tls.client_auth\n"},
    {"a role that there is not",
     "auth: {admin_token_file: t, certificates: [{name: a, role: king}, {role: viewer}]}\n"
     "listeners: [{address: \":1\", tls: {certificates: [{cert_file: c, key_file: k}], client_auth: {mode: optional, "
     "ca_file: a}}}]\n",
     "c.yaml:1:60: auth.certificates[0].role: must be one of viewer, publisher, operator, admin, router, not \"king\"\n"
     "c.yaml:1:67: auth.certificates[1].name: is missing; add one, such as name: \"router-*\"\n"},
    {"nobody may connect", "auth: {loopback_without_token: false}\n",
     "c.yaml:1:8: auth.loopback_without_token: leaves nobody who may connect; name an auth.admin_token_file\n"},
    {"no listener", "listeners: []\n", "c.yaml:1:12: listeners: must have at least one item\n"},
    {"a listener without an address", "listeners: [{}]\nauth: {admin_token_file: t}\n",
     "c.yaml:1:13: listeners[0].address: is missing; add one, such as address: \":8081\"\n"},
    {"a dialect that nobody speaks", "push: {base_dialect: config_updat}\n",
     "c.yaml:1:22: push.base_dialect: must be one of config_update, config_snapshot, not \"config_updat\"; did you "
     "mean "
     "config_update?\n"},
    {"no router at all", "push: {max_routers: 0}\n",
     "c.yaml:1:21: push.max_routers: must be from 1 to 1000000, not \"0\"\n"},
    {"a key that stands twice", "watch: a\nwatch: b\n",
     "c.yaml:2:1: watch: already given in line 1; remove one of them\n"},
    {"no map", "- 1\n", "c.yaml:1:1: must be a map of keys and values\n"},
    {"a flag that is no address",
     "",
     "--listen: must be an address and a port, such as \":8080\", \"127.0.0.1:8080\" or "
     "\"[::1]:8080\", not \"x\"\n",
     {"x", {}, {}}},
    {"a flag that others reach",
     "",
     "--listen: must be an address that only this machine reaches, as no token is asked "
     "for, not \":8081\"\n",
     {":8081", {}, {}}},
    {"a flag that is no store",
     "",
     "--store: must be sqlite: and the name of a file, such as sqlite:control.db, not "
     "\"sqlite:\"\n",
     {{}, "sqlite:", {}}},
};

TEST_CASE("control settings: mistakes are told with their place, and what to do") {
  for (const broken_case& row : broken_cases) {
    CAPTURE(row.says);
    const auto read = read_settings(row.text, row.text.empty() ? "" : "c.yaml", row.flags);
    REQUIRE_FALSE(read);
    std::string told;
    for (const std::string& line : lines_of(read.error())) told += line + "\n";
    CHECK(told == row.told);
  }
}

TEST_CASE("control settings: a file that is not there is said to be missing") {
  const auto read = load_settings("/nowhere/control.yaml", {});
  REQUIRE_FALSE(read);
  CHECK(read.error().is_missing);
}

}  // namespace
}  // namespace cellroute::control
