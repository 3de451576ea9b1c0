#include "adapters/tool/ctl_rows.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::tool {
namespace {

struct rows_case {
  std::string_view says;
  std::string_view file;
  std::string_view text;
  std::string_view format;
  std::string_view type;
  std::string_view body;
};

const rows_case rows_cases[] = {
    {"CSV", "x.csv", "key,placement\nq,a\n", "csv", "text/csv", "key,placement\nq,a\n"},
    {"JSON", "x.json", "{\"q\":\"a\"}", "json", "application/json", "{\"q\":\"a\"}"},
    {"lines of JSON", "x.jsonl", "{}\n", "ndjson", "application/x-ndjson", "{}\n"},
    {"by their other name", "x.ndjson", "{}\n", "ndjson", "application/x-ndjson", "{}\n"},
    {"what comes in", "-", "{}\n", "ndjson", "application/x-ndjson", "{}\n"},
    {"what has no ending", "/dev/fd/63", "{}\n", "ndjson", "application/x-ndjson", "{}\n"},
    {"TSV, each row on its line", "x.tsv", "q\ta\n\nr\"\tb\r\n", "ndjson", "application/x-ndjson",
     "{\"key\":\"q\",\"placement\":\"a\"}\n\n{\"key\":\"r\\\"\",\"placement\":\"b\"}\n"},
};

TEST_CASE("ctl rows: how a file's name ends says what it is sent as") {
  for (const rows_case& row : rows_cases) {
    CAPTURE(row.says);
    const auto made = rows_to_send(std::string(row.file), std::string(row.text));
    REQUIRE(made);
    CHECK(made->format == row.format);
    CHECK(made->type == row.type);
    CHECK(made->body == row.body);
  }
}

struct bad_rows_case {
  std::string_view says;
  std::string_view file;
  std::string_view text;
  int exit_code;
  std::string_view errors;
};

const bad_rows_case bad_rows_cases[] = {
    {"another ending", "x.txt", "q\ta\n", 2,
     "x.txt: rows are taken from .csv, .tsv, .jsonl, .ndjson and .json, by how the name ends\n"},
    {"a row without a tab", "x.tsv", "q\ta\nr\n", 1, "x.tsv:2:1: "},
    {"a key that JSON cannot have", "x.tsv", "q\ta\n\xff\ta\n", 1,
     "x.tsv:2:1: is no UTF-8; a control plane takes nothing else\n"},
};

TEST_CASE("ctl rows: what cannot be sent is told with what is taken, or its place") {
  for (const bad_rows_case& row : bad_rows_cases) {
    CAPTURE(row.says);
    const auto made = rows_to_send(std::string(row.file), std::string(row.text));
    REQUIRE_FALSE(made);
    CHECK(made.error().exit_code == row.exit_code);
    CHECK(made.error().errors.substr(0, row.errors.size()) == row.errors);
  }
}

}  // namespace
}  // namespace cellroute::tool
