#include "adapters/proxy/head_edits.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/edge/request_id.hpp"

namespace cellroute::proxy {
namespace {

std::vector<wire::network_prefix> networks(const std::vector<std::string_view>& texts) {
  std::vector<wire::network_prefix> parsed;
  for (const std::string_view text : texts) parsed.push_back(*wire::parse_network_prefix(text));
  return parsed;
}

io::socket_address address(std::string_view host) { return *io::parse_address(host, 40000); }

/// `Name: value` of what is passed on, in the order in which it is written.
std::string printed_fields(std::span<const field> fields, std::span<const field> added) {
  std::string text;
  for (const std::span<const field> list : {fields, added}) {
    for (const field& f : list) {
      if (!f.skip) text += std::string(f.name) + ": " + std::string(f.value) + "\n";
    }
  }
  return text;
}

struct id_case {
  std::string_view says;
  std::vector<std::string_view> sent;
  bool trust;
  bool taken;
};

const std::string longest_id(edge::request_id_bytes_max, 'x');
const std::string too_long_id(edge::request_id_bytes_max + 1, 'x');

const id_case id_cases[] = {
    {"the client's own", {"abc-123"}, true, true},
    {"of one byte", {"a"}, true, true},
    {"of visible ASCII", {"!~{}\""}, true, true},
    {"the longest", {longest_id}, true, true},
    {"one byte longer", {too_long_id}, true, false},
    {"empty", {""}, true, false},
    {"none", {}, true, false},
    {"twice", {"a", "b"}, true, false},
    {"three times", {"a", "b", "c"}, true, false},
    {"with a space", {"a b"}, true, false},
    {"with a tab", {"a\tb"}, true, false},
    {"beyond ASCII", {"caf\xc3\xa9"}, true, false},
    {"with a delete", {"a\x7f"}, true, false},
    {"not trusted", {"abc-123"}, false, false},
};

TEST_CASE(
    "request id: the client's own is taken over if it is fit, else there is a new one; the old is not passed on") {
  for (const id_case& row : id_cases) {
    for (const bool usual : {true, false}) {
      CAPTURE(row.says);
      CAPTURE(usual);
      wire::request_id_settings settings;
      settings.trust = row.trust;
      if (!usual) settings.header = "X-Trace";
      std::vector<field> fields{{"Accept", "abc-123", field_name::accept, false}};
      for (const std::string_view id : row.sent) {
        if (usual) {
          fields.push_back({"x-request-id", id, field_name::x_request_id, false});
        } else {
          fields.push_back({"x-trace", id, field_name::other, false});
        }
      }
      random_numbers rng(7);
      std::array<char, 32> made;
      const std::string id(take_request_id(fields, request_id_rule(settings), rng, made));
      if (row.taken) {
        CHECK(id == row.sent[0]);
      } else {
        CHECK(id.size() == 32);
        CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
      }
      CHECK(printed_fields(fields, {}) == "Accept: abc-123\n");
    }
  }
}

TEST_CASE("request id: new ones differ, and follow from the seed") {
  random_numbers rng(1);
  random_numbers same(1);
  const wire::request_id_settings settings;
  const request_id_rule rule(settings);
  std::array<char, 32> made;
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id(take_request_id({}, rule, rng, made));
    CHECK(std::string(take_request_id({}, rule, same, made)) == id);
    ids.insert(id);
  }
  CHECK(ids.size() == 1000);
}

struct forwarded_case {
  std::string_view says;
  bool trusted;
  std::vector<field> sent;
  std::string_view expected;
};

const field other{"Accept", "x", field_name::accept, false};
const field for_one{"X-Forwarded-For", "198.51.100.1", field_name::x_forwarded_for, false};
const field for_two{"X-Forwarded-For", "203.0.113.1, 10.0.0.2", field_name::x_forwarded_for, false};
const field for_empty{"X-Forwarded-For", "", field_name::x_forwarded_for, false};
const field host{"X-Forwarded-Host", "public.example", field_name::x_forwarded_host, false};
const field proto{"X-Forwarded-Proto", "https", field_name::x_forwarded_proto, false};
const field port{"X-Forwarded-Port", "443", field_name::x_forwarded_port, false};
const field forwarded{"Forwarded", "for=198.51.100.1", field_name::forwarded, false};
const field cell_key{"X-Cell-Key", "forged", field_name::x_cell_key, false};
const field cell_placement{"X-Cell-Placement", "forged", field_name::x_cell_placement, false};
const field cell_generation{"X-Cell-Generation", "9", field_name::x_cell_generation, false};

const forwarded_case forwarded_cases[] = {
    {"nothing sent",
     false,
     {other},
     "Accept: x\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: app.example\nX-Forwarded-Proto: http\n"
     "X-Forwarded-Port: 8080\n"},
    {"a stranger's word is overwritten",
     false,
     {for_one, host, proto, port, forwarded},
     "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: app.example\nX-Forwarded-Proto: http\nX-Forwarded-Port: 8080\n"},
    {"a trusted proxy's word stays",
     true,
     {for_one, host, proto, port, forwarded},
     "X-Forwarded-Host: public.example\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443\n"
     "Forwarded: for=198.51.100.1\nX-Forwarded-For: 198.51.100.1, 192.0.2.7\n"},
    {"what a trusted proxy left out is added",
     true,
     {proto},
     "X-Forwarded-Proto: https\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: app.example\nX-Forwarded-Port: 8080\n"},
    {"several lines become one",
     true,
     {for_one, other, for_empty, for_two},
     "Accept: x\nX-Forwarded-For: 198.51.100.1, 203.0.113.1, 10.0.0.2, 192.0.2.7\nX-Forwarded-Host: app.example\n"
     "X-Forwarded-Proto: http\nX-Forwarded-Port: 8080\n"},
    {"the router's own words are nobody else's",
     true,
     {cell_key, cell_placement, cell_generation, for_one, host, proto, port},
     "X-Forwarded-Host: public.example\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443\n"
     "X-Forwarded-For: 198.51.100.1, 192.0.2.7\n"},
};

TEST_CASE("forwarded: who the client is, as far as the peer may be believed") {
  for (const forwarded_case& row : forwarded_cases) {
    CAPTURE(row.says);
    std::vector<field> fields = row.sent;
    request_view request;
    request.authority = "app.example";
    request.scheme = "http";
    request.fields = fields;
    edit_texts texts;
    added_fields added;
    edit_forwarded(request, address("192.0.2.7"), 8080, row.trusted, texts, added);
    CHECK(printed_fields(request.fields, added.span()) == row.expected);
  }
}

TEST_CASE("forwarded: a chain too long for one line gets a further line, and loses nothing") {
  for (const std::size_t size_bytes : {std::size_t{1000}, std::size_t{1013}, std::size_t{1014}, std::size_t{4000}}) {
    CAPTURE(size_bytes);
    const std::string chain(size_bytes, '1');
    std::vector<field> fields{{"X-Forwarded-For", chain, field_name::x_forwarded_for, false}};
    request_view request;
    request.fields = fields;
    edit_texts texts;
    added_fields added;
    edit_forwarded(request, address("192.0.2.7"), 80, true, texts, added);
    const std::string seen = printed_fields(request.fields, added.span());
    const bool one_line = seen.find("X-Forwarded-For: " + chain + ", 192.0.2.7\n") != std::string::npos;
    const bool two_lines = seen.starts_with("X-Forwarded-For: " + chain + "\n") &&
                           seen.find("X-Forwarded-For: 192.0.2.7\n") != std::string::npos;
    CHECK(one_line != two_lines);
    CHECK(one_line == (size_bytes + 2 + 9 <= 1024));
  }
}

struct client_case {
  std::string_view says;
  std::string_view peer;
  std::vector<std::string_view> forwarded_for;
  std::string_view expected;
};

const client_case client_cases[] = {
    {"a stranger is himself, whatever he says", "198.51.100.9", {"1.1.1.1"}, "198.51.100.9"},
    {"a trusted proxy names its client", "10.0.0.1", {"198.51.100.9"}, "198.51.100.9"},
    {"the last that is no proxy counts", "10.0.0.1", {"1.1.1.1, 198.51.100.9, 10.0.0.2"}, "198.51.100.9"},
    {"over several lines", "10.0.0.1", {"198.51.100.9", "10.0.0.3, 10.0.0.2"}, "198.51.100.9"},
    {"IPv6", "10.0.0.1", {"2001:db8::9"}, "2001:db8::9"},
    {"nothing but proxies: the farthest", "10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
    {"a proxy that says nothing", "10.0.0.1", {}, "10.0.0.1"},
    {"what is no address ends the chain", "10.0.0.1", {"1.1.1.1, unknown"}, "10.0.0.1"},
    {"but not what was found before it", "10.0.0.1", {"unknown, 10.0.0.2"}, "10.0.0.2"},
    {"an empty line", "10.0.0.1", {""}, "10.0.0.1"},
};

TEST_CASE("client address: for the log, behind trusted proxies and without them") {
  const auto trusted = networks({"10.0.0.0/8"});
  for (const client_case& row : client_cases) {
    CAPTURE(row.says);
    std::vector<field> fields;
    for (const std::string_view value : row.forwarded_for) {
      fields.push_back({"X-Forwarded-For", value, field_name::x_forwarded_for, false});
    }
    std::array<char, 46> text;
    CHECK(client_address(fields, address(row.peer), trusted, text) == row.expected);
  }
}

TEST_CASE("trusted: an address belongs to a network of its own family") {
  const auto trusted = networks({"10.0.0.0/8", "2001:db8::/32"});
  CHECK(is_trusted(address("10.255.0.1"), trusted));
  CHECK(is_trusted(address("2001:db8::1"), trusted));
  CHECK_FALSE(is_trusted(address("11.0.0.1"), trusted));
  CHECK_FALSE(is_trusted(address("2001:db9::1"), trusted));
  CHECK_FALSE(is_trusted(address("a00::"), trusted));
  CHECK_FALSE(is_trusted(address("10.0.0.1"), {}));
}

TEST_CASE("answers: a cell cannot speak in the router's name") {
  for (const bool usual : {true, false}) {
    CAPTURE(usual);
    std::vector<field> fields{
        {"X-Routed-To", "forged", field_name::x_routed_to, false},
        {"X-Route-Reason", "forged", field_name::x_route_reason, false},
        {"X-Route-Decision", "forged", field_name::x_route_decision, false},
        {"X-Failover-Reason", "forged", field_name::x_failover_reason, false},
        {"X-Request-Id", "1", field_name::x_request_id, false},
        {"x-trace", "1", field_name::other, false},
        {"Server", "cell", field_name::server, false},
        {"Keep", "out", field_name::other, true},
    };
    wire::request_id_settings settings;
    settings.header = usual ? "x-request-ID" : "X-Trace";
    remove_decision_fields(fields, request_id_rule(settings));
    CHECK(printed_fields(fields, {}) == (usual ? "x-trace: 1\nServer: cell\n" : "X-Request-Id: 1\nServer: cell\n"));
  }
}

TEST_CASE("hexadecimal: sixteen digits, the lowest byte first") {
  struct hex_case {
    std::uint64_t number;
    std::string_view expected;
  };
  const hex_case cases[] = {
      {0, "0000000000000000"},   {~std::uint64_t{0}, "ffffffffffffffff"},  {0x9, "9000000000000000"},
      {0xa, "a000000000000000"}, {0xfedcba9876543210, "0123456789abcdef"},
  };
  for (const hex_case& row : cases) {
    std::array<char, 16> text;
    CHECK(edge::write_hex(row.number, text) == row.expected);
  }
}

TEST_CASE("added fields: at most as many as there is room for") {
  added_fields added;
  for (std::size_t i = 0; i <= added_fields::capacity; ++i) added.add("X", "y");
  CHECK(added.span().size() == added_fields::capacity);
  added.clear();
  CHECK(added.span().empty());
}

}  // namespace
}  // namespace cellroute::proxy
