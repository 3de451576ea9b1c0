// A configuration that changes while requests are on their way.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cellroute/table/key_table.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

namespace fs = std::filesystem;

router_config config_of(std::uint16_t a, std::uint16_t b, std::string keys) {
  return {.placements = {{"tier1", at(a)}, {"tier3", at(b)}}, .keys = std::move(keys)};
}

message post(const router_process& router, std::string_view target, std::string_view fields = "") {
  return ask(router.admin_port(),
             request("POST " + std::string(target), "Content-Length: 0\r\n" + std::string(fields)));
}

/// How somebody replaces a file.
struct edit_case {
  std::string_view says;
  void (*replace)(const fs::path& file, const std::string& text);
};

const edit_case edit_cases[] = {
    {"saved in place", [](const fs::path& file, const std::string& text) { std::ofstream(file) << text; }},
    {"another file renamed over it",
     [](const fs::path& file, const std::string& text) {
       const fs::path next = file.string() + ".new";
       std::ofstream(next) << text;
       fs::rename(next, file);
     }},
    {"removed, then written",
     [](const fs::path& file, const std::string& text) {
       fs::remove(file);
       std::ofstream(file) << text;
     }},
    {"written in two halves",
     [](const fs::path& file, const std::string& text) {
       std::ofstream(file) << text.substr(0, text.size() / 2);
       std::this_thread::sleep_for(std::chrono::milliseconds(50));
       std::ofstream(file, std::ios::app) << text.substr(text.size() / 2);
     }},
    {"saved with the time stamp of before",
     [](const fs::path& file, const std::string& text) {
       const auto before = fs::last_write_time(file);
       std::ofstream(file) << text;
       fs::last_write_time(file, before);
     }},
};

TEST_CASE("reload: an edit is live within a second, however the file is replaced") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_process router(config_of(one.port(), two.port(), "acme: tier1"));
  CHECK(cell_of(router, "acme") == "one");
  bool at_two = false;
  for (const edit_case& row : edit_cases) {
    CAPTURE(row.says);
    const steady::duration least = least_of_five(1s, [&] {
      at_two = !at_two;
      const std::string yaml = config_of(one.port(), two.port(), at_two ? "acme: tier3" : "acme: tier1").yaml();
      const stopwatch edited;
      row.replace(router.config_file(), yaml);
      CHECK(leads_to(router, "acme", at_two ? "two" : "one"));
      const steady::duration took = edited.elapsed();
      MESSAGE(row.says << ": live after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                       << " ms");
      return took;
    });
    CHECK(least < 1s);
  }
}

TEST_CASE("reload: the swap of a ConfigMap's link is an edit") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const router_config first = config_of(one.port(), two.port(), "acme: tier1");
  const router_config second = config_of(one.port(), two.port(), "acme: tier3");
  router_process router(first);
  // From a plain file to the links that a ConfigMap has, and then a swap of the link in the middle.
  const fs::path folder = router.folder();
  for (const auto& [name, config] : {std::pair("..1", &second), std::pair("..2", &first)}) {
    fs::create_directory(folder / name);
    std::ofstream(folder / name / "cellroute.yaml") << config->yaml();
  }
  fs::create_symlink("..1", folder / "..data");
  fs::create_symlink("..data/cellroute.yaml", folder / "link");
  fs::rename(folder / "link", router.config_file());
  CHECK(eventually([&] { return cell_of(router, "acme") == "two"; }));
  bool at_two = true;
  const steady::duration least = least_of_five(1s, [&] {
    at_two = !at_two;
    fs::create_symlink(at_two ? "..1" : "..2", folder / "..data_tmp");
    const stopwatch swapped;
    fs::rename(folder / "..data_tmp", folder / "..data");
    CHECK(leads_to(router, "acme", at_two ? "two" : "one"));
    return swapped.elapsed();
  });
  CHECK(least < 1s);
}

// A writer that rests for longer has ended, as it seems. Long enough that no pause of this machine is taken for that.
constexpr steady::duration debounce = 1s;

/// The longest time between two moments of a writer.
class longest_rest {
 public:
  void note() { longest_ = std::max(longest_, std::exchange(since_, stopwatch()).elapsed()); }
  [[nodiscard]] steady::duration longest() const { return longest_; }

 private:
  stopwatch since_;
  steady::duration longest_{};
};

