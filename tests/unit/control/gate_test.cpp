#include "adapters/control/gate.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/scratch_folder.hpp"

namespace cellroute::control {
namespace {

using support::scratch_folder;

constexpr std::string_view gate_token = "0123456789abcdef";

std::string token_file(const scratch_folder& folder, std::string_view text, mode_t mode = 0600) {
  const std::string path = folder.file("token");
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

struct gate_case {
  std::string_view says;
  bool has_token = false;
  bool loopback_without_token = true;
  std::string_view peer;
  std::string_view host;
  std::string_view authorization{};
  std::string_view origin{};
  int status = 0;  ///< 0: let in
};

constexpr std::string_view here = "127.0.0.1";
constexpr std::string_view there = "192.0.2.1";

const gate_case gate_cases[] = {
    {"this machine", false, true, here, "127.0.0.1:8081"},
    {"by its other names", false, true, "::1", "localhost:8081"},
    {"with brackets", false, true, "::1", "[::1]:8081"},
    {"another address of the loopback network, without a port", false, true, "127.8.8.8", "127.8.8.8"},
    {"under a name that a stranger's zone can have", false, true, here, "evil.example:8081", {}, {}, 403},
    {"a name that begins like an address", false, true, here, "127.0.0.1.evil.example", {}, {}, 403},
    {"a page of a browser", false, true, here, "localhost", {}, "http://evil.example", 403},
    {"another machine", false, true, there, "control:8081", {}, {}, 401},
    {"another machine under our name", false, true, there, "127.0.0.1", {}, {}, 401},
    {"another machine that knows the token", true, true, there, "control:8081", "Bearer 0123456789abcdef"},
    {"the scheme in small letters", true, true, there, "control", "bearer  0123456789abcdef"},
    {"a page of a browser that knows the token", true, true, here, "evil.example", "Bearer 0123456789abcdef",
     "http://console.example"},
    {"a wrong token", true, true, there, "control", "Bearer 0123456789abcdeF", {}, 401},
    {"a part of it", true, true, there, "control", "Bearer 0123456789abcde", {}, 401},
    {"a wrong token from this machine is no token", true, true, here, "localhost", "Bearer x", {}, 401},
    {"a token where there is none", false, true, here, "localhost", "Bearer 0123456789abcdef", {}, 401},
    {"another scheme", true, true, there, "control", "Basic 0123456789abcdef", {}, 401},
    {"this machine, where all need the token", true, false, here, "localhost", {}, {}, 401},
    {"this machine, with the token", true, false, here, "localhost", "Bearer 0123456789abcdef"},
};

TEST_CASE("gate: who is let in") {
  const scratch_folder folder;
  const std::string path = token_file(folder, std::string(gate_token) + "\n");
  for (const gate_case& row : gate_cases) {
    CAPTURE(row.says);
    const auto made = gate::open({row.loopback_without_token, row.has_token ? path : "", {}});
    REQUIRE(made);
    CHECK(made->asks_for_token() == row.has_token);
    std::vector<field> fields;
    if (!row.authorization.empty()) fields.push_back({"Authorization", row.authorization});
    if (!row.origin.empty()) fields.push_back({"Origin", row.origin});
    request_view request;
    request.authority = row.host;
    request.fields = fields;
    edge::downstream_facts facts;
    facts.peer = io::parse_address(row.peer, 4711).value();
    const auto why = made->why_not(request, facts, door::pages, {});
    CHECK((why ? why->status : 0) == row.status);
  }
}

TEST_CASE("gate: two tokens are none") {
  const scratch_folder folder;
  const auto made = gate::open({true, token_file(folder, gate_token), {}});
  REQUIRE(made);
  std::vector<field> fields{{"Authorization", "Bearer 0123456789abcdef"}, {"authorization", "Bearer other"}};
  request_view request;
  request.fields = fields;
  CHECK(made->why_not(request, {}, door::pages, {}));
}

/// A token of each role, whose digest is that of the role's name, and one that is over.
class some_tokens final : public token_book {
 public:
  std::optional<role> role_of(const wire::digest& given, wall_time now) override {
    for (const role who : all_roles) {
      const std::string name = std::string(to_string(who)) + "-0123456789abcdef";
      if (sync::sha256(std::as_bytes(std::span(name))) == given)
        return now < wall_time(1h) ? std::optional(who) : std::nullopt;
    }
    return std::nullopt;
  }
};

struct book_case {
  std::string_view who;
  int routers;
  int api;
  int pages;
};

const book_case book_cases[] = {
    {"viewer", 403, 0, 0}, {"publisher", 403, 0, 0}, {"operator", 403, 0, 0},
    {"admin", 0, 0, 0},    {"router", 0, 0, 403},    {"nobody", 401, 401, 401},
};

TEST_CASE("gate: a token that was given out opens what its role is for, until it is over") {
  auto made = gate::open({false, {}, {}});
  REQUIRE(made);
  some_tokens book;
  made->set_book(book);
  for (const book_case& row : book_cases) {
    CAPTURE(row.who);
    const std::string value = "Bearer " + std::string(row.who) + "-0123456789abcdef";
    std::vector<field> fields{{"Authorization", value}};
    request_view request;
    request.fields = fields;
    const auto status = [&](door to, wall_time now = {}) {
      const auto why = made->why_not(request, {}, to, now);
      return why ? static_cast<int>(why->status) : 0;
    };
    CHECK(status(door::routers) == row.routers);
    CHECK(status(door::api) == row.api);
    CHECK(status(door::pages) == row.pages);
    CHECK(status(door::api, wall_time(2h)) == 401);
    const auto token = gate::token_of(request);
    REQUIRE(token);
    CHECK(made->still_opens(*token, door::routers, {}) == (row.routers == 0));
    CHECK_FALSE(made->still_opens(*token, door::routers, wall_time(2h)));
  }
}

struct certificate_case {
  std::string_view says;
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::string common_name;
  int routers;
  int api;
  int pages;
};

const certificate_case certificate_cases[] = {
    {"a router, by its DNS name", {}, {"router-7.example"}, "x", 0, 0, 403},
    {"whatever its case", {}, {"ROUTER-7.Example"}, "x", 0, 0, 403},
    {"by a later name", {}, {"other", "router-1"}, "x", 0, 0, 403},
    {"a person, by a URI", {"spiffe://corp/people/ann"}, {}, "x", 403, 0, 0},
    {"whose case counts", {"spiffe://CORP/people/ann"}, {}, "x", 403, 403, 403},
    {"by its common name, where it has no other", {}, {}, "deploy", 403, 0, 0},
    {"which does not count beside others", {}, {"elsewhere"}, "deploy", 403, 403, 403},
    {"the first rule that fits", {}, {"router-admin"}, "", 0, 0, 403},
    {"all of the name", {}, {"my-router-1"}, "", 403, 403, 403},
    {"nobody", {}, {}, "", 403, 403, 403},
};

TEST_CASE("gate: what a certificate is for, its names say") {
  auth_settings auth;
  auth.loopback_without_token = false;
  auth.certificates = {{"router-*", role::router},
                       {"spiffe://corp/people/*", role::viewer},
                       {"deploy", role::publisher},
                       {"*-admin", role::admin}};
  auto made = gate::open(auth);
  REQUIRE(made);
  some_tokens book;
  made->set_book(book);
  for (const certificate_case& row : certificate_cases) {
    CAPTURE(row.says);
    io::tls_identity client;
    client.uris = row.uris;
    client.dns_names = row.dns_names;
    client.common_name = row.common_name;
    edge::downstream_facts facts;
    facts.client = &client;
    const auto status = [&](door to, std::span<const field> fields = {}) {
      std::vector<field> kept(fields.begin(), fields.end());
      request_view request;
      request.fields = kept;
      const auto why = made->why_not(request, facts, to, {});
      return why ? static_cast<int>(why->status) : 0;
    };
    CHECK(status(door::routers) == row.routers);
    CHECK(status(door::api) == row.api);
    CHECK(status(door::pages) == row.pages);
    const field viewer{"Authorization", "Bearer viewer-0123456789abcdef"};
    CHECK(status(door::pages, std::span(&viewer, 1)) == 0);  // a token that is named counts
    CHECK(status(door::routers, std::span(&viewer, 1)) == 403);
  }
}

TEST_CASE("gate: where nothing is said of certificates, each may connect, and look") {
  const auto made = gate::open({false, {}, {}});
  REQUIRE(made);
  io::tls_identity client;
  edge::downstream_facts facts;
  facts.client = &client;
  for (const door to : {door::routers, door::api, door::pages}) CHECK(!made->why_not({}, facts, to, {}));
  CHECK(made->role_of(client) == role::viewer);
}

struct file_case {
  std::string_view says;
  std::string_view text;
  mode_t mode;
  std::string_view told;
};

const file_case file_cases[] = {
    {"others may read it", gate_token, 0644, ": others may read it; chmod 600 it"},
    {"too short to be a secret", "0123456789abcde\n", 0600, ": must hold one word of at least 16 characters"},
    {"two words", "01234567 89abcdef", 0600, ": must hold one word, the token, and nothing else"},
};

TEST_CASE("gate: a file that is no secret is refused") {
  for (const file_case& row : file_cases) {
    CAPTURE(row.says);
    const scratch_folder folder;
    const std::string path = token_file(folder, row.text, row.mode);
    const auto made = gate::open({true, path, {}});
    REQUIRE_FALSE(made);
    CHECK(made.error() == "auth.admin_token_file: " + path + std::string(row.told));
  }
  CHECK_FALSE(gate::open({true, "/nowhere/token", {}}));
}

}  // namespace
}  // namespace cellroute::control
