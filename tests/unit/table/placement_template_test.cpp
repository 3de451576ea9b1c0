#include "cellroute/table/placement_template.hpp"

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace cellroute;

namespace {

std::string told(const placement_template& parsed) {
  std::string out;
  for (const auto& part : parsed.parts()) out += (part.is_place ? "<" : "") + part.text + (part.is_place ? ">" : "|");
  return out;
}

struct parse_case {
  std::string_view text;
  std::string_view expected;  // the parts, or how the error begins
};

const parse_case parse_cases[] = {
    {"tier1", "tier1|"},
    {"tier{n}", "tier|<n>"},
    {"{n}", "<n>"},
    {"{a}{b_2}", "<a><b_2>"},
    {"a{n}b{n}c", "a|<n>b|<n>c|"},
    {"tier{n", "has a brace"},
    {"tier}n", "has a brace"},
    {"tier{n}}", "has a brace"},
    {"{n}}{", "has a brace"},
    {"tier{}", "has a place without a name"},
    {"tier{a b}", "has a place that is no name"},
    {"tier{{n}}", "has a place that is no name"},
    {"tier{n-1}", "has a place that is no name"},
};

/// Every filling there is, tried in turn.
bool slow_can_become(std::span<const placement_template::part> parts, std::string_view name) {
  if (parts.empty()) return name.empty();
  if (!parts[0].is_place) {
    return name.starts_with(parts[0].text) && slow_can_become(parts.subspan(1), name.substr(parts[0].text.size()));
  }
  for (std::size_t size = 0; size <= name.size(); ++size) {
    if (slow_can_become(parts.subspan(1), name.substr(size))) return true;
  }
  return false;
}

/// All texts of up to `size` bytes out of `bytes`.
std::vector<std::string> all_texts(std::string_view bytes, std::size_t size) {
  std::vector<std::string> all = {""};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].size() == size) continue;
    for (const char c : bytes) all.push_back(all[i] + c);
  }
  return all;
}

}  // namespace

TEST_CASE("placement template: its parts, or what is wrong with it") {
  for (const parse_case& row : parse_cases) {
    CAPTURE(row.text);
    const auto parsed = placement_template::parse(row.text);
    const std::string out = parsed ? told(*parsed) : std::string(parsed.error());
    CHECK(out.substr(0, row.expected.size()) == row.expected);
    if (parsed) CHECK(parsed->is_plain() == (row.text.find('{') == std::string_view::npos));
  }
}

TEST_CASE("placement template: what it can become, as by trying every filling") {
  const std::vector<std::string> names = all_texts("ab", 6);
  std::size_t fits = 0;
  for (const std::string& shape : all_texts("abX", 5)) {  // X is a place
    std::string text;
    for (const char c : shape) text += c == 'X' ? std::string("{n}") : std::string(1, c);
    const auto parsed = placement_template::parse(text);
    REQUIRE(parsed);
    for (const std::string& name : names) {
      const bool fast = parsed->can_become(name);
      if (fast != slow_can_become(parsed->parts(), name)) FAIL_CHECK(text << " as " << name);
      fits += fast ? 1 : 0;
    }
  }
  CHECK(fits > 1000);
}