/// Tries what holds only for a writer that never rests for as long as the debounce. `attempt` returns its longest rest,
/// and asserts nothing where that was too long: once it has to hold.
template <class Attempt>
void try_without_rest(Attempt attempt) {
  const steady::duration rested = least_of_five(debounce, attempt);
  if (rested >= debounce) FAIL("nothing was tried: this machine paused for a second, each of five times");
}

TEST_CASE("reload: twenty writes in a tenth of a second are one reload") {
  fake_cell one(says{"one"});
  try_without_rest([&] {
    router_config config = config_of(one.port(), one.port(), "acme: tier1");
    config.reload = "debounce: 1s";
    router_process router(config);
    longest_rest rest;
    for (int i = 0; i < 20; ++i) {
      config.keys = "acme: tier1, k" + std::to_string(i) + ": tier3";
      router.edit(config);
      rest.note();
      std::this_thread::sleep_for(5ms);
    }
    if (rest.longest() >= debounce) return rest.longest();
    CHECK(router.reaches_generation(2));
    CHECK(post(router, "/v1/reload").content == "{\"result\":\"unchanged\",\"generation\":2}\n");
    CHECK(router.metric("gateway_config_generation") == 2);
    CHECK(router.metric("gateway_config_apply_total", {"result=\"applied\""}) == 2);  // the start's is one
    return rest.longest();
  });
}

/// How somebody writes a file slowly.
struct slow_writer {
  std::string_view says;
  /// Returns its longest rest of those that must be shorter than the debounce.
  steady::duration (*write)(const fs::path& file, std::string_view text);
};

void append(const fs::path& file, std::string_view text) { std::ofstream(file, std::ios::app) << text; }

const slow_writer slow_writers[] = {
    {"a file that stays open, with rests longer than the debounce",
     [](const fs::path& file, std::string_view text) {
       std::ofstream open(file);
       const std::size_t piece = text.size() / 3 + 1;
       for (; !text.empty(); text.remove_prefix(std::min(text.size(), piece))) {
         open << text.substr(0, piece) << std::flush;
         std::this_thread::sleep_for(debounce + 200ms);
       }
       return steady::duration();  // it may rest: the file is open
     }},
    {"a file that is opened for each piece, for longer than the debounce is put off",
     [](const fs::path& file, std::string_view text) {
       longest_rest rest;
       fs::remove(file);
       for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 25))) {
         append(file, text.substr(0, 25));
         rest.note();
         std::this_thread::sleep_for(80ms);
       }
       return rest.longest();
     }},
};

TEST_CASE("reload: a file that is being written is not used, though its first half would be good") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  for (const slow_writer& row : slow_writers) {
    CAPTURE(row.says);
    try_without_rest([&] {
      router_config config = config_of(one.port(), two.port(), "");
      config.key_files = "keys.tsv";
      config.reload = "poll: 100ms, debounce: 1s";
      config.files = {{"keys.tsv", "acme\ttier1\n"}};
      router_process router(config);
      std::string rows;  // cut anywhere at a line's end it is a good file, without acme
      for (int i = 0; i < 80; ++i) rows += "key" + std::to_string(i) + "\ttier3\n";
      const steady::duration rested = row.write(router.folder() / "keys.tsv", rows + "acme\ttier1\n");
      if (rested >= debounce) return rested;
      REQUIRE(router.reaches_generation(2));
      CHECK(post(router, "/v1/reload").content == "{\"result\":\"unchanged\",\"generation\":2}\n");
      CHECK(router.metric("gateway_config_keys") == 81);
      CHECK_FALSE(router.process().find_line("config_rejected"));
      return rested;
    });
  }
}

TEST_CASE("reload: touching the file, or writing what it holds, changes nothing") {
  fake_cell one(says{"one"});
  const router_config config = config_of(one.port(), one.port(), "acme: tier1");
  router_process router(config);
  router.edit(config);
  fs::last_write_time(router.config_file(), fs::file_time_type::clock::now());  // allow: ::now(: a file's time
  const message asked = post(router, "/v1/reload");
  CHECK(asked.status() == 200);
  CHECK(asked.content == "{\"result\":\"unchanged\",\"generation\":1}\n");
  CHECK(router.metric("gateway_config_generation") == 1);
}

