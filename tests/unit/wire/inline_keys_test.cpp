#include "adapters/wire/inline_keys.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "adapters/wire/config_file.hpp"
#include "adapters/wire/configuration.hpp"
#include "adapters/wire/text_scan.hpp"

namespace cellroute::wire {
namespace {

constexpr std::string_view cells = R"("placements": {
  "a": {"endpoints": [{"url": "http://10.0.0.1"}]},
  "b": {"endpoints": [{"url": "http://10.0.0.2"}]}}})";

std::string with_rows(std::string_view rows) {
  return "{\"routing\": {\"default_placement\": \"a\", \"keys\": {\"inline\": {\n" + std::string(rows) + "}}},\n" +
         std::string(cells);
}

/// `key>placement@line:column` of each row, or the mistakes, a line each.
std::string rows_read_in(const std::string& text, std::string_view name = "t.json") {
  const auto read = read_configuration(text, name);
  std::string said;
  if (!read) {
    for (const diagnostic& d : read.error()) said += (said.empty() ? "" : "\n") + to_string(d);
    return said;
  }
  const std::vector<key_row>& rows = read->inline_keys.rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t wanted[] = {i};
    const position at = places_of(read->inline_keys, wanted).front();
    said += (said.empty() ? "" : " ") + std::string(rows[i].key) + ">" +
            read->spec.placements[rows[i].outcome].id.value + "@" + std::to_string(at.line) + ":" +
            std::to_string(at.column);
  }
  return said;
}

struct row_case {
  std::string_view says;
  std::string_view rows;
  std::string_view expected;
};

const row_case row_cases[] = {
    {"no rows", "", ""},
    {"a name, and a map of a name", R"("x": "a", "y": {"placement": "b"})", "x>a@2:1 y>b@2:11"},
    {"white space in every place", "\r\n\t \"x\" :\n{ \"placement\"\t: \"b\" }\n, \"y\":\"a\"\n", "x>b@3:3 y>a@5:3"},
    {"columns count characters", "\"\xc3\xa9\": \"a\", \"z\": \"b\"", "\xc3\xa9>a@2:1 z>b@2:11"},
    {"what has an escape comes another way, with the same meaning", R"("\u0078": "a", "y": "\u0062", "z": "a")",
     "z>a@2:31 x>a@2:1 y>b@2:16"},
    {"a name that looks like the map's one member", R"("placement": "a")", "placement>a@2:1"},

    {"no such placement", "\"x\": \"a\",\n \"y\": \"gold\"",
     "t.json:3:2: routing.keys.inline.y: no placement is named \"gold\"; add it or name another"},
    {"no such placement, in a map", R"("y": {"placement": "gold"})",
     "t.json:2:1: routing.keys.inline.y: no placement is named \"gold\"; add it or name another"},
    {"twice", "\"x\": \"a\",\n\"y\": \"a\",\n\"x\": \"b\"",
     "t.json:4:1: routing.keys.inline.x: already given in line 2; remove one of them"},
    {"twice, once in a map", R"("x": "a", "x": {"placement": "a"})",
     "t.json:2:11: routing.keys.inline.x: already given in line 2; remove one of them"},
    {"twice, once with an escape", "\"x\": \"a\",\n\"\\u0078\": \"a\"",
     "t.json:3:1: routing.keys.inline.x: already given in line 2; remove one of them"},
    {"an empty key", R"("": "a")",
     "t.json:2:1: routing.keys.inline.: the key is empty; a request without a key is answered 400"},
    {"an empty name", R"("x": "")", "t.json:2:6: routing.keys.inline.x: must be the name of a placement"},
    {"a list, a number", "\"x\": [\"a\"],\n\"y\": null",
     "t.json:2:6: routing.keys.inline.x: must be the name of a placement\n"
     "t.json:3:6: routing.keys.inline.y: must be the name of a placement"},
    {"an attribute that is none", R"("x": {"placement": "a", "colour": "red"})",
     "t.json:2:25: routing.keys.inline.x.colour: unknown key; known here: placement"},
    {"no placement in a map", R"("x": {})",
     "t.json:2:6: routing.keys.inline.x.placement: is missing; add one, such as placement: tier1"},
    {"a member twice in a map", R"("x": {"placement": "a", "placement": "b"})",
     "t.json:2:25: routing.keys.inline.x.placement: already given in line 2; remove one of them"},
    {"all at once, and what is wrong elsewhere", "\"x\": \"gold\",\n\"y\": 1, \"z\": \"a\",\n\"z\": \"a\"",
     "t.json:2:1: routing.keys.inline.x: no placement is named \"gold\"; add it or name another\n"
     "t.json:3:1: routing.keys.inline.y: no placement is named \"1\"; add it or name another\n"
     "t.json:4:1: routing.keys.inline.z: already given in line 3; remove one of them"},

    {"a comma at the end", R"("x": "a",)", "t.json:2:10: this is not JSON: `,` before `}`; remove it"},
    {"no comma", R"("x": "a" "y": "a")", "t.json:2:10: this is not JSON: expected `,` or `}`"},
    {"no colon", R"("x" "a")", "t.json:2:5: this is not JSON: expected `:` behind the key"},
    {"no colon in a map", R"("x": {"placement" "a"})", "t.json:2:19: this is not JSON: expected `:` behind the key"},
    {"a key without quotes", R"(x: "a")", "t.json:2:1: this is not JSON: expected a key in double quotes"},
    {"a line end in a key", "\"x\n\": \"a\"",
     "t.json:2:3: a control character stands in a text; write it as an escape such as \\n"},
    {"no UTF-8", "\"x\xff\": \"a\"", "t.json:2:3: byte 0xff is not text; save the file as UTF-8"},
};

