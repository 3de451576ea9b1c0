// openapi.json is a contract: what it names exists, what exists is named, and whatever is asked is answered with
// something that it names.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/control/api_parts.hpp"
#include "adapters/control/pages.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/print.hpp"
#include "tests/unit/control/api_script.hpp"

namespace cellroute::control {
namespace {

using wire::node;
using wire::node_kind;

const node& contract() {
  static const node root = [] {
    auto read = wire::read_json(openapi_document(), "openapi.json");
    REQUIRE(read);
    CHECK(wire::take_duplicates(*read, "openapi.json").empty());
    return *std::move(read);
  }();
  return root;
}

const node& part(const node& of, std::string_view name) {
  const node* const found = of.find(name);
  if (found == nullptr) FAIL("the contract has no " << name);
  return *found;
}

/// What a reference leads to.
const node& followed(const node& at) {
  const node* const reference = at.find("$ref");
  if (reference == nullptr) return at;
  const node* to = &contract();
  std::string_view path = std::string_view(reference->text).substr(2);
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    to = &part(*to, path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return *to;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

std::string json_of(const node& at) {
  if (at.kind == node_kind::quoted) return wire::quote(at.text);
  return at.kind == node_kind::map || at.kind == node_kind::list ? wire::write_json(at) : at.text;
}

/// Whether a value is as a schema has it; what is wrong goes to `why`.
bool fits(const node& value, const node& schema_or_reference, std::string& why) {
  const node& schema = followed(schema_or_reference);
  if (const node* const choices = schema.find("oneOf")) {
    const bool any = std::ranges::any_of(choices->children, [&](const node& each) { return fits(value, each, why); });
    if (any) why.clear();
    return any;
  }
  const node* type = schema.find("type");
  if (type != nullptr && type->kind == node_kind::list) {  // something, or null
    if (value.kind == node_kind::null || value.text == "null") return true;
    type = &type->children.front();
  }
  const std::string_view wanted = type == nullptr ? "" : std::string_view(type->text);
  const bool is_number = value.kind == node_kind::plain && value.text.find_first_of("0123456789") != std::string::npos;
  const bool is_right = wanted.empty() || (wanted == "object" && value.kind == node_kind::map) ||
                        (wanted == "array" && value.kind == node_kind::list) ||
                        (wanted == "string" && value.kind == node_kind::quoted) || (wanted == "number" && is_number) ||
                        (wanted == "integer" && is_number && value.text.find('.') == std::string::npos) ||
                        (wanted == "boolean" && (value.text == "true" || value.text == "false"));
  if (!is_right) {
    why += fmt::format("{} is no {}; ", value.name, wanted);
    return false;
  }
  const node* const properties = schema.find("properties");
  if (const node* const required = schema.find("required")) {
    for (const node& name : required->children) {
      if (value.find(name.text) != nullptr) continue;
      why += fmt::format("{} has no {}; ", value.name, name.text);
      return false;
    }
  }
  const bool is_closed =
      schema.find("additionalProperties") != nullptr && schema.find("additionalProperties")->text == "false";
  for (const node& child : value.children) {
    if (wanted == "array") {
      if (!fits(child, part(schema, "items"), why)) return false;
    } else if (const node* const of_child = properties != nullptr ? properties->find(child.name) : nullptr) {
      if (!fits(child, *of_child, why)) return false;
    } else if (is_closed) {
      why += fmt::format("{} has {}, which is not declared; ", value.name, child.name);
      return false;
    }
  }
  return true;
}

struct operation {
  std::string method;
  std::string pattern;
  const node* at;
  std::vector<const node*> params;  ///< references followed
};

std::vector<operation> operations() {
  std::vector<operation> all;
  for (const node& path : part(contract(), "paths").children) {
    for (const node& method : path.children) {
      operation one{upper(method.name), path.name, &method, {}};
      if (const node* const params = method.find("parameters")) {
        for (const node& each : params->children) one.params.push_back(&followed(each));
      }
      all.push_back(std::move(one));
    }
  }
  return all;
}

/// Whether an operation is the port's own, which answers without the API.
bool is_page(const operation& of) { return !of.pattern.starts_with("/v1/"); }

TEST_CASE("api contract: it names every route with its scope and its bounds, and no other") {
  std::set<std::string> named;
  for (const operation& each : operations()) {
    if (is_page(each)) continue;
    named.insert(each.method + " " + each.pattern + " " + part(*each.at, "x-scope").text + " " +
                 part(*each.at, "x-bound").text);
  }
  std::set<std::string> routed;
  for (const route_row& row : api_routes())
    routed.insert(fmt::format("{} {} {} {}", row.method, row.pattern, to_string(row.needs), to_string(row.bound)));
  CHECK(named == routed);
}

TEST_CASE("api contract: every operation has a name of its own, and each name in its path is described") {
  std::set<std::string> ids;
  for (const operation& each : operations()) {
    CAPTURE(each.pattern);
    CHECK(ids.insert(part(*each.at, "operationId").text).second);
    std::size_t described = 0;
    for (const node* param : each.params) {
      CHECK(param->find("description") != nullptr);
      CHECK(param->find("example") != nullptr);
      if (part(*param, "in").text != "path") continue;
      CHECK(each.pattern.find("{" + part(*param, "name").text + "}") != std::string::npos);
      ++described;
    }
    CHECK(described == static_cast<std::size_t>(std::ranges::count(each.pattern, '{')));
    const bool is_asked = part(*each.at, "x-scope").text != "open";
    const node& responses = part(*each.at, "responses");
    CHECK((responses.find("401") != nullptr) == is_asked);
    CHECK((responses.find("403") != nullptr) == is_asked);
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char each : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(each));
  return out;
}

/// Values that somebody may send where a text is asked for: good ones, wrong types, wrong sizes, odd bytes.
std::vector<std::string> odd_texts(const std::string& good) {
  return {good,
          "",
          "0",
          "-1",
          "1e99",
          "99999999999999999999",
          "true",
          "null",
          "[]",
          "\"",
          std::string(1, '\0'),
          "\xff\xfe",
          "../..",
          std::string(300, 'k'),
          std::string(5'000, '9'),
          "W/\"1.1\"",
          "\"1.1\"",
          "*",
          "a\r\nb"};
}

std::vector<std::string> odd_bodies(const std::string& good) {
  return {good,
          "",
          "{",
          "{}",
          "[]",
          "null",
          "7",
          "\"text\"",
          "{\"\":null}",
          "{\"placement\":7}",
          "{\"placement\":{\"a\":[1,2]}}",
          "{\"keys\":\"a\"}",
          "{\"keys\":[\"\",7,null]}",
          "{\"endpoints\":{}}",
          "{\"endpoints\":[{\"url\":7}],\"id\":[]}",
          "{\"role\":[],\"expires_in\":-1}",
          "{\"reason\":" + wire::quote(std::string(2'000, 'r')) + "}",
          std::string(40, '[') + std::string(40, ']'),
          "{\"a\":\"\xff\xfe\"}",
          std::string("\0\1\2", 3),
          "key,placement\n\"unterminated",
          "- a\n- b: [",
          "{\"a\":1,\"a\":2}",
          std::string(70'000, ' ')};
}

/// A control plane that is in some state.
class one_state final : public page_source {
 public:
  control_state state() const override { return control_state::ready; }
  std::string_view why_not_ready() const override { return why_not; }
  std::string metrics() const override { return "up 1\n"; }
  std::string_view why_not{};
};

class walker {
 public:
  walker() : here_({}, limits()) {
    renew();
    for (const std::string_view each : {"viewer", "publisher", "operator", "admin", "router"})
      tokens_.push_back(here_.token(each));
    for (const std::string_view each : {"viewer", "publisher"}) {
      for (const std::string_view bounds :
           {R"(,"placements":["tier1"],"key_prefix":"ac")", R"(,"key_prefix":"other-")"})
        tokens_.push_back(here_.token(each, bounds));
    }
    tokens_.push_back("nobody");
  }

  /// Asks, and looks whether the answer is one that the operation names.
  void ask(const operation& of, const std::string& target, const std::string& body, headers fields) {
    const told got = is_page(of) ? told_by_page(of) : home_of(of).ask(of.method, target, body, fields);
    here_.now += 100ms;  // slowly enough for who makes versions
    ++asked;
    seen[part(*of.at, "operationId").text].insert(got.status);
    CAPTURE(of.method + " " + target.substr(0, 200) + " " + body.substr(0, 200));
    const node* const declared = part(*of.at, "responses").find(std::to_string(got.status));
    CHECK_MESSAGE((got.status < 500 || is_page(of)), got.body);
    if (declared == nullptr) {
      FAIL_CHECK("the status " << got.status << " is not declared: " << got.body);
      return;
    }
    check_headers(of, followed(*declared), got);
    const node* const content = followed(*declared).find("content");
    if (content == nullptr) {
      CHECK(got.body.empty());
      return;
    }
    const node* const media = content->find(got.field("Content-Type"));
    if (media == nullptr) {
      FAIL_CHECK("the type " << got.field("Content-Type") << " is not declared");
      return;
    }
    if (got.field("Content-Type").find("json") == std::string::npos ||
        got.field("Content-Type").find("ndjson") != std::string::npos)
      return;
    const auto read = wire::read_json(got.body, "answer");
    REQUIRE_MESSAGE(read, got.body);
    std::string why;
    CHECK_MESSAGE(fits(*read, part(*media, "schema"), why), why << got.body);
    if (got.status >= 400) CHECK(read->find("status")->text == std::to_string(got.status));
  }

  /// What stands in the head is declared, but for what HTTP says of any content; what must stand there does.
  static void check_headers(const operation& of, const node& response, const told& got) {
    const node& declared = part(response, "headers");
    for (const auto& [name, value] : got.fields) {
      if (name == "Content-Type" || name == "Cache-Control" || name == "Vary") continue;
      CHECK_MESSAGE(declared.find(name) != nullptr, name << " is not declared with " << got.status);
    }
    for (const node& each : declared.children) {
      const node& header = followed(each);
      CHECK(header.find("description") != nullptr);
      const bool is_needed = header.find("required") != nullptr && !is_page(of);  // pages get it as they are sent
      if (is_needed) CHECK_MESSAGE(!got.field(each.name).empty(), each.name << " lacks");
    }
  }

  /// The configuration that the examples speak of.
  void renew() {
    if (here_.tag() == renewed_) return;
    const headers any = here_.tag() == "1.0" ? headers{} : headers{{"If-Match", "*"}};
    CHECK(here_.ask("PUT", "/v1/config", first_config, any).status == 200);
    renewed_ = here_.tag();
  }
  /// The id of a token that is there.
  std::string token_id() {
    here_.token("viewer");
    const told all = here_.ask("GET", "/v1/tokens");
    return all.body.substr(all.body.rfind("\"id\":\"") + 6, 16);
  }
  [[nodiscard]] std::string tag() { return "\"" + here_.tag() + "\""; }
  [[nodiscard]] const std::vector<std::string>& tokens() const { return tokens_; }
  void check() { here_.check(); }

  std::size_t asked = 0;
  std::map<std::string, std::set<std::uint16_t>> seen{};

 private:
  static api_settings limits() {
    api_settings how;
    how.body_max = 65'536;
    return how;
  }
  /// Each page in both states, one after the other.
  told told_by_page(const operation& of) {
    source_.why_not = source_.why_not.empty() ? "its disk is full" : "";
    const front_answer got = pages_.answer(of.pattern);
    return {got.status, {{"Content-Type", std::string(got.type)}}, got.body};
  }

  /// Who is asked: there is one that follows a file, too.
  api_here& home_of(const operation& of) { return of.pattern == "/v1/watch:retry" ? following_ : here_; }
  static api_settings following() {
    api_settings how = limits();
    how.is_following_file = true;
    return how;
  }

  api_here here_;
  api_here following_{{}, following()};
  io::loop_clock clock_;
  one_state source_;
  request_log log_{nullptr, clock_, 1};
  control_pages pages_{clock_, source_, log_};
  std::string renewed_;
  std::vector<std::string> tokens_;
};

/// What is sent of an operation: its target and header fields.
struct sent {
  std::string target;
  headers fields;
};

/// Parameters have the values that are given; else those of the path have their examples, and others are not there.
sent sent_of(const operation& of, std::map<std::string, std::string> values, walker& walk) {
  sent made{of.pattern, {}};
  std::string separator = "?";
  if (of.pattern.find("{token}") != std::string::npos) values.emplace("token", walk.token_id());
  for (const node* param : of.params) {
    const std::string& where = part(*param, "in").text;
    const std::string& name = part(*param, "name").text;
    const auto value = values.find(name);
    if (where == "path") {
      const std::string given = value != values.end() ? value->second : part(*param, "example").text;
      const std::size_t at = made.target.find("{" + name + "}");
      made.target.replace(at, name.size() + 2, escaped(given));
    } else if (value != values.end() && where == "query") {
      made.target += separator + name + "=" + escaped(value->second);
      separator = "&";
    } else if (value != values.end()) {
      made.fields.emplace_back(name, value->second);
    }
  }
  return made;
}

const node* body_of(const operation& of) {
  const node* const body = of.at->find("requestBody");
  return body == nullptr ? nullptr : &part(part(*body, "content").children.front(), "example");
}

TEST_CASE("api contract: what an answer may have in its head is declared") {
  for (const std::string_view name :
       {"ETag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-Id", "X-Config-Stale"}) {
    CAPTURE(name);
    const std::string reference = "#/components/headers/" + std::string(name);
    CHECK(part(part(contract(), "components"), "headers").find(name) != nullptr);
    CHECK(openapi_document().find("\"" + reference + "\"") != std::string_view::npos);
  }
  CHECK(part(contract(), "paths").find("/metrics") != nullptr);
}

TEST_CASE("api contract: whatever is asked, the answer is one that it names (issue 6, section 5.8)") {
  walker walk;
  for (const operation& of : operations()) {
    CAPTURE(of.pattern);
    const node* const example = body_of(of);
    const std::string good_body = example != nullptr ? json_of(*example) : "";
    const auto with_tag = [&](sent what) {
      if (of.method != "GET") what.fields.emplace_back("If-Match", walk.tag());
      return what;
    };
    // As it is meant.
    walk.renew();
    sent good = with_tag(sent_of(of, {}, walk));
    walk.ask(of, good.target, good_body, good.fields);
    // Whoever asks.
    for (const std::string& token : walk.tokens()) {
      walk.renew();
      sent by = with_tag(sent_of(of, {}, walk));
      by.fields.emplace_back("Authorization", "Bearer " + token);
      walk.ask(of, by.target, good_body, by.fields);
    }
    // Each parameter with every value that one might send; dry runs and real ones.
    for (const node* param : of.params) {
      const std::string& name = part(*param, "name").text;
      for (const std::string& value : odd_texts(part(*param, "example").text)) {
        if (part(*param, "in").text == "path" && value.empty()) continue;  // another path
        const bool is_tag = name == "If-Match" || name == "If-None-Match";
        walk.renew();
        sent odd = sent_of(of, {{name, value}}, walk);
        if (!is_tag) odd = with_tag(std::move(odd));
        walk.ask(of, odd.target, good_body, odd.fields);
        if (!is_tag) walk.ask(of, odd.target, good_body, sent_of(of, {{name, value}}, walk).fields);
      }
    }
    // Every body that one might send, as what it is meant to be; the good one as every type.
    for (const std::string& body : odd_bodies(good_body)) {
      for (const std::string_view type :
           {"", "application/json", "text/csv", "application/yaml", "image/png", "\xff"}) {
        const bool is_usual = type.empty() || type == "application/json";
        if (body != good_body && (!is_usual || example == nullptr)) continue;
        walk.renew();
        sent odd = with_tag(sent_of(of, {}, walk));
        if (!type.empty()) odd.fields.emplace_back("Content-Type", type);
        walk.ask(of, odd.target, body, odd.fields);
      }
    }
  }
  walk.check();
  CHECK(walk.asked > 3'000);
  for (const operation& of : operations()) {
    const std::set<std::uint16_t>& statuses = walk.seen[part(*of.at, "operationId").text];
    CAPTURE(of.pattern);
    CAPTURE(of.method);
    CHECK(std::ranges::any_of(statuses, [](std::uint16_t each) { return each < 300; }));  // the example works
  }
  std::printf("api contract: %zu requests\n", walk.asked);
}

}  // namespace
}  // namespace cellroute::control