TEST_CASE("reload: without the system's word the poll finds the edit") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.reload = "watch: false, poll: 300ms";
  router_process router(config);
  config.keys = "acme: tier3";
  router.edit(config);
  CHECK(eventually([&] { return cell_of(router, "acme") == "two"; }));
}

TEST_CASE("reload: without either only those who ask have it read") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.reload = "watch: false, poll: off";
  router_process router(config);
  config.keys = "acme: tier3";
  router.edit(config);
  std::this_thread::sleep_for(600ms);
  CHECK(cell_of(router, "acme") == "one");
  CHECK(post(router, "/v1/reload").content == "{\"result\":\"applied\",\"generation\":2}\n");
  CHECK(cell_of(router, "acme") == "two");
  config.keys = "acme: tier1";
  router.edit(config);
  router.process().signal(SIGHUP);
  CHECK(eventually([&] { return cell_of(router, "acme") == "one"; }));
}

/// A file that cannot be used.
struct refused_file {
  std::string_view says;
  std::string_view find;     ///< in the good text
  std::string_view replace;  ///< by that
  std::string_view mistake;  ///< a part of what is said
};

const refused_file refused_files[] = {
    {"bad syntax", "routing:", "routing: {", "cellroute.yaml:"},
    {"an unknown key", "process:", "proces:", "proces: "},
    {"a placement that is none", "acme: tier1", "acme: tier9", "routing.keys.inline.acme: "},
    {"half of the file", "placements:", "# placements:", "cellroute.yaml:"},
    {"an empty file", "", "", ""},
};

TEST_CASE("reload: what cannot be used is refused with every mistake, and what ran keeps running") {
  fake_cell one(says{"one"});
  router_process router(config_of(one.port(), one.port(), "acme: tier1"));
  const std::string good = read_text(router.config_file());
  double refused = 0;
  for (const refused_file& row : refused_files) {
    CAPTURE(row.says);
    std::string bad = good;
    if (row.find.empty()) {
      bad.clear();
    } else {
      bad.replace(bad.find(row.find), row.find.size(), row.replace);
    }
    router.edit(bad);
    CHECK(eventually(
        [&] { return router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == refused + 1; }));
    ++refused;
    CHECK(cell_of(router, "acme") == "one");
    CHECK(router.metric("gateway_config_generation") == 1);
    CHECK(router.admin("/ready").status() == 200);
    const std::string page = router.admin("/debug/config").content;
    CHECK(page.find("\"rejected\":{\"at\":\"") != std::string::npos);
    CHECK(page.find(row.mistake) != std::string::npos);
    // Whoever asks is told again; by itself it is not told twice.
    const message asked = post(router, "/v1/reload");
    CHECK(asked.status() == 422);
    CHECK(asked.content.find("\"mistakes\":[\"") != std::string::npos);
    ++refused;
    std::this_thread::sleep_for(100ms);
    CHECK(router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == refused);
  }
  const auto line = router.process().wait_line(R"("event":"config_rejected")");
  REQUIRE(line);
  CHECK(line->find("\"level\":\"error\"") != std::string::npos);
  CHECK(line->find("\"mistakes\":[\"") != std::string::npos);
  CHECK(line->find("cellroute.yaml:") != std::string::npos);

  router.edit(good);
  CHECK(
      eventually([&] { return router.admin("/debug/config").content.find("\"rejected\":null") != std::string::npos; }));
  CHECK(router.metric("gateway_config_generation") == 1);  // it is what was in use all the time
}

TEST_CASE("reload: a file that goes is refused once; when it is back it counts again") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.reload = "poll: 200ms";
  router_process router(config);
  fs::remove(router.config_file());
  CHECK(eventually([&] { return router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == 1; }));
  std::this_thread::sleep_for(600ms);  // some polls
  CHECK(router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == 1);
  CHECK(router.admin("/debug/config").content.find("no such file") != std::string::npos);
  CHECK(cell_of(router, "acme") == "one");
  config.keys = "acme: tier3";
  router.edit(config);
  CHECK(eventually([&] { return cell_of(router, "acme") == "two"; }));
}

