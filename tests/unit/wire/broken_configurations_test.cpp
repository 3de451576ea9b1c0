// Hundreds of configurations with one mistake each: what is said has the right place and the right words, and nothing
// else is said.
#include "tests/support/broken_configurations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/field_names.hpp"
#include "adapters/wire/key_file.hpp"

namespace cellroute::wire {
namespace {

using support::broken_configuration;
using support::notation;

std::string all_lines(const diagnostics& found) {
  std::string lines;
  for (const diagnostic& d : found) lines += to_string(d) + "\n";
  return lines;
}

TEST_CASE("broken configurations: the good one is good, in both notations") {
  for (const notation how : {notation::yaml, notation::json}) {
    const support::written_document good(support::good_configuration(), how);
    const auto read = read_configuration(good.text(), how == notation::yaml ? "good.yaml" : "good.json");
    CHECK_MESSAGE(read.has_value(), (read ? "" : all_lines(read.error())) << good.text());
  }
}

TEST_CASE("broken configurations: each mistake is told at its place, in its words, and alone") {
  const auto all = support::broken_configurations();
  for (const broken_configuration& broken : all) {
    CAPTURE(broken.says);
    CAPTURE(broken.file);
    CAPTURE(broken.path);
    CAPTURE(broken.words);
    const auto read = read_configuration(broken.text, broken.file);
    REQUIRE_FALSE(read.has_value());
    CAPTURE(all_lines(read.error()));
    CHECK(read.error().size() == 1);
    const diagnostic& told = read.error().front();
    CHECK(told.path == broken.path);
    CHECK(told.line == broken.place.line);
    CHECK(told.column == broken.place.column);
    CHECK(told.what.find(broken.words) != std::string::npos);
  }
  MESSAGE(all.size() << " broken configurations");
  CHECK(all.size() >= 500);
}

TEST_CASE("broken configurations: every field of the schema that has a choice is broken") {
  std::set<std::string> broken;
  for (const support::breakable_field& field : support::breakable_fields()) broken.insert(field.path);
  const auto fields = field_names();
  for (const auto& [path, kind] : fields) {
    if (kind == field_kind::fixed || has_fields_below(fields, path)) continue;
    // What stands below may be asked for only beside a certain value of another field.
    const bool is_broken = std::ranges::any_of(
        broken, [&path](const std::string& one) { return one == path || one.starts_with(path + "."); });
    CHECK_MESSAGE(is_broken, path << " is missing in tests/support/broken_configurations.hpp; add it");
  }
  for (const std::string& path : broken) {
    const bool is_known = fields.contains(path) || fields.contains(std::string(outer_path(path)));
    CHECK_MESSAGE(is_known, path << " is no field of the schema");
  }
}

TEST_CASE("broken configurations: a file that was cut off is refused, at a place that it has") {
  std::size_t count = 0;
  for (const notation how : {notation::yaml, notation::json}) {
    support::piece good = support::good_configuration();
    // Beside a control plane a file without `routing` is whole.
    std::erase_if(good.parts, [](const auto& part) { return part.first == "control_plane"; });
    const std::string whole = support::written_document(good, how).text();
    const std::size_t last = whole.find_last_not_of('\n');
    for (std::size_t size = 0; size <= last; size += 3) {  // with the last byte it is whole
      const std::string cut = whole.substr(0, size);
      CAPTURE(cut);
      const auto read = read_configuration(cut, how == notation::yaml ? "cut.yaml" : "cut.json");
      REQUIRE_FALSE(read.has_value());
      const auto lines = static_cast<std::size_t>(std::ranges::count(cut, '\n')) + 1;
      for (const diagnostic& d : read.error()) {
        CHECK(d.line >= 1);
        CHECK(d.line <= lines);
        std::size_t begin = 0;
        for (std::size_t i = 1; i < d.line; ++i) begin = cut.find('\n', begin) + 1;
        CHECK(d.column <= std::min(cut.find('\n', begin), cut.size()) - begin + 1);
        CHECK_FALSE(d.what.empty());
      }
      ++count;
    }
  }
  MESSAGE(count << " files that were cut off");
  CHECK(count >= 500);
}

/// A row that a key file must not have.
struct bad_row {
  std::string_view says;
  std::string_view ending;
  std::string row;
  std::size_t column;
  std::string_view words;
};

const bad_row bad_rows[] = {
    {"no tab", ".tsv", "acme tier1", 1, "has no tab; write the key, a tab, the placement"},
    {"an empty key", ".tsv", "\ttier1", 1, "has an empty key"},
    {"no placement", ".tsv", "acme\t", 6, "names no placement"},
    {"a placement that is none", ".tsv", "acme\tnowhere", 6, "names the placement \"nowhere\", which there is not"},
    {"a placement with a space", ".tsv", "acme\ttier1 ", 6, "names the placement \"tier1 \", which there is not"},
    {"a key that is too long", ".tsv", std::string(257, 'k') + "\ttier1", 1, "has a key of 257 bytes; at most 256"},
    {"an attribute that is none", ".tsv", "acme\ttier1\tcolour=red", 12, "\"colour\" is no attribute of a row"},
    {"too few fields", ".csv", "acme", 1, "has 1 fields, not 2 as the first line"},
    {"too many fields", ".csv", "acme,tier1,x", 1, "has 3 fields, not 2 as the first line"},
    {"an empty key in a column", ".csv", ",tier1", 1, "has an empty key"},
    {"no placement in a column", ".csv", "acme,", 6, "names no placement"},
    {"a placement in a column that is none", ".csv", "acme,nowhere", 6, "names the placement \"nowhere\""},
    {"a long key in a column", ".csv", std::string(257, 'k') + ",tier1", 1, "has a key of 257 bytes"},
    {"a list", ".jsonl", R"(["acme", "tier1"])", 1, R"(must be {"key": "NAME", "placement": "NAME"})"},
    {"no placement as a member", ".jsonl", R"({"key": "acme"})", 1, "must be {\"key\": \"NAME\""},
    {"a key that is a number", ".jsonl", R"({"key": 5, "placement": "tier1"})", 1, "must be {\"key\": \"NAME\""},
    {"an empty key as a member", ".jsonl", R"({"key": "", "placement": "tier1"})", 1, "has an empty key"},
    {"a member twice", ".jsonl", R"({"key": "a", "placement": "tier1", "key": "a"})", 36, "\"key\" stands twice"},
    {"an attribute as a member that is none", ".jsonl", R"({"key": "a", "placement": "tier1", "colour": "red"})", 36,
     "\"colour\" is no attribute of a row"},
    {"no JSON", ".jsonl", R"({"key": "acme", "placement": tier1})", 30, "this is not JSON"},
    {"JSON that ends too soon", ".jsonl", R"({"key": "acme", "placement": "tier1")", 37, "this is not JSON"},
};

TEST_CASE("broken configurations: a bad row of a key file is told with its line, wherever it stands, and alone") {
  const placement tier1{placement_id{"tier1"}, placement_kind::shared, cell_id{"tier1"}, {}};
  std::size_t count = 0;
  for (const bad_row& bad : bad_rows) {
    CAPTURE(bad.says);
    const std::size_t header = bad.ending == ".csv" ? 1 : 0;
    for (std::size_t place = 0; place < 5; ++place) {
      std::string text = header == 1 ? "key,placement\n" : "";
      for (std::size_t i = 0; i < 5; ++i) {
        if (i == place) text += bad.row + "\n";
        const std::string key = "good-" + std::to_string(i);
        text += bad.ending == ".tsv"   ? key + "\ttier1\n"
                : bad.ending == ".csv" ? key + ",tier1\n"
                                       : R"({"key": ")" + key + R"(", "placement": "tier1"})" + "\n";
      }
      key_file file;
      file.name = "keys" + std::string(bad.ending);
      file.text = std::make_unique<const std::string>(text);
      const diagnostics found = read_key_file(file, std::span(&tier1, 1));
      CAPTURE(all_lines(found));
      REQUIRE(found.size() == 1);
      CHECK(found.front().line == header + place + 1);
      CHECK(found.front().column == bad.column);
      CHECK(found.front().what.find(bad.words) != std::string::npos);
      ++count;
    }
  }
  MESSAGE(count << " key files with a bad row");
}

}  // namespace
}  // namespace cellroute::wire
