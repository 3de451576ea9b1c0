#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "adapters/wire/node.hpp"

namespace cellroute::wire {
namespace {

/// The tree on one line: texts in quotes where they were, every part with its place.
std::string shown(const node& n) {
  const auto place = [](position at) { return "@" + std::to_string(at.line) + ":" + std::to_string(at.column); };
  std::string inner;
  for (const node& child : n.children) {
    if (!inner.empty()) inner += ", ";
    if (n.kind == node_kind::map) inner += child.name + place(child.name_at) + "=";
    inner += shown(child);
  }
  switch (n.kind) {
    case node_kind::null:
      return "null" + place(n.at);
    case node_kind::plain:
      return n.text + place(n.at);
    case node_kind::quoted:
      return quote(n.text) + place(n.at);
    case node_kind::list:
      return "[" + inner + "]";
    case node_kind::map:
      return "{" + inner + "}";
  }
  return "";
}

std::string read_and_show(std::string_view text, std::string_view file_name) {
  auto tree = read_tree(text, file_name);
  diagnostics mistakes = tree ? take_duplicates(*tree, file_name) : tree.error();
  if (mistakes.empty()) return shown(*tree);
  sort_by_place(mistakes);
  std::string lines;
  for (const diagnostic& d : mistakes) lines += (lines.empty() ? "" : "\n") + to_string(d);
  return lines;
}

struct reader_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;
};

const reader_case yaml_cases[] = {
    {"a map of plain texts", "a: 1\nb: x", "{a@1:1=1@1:4, b@2:1=x@2:4}"},
    {"quotes tell text from what only looks like it", "a: '1'\nb: \"x\"", "{a@1:1=\"1\"@1:4, b@2:1=\"x\"@2:4}"},
    {"lists, both ways", "a: [1, 2]\nb:\n  - 3\n", "{a@1:1=[1@1:5, 2@1:8], b@2:1=[3@3:5]}"},
    {"maps, both ways", "a: {b: 1}\nc:\n  d: 2\n", "{a@1:1={b@1:5=1@1:8}, c@2:1={d@3:3=2@3:6}}"},
    {"nothing is at its key, not at what follows", "a:\nb: ~", "{a@1:1=null@1:1, b@2:1=null@2:4}"},
    {"columns count characters", "\xc3\xa9\xc3\xa9: x", "{\xc3\xa9\xc3\xa9@1:1=x@1:5}"},
    {"keys stay as they are written", "null: 1\n~: 2\nYes: 3\n1.10: 4",
     "{null@1:1=1@1:7, ~@2:1=2@2:4, Yes@3:1=3@3:6, 1.10@4:1=4@4:7}"},
    {"lines end in CR LF, too", "a: 1\r\nb: 2\r\n", "{a@1:1=1@1:4, b@2:1=2@2:4}"},
    {"a byte order mark is not text",
     "\xef\xbb\xbf"
     "a: 1",
     "{a@1:1=1@1:4}"},
    {"a doubled quote does not end a text", "a: 'it''s'", "{a@1:1=\"it's\"@1:4}"},
    {"one document may be marked", "---\na: 1\n...\n", "{a@2:1=1@2:4}"},
    {"empty is a list, and a map", "a: []\nb: {}", "{a@1:1=[], b@2:1={}}"},
};

const reader_case refused_yaml_cases[] = {
    {"nothing", "", "t.yaml:1:1: the file is empty; the smallest one has `routing` and `placements`"},
    {"only comments", "# a: 1\n", "t.yaml:1:1: the file is empty; the smallest one has `routing` and `placements`"},
    {"a tab indents nothing", "a: 1\n\tb: 2\n", "t.yaml:2:1: a tab stands before the text; indent with spaces"},
    {"a list that stays open", "a: [1, 2\n", "t.yaml:2:1: this is not YAML: a `]` is missing here or before"},
    {"two colons", "a: b: c", "t.yaml:1:5: this is not YAML: illegal map value"},
    {"something behind a quoted text", "a: \"x\" y", "t.yaml:1:8: this is not YAML: end of map not found"},
    {"a quote that stays open would swallow the rest", "a: \"x\n",
     "t.yaml:1:4: a text in quotes must end in its line; close the quote"},
    {"in single quotes, too", "a: 'x''\n", "t.yaml:1:4: a text in quotes must end in its line; close the quote"},
    {"the same key twice", "a: 1\nb: 2\na: 3", "t.yaml:3:1: a: already given in line 1; remove one of them"},
    {"the same key three times, deep down", "l:\n - x: {k: 1, \"k\": 2, k: 3}",
     "t.yaml:2:14: l[0].x.k: already given in line 2; remove one of them\nt.yaml:2:22: l[0].x.k: already given in line "
     "2; remove one of them"},
    {"anchors and aliases", "a: &x 1\nb: *x",
     "t.yaml:1:4: anchors and aliases are not supported; write the value out\nt.yaml:2:4: anchors and aliases are not "
     "supported; write the value out"},
    {"an alias of nothing", "a: *x", "t.yaml:1:4: this is not YAML: the referenced anchor is not defined"},
    {"merging is an alias", "a: &x {b: 1}\nc:\n  <<: *x",
     "t.yaml:1:4: anchors and aliases are not supported; write the value out\nt.yaml:3:7: anchors and aliases are not "
     "supported; write the value out"},
    {"a tag", "a: !!str 1", "t.yaml:1:4: tags are not supported; remove it"},
    {"a tag of one's own", "a: !secret [x]", "t.yaml:1:4: tags are not supported; remove it"},
    {"two documents", "a: 1\n---\nb: 2\n", "t.yaml:4:1: more than one document; keep one"},
    {"a list as a key", "? [a]\n: 1", "t.yaml:1:3: a key must be text; write it in one line before the colon"},
    {"not UTF-8", "a: \xff", "t.yaml:1:4: byte 0xff is not text; save the file as UTF-8"},
    {"UTF-8 written longer than needed", "a: \xc0\xaf", "t.yaml:1:4: byte 0xc0 is not text; save the file as UTF-8"},
    {"half a surrogate pair", "a: \xed\xa0\x80", "t.yaml:1:4: byte 0xed is not text; save the file as UTF-8"},
    {"UTF-16",
     std::string_view("\xff\xfe"
                      "a\0:\0",
                      6),
     "t.yaml:1:1: byte 0xff is not text; save the file as UTF-8"},
    {"NUL", std::string_view("a: x\0", 5), "t.yaml:1:5: byte 0x00 is not text; save the file as UTF-8"},
};

const reader_case json_cases[] = {
    {"every kind of value", "{\"a\": 1, \"b\": \"x\", \"c\": [true, null], \"d\": {}}",
     "{a@1:2=1@1:7, b@1:10=\"x\"@1:15, c@1:20=[true@1:26, null@1:32], d@1:39={}}"},
    {"numbers stay as they are written", "[0, -1, 1.50, 1e+9, 0E0]", "[0@1:2, -1@1:5, 1.50@1:9, 1e+9@1:15, 0E0@1:21]"},
    {"escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"]",
     "[\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\xc3\xa9\"@1:2]"},
    {"a pair of surrogates is one character", "[\"\\ud83d\\uDE00\"]", "[\"\xf0\x9f\x98\x80\"@1:2]"},
    {"white space, all four", "\n{\r\n\t\"a\" : 1 }\n ", "{a@3:2=1@3:8}"},
};