TEST_CASE("reload: a guard refuses what would go too far, and is lifted once, by name") {
  fake_cell one(says{"one"});
  router_config config = config_of(one.port(), one.port(), "a: tier1, b: tier1, c: tier1");
  config.guard = "min_keys: 3";
  config.reload = "watch: false, poll: off";
  router_process router(config);
  config.keys = "a: tier1, b: tier1";
  router.edit(config);
  const message refused = post(router, "/v1/reload");
  CHECK(refused.status() == 422);
  CHECK(refused.content.find("guard.min_keys: 2 keys would be left, not at least 3") != std::string::npos);
  CHECK(router.metric("gateway_config_keys") == 3);
  CHECK(post(router, "/v1/reload?override=max_moved_percent").status() == 422);
  CHECK(post(router, "/v1/reload?override=max_moved_percent,none").status() == 400);
  CHECK(post(router, "/v1/reload?override=max_moved_percent,min_keys").status() == 200);
  CHECK(router.metric("gateway_config_keys") == 2);
  CHECK(post(router, "/v1/reload", "Origin: http://127.0.0.1\r\n").status() == 403);
}

TEST_CASE("reload: bad rows are quarantined where the configuration says so, and named everywhere") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.key_files = "keys.tsv";
  config.files = {{"keys.tsv", "visa\ttier1\nglobex\tgold\nacme\ttier3\n"}};
  config.routing = ", on_invalid_row: quarantine";
  router_process router(config);
  REQUIRE(router.process().wait_line("row_quarantined"));
  CHECK(router.metric("gateway_config_keys") == 2);
  CHECK(router.metric("gateway_config_rows_quarantined") == 2);
  CHECK(log_line(router.admin("/debug/config").content)["rows_quarantined"] == "2");
  CHECK(cell_of(router, "acme") == "one");
  CHECK(cell_of(router, "globex") == "two");
  CHECK(log_line(router.admin("/v1/explain?key=globex").content)["quarantined"].find(
            "keys.tsv:2:8: names the placement \"gold\", which there is not") != std::string::npos);
  CHECK(log_line(router.admin("/v1/explain?key=visa").content)["quarantined"] == "<none>");

  std::string many;
  for (int i = 0; i < 30; ++i) many += "k" + std::to_string(i) + "\tgold\n";
  std::ofstream(router.folder() / "keys.tsv") << many + "visa\ttier1\n";
  CHECK(eventually([&] { return router.metric("gateway_config_rows_quarantined") == 30; }));
  const auto more = router.process().wait_line("\"rows_quarantined\"");
  REQUIRE(more);
  CHECK(log_line(*more)["rows"] == "30");
  CHECK(log_line(*more)["told"] == "20");
  std::ofstream(router.folder() / "keys.tsv") << "visa\ttier1\n";
  CHECK(eventually([&] { return router.metric("gateway_config_rows_quarantined") == 0; }));
}

TEST_CASE("reload: a compiled table is opened, followed, and refused when it is broken") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  const auto table_of = [](std::string_view placement) {
    const std::string_view names[] = {"tier3", "tier1"};
    const key_row rows[] = {{"visa", static_cast<std::uint16_t>(placement == "tier1" ? 1 : 0)}, {"globex", 1}};
    const auto made = key_table::build(rows, 7, names);
    REQUIRE(made.has_value());
    const auto bytes = made->bytes();
    std::string text(sizeof bytes.head + bytes.rest.size(), ' ');
    std::memcpy(text.data(), bytes.head.data(), sizeof bytes.head);
    std::memcpy(text.data() + sizeof bytes.head, bytes.rest.data(), bytes.rest.size());
    return text;
  };
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.key_files = "keys.ctab";
  config.files = {{"keys.ctab", table_of("tier1")}};
  router_process router(config);
  CHECK(router.metric("gateway_config_keys") == 3);
  for (const std::string_view key : {"acme", "visa", "globex"}) CHECK(cell_of(router, key) == "one");
  std::ofstream(router.folder() / "keys.ctab", std::ios::binary) << table_of("tier3");
  CHECK(eventually([&] { return cell_of(router, "visa") == "two"; }));
  CHECK(cell_of(router, "globex") == "one");
  std::ofstream(router.folder() / "keys.ctab", std::ios::binary) << table_of("tier1").substr(0, 300);
  CHECK(
      post(router, "/v1/reload").content.find("keys.ctab:1:1: is no compiled table that can be used here (bad_size)") !=
      std::string::npos);
  CHECK(cell_of(router, "visa") == "two");
}

