// Configurations: whatever comes, there is a configuration or a list of mistakes with places; what both readers take is
// the same to both; and what is printed reads the same.

#include "adapters/wire/configuration.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "adapters/wire/print.hpp"

using namespace cellroute;
using namespace cellroute::wire;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool has_same_text(const node& a, const node& b) {
  if (a.kind != b.kind || a.name != b.name || a.children.size() != b.children.size()) return false;
  if (a.kind != node_kind::null && a.text != b.text) return false;
  return std::ranges::equal(a.children, b.children, has_same_text);
}

bool has_same_rows(const configuration& a, const configuration& b) {
  return std::ranges::is_permutation(a.inline_keys.rows, b.inline_keys.rows, [](const key_row& x, const key_row& y) {
    return x.key == y.key && x.outcome == y.outcome;
  });
}

// The order of cells says nothing, and printing may choose another.
bool is_same(const configuration& a, const configuration& b) {
  table_spec spec_a = a.spec;
  table_spec spec_b = b.spec;
  for (table_spec* spec : {&spec_a, &spec_b}) std::ranges::sort(spec->cells, {}, &cell::id);
  return spec_a == spec_b && has_same_rows(a, b) && a.key == b.key && a.key_files == b.key_files && a.local == b.local;
}

/// A carriage return without a line feed: space to JSON, a letter to the library of YAML.
bool has_lone_return(std::string_view text) {
  for (std::size_t at = text.find('\r'); at != std::string_view::npos; at = text.find('\r', at + 1)) {
    if (!text.substr(at + 1).starts_with('\n')) return true;
  }
  return false;
}

void check_configuration(std::string_view text, std::string_view file_name) {
  const auto read = read_configuration(text, file_name);
  if (!read) {
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
    require(!read.error().empty() && read.error().size() <= mistakes_max + 1);
    for (const diagnostic& d : read.error()) {
      require(d.line >= 1 && d.line <= lines && d.column >= 1 && d.column <= text.size() + 1);
      require(to_string(d).find('\n') == std::string::npos);
    }
    return;
  }
  (void)find_warnings(*read, {});
  const node tree = to_tree(*read);
  const auto yaml = read_configuration(write_yaml(tree), "printed.yaml");
  const auto json = read_configuration(write_json(tree), "printed.json");
  require(yaml && is_same(*read, *yaml));
  require(json && is_same(*read, *json));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_configuration(text, "f.yaml");
  check_configuration(text, "f.json");

  // JSON is YAML, as far as the library knows: it refuses escaped pairs of surrogates, tabs and keys over 1024 bytes.
  const auto json = read_tree(text, "f.json");
  const auto yaml = read_yaml(text, "f.yaml");
  if (json && yaml && !has_lone_return(text)) require(has_same_text(*json, *yaml));
  return 0;
}