const reader_case refused_json_cases[] = {
    {"nothing", "", "t.json:1:1: the file is empty; the smallest one has `routing` and `placements`"},
    {"a comma at the end", "{\"a\": 1,}", "t.json:1:9: this is not JSON: `,` before `}`; remove it"},
    {"the same in a list", "[1,\n]", "t.json:2:1: this is not JSON: `,` before `]`; remove it"},
    {"no comma", "{\"a\": 1 \"b\": 2}", "t.json:1:9: this is not JSON: expected `,` or `}`"},
    {"no colon", "{\"a\" 1}", "t.json:1:6: this is not JSON: expected `:` behind the key"},
    {"a key without quotes", "{a: 1}", "t.json:1:2: this is not JSON: expected a key in double quotes"},
    {"a value without quotes", "{\"a\": x}",
     "t.json:1:7: this is not JSON: expected a value; text stands in double quotes"},
    {"single quotes", "{\"a\": 'x'}", "t.json:1:7: this is not JSON: expected a value; text stands in double quotes"},
    {"a comment", "{} // x", "t.json:1:4: there is more behind the end of the document; remove it"},
    {"two documents", "{}\n{}", "t.json:2:1: there is more behind the end of the document; remove it"},
    {"a map that stays open", "{\"a\": 1", "t.json:1:8: this is not JSON: a `}` is missing at the end"},
    {"a text that stays open", "{\"a\": \"x", "t.json:1:7: this text never ends; close it with a double quote"},
    {"a line end in a text", "{\"a\": \"x\n\"}",
     "t.json:1:9: a control character stands in a text; write it as an escape such as \\n"},
    {"a leading zero", "[01]", "t.json:1:2: this is not JSON: not a number"},
    {"a number without digits", "[-]", "t.json:1:2: this is not JSON: not a number"},
    {"a point without digits", "[1.]", "t.json:1:2: this is not JSON: not a number"},
    {"an exponent without digits", "[1e+]", "t.json:1:2: this is not JSON: not a number"},
    {"NaN", "[NaN]", "t.json:1:2: this is not JSON: expected a value; text stands in double quotes"},
    {"an unknown escape", "[\"\\x41\"]", "t.json:1:3: this is not JSON: unknown escape; a backslash is written \\\\"},
    {"an escape cut short", "[\"\\u00e\"]", "t.json:1:3: this is not JSON: \\u is followed by four hexadecimal digits"},
    {"the first half of a pair", "[\"\\ud83d\"]",
     "t.json:1:3: half of a surrogate pair; write both halves, or the character itself"},
    {"two first halves", "[\"\\ud83d\\ud83d\"]",
     "t.json:1:3: half of a surrogate pair; write both halves, or the character itself"},
    {"the second half of a pair", "[\"\\ude00\"]",
     "t.json:1:3: half of a surrogate pair; write both halves, or the character itself"},
    {"the same key twice, once escaped", "{\"a\": 1,\n \"\\u0061\": 2}",
     "t.json:2:2: a: already given in line 1; remove one of them"},
};

