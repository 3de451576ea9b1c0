#include "adapters/control/request_trace.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace cellroute::control {
namespace {

struct trace_case {
  std::string_view says;
  std::vector<std::string> values;  // of the header
  bool is_taken;
};

const trace_case trace_cases[] = {
    {"one that was brought", {"abc-1"}, true},
    {"of any visible characters", {"a\"\\{}~!,;"}, true},
    {"the longest", {std::string(128, 'x')}, true},
    {"one byte more", {std::string(129, 'x')}, false},
    {"none", {}, false},
    {"nothing", {""}, false},
    {"two", {"a", "b"}, false},
    {"white space in it", {"a b"}, false},
    {"a control character", {"a\x7f"}, false},
    {"beyond ASCII", {"a\xc3\xa9"}, false},
};

TEST_CASE("request trace: what was brought is taken where it is fit, else there is a new one") {
  random_numbers rng(1);
  std::string before;
  for (const trace_case& row : trace_cases) {
    CAPTURE(row.says);
    std::vector<field> fields{{"Accept", "x", field_name::other, false}};
    for (const std::string& value : row.values) fields.push_back({"x-request-ID", value, field_name::other, false});
    const std::string trace = trace_of(fields, rng);
    if (row.is_taken) {
      CHECK(trace == row.values.front());
    } else {
      CHECK(trace.size() == 32);
      CHECK(trace.find_first_not_of("0123456789abcdef") == std::string::npos);
      CHECK(trace != before);
      before = trace;
    }
  }
}

TEST_CASE("request trace: a problem document gets it as its last member, whatever it holds") {
  std::string document = "{\"detail\":\"no } here\"}\n";
  add_trace(document, "a\"b\\");
  CHECK(document == "{\"detail\":\"no } here\",\"trace\":\"a\\\"b\\\\\"}\n");
  std::string none = "text";
  add_trace(none, "a");
  CHECK(none == "text");
}

}  // namespace
}  // namespace cellroute::control