TEST_CASE("inline keys: what rows of JSON say, and what is wrong with them") {
  for (const row_case& row : row_cases) {
    CAPTURE(row.says);
    CHECK(rows_read_in(with_rows(row.rows)) == row.expected);
  }
}

TEST_CASE("inline keys: rows of JSON have no nodes") {
  const auto read = read_configuration(with_rows(R"("x": "a", "y": {"placement": "b"}, "\u007a": "a")"), "t.json");
  REQUIRE(read.has_value());
  CHECK(read->inline_keys.rows.size() == 3);
  CHECK(read->source.find("routing")->find("keys")->find("inline")->children.size() == 1);
}

TEST_CASE("inline keys: bad rows can be set apart, in JSON and in YAML") {
  const std::string json =
      "{\"routing\": {\"on_invalid_row\": \"quarantine\", \"default_placement\": \"a\", \"keys\": {\"inline\": {\n"
      "\"x\": \"a\",\n\"y\": \"gold\", \"\\u007a\": \"b\",\n\"x\": \"b\",\n\"u\": [], \"\": \"a\",\n"
      "\"w\": {\"placement\": \"a\", \"colour\": 1}}}},\n" +
      std::string(cells);
  const std::string yaml =
      "routing:\n  on_invalid_row: quarantine\n  default_placement: a\n  keys:\n    inline:\n"
      "      x: a\n      y: gold\n      z: b\n      x: b\n      u: []\n      \"\": a\n"
      "      w: {placement: a, colour: 1}\n"
      "placements: {a: {endpoints: [{url: \"http://h\"}]}, b: {endpoints: [{url: \"http://i\"}]}}\n";
  for (const auto& [text, name] : {std::pair(json, "t.json"), std::pair(yaml, "t.yaml")}) {
    CAPTURE(name);
    const auto read = read_configuration(text, name);
    REQUIRE(read.has_value());
    std::string served;
    for (const key_row& row : read->inline_keys.rows) {
      served += std::string(row.key) + ">" + read->spec.placements[row.outcome].id.value + " ";
    }
    CHECK(served == "x>a z>b ");
    CHECK(read->quarantined.size() == 5);
    for (const char* const key : {"x", "y", "u", "", "w"}) {
      CAPTURE(key);
      REQUIRE(read->quarantined.find(key) != nullptr);
    }
    CHECK(read->quarantined.find("y")->told.what == "no placement is named \"gold\"; add it or name another");
    CHECK(read->quarantined.find("x")->told.what.starts_with("already given in line "));
    const std::size_t last[] = {read->inline_keys.rows.size() - 1};
    CHECK(places_of(read->inline_keys, last).front().line == (name == std::string("t.json") ? 3u : 8u));
  }
  CHECK(rows_read_in(json + "x").find("there is more behind the end of the document") !=
        std::string::npos);  // the syntax of the whole must be good
}