TEST_CASE("reload: key files count like the configuration itself, and are followed like it") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.key_files = "keys.tsv, more.csv";
  config.files = {{"keys.tsv", "visa\ttier1\n"}, {"more.csv", "key,placement\nglobex,tier1\n"}};
  router_process router(config);
  CHECK(router.metric("gateway_config_keys") == 3);
  for (const std::string_view key : {"acme", "visa", "globex"}) CHECK(cell_of(router, key) == "one");

  const steady::duration least = least_of_five(1s, [&] {
    std::ofstream(router.folder() / "keys.tsv") << "visa\ttier1\n";
    CHECK(leads_to(router, "visa", "one"));
    const stopwatch edited;
    std::ofstream(router.folder() / "keys.tsv") << "visa\ttier3\nhooli\ttier1\n";
    CHECK(leads_to(router, "visa", "two"));
    return edited.elapsed();
  });
  CHECK(least < 1s);
  CHECK(cell_of(router, "hooli") == "one");

  std::ofstream(router.folder() / "keys.tsv") << "visa\ttier1\nacme\ttier3\nglobex\ttier3\n";
  const message twice = post(router, "/v1/reload");
  CHECK(twice.status() == 422);
  CHECK(twice.content.find("keys.tsv:2:1: the key \\\"acme\\\" stands in routing.keys.inline, too") !=
        std::string::npos);
  CHECK(twice.content.find("more.csv:2:1: the key \\\"globex\\\" stands in ") != std::string::npos);
  std::ofstream(router.folder() / "keys.tsv") << "visa\tnowhere\n";
  CHECK(post(router, "/v1/reload").content.find("keys.tsv:1:6: names the placement \\\"nowhere\\\"") !=
        std::string::npos);
  fs::remove(router.folder() / "keys.tsv");
  CHECK(post(router, "/v1/reload").content.find("routing.keys.files[0]: ") != std::string::npos);
  CHECK(cell_of(router, "visa") == "two");  // the last good one
  std::ofstream(router.folder() / "keys.tsv") << "visa\ttier1\n";
  CHECK(eventually([&] { return cell_of(router, "visa") == "one"; }));
}

TEST_CASE("reload: a file that only a refused configuration names is followed, too") {
  fake_cell one(says{"one"});
  router_config config = config_of(one.port(), one.port(), "acme: tier1");
  config.reload = "poll: off";
  router_process router(config);
  std::ofstream(router.folder() / "new.tsv") << "visa\tnowhere\n";
  config.key_files = "new.tsv";
  router.edit(config);
  CHECK(eventually([&] { return router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == 1; }));
  std::ofstream(router.folder() / "new.tsv") << "visa\ttier1\n";
  CHECK(eventually([&] { return router.metric("gateway_config_keys") == 2; }));
}

TEST_CASE("reload: the log tells what moved") {
  fake_cell one(says{"one"});
  router_process router(config_of(one.port(), one.port(), "a: tier1, b: tier1, c: tier3, d: tier3"));
  router.edit(config_of(one.port(), one.port(), "a: tier3, b: tier3, c: tier1, e: tier1"));
  CHECK(router.reaches_generation(2));
  const auto text =
      router.process().wait_line(R"("event":"config_applied","message":"the configuration is in use","source":)"
                                 "\"" +
                                 router.config_file().string() + R"(","version":"","generation":2)");
  REQUIRE(text);
  CHECK(text->find(R"("keys":4,"placements":2,"keys_moved":3,"keys_added":1,"keys_removed":1,"moves":[)"
                   R"("(none) -> tier1: 1","tier1 -> tier3: 2","tier3 -> (none): 1","tier3 -> tier1: 1"])") !=
        std::string::npos);
}

TEST_CASE("reload: connections to cells that stay are kept, and so is the place in the round") {
  std::atomic<int> connections{0};
  fake_cell cell([&](cell_connection& c) {
    ++connections;
    message request;
    while (c.read_request(request)) c.answer("200 OK", "here");
  });
  router_process router(config_of(cell.port(), cell.port(), "acme: tier1"));
  client c(router.port());
  for (int generation = 2; generation < 6; ++generation) {
    CHECK(c.ask(keyed("GET /")).status() == 200);
    router.edit(config_of(cell.port(), cell.port(), "acme: tier1, k" + std::to_string(generation) + ": tier3"));
    REQUIRE(router.reaches_generation(static_cast<std::uint64_t>(generation)));
  }
  CHECK(c.ask(keyed("GET /")).status() == 200);  // the client's connection has lived through all of it
  CHECK(connections == 1);
}

