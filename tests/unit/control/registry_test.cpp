#include "adapters/control/registry.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "adapters/wire/config_file.hpp"
#include "adapters/wire/print.hpp"
#include "cellroute/base/random.hpp"
#include "tests/unit/control/registry_script.hpp"

namespace cellroute::control {
namespace {

using support::scratch_folder;

struct registry_here {
  scratch_folder folder;
  heard listener;
  std::unique_ptr<registry> made;
  explicit registry_here(const registry_settings& settings = {}) {
    made = open_registry(create_store(folder.file("control.db")), settings, &listener);
  }
  registry& operator*() { return *made; }
  registry* operator->() { return made.get(); }
  void check() {
    auto turn = made->begin();
    must(turn.stored().reading().check_whole());
    const auto fresh = sync::make_content(turn.base().content.document, turn.base().content.keys.shared(), test_salt);
    CHECK(fresh.sum == turn.base().content.sum);
    CHECK(fresh.digest == turn.base().content.digest);
  }
};

TEST_CASE("registry: what is put is current, stored, and told") {
  registry_here here;
  {
    reader<active_content> now(here->current());
    CHECK(now.current().value.head.version == 0);
    CHECK(!now.current().value.table);
  }
  const version_record first = put(*here, first_config, {"ann", "the first", {}, test_now, "publish", {}, {}});
  CHECK(first.version == 1);
  CHECK(first.label == "one");
  CHECK(first.message == "the first");
  CHECK(current_rows(*here) == rows{{"acme", "tier1"}, {"visa", "visa"}});
  CHECK(here.listener.told == std::vector<std::string>{"0>1 one"});
  reader<active_content> now(here->current());
  const active_content& active = now.current().value;
  CHECK(active.label == "one");
  CHECK(active.content.document.find("acme") == std::string::npos);
  CHECK(active.content.document.find("tier1") != std::string::npos);
  REQUIRE(active.table);
  CHECK(active.table->route("acme")->generation.value == 1);
  here.check();
}

TEST_CASE("registry: each line of the audit is told once, when it is stored") {
  class lines final : public audit_listener {
   public:
    void on_audited(const audit_record& line) override {
      told.push_back(std::to_string(line.sequence) + " " + line.action);
    }
    std::vector<std::string> told{};
  };
  registry_here here;
  put(*here, first_config);
  lines heard;
  CHECK(must(here->tell_audit_to(&heard)) == 2);  // create, publish
  {
    const auto nothing = here->begin();
  }
  CHECK(heard.told.empty());
  put(*here, config_of(3));
  {
    auto turn = here->begin();
    for (int i = 0; i < 150; ++i) REQUIRE(turn.stored().append_audit("ann", "look", "", "", test_now));
    CHECK(heard.told == std::vector<std::string>{"3 publish"});
  }
  CHECK(heard.told.size() == 151);
  CHECK(heard.told.back() == "153 look");
  CHECK(must(here->tell_audit_to(nullptr)) == 153);
  put(*here, first_config);
  CHECK(heard.told.size() == 151);
}

TEST_CASE("registry: it goes on where it was after it was opened again") {
  scratch_folder folder;
  wire::digest sum{};
  {
    const auto made = open_registry(create_store(folder.file("control.db")));
    put(*made, first_config);
    reader<active_content> now(made->current());
    sum = now.current().value.content.sum;
  }
  const auto again = open_registry(must(store::open(folder.file("control.db"))));
  reader<active_content> now(again->current());
  CHECK(now.current().value.content.sum == sum);
  CHECK(now.current().value.label == "one");
  put(*again, config_of(3));
  CHECK(now.current().value.head.version == 2);
}

TEST_CASE("registry: the same content is no new version") {
  registry_here here;
  put(*here, first_config);
  const version_record same = put(*here, first_config);
  CHECK(same.version == 1);
  std::string other_order(first_config);
  const std::string text = R"("acme": "tier1", "visa": "visa")";
  other_order.replace(other_order.find(text), text.size(), R"("visa": "visa", "acme": "tier1")");
  CHECK(put(*here, other_order).version == 1);
  CHECK(here.listener.told.size() == 1);
  auto turn = here->begin();
  CHECK(must(turn.stored().reading().head()).version == 1);
}

struct refused_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;  ///< each mistake's path
};

const refused_case refused_cases[] = {
    {"no JSON", "{", ""},
    {"a placement that is not there",
     R"({"routing":{"default_placement":"t","keys":{"inline":{"a":"nowhere"}}},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})",
     "routing.keys.inline.a"},
    {"two mistakes",
     R"({"routing":{"default_placement":"t","keys":{"inline":{"a":"nowhere"}}},"placements":{"t":{"endpoints":[{"url":"ftp://h:1"}]}}})",
     "routing.keys.inline.a placements.t.endpoints[0].url"},
    {"a local section",
     R"({"listeners":[{"name":"web","address":":8080"}],"routing":{"default_placement":"t"},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})",
     "listeners"},
    {"a key file",
     R"({"routing":{"default_placement":"t","keys":{"files":["keys.tsv"]}},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})",
     "routing.keys.files"},
    {"a key twice",
     R"({"routing":{"default_placement":"t","keys":{"inline":{"a":"t","a":"t"}}},"placements":{"t":{"endpoints":[{"url":"http://h:1"}]}}})",
     "routing.keys.inline.a"},
    {"nothing at all", "{}", "routing.default_placement"},
};

TEST_CASE("registry: what a router would refuse is refused, with every mistake") {
  for (const refused_case& row : refused_cases) {
    CAPTURE(row.says);
    const auto got = read_whole(std::string(row.text), "request", test_seed, std::pmr::get_default_resource());
    REQUIRE(!got);
    CHECK(got.error().what == problem_kind::invalid);
    std::string paths;
    for (const wire::diagnostic& each : got.error().mistakes) paths += (paths.empty() ? "" : " ") + each.path;
    CHECK(paths == row.expected);
  }
}

TEST_CASE("registry: every local section that a router has is refused by name") {
  const auto read = wire::read_configuration(first_config, "all");
  REQUIRE(read);
  const wire::node tree = wire::to_tree(*read);
  std::size_t local = 0;
  for (const wire::node& section : tree.children) {
    const bool is_fleet = section.name == "apiVersion" || section.name == "version" || section.name == "key" ||
                          section.name == "routing" || section.name == "cells" || section.name == "placements";
    if (is_fleet) continue;
    ++local;
    CAPTURE(section.name);
    CHECK(std::ranges::find(local_sections, section.name) != std::end(local_sections));
  }
  CHECK(local == std::size(local_sections));
}

TEST_CASE("registry: YAML, JSON and foreign shapes give the same rows; documents are JSON that reads itself") {
  const std::string_view texts[] = {
      first_config,
      "version: one\nrouting:\n  default_placement: tier3\n  keys: {inline: {acme: tier1, visa: visa}}\n"
      "placements:\n  tier1: {endpoints: [{url: \"http://127.0.0.1:9001\", weight: 2}], timeouts: {connect: 1s}}\n"
      "  tier3: {endpoints: [{url: http://127.0.0.1:9003}]}\n  visa: {kind: dedicated, endpoints: [{url: "
      "\"http://127.0.0.1:9004\"}]}\n",
      R"({"version":"one","routingTable":{"acme":"tier1","visa":"visa"},"defaultPlacement":"tier3",
         "cellEndpoints":{"tier1":"http://127.0.0.1:9001","tier3":"http://127.0.0.1:9003","visa":"http://127.0.0.1:9004"}})",
      R"({"type":"config_update","version":42,"config":{"default_placement":"tier3",
         "customer_to_placement":{"acme":"tier1","visa":"visa"},"placement_to_endpoint":{
         "tier1":"http://127.0.0.1:9001","tier3":"http://127.0.0.1:9003","visa":"http://127.0.0.1:9004"}}})",
  };
  for (const std::string_view text : texts) {
    CAPTURE(text);
    const whole_configuration read = whole(text);
    CHECK(rows_in(read.keys) == rows{{"acme", "tier1"}, {"visa", "visa"}});
    const document again = must(read_document(read.doc.text));
    CHECK(again.spec == read.doc.spec);
    CHECK(again.text == read.doc.text);
    CHECK(must(read_document(again.tree)).text == read.doc.text);
  }
}

