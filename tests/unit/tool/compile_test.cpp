// Key files, compiled by the tool and opened by what routes.
#include <doctest/doctest.h>

#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/tool/tool.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/table_file.hpp"
#include "cellroute/table/key_table.hpp"
#include "tests/support/scratch_folder.hpp"

namespace cellroute::tool {
namespace {

class workshop {
 public:
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(folder_.file(name), std::ios::binary) << text;
  }
  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  [[nodiscard]] std::string read(std::string_view name) const {
    return wire::read_file(file(name)).has_value() ? *wire::read_file(file(name)) : "";
  }

  /// Files are named from the folder; so are they in what is said.
  [[nodiscard]] outcome run(std::vector<std::string> words) const {
    for (std::string& word : words) {
      if (word.find('.') != std::string::npos) word = file(word);
    }
    outcome done = tool::run(words, {"1", "c", std::nullopt});
    for (std::string* text : {&done.output, &done.errors}) {
      for (std::size_t at = text->find(folder_.path().string()); at != std::string::npos;
           at = text->find(folder_.path().string())) {
        text->erase(at, folder_.path().string().size() + 1);
      }
    }
    return done;
  }

  /// A configuration with tier1 and tier3 that names these key files.
  void configure(std::string_view files, std::string_view inline_keys = "") const {
    write("c.yaml", "routing:\n  default_placement: tier3\n  keys:\n    files: [" + std::string(files) +
                        "]\n    inline: {" + std::string(inline_keys) +
                        "}\nplacements:\n  tier1: {endpoints: [{url: \"http://h\"}]}\n"
                        "  tier3: {endpoints: [{url: \"http://i\"}]}\n");
  }
  /// The placement that a key leads to, or all that is said.
  [[nodiscard]] std::string placement_of(std::string key) const {
    const outcome done = run({"explain", std::move(key), "-c", "c.yaml"});
    const std::size_t at = done.output.find("placement");
    if (done.exit_code != 0 || at == std::string::npos) return done.output + done.errors;
    const std::size_t start = done.output.find_first_not_of(' ', at + 9);
    return done.output.substr(start, done.output.find_first_of(" ,\n", start) - start);
  }

 private:
  support::scratch_folder folder_;
};

TEST_CASE("compile: files of every format become one table, which routes like them") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\n");
  w.write("b.csv", "key,placement\n\"vi,sa\",tier3\n");
  w.write("c.jsonl", "{\"key\":\"hooli\",\"placement\":\"tier1\"}\n{\"key\":\"x\\n\",\"placement\":\"ti\\u0065r3\"}\n");
  const outcome done = w.run({"compile", "a.tsv", "b.csv", "c.jsonl", "-o", "k.ctab"});
  CHECK(done.output == "k.ctab: 4 keys, 2 placements\n");
  CHECK(done.errors.empty());
  w.configure("k.ctab");
  CHECK(w.run({"check", "c.yaml"}).output == "c.yaml: valid; 4 keys, 2 placements, 2 cells, 2 endpoints\n");
  CHECK(w.placement_of("acme") == "tier1");
  CHECK(w.placement_of("hooli") == "tier1");
  CHECK(w.placement_of("initech") == "tier3");
}

TEST_CASE("compile: the same files make the same bytes, and no other file is left") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\nvisa\ttier3\n");
  CHECK(
      w.run({"compile", "a.tsv", "-o", "1.ctab", "--json"}).output.ends_with("\"keys\": 2,\n  \"placements\": 2\n}\n"));
  CHECK(w.run({"compile", "a.tsv", "-o", "2.ctab"}).exit_code == 0);
  CHECK(w.read("1.ctab") == w.read("2.ctab"));
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(w.file(""))) ++count;
  CHECK(count == 3);
}