/// A setting, a change of it, and what a request sees before and after.
struct setting_case {
  std::string_view says;
  void (*change)(router_config&);
  std::string_view ask;  ///< the request's fields
  int status_before;
  int status_after;
  std::string_view field_after;  ///< a field that only the second answer has
};

const setting_case setting_cases[] = {
    {"the key's header", [](router_config& c) { c.key = "sources: [{header: {name: X-Tenant}}]"; },
     "X-Routing-Key: acme\r\n", 200, 400, ""},
    {"methods", [](router_config& c) { c.http = "methods: [POST]"; }, "X-Routing-Key: acme\r\n", 200, 405, "Allow"},
    {"the size of a head", [](router_config& c) { c.http = "max_field_bytes: 256"; },
     "X-Routing-Key: acme\r\nX-Long: "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
     200, 431, ""},
    {"decision headers", [](router_config& c) { c.decision = "route_decision: true"; }, "X-Routing-Key: acme\r\n", 200,
     200, "X-Route-Decision"},
    {"the largest content", [](router_config& c) { c.defaults = "limits: {max_request_body: 1}"; },
     "X-Routing-Key: acme\r\nContent-Length: 2\r\n", 200, 413, ""},
    {"the request id's header", [](router_config& c) { c.http = "request_id: {header: X-Trace}"; },
     "X-Routing-Key: acme\r\n", 200, 200, "X-Trace"},
};

TEST_CASE("reload: settings count for the next request, on a connection that is open already") {
  fake_cell one(says{"one"});
  for (const setting_case& row : setting_cases) {
    CAPTURE(row.says);
    router_config config = config_of(one.port(), one.port(), "acme: tier1");
    router_process router(config);
    client c(router.port());
    const std::string content = row.ask.find("Content-Length") == std::string_view::npos ? "" : "xx";
    const message before = c.ask(request("GET /", row.ask) + content);
    CHECK(before.status() == row.status_before);
    row.change(config);
    router.edit(config);
    REQUIRE(router.reaches_generation(2));
    std::this_thread::sleep_for(100ms);  // a tick of the worker
    const message after = c.ask(request("GET /", row.ask) + content);
    CHECK(after.status() == row.status_after);
    if (!row.field_after.empty()) {
      CHECK(before.head.value(row.field_after).empty());
      CHECK_FALSE(after.head.value(row.field_after).empty());
    }
  }
}

std::string with_listeners(const router_config& config, std::string_view listeners) {
  std::string yaml = config.yaml();
  const std::size_t begin = yaml.find("listeners: ");
  return yaml.replace(begin, yaml.find('\n', begin) - begin, "listeners: [" + std::string(listeners) + "]");
}

TEST_CASE("reload: listeners come and go, and what runs on one that goes is finished") {
  std::atomic<bool> may_answer{false};
  fake_cell cell([&](cell_connection& c) {
    message request;
    while (c.read_request(request)) {
      if (request.head.target() == "/slow") (void)eventually([&] { return may_answer.load(); });
      c.answer("200 OK", "here");
    }
  });
  const router_config config = config_of(cell.port(), cell.port(), "acme: tier1");
  router_process router(config);
  const std::string web = R"({name: web, address: "127.0.0.1:0"})";
  router.edit(with_listeners(config, web + R"(, {name: more, address: "127.0.0.1:0"})"));
  const auto line = router.process().wait_line(R"("listener":"more")");
  REQUIRE(line);
  const std::string address = log_line(*line)["address"];
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  REQUIRE(eventually([&] { return ask(port, keyed("GET /")).status() == 200; }));
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
  CHECK(router.metric("gateway_connections_opened_total", {"listener=\"more\""}) >= 1);

  client idle(port);
  CHECK(idle.ask(keyed("GET /")).status() == 200);
  message slow;
  std::thread asking([&] { slow = ask(port, keyed("GET /slow")); });
  REQUIRE(eventually([&] { return router.metric("gateway_active_requests") == 1; }));
  router.edit(with_listeners(config, web));
  CHECK(router.process().wait_line(R"("event":"listener_closed")"));
  CHECK(eventually([&] { return !ask(port, keyed("GET /")).complete; }));  // nobody listens there any more
  CHECK(eventually([&] { return router.metric("gateway_active_connections", {"listener=\"more\""}) == 1; }));
  may_answer = true;
  asking.join();
  CHECK(slow.status() == 200);
  CHECK(eventually([&] { return router.metric("gateway_active_connections", {"listener=\"more\""}) == 0; }));
  CHECK(ask(router.port(), keyed("GET /")).status() == 200);
}