TEST_CASE("registry: a file with local sections and key files becomes a document and rows") {
  scratch_folder folder;
  std::ofstream(folder.file("keys.tsv")) << "acme\ttier1\nglobex\ttier3\n";
  std::ofstream(folder.file("routing.yaml"))
      << "listeners: [{name: web, address: \":8080\"}]\nguard: {min_keys: 1}\nrouting:\n  default_placement: tier3\n"
         "  keys: {inline: {visa: tier1}, files: [keys.tsv]}\nplacements:\n"
         "  tier1: {endpoints: [{url: \"http://127.0.0.1:9001\"}]}\n"
         "  tier3: {endpoints: [{url: \"http://127.0.0.1:9003\"}]}\n";
  auto loaded = wire::load({folder.file("routing.yaml"), {}, {}});
  REQUIRE(loaded);
  const whole_configuration made = must(whole_of(*loaded, test_seed, std::pmr::get_default_resource()));
  CHECK(rows_in(made.keys) == rows{{"acme", "tier1"}, {"globex", "tier3"}, {"visa", "tier1"}});
  for (const std::string_view gone : {"listeners", "guard", "inline", "files", "acme"})
    CHECK(made.doc.text.find(gone) == std::string::npos);
  CHECK(must(read_document(made.doc.text)).spec == made.doc.spec);
}