template <std::size_t N>
void check(const reader_case (&rows)[N], std::string_view file_name) {
  for (const reader_case& row : rows) {
    CAPTURE(row.says);
    CHECK(read_and_show(row.text, file_name) == row.expected);
  }
}

TEST_CASE("wire readers: YAML becomes a tree with places") { check(yaml_cases, "t.yaml"); }
TEST_CASE("wire readers: YAML that is refused, and where") { check(refused_yaml_cases, "t.yaml"); }
TEST_CASE("wire readers: JSON becomes a tree with places (RFC 8259)") { check(json_cases, "t.json"); }
TEST_CASE("wire readers: JSON that is refused, and where") { check(refused_json_cases, "t.json"); }

TEST_CASE("wire readers: JSON that is no file's is UTF-8, too, and its key is where the byte stands") {
  const reader_case cases[] = {
      {"in a text", "{\"a\": \"re\xcetart\"}", "m:1:10: byte 0xce is not text; write it as UTF-8"},
      {"in a key", "{\"a\": 1,\n \"x\xff\": \"tier1\"}", "m:2:4: byte 0xff is not text; write it as UTF-8"},
      {"half a character at the end", "{\"a\": 1}\xc3", "m:1:9: byte 0xc3 is not text; write it as UTF-8"},
      {"NUL", std::string_view("[\"\0\"]", 5), "m:1:3: byte 0x00 is not text; write it as UTF-8"},
  };
  for (const reader_case& row : cases) {
    CAPTURE(row.says);
    const auto tree = read_json(row.text, "m");
    REQUIRE_FALSE(tree);
    REQUIRE(tree.error().size() == 1);
    CHECK(to_string(tree.error().front()) == row.expected);
  }
  CHECK(read_json("{\"\xc3\xa9\": \"\\u0000\"}", "m"));
  CHECK(read_and_show("{\"a\": \"\xff\"}", "t.json") == "t.json:1:8: byte 0xff is not text; save the file as UTF-8");
}

TEST_CASE("wire readers: the format comes from the name, then from the first character") {
  CHECK(read_and_show("{a: 1}", "t.json").find("not JSON") != std::string::npos);
  CHECK(read_and_show("{a: 1}", "t.JSON").find("not JSON") != std::string::npos);
  CHECK(read_and_show(" \n{a: 1}", "t.yaml").find("not JSON") != std::string::npos);
  CHECK(read_and_show("a: {b: 1}", "t.yaml") == "{a@1:1={b@1:5=1@1:8}}");
}

TEST_CASE("wire readers: nesting has a bound, and one past it is refused") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
  CHECK(read_tree(nested(depth_max), "t.json").has_value());
  CHECK(read_tree(nested(depth_max), "t.yaml").has_value());
  const std::string one_past = "nested deeper than 32 levels; flatten it";
  CHECK(read_and_show(nested(depth_max + 1), "t.json") == "t.json:1:33: " + one_past);
  CHECK(read_and_show(nested(depth_max + 1), "t.yaml") == "t.yaml:1:33: " + one_past);
  // Far beyond what the stack holds.
  CHECK(read_and_show(std::string(1'000'000, '['), "t.json") == "t.json:1:33: " + one_past);
  CHECK_FALSE(read_tree(std::string(100'000, '['), "t.yaml").has_value());
}

TEST_CASE("wire readers: a text has a bound, and one byte past it is refused unread") {
  std::string text(configuration_bytes_max + 1, ' ');
  CHECK(read_and_show(text, "t.json") ==
        "t.json:1:1: has 67108865 bytes; 67108864 are the most a configuration may have");
  text.pop_back();
  text.front() = '1';
  CHECK(read_tree(text, "t.json").has_value());
}

TEST_CASE("wire readers: paths lead to places, keys with dots too") {
  const auto tree = read_tree("a:\n  b.c: [1, {d: 2}]\n  b: 3\n", "t.yaml");
  REQUIRE(tree.has_value());
  const path_index places(*tree);
  CHECK((places.find("a") == position{1, 1}));
  CHECK((places.find("a.b.c") == position{2, 3}));
  CHECK((places.find("a.b.c[1]") == position{2, 12}));
  CHECK((places.find("a.b.c[1].d") == position{2, 13}));
  CHECK((places.find("a.b.c[7].d") == position{2, 3}));
  CHECK((places.find("a.b.x") == position{3, 3}));
  CHECK((places.find("x") == position{1, 1}));
  CHECK(join_path("a", "x y") == "a.x%20y");
}

}  // namespace
}  // namespace cellroute::wire