TEST_CASE("compile: what is wrong is told with its place, and an old table stays") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\nvisa tier3\nacme\ttier3\n");
  w.write("k.ctab", "old");
  const outcome bad = w.run({"compile", "a.tsv", "-o", "k.ctab"});
  CHECK(bad.exit_code == 1);
  CHECK(bad.errors == "a.tsv:2:1: has no tab; write the key, a tab, the placement\n");
  w.write("a.tsv", "acme\ttier1\nvisa\ttier3\n");
  w.write("b.tsv", "\nacme\ttier3\n");
  const outcome twice = w.run({"compile", "a.tsv", "b.tsv", "-o", "k.ctab"});
  CHECK(twice.exit_code == 1);
  CHECK(twice.errors == "b.tsv:2:1: the key \"acme\" stands in a.tsv:1, too; keep one of them\n");
  w.write("b.tsv", "x\ta b\n");
  CHECK(w.run({"compile", "b.tsv", "-o", "k.ctab"})
            .errors.starts_with("b.tsv:1:1: the placement \"a b\" has a byte that cannot stand in a header"));
  CHECK(w.run({"compile", "none.tsv", "-o", "k.ctab"}).errors == "none.tsv: no such file\n");
  CHECK(w.run({"compile", "none.tsv", "-o", "k.ctab"}).exit_code == 2);
  CHECK(w.run({"compile", "a.tsv"}).exit_code == 2);
  CHECK(w.read("k.ctab") == "old");
  CHECK(w.run({"compile", "a.tsv", "-o", "no/k.ctab"}).exit_code == 1);
}

TEST_CASE("compile: a table is joined with the other files and the inline keys; a key in two of them names both") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\nvisa\ttier3\nglobex\ttier3\n");
  w.write("b.tsv", "hooli\ttier1\n");
  w.write("c.tsv", "umbra\ttier1\n");
  REQUIRE(w.run({"compile", "a.tsv", "-o", "a.ctab"}).exit_code == 0);
  REQUIRE(w.run({"compile", "b.tsv", "-o", "b.ctab"}).exit_code == 0);
  w.configure("b.ctab, c.tsv, a.ctab", "initech: tier1");
  CHECK(w.run({"check", "c.yaml"}).output == "c.yaml: valid; 6 keys, 2 placements, 2 cells, 2 endpoints\n");
  for (const char* const key : {"acme", "hooli", "umbra", "initech"}) CHECK(w.placement_of(key) == "tier1");
  for (const char* const key : {"visa", "globex", "nobody"}) CHECK(w.placement_of(key) == "tier3");

  w.write("c.tsv", "x\ttier1\nacme\ttier1\n");
  w.configure("b.ctab, c.tsv, a.ctab", "visa: tier1, y: tier1");
  CHECK(w.run({"check", "c.yaml"}).errors ==
        "c.yaml:5:14: routing.keys.inline.visa: the key \"visa\" stands in a.ctab, too; keep one of them\n"
        "c.tsv:2:1: the key \"acme\" stands in a.ctab, too; keep one of them\n");
  w.write("b.tsv", "globex\ttier1\n");
  REQUIRE(w.run({"compile", "b.tsv", "-o", "b.ctab"}).exit_code == 0);
  w.configure("b.ctab, a.ctab");
  CHECK(w.run({"check", "c.yaml"}).errors ==
        "a.ctab:1:1: the key \"globex\" stands in b.ctab, too; keep one of them\n");
}

TEST_CASE("compile: a table of somebody else's that names a placement twice gives no other key that placement") {
  const workshop w;
  const std::vector<key_row> rows = {{"acme", 0}, {"visa", 1}};
  const std::vector<std::string_view> names = {"tier1", "tier1"};
  const auto table = key_table::build(rows, 1, names);
  REQUIRE(table);
  REQUIRE(wire::write_table_file(w.file("a.ctab"), *table));
  w.configure("a.ctab", "initech: tier3, hooli: tier1");
  CHECK(w.placement_of("visa") == "tier1");
  CHECK(w.placement_of("initech") == "tier3");
  CHECK(w.placement_of("hooli") == "tier1");
}

