#include "cellroute/table/host_syntax.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace cellroute;

namespace {

const std::string label63(63, 'a');
const std::string label64(64, 'a');
const std::string name253 = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
const std::string name254 = label63 + "." + label63 + "." + label63 + "." + std::string(62, 'b');

struct host_case {
  std::string_view says;
  std::string_view text;
  bool is_good;
};

const host_case host_cases[] = {
    {"a name", "localhost", true},
    {"a name of labels", "cell-tier1-a.example.com", true},
    {"a name with its root", "example.com.", true},
    {"digits within a name", "1cell.example", true},
    {"an underscore, as container networks have it", "cell_1", true},
    {"a label of 63 bytes", label63, true},
    {"a name of 253 bytes", name253, true},
    {"an IPv4 address", "127.0.0.1", true},
    {"its largest", "255.255.255.255", true},
    {"its smallest", "0.0.0.0", true},
    {"an IPv6 address", "2001:db8:0:1:2:3:4:5", true},
    {"the loopback", "::1", true},
    {"the unspecified", "::", true},
    {"a gap in the middle", "fe80::1:2", true},
    {"a gap at the end", "2001:db8::", true},
    {"a gap for one group", "1:2:3:4:5:6:7::", true},
    {"capital digits", "FE80::ABCD", true},
    {"an IPv4 address within IPv6", "::ffff:127.0.0.1", true},
    {"the same without a gap", "1:2:3:4:5:6:127.0.0.1", true},
    {"nothing", "", false},
    {"a root alone", ".", false},
    {"an empty label", "a..b", false},
    {"a label that starts with a hyphen", "-a.example", false},
    {"a label that ends with one", "a-.example", false},
    {"a label of 64 bytes", label64, false},
    {"a name of 254 bytes", name254, false},
    {"a space", "a b", false},
    {"a line end", "a\n", false},
    {"a port", "localhost:80", false},
    {"a path", "localhost/", false},
    {"user information", "root@localhost", false},
    {"letters beyond ASCII", "caf\xc3\xa9", false},
    {"brackets", "[::1]", false},
    {"a number over 255", "127.0.0.256", false},
    {"a leading zero, which some read as octal", "127.0.0.01", false},
    {"three numbers", "127.0.1", false},
    {"five numbers", "1.2.3.4.5", false},
    {"a number alone", "2130706433", false},
    {"two gaps", "1::2::3", false},
    {"nine groups", "1:2:3:4:5:6:7:8:9", false},
    {"seven groups", "1:2:3:4:5:6:7", false},
    {"eight groups and a gap", "1:2:3:4::5:6:7:8", false},
    {"a group of five digits", "::12345", false},
    {"a single colon at the start", ":1:2:3:4:5:6:7", false},
    {"a single colon at the end", "1:2:3:4:5:6:7:", false},
    {"three colons", ":::1", false},
    {"a letter that is no digit", "::g", false},
    {"an IPv4 address within IPv6, one group too far", "1:2:3:4:5:6:7:127.0.0.1", false},
    {"an IPv4 address within IPv6, not at the end", "::127.0.0.1:1", false},
    {"a zone", "fe80::1%eth0", false},
};

}  // namespace

TEST_CASE("host: what can stand as the host of an endpoint (RFC 1123 section 2.1, RFC 3986 section 3.2.2)") {
  for (const host_case& row : host_cases) {
    CAPTURE(row.says);
    CHECK(is_host(row.text) == row.is_good);
  }
}
