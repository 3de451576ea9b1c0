#include "adapters/control/api_target.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::control {
namespace {

TEST_CASE("api target: path and query") {
  const auto parts = split_target("/v1/keys%2F?a=1&b=x%20y&a=2&c&&=d");
  REQUIRE(parts);
  CHECK(parts->path == "/v1/keys%2F");
  CHECK(*parts->find("a") == "1");
  CHECK(*parts->find("b") == "x y");
  CHECK(parts->find("c")->empty());
  CHECK(parts->find("d") == nullptr);
  CHECK(split_target("/").value().query.empty());
  for (const std::string_view bad : {"", "v1", "*", "http://host/", "/v1?a=%", "/v1?%zz=1"}) {
    CAPTURE(bad);
    CHECK(!split_target(bad));
  }
}

struct path_case {
  std::string_view says;
  std::string_view pattern;
  std::string_view path;
  std::optional<std::vector<std::string>> expected;
};

using found = std::vector<std::string>;

const path_case path_cases[] = {
    {"fixed text", "/v1/keys", "/v1/keys", found{}},
    {"other text", "/v1/keys", "/v1/key", std::nullopt},
    {"more behind it", "/v1/keys", "/v1/keys/", std::nullopt},
    {"less", "/v1/keys", "/v1", std::nullopt},
    {"a name", "/v1/keys/{key}", "/v1/keys/acme", found{"acme"}},
    {"a name with a slash in it", "/v1/keys/{key}", "/v1/keys/a%2Fb", found{"a/b"}},
    {"a name with a colon", "/v1/keys/{key}", "/v1/keys/a:b", found{"a:b"}},
    {"an empty name", "/v1/keys/{key}", "/v1/keys/", std::nullopt},
    {"an escape that is none", "/v1/keys/{key}", "/v1/keys/%", std::nullopt},
    {"text behind a name", "/v1/keys/{key}/history", "/v1/keys/acme/history", found{"acme"}},
    {"two names", "/v1/a/{a}/b/{b}", "/v1/a/1/b/2", found{"1", "2"}},
    {"a verb", "/v1/versions/{version}:rollback", "/v1/versions/7:rollback", found{"7"}},
    {"another verb", "/v1/versions/{version}:rollback", "/v1/versions/7:resync", std::nullopt},
    {"a verb alone", "/v1/versions/{version}:rollback", "/v1/versions/:rollback", std::nullopt},
    {"no verb", "/v1/versions/{version}:rollback", "/v1/versions/7", std::nullopt},
    {"a verb of fixed text", "/v1/keys:import", "/v1/keys:import", found{}},
    {"fixed text is not unescaped", "/v1/keys", "/v1/key%73", std::nullopt},
};

TEST_CASE("api target: paths and their patterns") {
  for (const path_case& row : path_cases) {
    CAPTURE(row.says);
    CHECK(match_path(row.pattern, row.path) == row.expected);
  }
}

struct tags_case {
  std::string_view text;
  bool is_list;
  std::string_view tag;
  bool has;
};

const tags_case tags_cases[] = {
    {"\"3.42\"", true, "3.42", true},
    {"\"3.41\", \"3.42\"", true, "3.42", true},
    {" \"3.41\" ,\"3.42\"", true, "3.42", true},
    {"*", true, "3.42", true},
    {"\"3.41\"", true, "3.42", false},
    {"W/\"3.42\"", true, "3.42", false},
    {"", true, "3.42", false},
    {"3.42", false, "3.42", false},
    {"\"3.42", false, "3.42", false},
    {"* , \"3.42\"", false, "3.42", false},
    {"\"a\" \"b\"", false, "a", false},
};

TEST_CASE("api target: tags (RFC 9110 section 13.1.1)") {
  for (const tags_case& row : tags_cases) {
    CAPTURE(row.text);
    const auto list = read_tags(row.text);
    CHECK(list.has_value() == row.is_list);
    if (list) CHECK(list->has(row.tag) == row.has);
  }
}

TEST_CASE("api target: numbers") {
  CHECK(read_number("0") == 0);
  CHECK(read_number("9007199254740991") == 9'007'199'254'740'991u);
  for (const std::string_view bad :
       {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "9007199254740992", "99999999999999999999"})
    CHECK(!read_number(bad));
}

}  // namespace
}  // namespace cellroute::control
