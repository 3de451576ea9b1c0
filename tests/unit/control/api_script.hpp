#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/control/api.hpp"
#include "adapters/control/fleet_json.hpp"
#include "tests/unit/control/registry_script.hpp"

/// The API as its tests use it: a line asks, a text is answered.
namespace cellroute::control {

using headers = std::vector<std::pair<std::string, std::string>>;

/// An answer with its body in one piece.
struct told {
  std::uint16_t status = 0;
  headers fields{};
  std::string body{};

  [[nodiscard]] std::string field(std::string_view name) const {
    const auto found = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
    return found == fields.end() ? "" : found->second;
  }
  [[nodiscard]] bool has(std::string_view text) const { return body.find(text) != std::string::npos; }
};

/// One router, which does what it is told, and runs the first version.
class one_router final : public router_directory {
 public:
  [[nodiscard]] static router_view view() {
    router_view r;
    r.id = "r1";
    r.state = "in_sync";
    r.session = 1;
    r.labels = {{"zone", "z1"}};
    r.running = wire::content_id{1, 1, {}};
    wire::pong said;
    said.requests = 12;
    said.prepared = {wire::content_id{1, 2, {}}};
    said.latency = {{5, 11}, {{}, 1}};
    said.scrub = wire::scrub_result{true, 1'790'000'000};
    r.status = said;
    return r;
  }
  listing routers(const filter& asked) override {
    const bool has_label = asked.labels.empty() || asked.labels == headers{{"zone", "z1"}};
    const bool is_wanted = (asked.state.empty() || asked.state == "in_sync") && has_label && asked.after < "r1";
    return is_wanted ? listing{{*router("r1")}, ""} : listing{};
  }
  std::optional<std::string> router(std::string_view id) override {
    std::string text;
    if (id == "r1") write_router(text, view());
    return id == "r1" ? std::optional(text) : std::nullopt;
  }
  std::string drift() override {
    std::string text;
    write_drift(text, drift_of({view()}, {}));
    return text;
  }
  std::optional<running_fleet> running(std::size_t ids_max) override {
    auto told = runs;
    if (told && ids_max == 0) {
      for (running_version& each : told->versions) each.ids.clear();
    }
    return told;
  }
  std::vector<std::string> mistakes() override { return wrong; }
  bool retry_file(std::string_view lifted) override {
    commands.push_back("retry " + std::string(lifted));
    return true;
  }
  bool command(std::string_view id, std::string_view what) override {
    if (id == "r1") commands.emplace_back(what);
    return id == "r1";
  }
  std::vector<std::string> commands{};
  std::vector<std::string> wrong{};  ///< in the followed file
  std::optional<running_fleet> runs{running_fleet{}};
};

class one_event final : public event_feed {
 public:
  std::unique_ptr<body_source> watch(std::optional<event_mark> last, std::unique_ptr<audit_source>) override {
    class once final : public body_source {
     public:
      bool next(std::string& piece) override { return std::exchange(piece, std::exchange(text, {})), !piece.empty(); }
      std::string text = "id: 1\nevent: published\ndata: {}\n\n";
    };
    if (last == event_mark{99, {}}) return nullptr;
    return std::make_unique<once>();
  }
};

class api_here {
 public:
  explicit api_here(const registry_settings& settings = {}, api_settings how = {}) {
    made = open_registry(create_store(folder.file("control.db")), settings, &listener);
    how.build = "test";
    of_registry = must(api::open(*made, std::move(how), {&routers, &events}));
  }

  told ask(std::string_view method, std::string_view target, std::string_view body = {}, headers fields = {}) {
    request asked;
    asked.method = method;
    asked.target = target;
    asked.body = body;
    asked.headers = std::move(fields);
    asked.peer.is_local = is_local;
    asked.trace = "trace-of-test";
    answer got = of_registry->handle(asked, now);
    told all{got.status, std::move(got.headers), std::move(got.body)};
    std::string piece;
    for (int i = 0; got.stream && got.stream->next(piece); ++i) {
      REQUIRE(i < 100'000);
      CHECK(piece.size() < 100'000);
      all.body += piece;
    }
    return all;
  }
  /// The same, for whatever is current.
  told change(std::string_view method, std::string_view target, std::string_view body = {}, headers fields = {}) {
    fields.emplace_back("If-Match", "\"" + tag() + "\"");
    return ask(method, target, body, std::move(fields));
  }
  [[nodiscard]] std::string tag() {
    reader<active_content> active(made->current());
    const store_head& head = active.current().value.head;
    return std::to_string(head.epoch) + "." + std::to_string(head.version);
  }
  /// The digest of what is current.
  [[nodiscard]] wire::digest sum() {
    reader<active_content> active(made->current());
    return active.current().value.head.sum;
  }
  /// A token with that role. Its secret.
  std::string token(std::string_view role, std::string_view more = {}) {
    const bool was_local = std::exchange(is_local, true);
    const told made_token =
        ask("POST", "/v1/tokens", fmt::format(R"({{"role":"{}","expires_in":"1h"{}}})", role, more));
    is_local = was_local;
    REQUIRE_MESSAGE(made_token.status == 201, made_token.body);
    const std::size_t at = made_token.body.find("\"secret\":\"") + 10;
    return made_token.body.substr(at, made_token.body.find('"', at) - at);
  }
  void check() {
    auto turn = made->begin();
    must(turn.stored().reading().check_whole());
    CHECK(!must(turn.stored().reading().verify_audit()).first_bad);
  }

  support::scratch_folder folder;
  heard listener;
  one_router routers;
  one_event events;
  std::unique_ptr<registry> made;
  std::unique_ptr<api> of_registry;
  wall_time now = test_now;
  bool is_local = true;
};

/// A request, and what its answer must be and say, in the order of a story: each is asked of what those before left.
/// `@` stands for the current tag.
struct step {
  std::string_view says;
  std::string_view method;
  std::string target;
  std::string_view body;
  headers fields;
  std::uint16_t status;
  std::string has = "";
  std::string_view has_not = "\x01";
};

inline void tell(api_here& here, const std::vector<step>& steps) {
  for (const step& row : steps) {
    CAPTURE(row.says);
    headers fields = row.fields;
    for (auto& [name, value] : fields) {
      if (value == "@") value = "\"" + here.tag() + "\"";
    }
    const told got = here.ask(row.method, row.target, row.body, fields);
    CHECK_MESSAGE(got.status == row.status, got.body);
    CHECK_MESSAGE(got.has(row.has), got.body);
    CHECK_MESSAGE(!got.has(row.has_not), got.body);
    if (got.status >= 400) CHECK(got.field("Content-Type") == "application/problem+json");
  }
  here.check();
}

inline const headers now_tag{{"If-Match", "@"}};

inline headers bearer(const std::string& secret) { return {{"Authorization", "Bearer " + secret}}; }

}  // namespace cellroute::control
