// Sources of one folder are compiled together in some builds: what is in the unnamed namespaces of two of them is in
// one then. That such names differ is seen here at once, and not by that build alone.
#include <doctest/doctest.h>

#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/source_tree.hpp"

namespace cellroute {
namespace {

using support::source_file;
using support::source_line;

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The name that a text ends with.
std::string_view last_name(std::string_view text) {
  while (!text.empty() && !is_name_char(text.back())) text.remove_suffix(1);
  std::size_t start = text.size();
  while (start > 0 && is_name_char(text[start - 1])) --start;
  return text.substr(start);
}

/// What a line at the left margin defines: a type, a value, or a function with its parameters; else nothing.
std::string defined_by(std::string_view line) {
  if (line.empty() || line.front() == ' ' || line.front() == '}' || line.front() == '#' || line.front() == '/')
    return {};
  for (const std::string_view word : {"struct ", "class ", "enum class "}) {
    if (!line.starts_with(word) || line.ends_with(';')) continue;
    const std::string_view rest = line.substr(word.size());
    return std::string(last_name(rest.substr(0, rest.find_first_of(" {"))));
  }
  if (line.starts_with("using ") || line.starts_with("template")) return {};
  const std::size_t bracket = line.find('(');
  const std::size_t value = line.find_first_of("={");
  if (value < bracket) {
    std::string_view before = line.substr(0, value);
    if (const std::size_t array = before.rfind('['); array != std::string_view::npos) before = before.substr(0, array);
    return before.find(' ') == std::string_view::npos ? std::string() : std::string(last_name(before));
  }
  if (bracket == std::string_view::npos || line.substr(0, bracket).find(' ') == std::string_view::npos) return {};
  const std::string_view head = line.substr(0, line.find('{'));
  return std::string(last_name(line.substr(0, bracket))) +
         std::string(head.substr(bracket, head.rfind(')') - bracket + 1));
}

std::set<std::string> unnamed_in(std::string_view text) {
  const std::string code = support::code_only(text);
  const std::vector<source_line> lines = support::lines_of(text);
  std::set<std::string> found;
  bool is_inside = false;
  for (const source_line& line : support::lines_of(code)) {
    if (line.text == "namespace {") is_inside = true;
    if (lines[line.number - 1].text.starts_with("}  // namespace")) is_inside = false;
    const std::string name = is_inside ? defined_by(line.text) : std::string();
    if (!name.empty() && name != "namespace") found.insert(name);
  }
  return found;
}

struct line_case {
  std::string_view line;
  std::string_view name;
};

const line_case line_cases[] = {
    {"struct heard {", "heard"},
    {"class event_log::watcher final : public body_source {", "watcher"},
    {"enum class access : std::uint8_t {", "access"},
    {"struct later;", ""},
    {"constexpr const char* current_name = \"CURRENT\";", "current_name"},
    {"const row rows[] = {", "rows"},
    {"constexpr wire::digest no_hash{};", "no_hash"},
    {"bool has(const std::vector<std::string>& names, const std::string& name) {",
     "has(const std::vector<std::string>& names, const std::string& name)"},
    {"sync::refusal refusal_of(const violations& found) {", "refusal_of(const violations& found)"},
    {"void free_one(thing* it) { release(it); }", "free_one(thing* it)"},
    {"TEST_CASE(\"events: whoever comes\") {", ""},
    {"  int inside = 3;", ""},
    {"using bytes = std::vector<std::byte>;", ""},
    {"template <class F>", ""},
    {"}", ""},
};

TEST_CASE("names: what a line defines") {
  for (const line_case& row : line_cases) {
    CAPTURE(row.line);
    CHECK(defined_by(row.line) == row.name);
  }
  CHECK(unnamed_in("struct a {\nnamespace {\nstruct b {\n};\n}  // namespace\nint c = 1;\n") ==
        std::set<std::string>{"b"});
}

TEST_CASE("names: those in unnamed namespaces of one folder differ") {
  std::map<std::string, std::string> first_in;  // where a name of a folder was seen first
  std::size_t names = 0;
  for (const source_file& file : support::read_tree(CELLROUTE_SOURCE_DIR)) {
    const bool is_joined = file.path.starts_with("adapters/") || file.path.starts_with("tests/unit/");
    if (!is_joined || !file.path.ends_with(".cpp") || file.path.ends_with("/main.cpp")) continue;
    const std::string folder = std::filesystem::path(file.path).parent_path().generic_string();
    for (const std::string& name : unnamed_in(file.text)) {
      ++names;
      const auto [at, is_new] = first_in.emplace(folder + "\n" + name, file.path);
      if (!is_new) FAIL_CHECK(file.path << ": `" << name << "` is in " << at->second << ", too: give one another name");
    }
  }
  CHECK(names > 1'000);
}

}  // namespace
}  // namespace cellroute