TEST_CASE("reload: a port that cannot be had refuses the whole, and opens none of the others") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  router_process router(config);
  config.keys = "acme: tier3";
  const std::string taken = std::to_string(one.port());
  router.edit(with_listeners(config, R"({name: web, address: "127.0.0.1:0"}, {name: good, address: "127.0.0.1:0"}, )"
                                     R"({name: bad, address: "127.0.0.1:)" +
                                         taken + R"("})"));
  const auto line = router.process().wait_line(R"("event":"config_rejected")");
  REQUIRE(line);
  CHECK(line->find("cannot listen on 127.0.0.1:" + taken) != std::string::npos);
  CHECK(cell_of(router, "acme") == "one");
  CHECK(router.metric("gateway_config_generation") == 1);
  CHECK_FALSE(router.process().find_line(R"("listener":"good")"));
}

TEST_CASE("reload: a port that is free again is taken without being asked, and told of once before") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.reload = "poll: 100ms, backoff_on_error: 0s";
  router_process router(config);
  descriptor holder = listen_on_loopback(1, unused_port());
  REQUIRE(holder);
  config.keys = "acme: tier3";
  router.edit(with_listeners(config, R"({name: web, address: "127.0.0.1:0"}, {name: more, address: "127.0.0.1:)" +
                                         std::to_string(port_of(holder)) + R"("}, )"));
  REQUIRE(router.process().wait_line(R"("event":"config_rejected")"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // some polls that try again
  CHECK(router.metric("gateway_config_apply_total", {R"(result="rejected")"}) == 1);
  CHECK(cell_of(router, "acme") == "one");
  holder.reset();
  CHECK(eventually([&] { return cell_of(router, "acme") == "two"; }));
  CHECK(router.admin("/debug/config").content.find("\"rejected\":{") == std::string::npos);
}

TEST_CASE("reload: what only a restart changes is named, and the rest counts") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  router_process router(config);
  config.workers = 2;
  config.keys = "acme: tier3";
  router.edit(config);
  CHECK(eventually([&] { return cell_of(router, "acme") == "two"; }));
  const auto line = router.process().wait_line(R"("event":"restart_needed")");
  REQUIRE(line);
  CHECK(line->find(R"("settings":["process.workers"])") != std::string::npos);
}

TEST_CASE("reload: under load no request fails, and each sees one configuration") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config = config_of(one.port(), two.port(), "acme: tier1");
  config.decision = "route_decision: true";
  config.workers = 2;
  config.log = "access: {output: \"off\"}";
  config.reload = "debounce: 10ms";
  router_process router(config);
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      client c(router.port());
      while (!stop) {
        const message answer = c.ask(keyed("GET /"));
        const std::string decision(answer.head.value("X-Route-Decision"));
        const std::size_t at = decision.find("gen=");
        const bool is_odd = at != std::string::npos && std::stoull(decision.substr(at + 4)) % 2 == 1;
        const bool fits = answer.content == (is_odd ? "one" : "two") &&
                          answer.head.value("X-Routed-To") == (is_odd ? "tier1" : "tier3");
        if (!answer.complete || answer.status() != 200 || !fits) ++wrong;
        ++answered;
      }
    });
  }
  for (std::uint64_t generation = 2; generation < 12; ++generation) {
    config.keys = generation % 2 == 1 ? "acme: tier1" : "acme: tier3";
    router.edit(config);
    CHECK(router.reaches_generation(generation));
  }
  stop = true;
  for (std::thread& c : clients) c.join();
  MESSAGE(answered.load() << " requests, " << wrong.load() << " failed or mixed");
  CHECK(answered > 100);
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace cellroute::system_test