TEST_CASE("registry: a few rows") {
  registry_here here;
  put(*here, first_config);
  {
    auto turn = here->begin();
    auto next = must(change(turn, "globex", "tier3"));
    CHECK(next.radius.keys.added == 1);
    CHECK(must(turn.publish(std::move(next), {})).added == 1);
  }
  {
    auto turn = here->begin();
    const auto got = change(turn, "globex", "nowhere");
    REQUIRE(!got);
    CHECK(got.error().what == problem_kind::invalid);
  }
  {
    auto turn = here->begin();
    CHECK(must(turn.publish(must(change(turn, "acme", "")), {})).removed == 1);
  }
  {
    auto turn = here->begin();  // what changes nothing
    CHECK(must(change(turn, "acme", "")).radius.is_nothing());
    CHECK(must(turn.publish(must(change(turn, "visa", "visa")), {})).version == 3);
  }
  CHECK(current_rows(*here) == rows{{"globex", "tier3"}, {"visa", "visa"}});
  here.check();
}

TEST_CASE("registry: a document is changed, unless rows still need what would go") {
  registry_here here;
  put(*here, first_config);
  auto turn = here->begin();
  wire::node tree = turn.base().doc.tree;
  wire::node& placements = *std::ranges::find(tree.children, "placements", &wire::node::name);
  std::erase_if(placements.children, [](const wire::node& p) { return p.name == "visa"; });
  const auto needed = turn.change_document(tree);
  REQUIRE(!needed);
  CHECK(needed.error().what == problem_kind::in_use);
  CHECK(needed.error().detail.find("visa") != std::string::npos);
  must(turn.publish(must(change(turn, "visa", "")), {}));
  auto next = must(turn.change_document(tree));
  CHECK(next.radius.placements_removed == std::vector<std::string>{"visa"});
  CHECK(next.radius.is_document_new);
  const version_record made = must(turn.publish(std::move(next), {}));
  CHECK(made.version == 3);
  CHECK(made.is_document_new);
  CHECK(made.added + made.moved + made.removed == 0);
}

