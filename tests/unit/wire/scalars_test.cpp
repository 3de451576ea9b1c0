#include "adapters/wire/scalars.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

namespace cellroute::wire {
namespace {

template <class T>
struct scalar_case {
  std::string_view says;
  std::string_view text;
  T expected;
};

struct refused_scalar {
  std::string_view says;
  std::string_view text;
  std::string_view expected;  // how the complaint begins
};

template <class T, std::size_t N>
void check_taken(const scalar_case<T> (&rows)[N], parsed<T> (*parse)(std::string_view)) {
  for (const auto& row : rows) {
    CAPTURE(row.says);
    CAPTURE(row.text);
    const auto value = parse(row.text);
    REQUIRE(value.has_value());
    CHECK((*value == row.expected));
  }
}

template <class T, std::size_t N>
void check_refused(const refused_scalar (&rows)[N], parsed<T> (*parse)(std::string_view)) {
  for (const auto& row : rows) {
    CAPTURE(row.says);
    CAPTURE(row.text);
    const auto value = parse(row.text);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().substr(0, row.expected.size()) == row.expected);
  }
}

const scalar_case<duration> durations[] = {
    {"milliseconds", "250ms", 250ms},
    {"seconds", "5s", 5s},
    {"minutes", "5m", 5min},
    {"hours", "1h", 1h},
    {"days", "2d", 48h},
    {"nothing at all", "0s", 0s},
    {"the longest", "3650d", 87600h},
    {"many small ones", "90000ms", 90s},
};
const refused_scalar refused_durations[] = {
    {"no unit: 5 of what", "5", "must be a duration"},
    {"no number", "s", "must be a duration"},
    {"nothing", "", "must be a duration"},
    {"a fraction", "1.5s", "must be a duration"},
    {"a sign", "-5s", "must be a duration"},
    {"a space", "5 s", "must be a duration"},
    {"an unknown unit", "5sec", "must be a duration"},
    {"units are lower case", "5S", "must be a duration"},
    {"two parts", "1m30s", "must be a duration"},
    {"leading zeros", "05s", "must be a duration"},
    {"one past the longest", "3651d", "must not be longer"},
    {"more than a number holds", "99999999999999999999s", "must be a duration"},
    {"would overflow when multiplied", "18446744073709551615h", "must not be longer"},
};

TEST_CASE("wire scalars: a duration is a whole number and a unit") {
  check_taken(durations, parse_duration);
  check_refused(refused_durations, parse_duration);
}

const scalar_case<std::uint64_t> sizes[] = {
    {"kibi", "64KiB", 64 * 1024},
    {"mebi", "10MiB", 10 * 1024 * 1024},
    {"gibi", "1GiB", 1024 * 1024 * 1024},
    {"plain bytes", "1000", 1000},
    {"the largest", "18446744073709551615", UINT64_MAX},
};
const refused_scalar refused_sizes[] = {
    {"powers of ten are ambiguous", "64KB", "must be a size"},
    {"half a unit", "64K", "must be a size"},
    {"no number", "KiB", "must be a size"},
    {"a fraction", "1.5MiB", "must be a size"},
    {"a sign", "-1", "must be a size"},
    {"would overflow", "18446744073709551615GiB", "must be a smaller size"},
};

TEST_CASE("wire scalars: a size has a binary unit, or none") {
  check_taken(sizes, parse_size);
  check_refused(refused_sizes, parse_size);
}

const scalar_case<bool> flags[] = {
    {"true", "true", true}, {"on", "on", true}, {"false", "false", false}, {"off", "off", false}};
const refused_scalar refused_flags[] = {
    {"yes", "yes", "must be"}, {"a number", "1", "must be"}, {"capitals", "True", "must be"}};

TEST_CASE("wire scalars: off and false mean the same, and so do on and true") {
  check_taken(flags, parse_flag);
  check_refused(refused_flags, parse_flag);
}

const scalar_case<socket_address> addresses[] = {
    {"every address", ":8080", {"", 8080}},         {"one of IPv4", "127.0.0.1:80", {"127.0.0.1", 80}},
    {"one of IPv6", "[::1]:65535", {"::1", 65535}}, {"all of IPv4", "0.0.0.0:1", {"0.0.0.0", 1}},
    {"all of IPv6", "[::]:1", {"::", 1}},           {"a port that the system chooses", "127.0.0.1:0", {"127.0.0.1", 0}},
};
const refused_scalar refused_addresses[] = {
    {"a port alone may be a host", "8080", "must be an address and a port"},
    {"no port", "127.0.0.1", "must be an address and a port"},
    {"no port behind IPv6", "[::1]", "must be an address and a port"},
    {"an empty port", "127.0.0.1:", "must have a port"},
    {"a name", "localhost:80", "must have an address and not a name"},
    {"IPv6 without brackets", "::1:80", "must"},
    {"IPv4 in brackets", "[127.0.0.1]:80", "must be an address and a port"},
    {"brackets that stay open", "[::1:80", "must be an address and a port"},
    {"something behind the brackets", "[::1]x:80", "must be an address and a port"},
    {"one past the last port", ":65536", "must have a port"},
    {"a sign", ":-1", "must have a port"},
    {"an address cut short", "127.0.1:80", "must be an address and a port"},
    {"nothing", "", "must be an address and a port"},
};

TEST_CASE("wire scalars: a listener's address is a number, never a name") {
  check_taken(addresses, parse_socket_address);
  check_refused(refused_addresses, parse_socket_address);
}

const scalar_case<origin> origins[] = {
    {"host and port", "http://10.0.0.1:9001", {"10.0.0.1", 9001}},
    {"the port of http", "http://cell", {"cell", 80}},
    {"a name with dots", "http://a.b-c.example:1", {"a.b-c.example", 1}},
    {"a name of a container network", "http://cell_1:65535", {"cell_1", 65535}},
    {"IPv6", "http://[fd00::1]:81", {"fd00::1", 81}},
    {"IPv6 without port", "http://[::1]", {"::1", 80}},
};
const refused_scalar refused_origins[] = {
    {"TLS is not built", "https://cell:443", "must start with http:// (https is not supported yet)"},
    {"nor raw TCP", "tcp://cell:3306", "must start with http:// (tcp is not supported yet)"},
    {"no scheme", "cell:9001", "must be http://HOST"},
    {"no host", "http://", "must be http://HOST"},
    {"no host but a port", "http://:80", "must be http://HOST"},
    {"a path", "http://cell/api", "must be http://HOST:PORT without a path"},
    {"even an empty one", "http://cell/", "must be http://HOST:PORT without a path"},
    {"a query", "http://cell?x=1", "must be http://HOST:PORT without a path"},
    {"a fragment", "http://cell#x", "must be http://HOST:PORT without a path"},
    {"a password in a file", "http://user:secret@cell:80", "must be http://HOST:PORT without user"},
    {"port 0", "http://cell:0", "must have a port from 1"},
    {"an empty port", "http://cell:", "must have a port from 1"},
    {"one past the last port", "http://cell:65536", "must have a port from 1"},
    {"IPv6 without brackets", "http://::1:80", "must"},
    {"an address cut short", "http://10.0.0:80", "must be http://HOST"},
    {"a space", "http://a b:80", "must be http://HOST"},
    {"a label that starts with a hyphen", "http://-a", "must be http://HOST"},
};

TEST_CASE("wire scalars: an endpoint's URL is a scheme, a host and a port") {
  check_taken(origins, parse_origin);
  check_refused(refused_origins, parse_origin);
}

const scalar_case<std::string> field_names[] = {{"the usual", "X-Routing-Key", "X-Routing-Key"},
                                                {"any token", "tenant_id!", "tenant_id!"},
                                                {"one that HTTP knows may name a tenant", "User-Agent", "User-Agent"},
                                                {"a beginning is not the whole", "Hosts", "Hosts"}};
const refused_scalar refused_field_names[] = {
    {"nothing", "", "must be a header name"},
    {"a space", "X Key", "must be a header name"},
    {"a colon", "X-Key:", "must be a header name"},
    {"a line end would split the head", "X-Key\r\nX: y", "must be a header name"},
    {"framing", "Content-Length", "must be a header that HTTP itself does not need"},
    {"framing, however it is written", "tRANSFER-encoding", "must be a header that HTTP itself does not need"},
    {"the authority", "Host", "must be a header that HTTP itself does not need"},
    {"one hop", "Proxy-Authorization", "must be a header that HTTP itself does not need"},
    {"written by every proxy", "Via", "must be a header that HTTP itself does not need"},
    {"what the router tells cells", "x-cell-key", "must be a header that the router does not write"},
    {"and might tell one day", "X-Cell-Other", "must be a header that the router does not write"},
    {"what it tells clients", "X-Routed-To", "must be a header that the router does not write"},
    {"the same, of several", "X-Route-Reason", "must be a header that the router does not write"},
    {"what it overwrites", "X-Forwarded-Host", "must be a header that the router does not write"},
    {"the standard's name for it", "Forwarded", "must be a header that the router does not write"},
    {"its errors", "Proxy-Status", "must be a header that the router does not write"},
    {"a switch is no name", "off", "must be a header name, such as X-Name; it cannot be switched"},
    {"whichever way", "TRUE", "must be a header name, such as X-Name; it cannot be switched"},
};

TEST_CASE("wire scalars: a header name is a token that neither HTTP nor the router needs (RFC 9110 section 5.6.2)") {
  check_taken(field_names, parse_field_name);
  check_refused(refused_field_names, parse_field_name);
}

const scalar_case<std::string> request_id_names[] = {{"the usual", "X-Request-Id", "X-Request-Id"},
                                                     {"one of one's own", "Trace", "Trace"},
                                                     {"that of other proxies", "X-Correlation-Id", "X-Correlation-Id"}};
const refused_scalar refused_request_id_names[] = {
    {"the meaning of the content", "Content-Type", "must be a header that means nothing else in HTTP"},
    {"a session", "Set-Cookie", "must be a header that means nothing else in HTTP"},
    {"what a client takes", "accept-language", "must be a header that means nothing else in HTTP"},
    {"the routing key", "X-Routing-Key", "must be a header that is not meant for routing keys"},
};

TEST_CASE("wire scalars: a request id goes into a header that means nothing else") {
  check_taken(request_id_names, parse_request_id_name);
  check_refused(refused_request_id_names, parse_request_id_name);
  check_refused(refused_field_names, parse_request_id_name);
}

const scalar_case<std::string> methods[] = {{"the usual", "GET", "GET"}, {"one of one's own", "X-PURGE", "X-PURGE"}};
const refused_scalar refused_methods[] = {
    {"they are case-sensitive, so this is a slip", "get", "must be a method's name in capitals"},
    {"nothing", "", "must be a method's name"},
    {"a list in one", "GET, POST", "must be a method's name"},
    {"a tunnel", "CONNECT", "must be a method other"}};

TEST_CASE("wire scalars: a method is a token in capitals (RFC 9110 section 9.1)") {
  check_taken(methods, parse_method);
  check_refused(refused_methods, parse_method);
}

const scalar_case<access_output> outputs[] = {
    {"standard output", "stdout", {access_sink::standard_output, ""}},
    {"standard error", "stderr", {access_sink::standard_error, ""}},
    {"nowhere", "off", {access_sink::off, ""}},
    {"nowhere, as older YAML readers write it back", "false", {access_sink::off, ""}},
    {"a file", "/var/log/cellroute.log", {access_sink::file, "/var/log/cellroute.log"}},
    {"a file beside", "access.log", {access_sink::file, "access.log"}},
};
const refused_scalar refused_outputs[] = {
    {"nothing", "", "must be stdout"},
    {"a folder", "/var/log/", "must be stdout"},
    {"on says nothing of where", "on", "must be stdout"},
    {"a line end in a name", "a\nb", "must be stdout"},
    {"the end of the name for the system", std::string_view("a\0b", 3), "must be stdout"},
    {"nobody means a file", "STDOUT", "must be in small letters (did you mean stdout?)"},
    {"nor here", "Stderr", "must be in small letters (did you mean stderr?)"},
    {"nor here, as a boolean", "False", "must be in small letters (did you mean off?)"}};

TEST_CASE("wire scalars: the access log goes to a stream, a file or nowhere") {
  check_taken(outputs, parse_access_output);
  check_refused(refused_outputs, parse_access_output);
}

const scalar_case<std::string> url_paths[] = {{"the usual", "/metrics", "/metrics"}, {"the shortest", "/", "/"}};
const refused_scalar refused_url_paths[] = {
    {"no slash", "metrics", "must be a path"}, {"nothing", "", "must be a path"},
    {"a query", "/m?x", "must be a path"},     {"a fragment", "/m#x", "must be a path"},
    {"a space", "/m m", "must be a path"},     {"not ASCII", "/m\xc3\xa9", "must be a path"}};

TEST_CASE("wire scalars: a path that clients ask for") {
  check_taken(url_paths, parse_url_path);
  check_refused(refused_url_paths, parse_url_path);
}

const scalar_case<std::string> metrics_paths[] = {{"the usual", "/metrics", "/metrics"},
                                                  {"a page's name with more behind", "/healthy", "/healthy"}};
const refused_scalar refused_metrics_paths[] = {
    {"a page of administration", "/health", "must be a path that no other page"},
    {"another one", "/ready", "must be a path that no other page"},
    {"another one", "/version", "must be a path that no other page"},
    {"a page in a folder", "/debug/config", "must be a path that no other page"},
    {"one that may come", "/v1/metrics", "must be a path that no other page"},
    {"no path at all", "metrics", "must be a path that starts with a slash"},
};

TEST_CASE("wire scalars: the metrics have a path of their own") {
  check_taken(metrics_paths, parse_metrics_path);
  check_refused(refused_metrics_paths, parse_metrics_path);
}

TEST_CASE("wire scalars: what is written is read back") {
  for (const auto& row : durations) CHECK((*parse_duration(print_duration(row.expected)) == row.expected));
  for (const auto& row : sizes) CHECK((*parse_size(print_size(row.expected)) == row.expected));
  for (const auto& row : addresses) CHECK(to_string(row.expected) == row.text);
  for (const auto& row : outputs) CHECK((*parse_access_output(to_string(row.expected)) == row.expected));
  CHECK(print_duration(90s) == "90s");
  CHECK(print_duration(1500ms) == "1500ms");
  CHECK(print_size(1024) == "1KiB");
  CHECK(print_size(1025) == "1025");
  CHECK(print_size(0) == "0");
  CHECK(to_string(origin{"::1", 80}) == "http://[::1]:80");
}

}  // namespace
}  // namespace cellroute::wire
