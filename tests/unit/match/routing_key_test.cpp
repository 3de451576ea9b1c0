#include "cellroute/match/routing_key.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace cellroute;

namespace {

using key_outcome = expected<std::string_view, key_error>;
using fields = std::vector<field>;

key_outcome read(const fields& sent, const key_header& header = {}) { return read_routing_key(sent, header); }

key_outcome good(std::string_view text) { return text; }

field key(std::string_view value) { return {"X-Routing-Key", value, field_name::x_routing_key, false}; }
field other(std::string_view name, std::string_view value) { return {name, value, field_name::other, false}; }

const std::string longest(256, 'k');
const std::string too_long(257, 'k');

struct key_case {
  std::string_view says;
  fields sent;
  key_outcome expected;
};

const key_case key_cases[] = {
    {"the field's value is the key", {key("acme")}, good("acme")},
    {"it is found among others", {other("Accept", "*/*"), key("acme"), other("X-Other", "1")}, good("acme")},
    {"every byte counts, spaces inside too", {key("a b\xff")}, good("a b\xff")},
    {"letters keep their case", {key("ACME")}, good("ACME")},
    {"256 bytes are a key", {key(longest)}, good(longest)},
    {"one that Connection names is still read",
     {{"X-Routing-Key", "acme", field_name::x_routing_key, true}},
     good("acme")},
    {"without any field there is none", {}, unexpected(key_error::missing)},
    {"others are none", {other("X-Routing-Keys", "acme")}, unexpected(key_error::missing)},
    {"no value is no key", {key("")}, unexpected(key_error::empty)},
    {"257 bytes are too many", {key(too_long)}, unexpected(key_error::too_long)},
    {"two fields could route to two cells", {key("acme"), key("visa")}, unexpected(key_error::duplicate)},
    {"also two of one value", {key("acme"), key("acme")}, unexpected(key_error::duplicate)},
    {"also behind an empty one", {key(""), key("acme")}, unexpected(key_error::duplicate)},
    {"also before one that is too long", {key("acme"), key(too_long)}, unexpected(key_error::duplicate)},
    {"a comma may be two fields joined on the way", {key("acme,visa")}, unexpected(key_error::list)},
    {"a comma alone, too", {key(",")}, unexpected(key_error::list)},
};

}  // namespace

TEST_CASE("routing key: exactly one good field, or the reason why not") {
  for (const key_case& row : key_cases) {
    CAPTURE(row.says);
    CHECK((read(row.sent) == row.expected));
  }
}

TEST_CASE("routing key: a header of another name is found without case, and the usual one is not") {
  const key_header tenant{"X-Tenant", field_name::other};
  CHECK((read({other("x-tenant", "acme")}, tenant) == key_outcome("acme")));
  CHECK((read({other("X-TENANT", "acme")}, tenant) == key_outcome("acme")));
  CHECK((read({key("acme")}, tenant) == key_outcome(unexpected(key_error::missing))));
  CHECK((read({other("X-Tenant2", "acme")}, tenant) == key_outcome(unexpected(key_error::missing))));
  CHECK((read({other("X_Tenant", "acme")}, tenant) == key_outcome(unexpected(key_error::missing))));
  CHECK((read({other("x-tenant", "a"), other("X-Tenant", "a")}, tenant) ==
         key_outcome(unexpected(key_error::duplicate))));
}

TEST_CASE("routing key: a header that heads are classified by is found by its class alone") {
  const key_header host{"Host", field_name::host};
  CHECK((read({{"host", "acme.example", field_name::host, true}}, host) == key_outcome("acme.example")));
  CHECK((read({other("Host", "acme.example")}, host) == key_outcome(unexpected(key_error::missing))));
}

TEST_CASE("routing key: one that a person names is read as a header's value would be (RFC 9110 section 5.5)") {
  using outcome = expected<std::string_view, key_refusal>;
  struct named_case {
    std::string_view says;
    std::string_view text;
    outcome expected;
  };
  const auto refused = [](key_error error) { return outcome(unexpected(refusal_of(error))); };
  const std::string longest_in_space = " " + longest + " ";
  const named_case cases[] = {
      {"a key", "acme", outcome("acme")},
      {"space around it is no part of it", " \t acme\t ", outcome("acme")},
      {"space inside is", "a b\tc", outcome("a b\tc")},
      {"bytes above ASCII", "caf\xc3\xa9", outcome("caf\xc3\xa9")},
      {"nothing", "", refused(key_error::empty)},
      {"nothing but space", " \t", refused(key_error::empty)},
      {"a list", "a,b", refused(key_error::list)},
      {"the longest, with space around", longest_in_space, outcome(longest)},
      {"too long", too_long, refused(key_error::too_long)},
      {"a line end", "a\r\nb", unexpected(key_breaks_head)},
      {"the first control character", std::string_view("a\0", 2), unexpected(key_breaks_head)},
      {"the last one below the space", "\x1f", unexpected(key_breaks_head)},
      {"the one behind all letters", "a\x7f", unexpected(key_breaks_head)},
      {"in a list, too: the head is refused first", "a,\x01", unexpected(key_breaks_head)},
  };
  for (const named_case& row : cases) {
    CAPTURE(row.says);
    CHECK((read_named_key(row.text) == row.expected));
  }
}

TEST_CASE("routing key: each error has its word") {
  CHECK(to_string(key_error::missing) == "missing");
  CHECK(to_string(key_error::empty) == "empty");
  CHECK(to_string(key_error::too_long) == "too_long");
  CHECK(to_string(key_error::duplicate) == "duplicate");
  CHECK(to_string(key_error::list) == "list");
}