TEST_CASE("registry: guards count what a change does") {
  registry_settings settings;
  settings.guard.moved_percent_max = 5;
  settings.guard.removed_percent_max = 1;
  settings.guard.keys_min = 3;
  registry_here here(settings);
  put(*here, config_of(2'000));
  auto turn = here->begin();
  const auto broken = [&](std::string_view text, std::string_view lifted = {}) {
    const next_content next = must(turn.replace_all(whole(text)));
    std::string names;
    for (const std::string& line : wire::lines_of_broken(turn.judge(next.radius, lifted, "PUT /v1/config")))
      names += line.substr(0, line.find(':')) + " ";
    return names;
  };
  CHECK(broken(config_of(1'980)).empty());
  CHECK(broken(config_of(1'979)) == "guard.max_removed_percent ");
  CHECK(broken(config_of(1'979), "max_removed_percent").empty());
  CHECK(broken(config_of(2)) == "guard.max_removed_percent guard.min_keys ");
  std::string moved = config_of(2'000);
  for (std::size_t at = 0, count = 0; count < 101; ++count) {
    at = moved.find("\"tier1\"", at) + 1;
    moved.replace(at, 5, "tier2");
  }
  CHECK(broken(moved) == "guard.max_moved_percent ");
}

TEST_CASE("registry: the forecast of a change is what comes of it (T27)") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    CAPTURE(seed);
    random_numbers rng(seed);
    registry_here here;
    put(*here, config_of(300));
    for (int round = 0; round < 10; ++round) {
      auto turn = here->begin();
      std::vector<std::string> keys;
      std::vector<key_change> changes;
      for (std::uint64_t i = 0, count = 1 + rng.below(40); i < count; ++i)
        keys.push_back(fmt::format("tenant-{:06}", rng.below(400)));
      for (const std::string& key : keys) {
        changes.push_back(
            {key, rng.below(4) == 0 ? std::nullopt : std::optional(static_cast<std::uint16_t>(rng.below(3)))});
      }
      next_content next = must(turn.change_rows(changes_of({"tier1", "tier2", "tier3"}, std::move(changes))));
      const table_diff counted = diff(*turn.base().table, next.table);
      CHECK(next.radius.keys == counted);
      CHECK(next.radius.keys_after == next.table.keys().size());
      const auto before = turn.base().head.version;
      const version_record made = must(turn.publish(std::move(next), {}));
      if (made.version == before) continue;
      CHECK(made.added == counted.added);
      CHECK(made.moved == counted.moved);
      CHECK(made.removed == counted.removed);
    }
    here.check();
  }
}

TEST_CASE("registry: a rollback is a new version with an old content") {
  registry_here here;
  put(*here, first_config);
  put(*here, config_of(5));
  wire::digest first_sum{};
  {
    auto turn = here->begin();
    first_sum = must(turn.stored().reading().version(1)).sum;
    publish_order order;
    order.rollback_of = 1;
    const version_record made = must(turn.publish(must(turn.content_of(1)), order));
    CHECK(made.version == 3);
    CHECK(made.sum == first_sum);
    CHECK(made.rollback_of == 1);
    CHECK(turn.content_of(9).error().what == problem_kind::unknown);
    CHECK(turn.content_of(0).error().what == problem_kind::unknown);
  }
  CHECK(current_rows(*here) == rows{{"acme", "tier1"}, {"visa", "visa"}});
  CHECK(here.listener.told.back() == "2>3 one");
  here.check();
}

TEST_CASE("registry: what the store does not take is not current") {
  scratch_folder folder;
  heard listener;
  const auto made = open_registry(create_store(folder.file("control.db")), {}, &listener);
  put(*made, first_config);
  auto beside = must(database::open(folder.file("control.db"), database_use::write));
  must(beside.run("DELETE FROM route"));
  auto turn = made->begin();
  const auto got = turn.publish(must(change(turn, "acme", "")), {});
  REQUIRE(!got);
  CHECK(got.error().what == problem_kind::damaged);
  CHECK(turn.base().head.version == 1);
  CHECK(listener.told.size() == 1);
}

TEST_CASE("registry: writers on eight threads lose nothing, readers see whole contents (T26)") {
  registry_here here;
  put(*here, first_config);
  std::atomic<bool> is_over{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      reader<active_content> now(here->current());
      while (!is_over) {
        const active_content& seen = now.current().value;
        if (seen.content.keys.size() != seen.head.keys || seen.table->keys().size() != seen.head.keys) ++torn;
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) {
        auto turn = here->begin();
        auto next = change(turn, fmt::format("writer-{}-{}", i, k), "tier3");
        if (!next || !turn.publish(*std::move(next), {})) ++torn;
      }
    });
  }
  for (std::thread& each : writers) each.join();
  is_over = true;
  for (std::thread& each : threads) each.join();
  CHECK(torn == 0);
  CHECK(current_rows(*here).size() == 42);
  CHECK(here.listener.told.size() == 41);
  here.check();
}

}  // namespace
}  // namespace cellroute::control
