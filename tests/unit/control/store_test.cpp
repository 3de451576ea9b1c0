#include "adapters/control/store.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cellroute/base/random.hpp"
#include "tests/unit/control/store_script.hpp"

namespace cellroute::control {
namespace {

using support::scratch_folder;

/// What the fault of a file looks like, written past the store.
void write_past(const std::string& path, const std::string& statements) {
  auto db = must(database::open(path, database_use::write));
  must(db.run(statements.c_str()));
}

TEST_CASE("store: a new one has nothing, and says so") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  const store_head head = must(made.reading().head());
  CHECK(head.epoch == 1);
  CHECK(head.version == 0);
  CHECK(must(made.reading().rows_at(0, test_seed)).empty());
  CHECK(made.reading().rows_at(1, test_seed).error().what == store_error::not_found);
  CHECK(made.reading().version(0).error().what == store_error::not_found);
  CHECK(must(made.reading().versions({})).empty());
  CHECK(must(made.reading().cluster()) == "test");
  CHECK(must(made.reading().salt()) == test_salt);
  must(made.reading().check_whole());
}

TEST_CASE("store: what was published is there after it was opened again") {
  scratch_folder folder;
  const rows all{{"acme", "tier1"}, {std::string("nul\0 and \xff", 10), "visa"}};
  wire::digest sum{};
  {
    store made = create_store(folder.file("control.db"));
    const version_record first = must(publish(made, all, "the document"));
    CHECK(first.version == 1);
    CHECK(first.added == 2);
    CHECK(first.is_document_new);
    sum = first.sum;
  }
  store opened = must(store::open(folder.file("control.db"), "test"));
  const store_head head = must(opened.reading().head());
  CHECK(head.version == 1);
  CHECK(head.keys == 2);
  CHECK(head.sum == sum);
  CHECK(rows_in(must(opened.reading().rows_at(1, test_seed))) == all);
  CHECK(must(opened.reading().document_at(1)) == "the document");
  must(opened.reading().check_whole());
}

TEST_CASE("store: every past version is as it was, whichever way it is reached") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    random_numbers rng(seed);
    scratch_folder folder;
    store made = create_store(folder.file("control.db"));
    std::vector<rows> history{{}};
    for (int version = 1; version <= 24; ++version) {
      rows next = history.back();
      if (rng.below(6) == 0) {  // more than a tenth of many
        next = many(static_cast<int>(11'000 + rng.below(3'000)), rng.below(2) == 0 ? "tier1" : "tier2");
      } else {
        for (std::uint64_t i = 0, count = rng.below(20); i < count; ++i) {
          const std::string key = fmt::format("tenant-{:06}", rng.below(60));
          if (rng.below(3) == 0) {
            next.erase(key);
          } else {
            next[key] = fmt::format("tier{}", rng.below(4));
          }
        }
      }
      const std::string document = fmt::format("document {}", version / 3);
      must(publish(made, next, document));
      history.push_back(std::move(next));
    }
    must(made.reading().check_whole());
    store_reader beside = must(store_reader::open(folder.file("control.db")));
    for (std::uint64_t version = 0; version < history.size(); ++version) {
      CAPTURE(version);
      CHECK(rows_in(must(beside.rows_at(version, test_seed))) == history[version]);
      if (version > 0) CHECK(must(beside.document_at(version)) == fmt::format("document {}", version / 3));
    }
  }
}

