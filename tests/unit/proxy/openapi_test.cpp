// docs/openapi.yaml is a contract: what it names exists, and what exists is named.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include "adapters/http1/head_error.hpp"
#include "adapters/proxy/admin.hpp"
#include "adapters/proxy/failure.hpp"
#include "adapters/wire/config_guard.hpp"
#include "adapters/wire/node.hpp"
#include "cellroute/table/decision.hpp"

namespace cellroute::proxy {
namespace {

const wire::node& contract() {
  static const wire::node root = [] {
    std::ifstream input(CELLROUTE_SOURCE_DIR "/docs/openapi.yaml", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
    auto read = wire::read_yaml(text, "openapi.yaml");
    REQUIRE(read);
    return *std::move(read);
  }();
  return root;
}

/// The part at a path of names; the test fails where there is none.
const wire::node& part(std::initializer_list<std::string_view> path) {
  const wire::node* at = &contract();
  for (const std::string_view name : path) {
    const wire::node* next = at->find(name);
    if (next == nullptr) FAIL("the contract has no " << name);
    at = next;
  }
  return *at;
}

std::set<std::string> names_in(const wire::node& map) {
  std::set<std::string> names;
  for (const wire::node& member : map.children) names.insert(member.name);
  return names;
}

std::set<std::string> items_of(const wire::node& list) {
  std::set<std::string> items;
  for (const wire::node& item : list.children) items.insert(item.text);
  return items;
}

using set = std::set<std::string>;

struct error_row {
  std::string status;
  std::string code;
  std::string proxy_status;
  friend auto operator<=>(const error_row&, const error_row&) = default;
};

std::set<error_row> documented_errors() {
  std::set<error_row> rows;
  for (const wire::node& row : part({"x-router-errors"}).children) {
    for (const std::string_view name : {"status", "code", "proxy_status", "when"}) REQUIRE(row.find(name) != nullptr);
    const error_row read{row.find("status")->text, row.find("code")->text, row.find("proxy_status")->text};
    INFO(read.code);
    CHECK(rows.insert(read).second);
  }
  return rows;
}

error_row row_of(std::uint16_t status, failure what) {
  return {std::to_string(status), std::string(outcome_of(what).code), std::string(outcome_of(what).error)};
}

TEST_CASE("openapi: every administration page is named, and no other") {
  CHECK(names_in(part({"paths"})) ==
        set{"/health", "/ready", "/version", "/metrics", "/debug/config", "/v1/explain", "/v1/reload"});
}

TEST_CASE("openapi: pages are only read but for one, and each says what it answers") {
  for (const wire::node& path : part({"paths"}).children) {
    CAPTURE(path.name);
    const std::string method = path.name == "/v1/reload" ? "post" : "get";
    CHECK(names_in(path) == set{method});
    const wire::node* asked = path.find(method);
    REQUIRE(asked != nullptr);
    REQUIRE(asked->find("responses") != nullptr);
    CHECK(asked->find("responses")->find("200") != nullptr);
    CHECK(asked->find("operationId") != nullptr);
  }
}

TEST_CASE("openapi: what is no page, or not read, has its answer") {
  set answers;
  for (const wire::node& row : part({"x-admin-errors"}).children) {
    const wire::node* response = row.find("response");
    REQUIRE(response != nullptr);
    const std::string name = response->text.substr(response->text.rfind('/') + 1);
    answers.insert(row.find("status")->text + " " + row.find("code")->text);
    CHECK(part({"components", "responses", name, "description"}).text.starts_with("`" + row.find("code")->text + "`"));
  }
  CHECK(answers == set{"404 not_found", "405 method_refused"});  // as admin_test has them
  CHECK(part({"components", "responses", "MethodRefused", "headers", "Allow", "example"}).text == "GET, HEAD");
}

TEST_CASE("openapi: readiness knows the router's states") {
  set states;
  for (unsigned state = 0; state < 16; ++state) {
    if (const auto word = to_string(static_cast<readiness>(state)); !word.empty()) states.emplace(word);
  }
  CHECK(items_of(part({"components", "schemas", "Readiness", "properties", "status", "enum"})) == states);
}

TEST_CASE("openapi: a reload knows every result, and every guard") {
  set results;
  for (unsigned result = 0; result < 16; ++result) {
    if (const auto word = to_string(static_cast<reload_result>(result)); !word.empty()) results.emplace(word);
  }
  CHECK(items_of(part({"components", "schemas", "Reload", "properties", "result", "enum"})) == results);
  const wire::node& parameters = part({"paths", "/v1/reload", "post", "parameters"});
  REQUIRE(parameters.children.size() == 1);
  CHECK(items_of(*parameters.children.front().find("schema")->find("items")->find("enum")) ==
        set(std::begin(wire::guard_names), std::end(wire::guard_names)));
}

TEST_CASE("openapi: an explanation knows every reason") {
  set reasons;
  for (unsigned why = 0; why < 32; ++why) {
    if (const auto word = to_string(static_cast<reason>(why)); !word.empty()) reasons.emplace(word);
  }
  CHECK(items_of(part({"components", "schemas", "Explanation", "properties", "reason", "enum"})) == reasons);
}

TEST_CASE("openapi: an error body has code, message and request_id") {
  CHECK(names_in(part({"components", "schemas", "Error", "properties", "error", "properties"})) ==
        set{"code", "message", "request_id"});
}

TEST_CASE("openapi: every failure of the router is named with its status, code and token, and no other") {
  std::set<error_row> expected;
  for (unsigned what = 0; what < 64; ++what) {
    const failure_outcome outcome = outcome_of(static_cast<failure>(what));
    if (!outcome.code.empty()) expected.insert(row_of(outcome.status, static_cast<failure>(what)));
  }
  CHECK(expected.size() > 20);
  for (unsigned what = 0; what < 64; ++what) {  // those that are answered; 502 is for heads of cells, CONNECT a method
    const auto error = static_cast<http1::head_error>(what);
    if (!to_string(error).empty() && status_of(error) < 502 && error != http1::head_error::connect_refused) {
      expected.insert(row_of(status_of(error), failure::malformed_request));
    }
  }
  expected.insert(row_of(status_of(http1::head_error::unsupported_version), failure::malformed_request));
  expected.insert(row_of(408, failure::malformed_request));  // the machine has no clock; the listener has

  const std::set<error_row> documented = documented_errors();
  for (const error_row& row : expected) {
    INFO("not in the contract: " << row.status << ' ' << row.code << ' ' << row.proxy_status);
    CHECK(documented.contains(row));
  }
  for (const error_row& row : documented) {
    INFO("not in the code: " << row.status << ' ' << row.code << ' ' << row.proxy_status);
    CHECK(expected.contains(row));
  }
}

TEST_CASE("openapi: all statuses that the router answers with") {
  set statuses;
  for (const error_row& row : documented_errors()) statuses.insert(row.status);
  CHECK(statuses == set{"200", "400", "404", "405", "408", "413", "414", "417", "431", "499", "500", "501", "502",
                        "503", "504", "505"});
}

}  // namespace
}  // namespace cellroute::proxy
