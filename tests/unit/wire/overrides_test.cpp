#include "adapters/wire/overrides.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/wire/scalars.hpp"

namespace cellroute::wire {
namespace {

struct override_case {
  std::string_view says;
  overrides flags;
  overrides environment;
  socket_address listen;
  socket_address admin;
};

settings from_file() {
  settings local;
  local.listeners.push_back({"second", {"", 8081}, {}, {}, false});
  return local;
}

const socket_address file_listen{"", 8080};
const socket_address file_admin{"127.0.0.1", 9901};

const override_case override_cases[] = {
    {"nothing said leaves the file", {}, {}, file_listen, file_admin},
    {"PORT changes the port alone", {}, {{}, {}, "81"}, {"", 81}, file_admin},
    {"PORT=0 lets the system choose", {}, {{}, {}, "0"}, {"", 0}, file_admin},
    {"an empty PORT is none", {}, {{}, {}, ""}, file_listen, file_admin},
    {"--listen changes the address", {"127.0.0.1:82", {}, {}}, {}, {"127.0.0.1", 82}, file_admin},
    {"--listen wins over PORT", {"127.0.0.1:82", {}, {}}, {{}, {}, "81"}, {"127.0.0.1", 82}, file_admin},
    {"--admin", {{}, "[::1]:83", {}}, {}, file_listen, {"::1", 83}},
    {"both flags", {":84", ":85", {}}, {}, {"", 84}, {"", 85}},
};

TEST_CASE("wire overrides: flags win over the environment, and that over the file") {
  for (const override_case& row : override_cases) {
    CAPTURE(row.says);
    const auto result = effective(from_file(), row.flags, row.environment);
    REQUIRE(result.has_value());
    settings expected = from_file();
    expected.listeners[0].address = row.listen;
    expected.admin.address = row.admin;
    CHECK((*result == expected));  // the second listener stays, too
  }
}

TEST_CASE("wire overrides: CONTROL_PLANE_URL is one address or several, with commas") {
  const auto result = effective(from_file(), {}, {{}, {}, {}, "ws://a:1/connect,wss://b/x"});
  REQUIRE(result.has_value());
  REQUIRE(result->control_plane);
  REQUIRE(result->control_plane->urls.size() == 2);
  CHECK(to_string(result->control_plane->urls[0]) == "ws://a:1/connect");
  CHECK(to_string(result->control_plane->urls[1]) == "wss://b:443/x");
  const auto refused = effective(from_file(), {}, {{}, {}, {}, "ws://a:1/connect,b"});
  CHECK_FALSE(refused.has_value());
}

struct refused_override {
  std::string_view says;
  overrides flags;
  overrides environment;
  std::string_view expected;
};

const refused_override refused_overrides[] = {
    {"PORT is a number", {}, {{}, {}, "http"}, "PORT: must be a port from 0 to 65535, not \"http\""},
    {"one past the last", {}, {{}, {}, "65536"}, "PORT: must be a port from 0 to 65535, not \"65536\""},
    {"a space", {}, {{}, {}, " 80"}, "PORT: must be a port from 0 to 65535, not \" 80\""},
    {"a wrong PORT is not hidden by a flag",
     {":80", {}, {}},
     {{}, {}, "x"},
     "PORT: must be a port from 0 to 65535, not \"x\""},
    {"a name",
     {"localhost:80", {}, {}},
     {},
     "--listen: must have an address and not a name before the port, such as \"127.0.0.1:8080\", not \"localhost:80\""},
    {"no port",
     {{}, "127.0.0.1", {}},
     {},
     "--admin: must be an address and a port, such as \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\", not "
     "\"127.0.0.1\""},
};

TEST_CASE("wire overrides: what cannot be meant is refused by name") {
  for (const refused_override& row : refused_overrides) {
    CAPTURE(row.says);
    const auto result = effective(from_file(), row.flags, row.environment);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error() == row.expected);
  }
}

}  // namespace
}  // namespace cellroute::wire
