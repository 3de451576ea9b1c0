// The `tls` blocks: what is read, what is said of mistakes, and that what is printed reads the same.
#include "adapters/wire/tls_section.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/wire/print.hpp"
#include "adapters/wire/printer.hpp"

namespace cellroute::wire {
namespace {

struct block {
  listener_tls_settings tls;
  link_tls_settings link;
};

void describe(auto& v, block& b) {
  v.map("tls", b.tls);
  v.map("link", b.link);
}

/// The mistakes of a text, a line each.
std::string read(std::string_view text, block& into) {
  auto tree = read_tree(text, "f.yaml");
  REQUIRE(tree.has_value());
  mistake_list mistakes("f.yaml");
  {
    section whole(*tree, "", mistakes);
    describe(whole, into);
  }
  std::string lines;
  for (const diagnostic& d : mistakes.found()) lines += to_string(d) + "\n";
  return lines;
}

TEST_CASE("tls section: a block with everything") {
  block b;
  CHECK(read(R"(
tls:
  min_version: "1.3"
  certificates:
    - {cert_file: certs/example.pem, key_file: certs/example.key}
    - {names: ["*.App.example.com", app.example.com], cert_file: certs/app.pem, key_file: certs/app.key}
  client_auth: {mode: optional, ca_file: certs/clients.pem}
link: {ca_file: certs/ca.pem, cert_file: certs/router.pem, key_file: certs/router.key, server_name: Control.example.com}
)",
             b) == "");
  listener_tls_settings tls;
  tls.version_min = tls_version::v1_3;
  tls.certificates.push_back({{}, "certs/example.pem", "certs/example.key"});
  tls.certificates.push_back({{"*.app.example.com", "app.example.com"}, "certs/app.pem", "certs/app.key"});
  tls.client_auth = {client_auth_mode::optional, "certs/clients.pem"};
  CHECK((b.tls == tls));
  CHECK((b.link == link_tls_settings{"certs/ca.pem", "certs/router.pem", "certs/router.key", "control.example.com"}));

