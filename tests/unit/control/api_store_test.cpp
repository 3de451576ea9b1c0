#include "adapters/control/api.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/unit/control/api_script.hpp"
#include "tests/unit/control/faulty_disk.hpp"

namespace cellroute::control {
namespace {

TEST_CASE("api: a backup that cannot be made leaves nothing beside the store") {
  faulty_disk disk;
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  std::string rows = "key,placement\n";  // more than a connection keeps in memory
  for (int i = 0; i < 120'000; ++i) rows += fmt::format("{:032},tier1\n", i);
  REQUIRE(here.change("POST", "/v1/keys:import?format=csv", rows).status == 200);
  disk.start({});
  REQUIRE(here.ask("GET", "/v1/backup").status == 200);
  const std::uint64_t calls = disk.calls();
  disk.stop();
  disk.start({});
  disk.crash_at(calls * 2 / 3);
  CHECK(here.ask("GET", "/v1/backup").status >= 500);
  CHECK(disk.has_crashed());
  disk.stop();
  for (const auto& entry : std::filesystem::directory_iterator(here.folder.path())) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK(name.find(".backup.") == std::string::npos);
  }
}

TEST_CASE("api: what the store does not say is said so") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  auto beside = must(database::open(here.folder.file("control.db"), database_use::write));
  must(beside.run("UPDATE meta SET value = 0 WHERE name = 'epoch'"));
  CHECK(here.change("PUT", "/v1/keys/a", R"({"placement":"tier1"})").status == 503);
  CHECK(here.ask("GET", "/v1/config").status == 200);  // what is in memory is served
}

TEST_CASE("api: a store that cannot be read keeps back what was, not where keys lead") {
  api_here here;
  here.ask("PUT", "/v1/config", first_config);
  CHECK(here.ask("GET", "/v1/keys/acme").has(R"("changed":1)"));
  CHECK(here.ask("GET", "/v1/keys/acme").field("X-Config-Stale") == "");
  auto beside = must(database::open(here.folder.file("control.db"), database_use::write));
  must(beside.run("ALTER TABLE route RENAME TO gone"));
  must(beside.run("ALTER TABLE change RENAME TO gone_too"));
  for (const std::string_view told_from_memory : {"/v1/config", "/v1/placements", "/v1/placements/tier1", "/v1/keys",
                                                  "/v1/keys:export?format=ndjson", "/v1/keys/acme"}) {
    CAPTURE(told_from_memory);
    const told got = here.ask("GET", told_from_memory);
    CHECK(got.status == 200);
    CHECK(got.has("tier1"));
    CHECK(got.field("X-Config-Stale") == "store-unreadable");
    CHECK(here.ask("HEAD", told_from_memory).field("X-Config-Stale") == "store-unreadable");
  }
  const told resolved = here.ask("POST", "/v1/resolve", R"({"keys":["acme"]})");
  CHECK(resolved.has("tier1"));
  CHECK(resolved.field("X-Config-Stale") == "store-unreadable");
  CHECK(here.ask("GET", "/v1/keys/nobody").field("X-Config-Stale") == "store-unreadable");
  CHECK(here.ask("GET", "/v1/keys/acme/history").status == 503);
  const told row = here.ask("GET", "/v1/keys/acme");
  CHECK_FALSE(row.has("changed"));
  CHECK(row.field("X-Config-Stale") == "store-unreadable");
  CHECK(row.field("ETag") == "");
  must(beside.run("ALTER TABLE gone RENAME TO route"));
  must(beside.run("ALTER TABLE gone_too RENAME TO change"));
  CHECK(here.ask("GET", "/v1/keys/acme").has(R"("changed":1)"));
  CHECK(here.ask("GET", "/v1/config").field("X-Config-Stale") == "");
  // The cluster's name is one that it knows.
  must(beside.run("ALTER TABLE meta RENAME TO gone"));
  must(beside.run("ALTER TABLE route RENAME TO gone_too"));
  const told info = here.ask("GET", "/v1/info");
  CHECK(info.status == 200);
  CHECK(info.field("X-Config-Stale") == "store-unreadable");
  must(beside.run("ALTER TABLE gone RENAME TO meta"));
  must(beside.run("ALTER TABLE gone_too RENAME TO route"));
  CHECK(here.ask("GET", "/v1/info").body == info.body);
}

}  // namespace
}  // namespace cellroute::control
