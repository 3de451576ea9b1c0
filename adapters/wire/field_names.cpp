#include "adapters/wire/field_names.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace cellroute::wire {
namespace {

/// Keeps the strongest word about each name: a list may have been asked for as a value first.
class field_list final : public field_listener {
 public:
  void on_field(std::string path, field_kind kind) override {
    const auto [at, is_new] = found.try_emplace(std::move(path), kind);
    if (at->second == field_kind::value) at->second = kind;
  }
  std::map<std::string, field_kind> found;
};

/// Puts into `parent` an empty container for each name that was asked for one, and one item or member into that.
bool grow(node& parent, const std::string& path, const std::map<std::string, field_kind>& asked) {
  bool has_grown = false;
  if (parent.kind == node_kind::list) return grow(parent.children.front(), path + "[0]", asked);
  const std::string start = path.empty() ? path : path + ".";
  for (auto field = asked.lower_bound(start); field != asked.end() && field->first.starts_with(start); ++field) {
    const std::string name = field->first.substr(start.size());
    if (name.empty() || name.find_first_of(".[") != std::string::npos) continue;
    if (field->second == field_kind::value || field->second == field_kind::fixed) continue;
    if (parent.find(name) != nullptr) continue;
    node item;
    item.kind = node_kind::map;
    item.name = field->second == field_kind::map ? "*" : "";
    node container;
    container.kind = field->second == field_kind::map ? node_kind::map : node_kind::list;
    container.name = name;
    container.children.push_back(std::move(item));
    parent.children.push_back(std::move(container));
    has_grown = true;
  }
  for (node& child : parent.children) has_grown |= grow(child, join_path(path, child.name), asked);
  return has_grown;
}

}  // namespace

std::map<std::string, field_kind> field_names_in(const node& document) {
  configuration c;
  c.source = document;
  field_list fields;
  mistake_list mistakes("", &fields);
  read_sections(c, mistakes);
  return std::move(fields.found);
}

std::map<std::string, field_kind> field_names() {
  node document;
  document.kind = node_kind::map;
  std::map<std::string, field_kind> asked = field_names_in(document);
  while (grow(document, "", asked)) asked = field_names_in(document);
  std::map<std::string, field_kind> named;
  for (const auto& [path, kind] : asked) {
    std::string general = path;
    for (auto at = general.find("[0]"); at != std::string::npos; at = general.find("[0]")) general.erase(at + 1, 1);
    named.emplace(std::move(general), kind);
  }
  return named;
}

bool has_fields_below(const std::map<std::string, field_kind>& fields, const std::string& path) {
  return std::ranges::any_of(std::array{".", "["}, [&](const char* separator) {
    const auto below = fields.lower_bound(path + separator);
    return below != fields.end() && below->first.starts_with(path + separator);
  });
}

}  // namespace cellroute::wire