TEST_CASE("compile: a table is known by what it begins with, and checked whatever it is called") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\n");
  REQUIRE(w.run({"compile", "a.tsv", "-o", "a.ctab"}).exit_code == 0);
  const std::string good = w.read("a.ctab");
  w.write("table.tsv", good);
  w.configure("table.tsv");
  CHECK(w.placement_of("acme") == "tier1");

  std::string turned = good;
  turned[200] ^= 1;
  const std::pair<std::string, std::string_view> cases[] = {
      {"acme\ttier1\n", "too_short"},
      {good.substr(0, good.size() - 64), "bad_size"},
      {turned, "bad_checksum"},
      {std::string(400, 'x'), "bad_magic"},
  };
  w.configure("a.ctab");
  for (const auto& [bytes, reason] : cases) {
    w.write("a.ctab", bytes);
    CHECK(w.run({"check", "c.yaml"}).errors ==
          "a.ctab:1:1: is no compiled table that can be used here (" + std::string(reason) + "); compile it again\n");
  }
}

TEST_CASE("quarantine: check names the bad rows, explain says why a key has none, and one good row must be left") {
  const workshop w;
  w.write("a.tsv", "acme\ttier1\nvisa\tgold\nhooli\ttier1\n");
  w.write("b.tsv", "hooli\ttier3\nglobex\ttier1\n");
  const std::string text =
      "routing:\n  on_invalid_row: quarantine\n  default_placement: tier3\n  keys: {files: [a.tsv, b.tsv]}\n"
      "placements:\n  tier1: {endpoints: [{url: \"http://h\"}]}\n  tier3: {endpoints: [{url: \"http://i\"}]}\n";
  w.write("c.yaml", text);
  const outcome checked = w.run({"check", "c.yaml"});
  CHECK(checked.exit_code == 0);
  CHECK(checked.output == "c.yaml: valid; 3 keys, 2 placements, 2 cells, 2 endpoints\n");
  CHECK(checked.errors ==
        "quarantined: a.tsv:2:6: names the placement \"gold\", which there is not\n"
        "quarantined: b.tsv:1:1: the key \"hooli\" stands in a.tsv:3, too; keep one of them\n");
  CHECK(w.placement_of("hooli") == "tier1");
  CHECK(w.placement_of("visa") == "tier3");
  CHECK(w.run({"explain", "visa", "-c", "c.yaml"})
            .output.ends_with("\nquarantined a.tsv:2:6: names the placement \"gold\", which there is not\n"));
  CHECK(w.run({"explain", "visa", "-c", "c.yaml", "--json"}).output.find("\"quarantined\": ") != std::string::npos);
  CHECK(w.run({"explain", "acme", "-c", "c.yaml"}).output.find("quarantined") == std::string::npos);

  w.write("c.yaml", text + "key: {on_unknown: reject}\n");
  CHECK(w.run({"explain", "visa", "-c", "c.yaml"}).errors.starts_with("quarantined a.tsv:2:6: "));
  w.write("a.tsv", "visa\tgold\n");
  w.write("b.tsv", "hooli\tgold\n");
  CHECK(w.run({"check", "c.yaml"}).errors ==
        "a.tsv:1:6: names the placement \"gold\", which there is not\n"
        "b.tsv:1:7: names the placement \"gold\", which there is not\n"
        "c.yaml:2:3: routing.on_invalid_row: leaves no row: every one is bad\n");
}

TEST_CASE("compile: a table that leads to no placement names itself and the placement") {
  const workshop w;
  w.write("a.tsv", "acme\tgold\nvisa\ttier1\n");
  REQUIRE(w.run({"compile", "a.tsv", "-o", "a.ctab"}).exit_code == 0);
  w.configure("a.ctab");
  CHECK(w.run({"check", "c.yaml"}).errors ==
        "a.ctab:1:1: leads keys to the placement \"gold\", which there is not; add it, or compile the file again\n");
}

}  // namespace
}  // namespace cellroute::tool