TEST_CASE("inline keys: only the map at their path has rows") {
  CHECK(rows_read_in(R"({"routing": {"default_placement": "a", "keys": {"files": [], "inline": {"x": "b"}}},
"keys": {"inline": {"x": "a"}}, )" +
                     std::string(cells)) == "t.json:2:1: keys: unknown key; did you mean key?");
}

TEST_CASE("inline keys: a mark in front of the text moves nothing") {
  CHECK(rows_read_in("\xef\xbb\xbf" + with_rows("\"x\": \"b\"")) == "x>b@2:1");
}

TEST_CASE("inline keys: YAML has the same rows") {
  CHECK(rows_read_in("routing:\n  default_placement: a\n  keys: {inline: {x: a, y: {placement: b}}}\n"
                     "placements: {a: {endpoints: [{url: \"http://h\"}]}, b: {endpoints: [{url: \"http://i\"}]}}\n",
                     "t.yaml") == "x>a@3:19 y>b@3:25");
}

TEST_CASE("inline keys: of many rows one that stands twice is told when they become a table, with both places") {
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += "\"k" + std::to_string(i) + "\": \"a\",\n";
  auto read = read_configuration(with_rows(rows + "\"k7\": \"b\""), "t.json");
  REQUIRE(read.has_value());
  const auto table = compile(*read, generation_number{1}, 0);
  REQUIRE_FALSE(table.has_value());
  REQUIRE(table.error().size() == 1);
  CHECK(to_string(table.error().front()) ==
        "t.json:20002:1: routing.keys.inline.k7: already given in line 9; remove one of them");
}

TEST_CASE("inline keys: of many rows with other mistakes those that stand twice are told, too") {
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += "\"k" + std::to_string(i) + "\": \"a\",\n";
  CHECK(rows_read_in(with_rows(rows + "\"k7\": \"b\", \"x\": \"gold\"")) ==
        "t.json:20002:1: routing.keys.inline.k7: already given in line 9; remove one of them\n"
        "t.json:20002:12: routing.keys.inline.x: no placement is named \"gold\"; add it or name another");
}

TEST_CASE("inline keys: more mistakes than are kept are counted") {
  std::string rows;
  for (int i = 0; i < 12'000; ++i) rows += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\": \"gold\"";
  const auto read = read_configuration(with_rows(rows), "t.json");
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().size() == mistakes_max + 1);
  CHECK(read.error().back().what == "11000 more mistakes follow; correct these first");
}

TEST_CASE("text scan: a search by words finds what a search by bytes finds") {
  std::string text(64, 'x');
  for (const char wanted : {'"', '\\', '\n', '\0', '\x1f', '\x7f', '\x80', '\xff', '!', ']'}) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (const char behind : {'x', '"', '\x01', '\xff', '!'}) {
        std::string one = text;
        one[i] = wanted;
        if (i + 1 < one.size()) one[i + 1] = behind;
        for (std::size_t start = 0; start <= i; start += 3) {
          const auto is_end = [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; };
          const auto is_other = [](char c) { return c == '\0' || static_cast<unsigned char>(c) >= 0x80; };
          std::size_t end = start;
          while (end < one.size() && !is_end(one[end])) ++end;
          std::size_t other = start;
          while (other < one.size() && !is_other(one[other])) ++other;
          REQUIRE(find_text_end(one, start) == end);
          REQUIRE(skip_ascii(one, start) == other);
        }
        REQUIRE(count_line_ends(one) == (wanted == '\n' ? 1u : 0u));
      }
    }
  }
  CHECK(count_line_ends(std::string(1001, '\n')) == 1001);
}

}  // namespace
}  // namespace cellroute::wire
