#include "adapters/wire/key_file.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cellroute::wire {
namespace {

using namespace std::string_view_literals;

const std::vector<placement>& placements() {
  static const std::vector<placement> known = [] {
    std::vector<placement> made(3);
    made[0].id = placement_id("tier1");
    made[1].id = placement_id("tier2");
    made[2].id = placement_id("tier3");
    return made;
  }();
  return known;
}

key_file file_of(std::string name, std::string_view text) {
  key_file file;
  file.name = std::move(name);
  file.text = std::make_unique<const std::string>(text);
  return file;
}

/// `key>placement@line` of each row, then the mistakes, a line each.
std::string reading_of(std::string_view name, std::string_view text) {
  key_file file = file_of(std::string(name), text);
  const diagnostics found = read_key_file(file, placements());
  std::string read;
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    read += (read.empty() ? "" : " ") + std::string(file.rows[i].key) + ">" +
            placements()[file.rows[i].outcome].id.value + "@" + std::to_string(file.lines[i]);
  }
  for (const diagnostic& d : found) read += "\n" + to_string(d);
  return read;
}

struct file_case {
  std::string_view says;
  std::string_view name;
  std::string_view text;
  std::string_view expected;
};

const file_case file_cases[] = {
    {"rows", "k.tsv", "acme\ttier1\nvisa\ttier3\n", "acme>tier1@1 visa>tier3@2"},
    {"no line end at the end", "k.tsv", "acme\ttier1", "acme>tier1@1"},
    {"line ends of Windows", "k.tsv", "acme\ttier1\r\nvisa\ttier3\r\n", "acme>tier1@1 visa>tier3@2"},
    {"empty lines say nothing", "k.tsv", "\nacme\ttier1\n\n\nvisa\ttier3\n", "acme>tier1@2 visa>tier3@5"},
    {"a byte order mark", "k.tsv",
     "\xef\xbb\xbf"
     "acme\ttier1\n",
     "acme>tier1@1"},
    {"nothing", "k.tsv", "", ""},
    {"a key is any bytes but tab and line end", "k.tsv", "#a b,\"c\"\xff\ttier1\n", "#a b,\"c\"\xff>tier1@1"},
    {"an empty third column", "k.tsv", "acme\ttier1\t\n", "acme>tier1@1"},
    {"no tab", "k.tsv", "acme tier1\nvisa\ttier3\n",
     "visa>tier3@2\nk.tsv:1:1: has no tab; write the key, a tab, the placement"},
    {"no key", "k.tsv", "\ttier1\n", "\nk.tsv:1:1: has an empty key"},
    {"no placement", "k.tsv", "acme\t\n", "\nk.tsv:1:6: names no placement"},
    {"a placement that is none", "k.tsv", "a\ttier1\nacme\tgold\n",
     "a>tier1@1\nk.tsv:2:6: names the placement \"gold\", which there is not"},
    {"each attribute is refused by name, all at once", "k.tsv", "acme\ttier1\trate=100/s burst=200 colour=red\n",
     "acme>tier1@1\nk.tsv:1:12: \"rate\" is not supported yet; remove it"
     "\nk.tsv:1:23: \"burst\" is not supported yet; remove it"
     "\nk.tsv:1:33: \"colour\" is no attribute of a row; remove it"},

    {"CSV", "k.csv", "key,placement\numbra,tier1\n\"sol,ano\",tier2\n", "umbra>tier1@2 sol,ano>tier2@3"},
    {"columns in another order", "k.csv", "placement,key\ntier1,acme\n", "acme>tier1@2"},
    {"a quote written twice, and a line end in quotes", "k.csv",
     "key,placement\n\"a\"\"b\",tier1\n\"c\nd\",tier2\ne,tier3\n", "a\"b>tier1@2 c\nd>tier2@3 e>tier3@5"},
    {"line ends of Windows", "k.csv", "key,placement\r\nacme,tier1\r\n", "acme>tier1@2"},
    {"a carriage return that ends no line", "k.csv", "placement,key,rate\ntier1,a\r,\ntier1,\"b\rc\",\r\ntier2,d\re,\r",
     "a\r>tier1@2 b\rc>tier1@3 d\re>tier2@4"},
    {"a carriage return behind a quote", "k.csv", "key,placement\n\"a\"\r,tier1\n",
     "\nk.csv:2:1: has something behind a closed quote"},
    {"empty columns of attributes", "k.csv", "key,placement,rate,burst\numbra,tier1,,\n", "umbra>tier1@2"},
    {"attributes", "k.csv", "key,placement,rate,colour\numbra,tier1,5/s,red\n",
     "umbra>tier1@2\nk.csv:1:1: \"colour\" is no attribute of a row; remove it"
     "\nk.csv:2:1: \"rate\" is not supported yet; remove it\nk.csv:2:1: \"colour\" is no attribute of a row; remove "
     "it"},
    {"no names of columns", "k.csv", "acme,tier1\n", "\nk.csv:1:1: must name the columns: key,placement"},
    {"too few fields", "k.csv", "key,placement\nacme\nvisa,tier3\n",
     "visa>tier3@3\nk.csv:2:1: has 1 fields, not 2 as the first line"},
    {"a quote that is not closed", "k.csv", "key,placement\n\"acme,tier1\n",
     "\nk.csv:2:1: has a quote that is not closed"},
    {"something behind a quote", "k.csv", "key,placement\n\"acme\"x,tier1\n",
     "\nk.csv:2:1: has something behind a closed quote"},
    {"a quote inside", "k.csv", "key,placement\nac\"me,tier1\n",
     "\nk.csv:2:1: has a quote inside of a field; put the field in quotes and write the quote twice"},

    {"JSON lines", "k.jsonl",
     "{\"key\":\"umbra\",\"placement\":\"tier1\"}\n\n{\"placement\":\"tier2\",\"key\":\"sol\\u0061no\"}\n",
     "umbra>tier1@1 solano>tier2@3"},
    {"an escape", "k.ndjson", R"({"key":"a\"b\n","placement":"tier1"})", "a\"b\n>tier1@1"},
    {"attributes of JSON", "k.jsonl", R"({"key":"a","placement":"tier1","rate":"100/s","colour":1})",
     "a>tier1@1\nk.jsonl:1:32: \"rate\" is not supported yet; remove it"
     "\nk.jsonl:1:47: \"colour\" is no attribute of a row; remove it"},
    {"a key of JSON lines is any bytes, too", "k.jsonl",
     "{\"key\":\"a\xff\",\"placement\":\"tier1\"}\n{\"key\":\"b\\u0041\xff\",\"placement\":\"tier1\"}\n",
     "a\xff>tier1@1 bA\xff>tier1@2"},
    {"a line that is no JSON", "k.jsonl", "{\"key\":\"a\",\"placement\":\"tier1\"}\n{\"key\":}\n",
     "a>tier1@1\nk.jsonl:2:8: this is not JSON: expected a value; text stands in double quotes"},
    {"a line that is no row", "k.jsonl", "[\"a\",\"tier1\"]\n{\"key\":5,\"placement\":\"tier1\"}\n",
     "\nk.jsonl:1:1: must be {\"key\": \"NAME\", \"placement\": \"NAME\"}"
     "\nk.jsonl:2:1: must be {\"key\": \"NAME\", \"placement\": \"NAME\"}"},
    {"a member twice", "k.jsonl", R"({"key":"a","placement":"tier1","key":"b"})",
     "a>tier1@1\nk.jsonl:1:32: \"key\" stands twice"},

    {"a name that tells nothing", "k.txt", "acme\ttier1\n",
     "\nk.txt:1:1: has a name that tells no format; let it end with .tsv, .csv, .jsonl or .ctab"},
};