TEST_CASE("store: few changes are kept one by one; more than a tenth of many rows, as all rows") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  CHECK(!must(publish(made, many(10'000))).is_whole);
  rows all = many(150'000);
  CHECK(must(publish(made, all)).is_whole);
  for (int i = 0; i < 15'000; ++i) all[fmt::format("tenant-{:06}", i)] = "tier2";
  CHECK(!must(publish(made, all)).is_whole);
  all["tenant-100000"] = "tier3";
  for (int i = 0; i < 15'000; ++i) all[fmt::format("tenant-{:06}", i)] = "tier3";
  CHECK(must(publish(made, all)).is_whole);
  must(made.reading().check_whole());
  CHECK(must(made.reading().rows_at(1, test_seed)).size() == 10'000);
}

TEST_CASE("store: who publishes for another head, or for other rows, changes nothing") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  const rows all{{"acme", "tier1"}, {"visa", "visa"}};
  must(publish(made, all));
  const sync::content next = sync::make_content("{}", table_of({{"acme", "tier2"}, {"visa", "visa"}}), test_salt);
  const std::vector<std::string_view> names{"tier1", "tier2"};
  struct bad_case {
    std::string_view says;
    std::uint64_t expected_version;
    std::vector<key_change> changes;
    store_error expected;
  };
  const bad_case cases[] = {
      {"of an older head", 0, {{"acme", 1}}, store_error::conflict},
      {"of one that is not there yet", 2, {{"acme", 1}}, store_error::conflict},
      {"a row that leads there already", 1, {{"acme", 0}}, store_error::corrupt},
      {"a row that is not there is removed", 1, {{"globex", std::nullopt}}, store_error::corrupt},
      {"the rows are not those of the content", 1, {{"globex", 1}}, store_error::corrupt},
      {"one key twice", 1, {{"acme", 1}, {"acme", 1}}, store_error::corrupt},
  };
  for (const bad_case& row : cases) {
    CAPTURE(row.says);
    row_changes changes;
    changes.names = names;
    changes.changes = row.changes;
    const auto got = made.publish({row.expected_version, next, changes});
    REQUIRE(!got);
    CHECK(got.error().what == row.expected);
    CHECK(!got.error().detail.empty());
    CHECK(must(made.reading().head()).version == 1);
    CHECK(rows_in(must(made.reading().rows_at(1, test_seed))) == all);
    must(made.reading().check_whole());
  }
}

TEST_CASE("store: the history of a key") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  must(publish(made, {{"acme", "tier1"}}, "{}", "ann"));
  must(publish(made, {{"acme", "tier1"}, {"visa", "visa"}}, "{}", "ben"));
  must(publish(made, {{"acme", "tier2"}, {"visa", "visa"}}, "{}", "cat"));
  must(publish(made, {{"visa", "visa"}}, "{}", "dan"));
  rows all = many(11'000);
  must(publish(made, all, "{}", "eve"));
  all["acme"] = "tier3";
  must(publish(made, all, "{}", "fay"));

  std::string told;
  for (const key_event& each : must(made.reading().history_of("acme", {}))) {
    told += fmt::format("{} {} {}\n", each.version.version, each.version.author,
                        each.is_unknown ? "?" : each.from.value_or("-") + ">" + each.to.value_or("-"));
  }
  CHECK(told == "6 fay ->tier3\n5 eve ?\n4 dan tier2>-\n3 cat tier1>tier2\n1 ann ->tier1\n");
  CHECK(must(made.reading().history_of("acme", {4, 1})).front().version.version == 3);
  CHECK(must(made.reading().last_change_of("acme")) == 6);
  CHECK(must(made.reading().last_change_of("tenant-000001")) == 5);
  CHECK(!must(made.reading().last_change_of("visa")));
  CHECK(must(made.reading().last_touch_of("acme")) == 6);
  CHECK(must(made.reading().last_touch_of("visa")) == 2);  // the version that took it away has all rows
  CHECK(must(made.reading().last_touch_of("nobody")) == 0);
  CHECK(must(made.reading().has_whole_since(4)));
  CHECK(!must(made.reading().has_whole_since(5)));
  CHECK(must(made.reading().keys_changed_since(5, "", 10)) == std::vector<std::string>{"acme"});
  CHECK(must(made.reading().keys_changed_since(4, "tenant-010997", 10)).size() == 2);
}

TEST_CASE("store: what was touched since a version is told with what went") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  must(publish(made, {{"acme", "tier1"}, {"hooli", "tier1"}, {"visa", "visa"}}));
  must(publish(made, {{"acme", "tier1"}, {"hooli", "tier1"}}));
  must(publish(made, {{"acme", "tier1"}, {"hooli", "tier2"}}));
  using names = std::vector<std::string>;
  CHECK(must(made.reading().keys_changed_since(1, "", 10)) == names{"hooli"});
  CHECK(must(made.reading().keys_touched_since(1, "", 10)) == names{"hooli", "visa"});
  CHECK(must(made.reading().keys_touched_since(1, "", 1)) == names{"hooli"});
  CHECK(must(made.reading().keys_touched_since(1, "hooli", 10)) == names{"visa"});
  CHECK(must(made.reading().keys_touched_since(2, "", 10)) == names{"hooli"});
  CHECK(must(made.reading().last_touch_of("visa")) == 2);
}

TEST_CASE("store: versions are told the newest first, a page at a time") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  for (int i = 1; i <= 5; ++i) must(publish(made, many(i)));
  const auto numbers = [&](const page& asked) {
    std::vector<std::uint64_t> found;
    for (const version_record& each : must(made.reading().versions(asked))) found.push_back(each.version);
    return found;
  };
  CHECK(numbers({0, 3}) == std::vector<std::uint64_t>{5, 4, 3});
  CHECK(numbers({3, 3}) == std::vector<std::uint64_t>{2, 1});
  CHECK(numbers({1, 3}).empty());
  const version_record third = must(made.reading().version(3));
  CHECK(third.parent == 2);
  CHECK(third.keys == 3);
  CHECK(third.added == 1);
  CHECK(third.author == "ann");
  CHECK(third.at == test_now + 2s);
}

TEST_CASE("store: what is purged is gone, what is kept is as it was") {
  for (const bool has_whole : {false, true}) {
    CAPTURE(has_whole);
    scratch_folder folder;
    store made = create_store(folder.file("control.db"));
    CHECK(must(made.purge({5, 1h}, test_now)) == 0);  // there is nothing yet
    std::vector<rows> history{{}};
    for (int i = 1; i <= 8; ++i) {
      history.push_back(has_whole && i >= 3 && i <= 5 ? many(11'000, "tier2") : many(i));
      must(publish(made, history.back(), fmt::format("document {}", i)));
    }
    CHECK(must(made.purge({8, 100h}, test_now)) == 0);
    CHECK(must(made.purge({5, std::nullopt}, test_now)) == 3);
    CHECK(must(made.reading().oldest_version()) == 4);
    CHECK(made.reading().rows_at(3, test_seed).error().what == store_error::purged);
    CHECK(made.reading().document_at(3).error().what == store_error::purged);
    CHECK(made.reading().version(1).error().what == store_error::purged);
    CHECK(made.reading().rows_at(0, test_seed).error().what == store_error::purged);
    // Whole rows behind it leave only the way forth.
    history.push_back(many(11'000, "tier3"));
    must(publish(made, history.back(), "document 9"));
    for (std::uint64_t version = 4; version <= 9; ++version) {
      CAPTURE(version);
      CHECK(rows_in(must(made.reading().rows_at(version, test_seed))) == history[version]);
      CHECK(must(made.reading().document_at(version)) == fmt::format("document {}", version));
    }
    must(made.reading().check_whole());
    CHECK(!must(made.reading().verify_audit()).first_bad);
    // By age: the head always stays.
    CHECK(must(made.purge({100, 1h}, test_now + 1h + 5s)) == 2);
    CHECK(must(made.purge({100, 1h}, test_now + 1000h)) == 3);
    CHECK(must(made.reading().oldest_version()) == 9);
    must(made.reading().check_whole());
  }
}

TEST_CASE("store: only one's own store, open to nobody else, is opened, and by one process") {
  scratch_folder folder;
  const std::string path = folder.file("control.db");
  CHECK(store::open(path).error().what == store_error::not_found);
  {
    store made = create_store(path);
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    CHECK(store::open(path).error().what == store_error::refused);  // the other one has it
    CHECK(store::create(path, {"other", 1}, test_now).error().what == store_error::refused);
    must(publish(made, {{"acme", "tier1"}}));
    must(made.backup(folder.file("backup.db")));
  }
  CHECK(store::create(path, {"other", 1}, test_now).error().what == store_error::refused);
  CHECK(store::open(path, "other").error().what == store_error::refused);
  CHECK(store::open(folder.file("backup.db")).error().what == store_error::refused);
  CHECK(store::open(folder.path().string()).error().what == store_error::refused);

  const std::string text = folder.file("text");
  std::ofstream(text) << "version: 1\nrouting: {default_placement: tier1}\nplacements: {}\n and more than a header ...";
  std::filesystem::permissions(text, std::filesystem::perms(0600));
  CHECK(store::open(text).error().what == store_error::refused);
  const std::string empty = folder.file("empty");
  std::ofstream(empty).close();
  std::filesystem::permissions(empty, std::filesystem::perms(0600));
  CHECK(store::open(empty).error().what == store_error::refused);
  std::filesystem::create_symlink(path, folder.file("link"));
  CHECK(store::open(folder.file("link")).error().what == store_error::refused);

  std::filesystem::permissions(path, std::filesystem::perms(0640));
  CHECK(store::open(path).error().what == store_error::refused);
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  must(store::open(path, "test"));
  write_past(path, "PRAGMA user_version = 2");
  CHECK(store::open(path).error().what == store_error::refused);
  write_past(path, "PRAGMA user_version = 1; DELETE FROM meta WHERE name = 'epoch'");
  CHECK(store::open(path).error().what == store_error::corrupt);
}

TEST_CASE("store: a backup is restored with a higher epoch, and in no other way (T21)") {
  scratch_folder folder;
  const std::string backup = folder.file("backup.db");
  {
    store made = create_store(folder.file("control.db"));
    must(publish(made, {{"acme", "tier1"}}, "one"));
    must(publish(made, {{"acme", "tier2"}}, "two"));
    must(made.backup(backup));
    CHECK(made.backup(backup).error().what == store_error::refused);
    must(publish(made, {{"acme", "tier3"}}, "three"));
    CHECK(must(made.reading().head()).version == 3);
  }
  const std::string again = folder.file("again.db");
  CHECK(store::restore(backup, again, 1, test_now).error().what == store_error::refused);
  CHECK(store::restore(folder.file("control.db"), again, 2, test_now).error().what == store_error::refused);
  CHECK(store::restore(backup, folder.file("control.db"), 2, test_now).error().what == store_error::refused);
  CHECK(!std::filesystem::exists(again));
  {
    store restored = must(store::restore(backup, again, 2, test_now));
    const store_head head = must(restored.reading().head());
    CHECK(head.epoch == 2);
    CHECK(head.version == 2);
    CHECK(rows_in(must(restored.reading().rows_at(2, test_seed))) == rows{{"acme", "tier2"}});
    CHECK(rows_in(must(restored.reading().rows_at(1, test_seed))) == rows{{"acme", "tier1"}});
    CHECK(!must(restored.reading().verify_audit()).first_bad);
    CHECK(must(publish(restored, {{"acme", "tier9"}})).epoch == 2);
  }
  must(store::open(again));
}

TEST_CASE("store: rows that somebody changed past it are found (I8)") {
  const std::string_view edits[] = {
      "UPDATE route SET placement = 2 WHERE key = x'61636d65'",
      "DELETE FROM route WHERE key = x'61636d65'",
      "INSERT INTO route VALUES(x'00', 1, 1)",
      "UPDATE change SET new = 2 WHERE version = 2",
      "DELETE FROM change WHERE version = 2",
      "UPDATE document SET body = 'another'",
      "UPDATE version SET digest = zeroblob(32) WHERE version = 2",
      "UPDATE version SET nkeys = 7 WHERE version = 2",
      "UPDATE placement SET name = 'elsewhere' WHERE name = 'tier1'",
  };
  for (const std::string_view edit : edits) {
    CAPTURE(edit);
    scratch_folder folder;
    store made = create_store(folder.file("control.db"));
    must(publish(made, {{"visa", "visa"}, {"globex", "tier1"}}));
    must(publish(made, {{"visa", "visa"}, {"globex", "tier1"}, {"acme", "tier1"}}));
    must(made.reading().check_whole());
    write_past(folder.file("control.db"), std::string(edit));
    const auto checked = made.reading().check_whole();
    REQUIRE(!checked);
    CHECK(checked.error().what == store_error::corrupt);
  }
}

struct audit_edit {
  std::string_view says;
  std::string_view statement;
  std::uint64_t first_bad;
};

const audit_edit audit_edits[] = {
    {"another time", "UPDATE audit SET at = at + 1 WHERE seq = 3", 3},
    {"another actor", "UPDATE audit SET actor = 'eve' WHERE seq = 3", 3},
    {"another action", "UPDATE audit SET action = 'nothing' WHERE seq = 3", 3},
    {"another target", "UPDATE audit SET target = '' WHERE seq = 3", 3},
    {"other words", "UPDATE audit SET doc = '' WHERE seq = 3", 3},
    {"a part moved to the next", "UPDATE audit SET actor = 'an', action = 'npublish' WHERE seq = 3", 3},
    {"another hash", "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3", 3},
    {"another hash before", "UPDATE audit SET prev_hash = zeroblob(32) WHERE seq = 3", 3},
    {"a line taken out", "DELETE FROM audit WHERE seq = 3", 3},
    {"the first taken out", "DELETE FROM audit WHERE seq = 1", 1},
    {"the last taken out", "DELETE FROM audit WHERE seq = 4", 4},
    {"one put at the end",
     "INSERT INTO audit SELECT 5, at, actor, action, target, doc, hash, hash FROM audit WHERE seq = 4", 5},
    {"all taken out", "DELETE FROM audit", 1},
};

TEST_CASE("store: whoever changes the audit is found, by the line (T28)") {
  for (const audit_edit& row : audit_edits) {
    CAPTURE(row.says);
    scratch_folder folder;
    store made = create_store(folder.file("control.db"));
    for (int i = 1; i <= 3; ++i) must(publish(made, many(i)));
    const audit_verdict good = must(made.reading().verify_audit());
    CHECK(!good.first_bad);
    CHECK(good.rows == 4);
    CHECK(good.head == must(made.reading().audit({3, 1})).front().hash);
    write_past(folder.file("control.db"), std::string(row.statement));
    const audit_verdict verdict = must(made.reading().verify_audit());
    CHECK(verdict.first_bad == row.first_bad);
    CHECK(!verdict.why.empty());
    // What is written after hides nothing.
    must(made.append_audit("ben", "resync", "router r1", "", test_now));
    CHECK(must(made.reading().verify_audit()).first_bad == row.first_bad);
  }
}

TEST_CASE("store: the audit tells who did what, a page at a time") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  must(publish(made, many(1), "{}", "ann"));
  must(made.append_audit("ben", "resync", "router r1", "{\"why\":\"asked\"}", test_now));
  std::string told;
  for (const audit_record& each : must(made.reading().audit({}))) {
    told += fmt::format("{} {} {} {} {}\n", each.sequence, each.actor, each.action, each.target, each.detail);
  }
  CHECK(told ==
        "1 cellroute-control create test \n"
        "2 ann publish version 1 {\"version\":1,\"added\":1,\"moved\":0,\"removed\":0,\"document\":true}\n"
        "3 ben resync router r1 {\"why\":\"asked\"}\n");
  CHECK(must(made.reading().audit({1, 1})).front().sequence == 2);
  CHECK(must(made.reading().audit({0, 10}, "ben")).size() == 1);
  CHECK(must(made.reading().audit({0, 10}, {}, "version 1")).size() == 1);
}

TEST_CASE("store: tokens are kept by their hash, and each step is in the audit") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  const wire::digest hash = sync::sha256(bytes_of("secret"));
  const token_record token{"t1",     hash,          "of the pipeline", "publisher", {"tier1", "tier2"},
                           "tenant", test_now + 1s, test_now + 1h};
  const kept_answer once{{"ann", "k1", hash}, 201, "{}"};
  must(made.add_token(token, "ann", test_now, &once));
  CHECK(must(made.reading().find_token(hash)) == token);
  CHECK(!must(made.reading().find_token(sync::sha256(bytes_of("another")))));
  CHECK(must(made.reading().tokens()).size() == 1);
  CHECK(made.remove_token("t2", "ann", test_now).error().what == store_error::not_found);
  must(made.remove_token("t1", "ann", test_now));
  CHECK(must(made.reading().tokens()).empty());
  const auto told = must(made.reading().audit({1, 10}));
  REQUIRE(told.size() == 2);
  CHECK(told[0].detail.starts_with(
      R"({"name":"of the pipeline","role":"publisher","placements":["tier1","tier2"],"key_prefix":"tenant","expires":)"));
  const auto kept = must(made.reading().find_answer("ann", "k1"));
  REQUIRE(kept);
  CHECK(kept->status == 201);
  CHECK(kept->asked == hash);
  CHECK(!must(made.reading().find_answer("ben", "k1")));
  must(made.forget_answers(test_now));
  CHECK(must(made.reading().find_answer("ann", "k1")));
  must(made.forget_answers(test_now + 1ns));
  CHECK(!must(made.reading().find_answer("ann", "k1")));
}

TEST_CASE("store: a publish and the answer to its request are one step") {
  scratch_folder folder;
  store made = create_store(folder.file("control.db"));
  const sync::content one = sync::make_content("{}", table_of({{"acme", "tier1"}}), test_salt);
  const key_table nothing;
  const row_changes changes = changes_between(nothing, one.keys);
  publication what{0, one, changes};
  what.asked_once = idempotency_key{"ann", "k1", one.sum};
  what.answer_of = [](const version_record& v) { return fmt::format("version {}", v.version); };
  must(made.publish(what));
  const auto kept = must(made.reading().find_answer("ann", "k1"));
  REQUIRE(kept);
  CHECK(kept->version == 1);
  CHECK(kept->status == 200);
  CHECK(kept->body == "version 1");
  what.asked_once->key = "k2";
  CHECK(!made.publish(what));
  CHECK(!must(made.reading().find_answer("ann", "k2")));
}

}  // namespace
}  // namespace cellroute::control