  printer out;
  describe(out, b);
  block again;
  CHECK(read(write_yaml(std::move(out).take()), again) == "");
  CHECK((again.tls == b.tls));
  CHECK((again.link == b.link));
}

TEST_CASE("tls section: what is left out has its default") {
  block b;
  CHECK(read("tls: {certificates: [{cert_file: a.pem, key_file: a.key}]}", b) == "");
  CHECK((b.tls.version_min == tls_version::v1_2));
  CHECK((b.tls.client_auth == client_auth_settings{}));
  CHECK((b.link == link_tls_settings{}));
}

struct mistake_case {
  std::string_view text;
  std::string_view expected;
};

constexpr std::string_view good = "{cert_file: a.pem, key_file: a.key}";

const mistake_case mistake_cases[] = {
    {"tls: {}",
     "f.yaml:1:6: tls.certificates: is missing; add one, such as certificates: [{cert_file: certs/example.pem, "
     "key_file: certs/example.key}]\n"},
    {"tls:", "f.yaml:1:1: tls: is empty; give it keys or remove it\n"},
    {"tls: on", "f.yaml:1:6: tls: must be a map of keys and values\n"},
    {"tls: {certificates: []}", "f.yaml:1:21: tls.certificates: must have at least one item\n"},
    {"tls: {certificates: a.pem}", "f.yaml:1:21: tls.certificates: must be a list\n"},
    {"tls: {certificates: [a.pem]}", "f.yaml:1:22: tls.certificates[0]: must be a map of keys and values\n"},
    {"tls: {certificates: [{cert_file: a.pem}]}",
     "f.yaml:1:22: tls.certificates[0].key_file: is missing; add one, such as key_file: certs/example.key\n"},
    {"tls: {certificates: [{key_file: a.key}]}",
     "f.yaml:1:22: tls.certificates[0].cert_file: is missing; add one, such as cert_file: certs/example.pem\n"},
    {"tls: {certificates: [{cert_file: \"\", key_file: a.key}]}",
     "f.yaml:1:34: tls.certificates[0].cert_file: must not be empty\n"},
    {"tls: {certificates: [{cert_file: true, key_file: [a]}]}",
     "f.yaml:1:34: tls.certificates[0].cert_file: must be text (in quotes, if it is meant so), not \"true\"\n"
     "f.yaml:1:50: tls.certificates[0].key_file: must be a single value, not a list\n"},
    {"tls: {certificates: [{cert: a.pem, cert_file: a.pem, key_file: a.key}]}",
     "f.yaml:1:23: tls.certificates[0].cert: unknown key; known here: names, cert_file, key_file\n"},
    {"tls: {min_version: \"1.1\", certificates: [GOOD]}",
     "f.yaml:1:20: tls.min_version: must be one of 1.2, 1.3, not \"1.1\"; did you mean 1.2?\n"},
    {"tls: {min_version: 1.3, certificates: [GOOD]}", ""},
    {"tls: {early_data: {enabled: false}, certificates: [GOOD]}",
     "f.yaml:1:7: tls.early_data: not supported yet; remove it\n"},
    {"tls: {ciphers: ALL, certificates: [GOOD]}",
     "f.yaml:1:7: tls.ciphers: unknown key; known here: min_version, certificates, client_auth\n"},
    {"tls: {certificates: [{names: a.test, cert_file: a, key_file: a}]}",
     "f.yaml:1:30: tls.certificates[0].names: must be a list\n"},
    {"tls: {certificates: [{names: [a..b, \"*\", \"*.test\", \"a.*.b\", \"a b\", -a.test], cert_file: a, key_file: "
     "a}]}",
     "f.yaml:1:31: tls.certificates[0].names[0]: must be a host name such as www.example.com or *.example.com, not "
     "\"a..b\"\n"
     "f.yaml:1:37: tls.certificates[0].names[1]: must be a host name such as www.example.com or *.example.com, not "
     "\"*\"\n"
     "f.yaml:1:42: tls.certificates[0].names[2]: must have two labels behind the star, as *.example.com has, not "
     "\"*.test\"\n"
     "f.yaml:1:52: tls.certificates[0].names[3]: must be a host name such as www.example.com or *.example.com, not "
     "\"a.*.b\"\n"
     "f.yaml:1:61: tls.certificates[0].names[4]: must be a host name such as www.example.com or *.example.com, not "
     "\"a b\"\n"
     "f.yaml:1:68: tls.certificates[0].names[5]: must be a host name such as www.example.com or *.example.com, not "
     "\"-a.test\"\n"},
    {"tls: {certificates: [{names: [a.test], cert_file: a, key_file: a}, {names: [b.test, A.test], cert_file: b, "
     "key_file: b}]}",
     "f.yaml:1:85: tls.certificates[1].names[1]: \"a.test\" is a name of certificates[0], too; give it to one of "
     "them\n"},
    {"tls: {client_auth: {}, certificates: [GOOD]}",
     "f.yaml:1:20: tls.client_auth.mode: is missing; add one, such as mode: required\n"},
    {"tls: {client_auth: {mode: maybe}, certificates: [GOOD]}",
     "f.yaml:1:27: tls.client_auth.mode: must be one of off, optional, required, not \"maybe\"\n"},
    {"tls: {client_auth: {mode: required}, certificates: [GOOD]}",
     "f.yaml:1:20: tls.client_auth.ca_file: is missing; add one, such as ca_file: certs/clients.pem\n"},
    {"tls: {client_auth: {mode: off, ca_file: c.pem}, certificates: [GOOD]}",
     "f.yaml:1:41: tls.client_auth.ca_file: has no effect while mode is off; set mode to optional or required, or "
     "remove it\n"},
    {"tls: {client_auth: {mode: false}, certificates: [GOOD]}", ""},
    {"tls: {client_auth: off, certificates: [GOOD]}",
     "f.yaml:1:20: tls.client_auth: must be a map of keys and values\n"},
    {"link: {}", ""},
    {"link: {cert_file: a.pem}",
     "f.yaml:1:7: link.key_file: is missing; add one, such as key_file: certs/router.key\n"},
    {"link: {key_file: a.key}",
     "f.yaml:1:7: link.cert_file: is missing; add one, such as cert_file: certs/router.pem\n"},
    {"link: {server_name: \"cp.test:8081\"}",
     "f.yaml:1:21: link.server_name: must be a host name or an address, without a port, not \"cp.test:8081\"\n"},
    {"link: {server_name: \"*.test\"}",
     "f.yaml:1:21: link.server_name: must be a host name or an address, without a port, not \"*.test\"\n"},
    {"link: {server_name: \"2001:DB8::1\"}", ""},
    {"link: {server_name: 192.0.2.1}", ""},
    {"link: {verify: false}",
     "f.yaml:1:8: link.verify: unknown key; known here: ca_file, cert_file, key_file, server_name\n"},
};

TEST_CASE("tls section: every mistake is told, with its place and what to do") {
  for (const mistake_case& row : mistake_cases) {
    std::string text(row.text);
    if (const std::size_t at = text.find("GOOD"); at != std::string::npos) text.replace(at, 4, good);
    CAPTURE(text);
    block b;
    CHECK(read(text, b) == row.expected);
  }
}

TEST_CASE("tls section: how long a host may be") {
  const std::string label(63, 'a');
  CHECK(parse_host_pattern(label + ".test").has_value());
  CHECK_FALSE(parse_host_pattern(label + "a.test").has_value());
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  REQUIRE(longest.size() == 253);
  CHECK(parse_host_pattern(longest).has_value());
  CHECK_FALSE(parse_host_pattern(longest + "a").has_value());
  CHECK(parse_server_name(longest).has_value());
  CHECK_FALSE(parse_server_name(longest + "a").has_value());
}

}  // namespace
}  // namespace cellroute::wire