TEST_CASE("key file: what each format says, and what is wrong with it") {
  for (const file_case& row : file_cases) {
    CAPTURE(row.says);
    CHECK(reading_of(row.name, row.text) == row.expected);
  }
}

struct quarantine_case {
  std::string_view says;
  std::string_view name;
  std::string_view text;
  std::string_view served;
  std::string_view quarantined;  // `key: line told` of each
  std::string_view mistakes;
};

const quarantine_case quarantine_cases[] = {
    {"nothing is bad", "k.tsv", "a\ttier1\n", "a", "", ""},
    {"a placement that is none, an empty key, a line without a tab", "k.tsv", "a\tgold\n\ttier1\nb tier1\nc\ttier2\n",
     "c",
     "a: k.tsv:1:3: names the placement \"gold\", which there is not\n"
     ": k.tsv:2:1: has an empty key\n"
     ": k.tsv:3:1: has no tab; write the key, a tab, the placement\n",
     ""},
    {"a row with a bad attribute is not served, and told once", "k.tsv", "a\ttier1\tx=1 y=2\nb\ttier1\n", "b",
     "a: k.tsv:1:9: \"x\" is no attribute of a row; remove it\n", ""},
    {"fields of CSV", "k.csv", "key,placement,rate\na,tier1,5/s\nb,tier1\nc,tier1,\n", "c",
     "a: k.csv:2:1: \"rate\" is not supported yet; remove it\n: k.csv:3:1: has 2 fields, not 3 as the first line\n",
     ""},
    {"lines of JSON", "k.jsonl",
     "{\"key\":\"a\"\n{\"key\":\"b\",\"placement\":\"tier1\",\"z\":1}\n{\"key\":\"c\",\"placement\":\"tier1\"}", "c",
     ": k.jsonl:1:11: this is not JSON: a `}` is missing at the end\n"
     "b: k.jsonl:2:32: \"z\" is no attribute of a row; remove it\n",
     ""},
    {"columns concern the whole file", "k.csv", "a,tier1\n", "", "", "k.csv:1:1: must name the columns: key,placement"},
    {"so does a quote that is not closed", "k.csv", "key,placement\n\"a,tier1\n", "", "",
     "k.csv:2:1: has a quote that is not closed"},
};

TEST_CASE("key file: bad rows can be set apart, the others are served") {
  for (const quarantine_case& row : quarantine_cases) {
    CAPTURE(row.says);
    key_file file = file_of(std::string(row.name), row.text);
    quarantine bad_rows;
    std::string mistakes;
    for (const diagnostic& d : read_key_file(file, placements(), &bad_rows)) mistakes += to_string(d);
    std::string served;
    for (const key_row& each : file.rows) served += each.key;
    std::string quarantined;
    for (const quarantined_row& each : bad_rows.rows()) quarantined += each.key + ": " + to_string(each.told) + "\n";
    CHECK(served == row.served);
    CHECK(quarantined == row.quarantined);
    CHECK(mistakes == row.mistakes);
  }
}

TEST_CASE("key file: of a key that stands twice the first row is served, where bad rows are set apart") {
  std::vector<key_file> files;
  files.push_back(file_of("a.tsv", "one\ttier1\ntwo\ttier2\none\ttier3\n"));
  files.push_back(file_of("b.tsv", "two\ttier2\nthree\ttier1\nfour\ttier1\n"));
  for (key_file& file : files) REQUIRE(read_key_file(file, placements()).empty());
  const std::vector<key_row> inline_keys{{"three", 0}};
  quarantine bad_rows;
  quarantine_duplicates(files, inline_keys, bad_rows);
  REQUIRE(bad_rows.size() == 3);
  CHECK(to_string(bad_rows.find("one")->told) == "a.tsv:3:1: the key \"one\" stands in a.tsv:1, too; keep one of them");
  CHECK(files[0].rows.size() == 2);
  CHECK(files[0].rows[0].outcome == 0);
  CHECK(files[1].rows.size() == 1);
  CHECK(files[1].rows[0].key == "four");
  CHECK(files[1].lines[0] == 3);
}

TEST_CASE("key file: bad rows beyond what is kept are counted") {
  std::string text;
  for (int i = 0; i < 10'001; ++i) text += "k" + std::to_string(i) + "\tnone\n";
  key_file file = file_of("k.tsv", text);
  quarantine bad_rows;
  CHECK(read_key_file(file, placements(), &bad_rows).empty());
  CHECK(bad_rows.size() == 10'001);
  CHECK(bad_rows.rows().size() == quarantine::rows_max);
  CHECK(bad_rows.find("k9999") != nullptr);
  CHECK(bad_rows.find("k10000") == nullptr);
}

TEST_CASE("key file: a key of 256 bytes is one, of 257 is none") {
  const std::string longest(256, 'k');
  CHECK(reading_of("k.tsv", longest + "\ttier1\n") == longest + ">tier1@1");
  CHECK(reading_of("k.tsv", longest + "k\ttier1\n") == "\nk.tsv:1:1: has a key of 257 bytes; at most 256 are allowed");
}

TEST_CASE("key file: more mistakes than a person reads are cut off, and that is said") {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "k" + std::to_string(i) + "\tnone\n";
  key_file file = file_of("k.tsv", text);
  const diagnostics found = read_key_file(file, placements());
  REQUIRE(found.size() == mistakes_max + 1);
  CHECK(found.back().what == "more mistakes may follow; correct these first");
  CHECK(found.back().line == 1000);
}

TEST_CASE("key file: a key that stands twice is told with both places") {
  std::vector<key_file> files;
  files.push_back(file_of("a.tsv", "one\ttier1\ntwo\ttier2\none\ttier3\n"));
  files.push_back(file_of("b.csv", "key,placement\ntwo,tier2\nthree,tier1\nfour,tier1\n"));
  for (key_file& file : files) REQUIRE(read_key_file(file, placements()).empty());
  const std::vector<key_row> inline_keys{{"three", 0}, {"five", 0}};
  std::string said;
  for (const diagnostic& d : duplicates_in(files, inline_keys)) said += to_string(d) + "\n";
  CHECK(said ==
        "a.tsv:3:1: the key \"one\" stands in a.tsv:1, too; keep one of them\n"
        "b.csv:2:1: the key \"two\" stands in a.tsv:2, too; keep one of them\n"
        "b.csv:3:1: the key \"three\" stands in routing.keys.inline, too; keep one of them\n");
}

}  // namespace
}  // namespace cellroute::wire
