#include "adapters/wire/print.hpp"

#include <algorithm>
#include <array>

#include "adapters/wire/fleet.hpp"
#include "adapters/wire/printer.hpp"
#include "adapters/wire/schema.hpp"
#include "cellroute/base/ascii.hpp"

namespace cellroute::wire {
namespace {

/// Whether a text may stand in YAML without quotes and still be the same text for every reader there is.
bool is_bare(std::string_view text) {
  constexpr std::array words{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  if (text.empty() || !is_letter(text.front()) || text.size() > 60) return false;
  if (std::ranges::find(words, lowered(text)) != words.end()) return false;
  return std::ranges::all_of(
      text, [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '/'; });
}

/// `64KiB`, `5s`: a digit first, and a letter that no number has.
bool is_measure(std::string_view text) {
  return parse_duration(text).has_value() || (parse_size(text).has_value() && text.back() == 'B');
}

std::string yaml_text(const node& scalar) {
  const bool is_bare_here = scalar.kind == node_kind::plain || is_bare(scalar.text) || is_measure(scalar.text);
  return is_bare_here ? scalar.text : quote(scalar.text);
}

bool is_scalar(const node& n) { return n.kind != node_kind::list && n.kind != node_kind::map; }

void append_yaml(std::string& out, const node& n, std::size_t indent);

void append_yaml_list(std::string& out, const node& list, std::size_t indent) {
  if (std::ranges::all_of(list.children, is_scalar)) {
    std::string items;
    for (const node& item : list.children) items += (items.empty() ? "" : ", ") + yaml_text(item);
    out += " [" + items + "]\n";
    return;
  }
  out += '\n';
  for (const node& item : list.children) {
    const std::size_t start = out.size();
    append_yaml(out, item, indent + 4);
    out[start + indent + 2] = '-';  // into the indentation of its first line
  }
}

void append_yaml(std::string& out, const node& n, std::size_t indent) {
  for (const node& member : n.children) {
    out += std::string(indent, ' ') + (is_bare(member.name) ? member.name : quote(member.name)) + ":";
    if (member.kind == node_kind::list) {
      append_yaml_list(out, member, indent);
    } else if (member.kind == node_kind::map && member.children.empty()) {
      out += " {}\n";
    } else if (member.kind == node_kind::map) {
      out += '\n';
      append_yaml(out, member, indent + 2);
    } else {
      out += " " + yaml_text(member) + "\n";
    }
  }
}

void append_json(std::string& out, const node& n, std::size_t indent) {
  if (is_scalar(n)) {
    // JSON has no word `off`: there it is a text, which the schema takes for the same.
    out += n.kind == node_kind::quoted || n.text == "off" ? quote(n.text) : n.text;
    return;
  }
  const bool is_map = n.kind == node_kind::map;
  const bool is_flat = n.children.empty() || (!is_map && std::ranges::all_of(n.children, is_scalar));
  out += is_map ? '{' : '[';
  const char* separator = "";
  for (const node& child : n.children) {
    out += separator;
    out += is_flat ? std::string(*separator != '\0' ? " " : "") : "\n" + std::string(indent + 2, ' ');
    if (is_map) out += quote(child.name) + ": ";
    append_json(out, child, indent + 2);
    separator = ",";
  }
  if (!is_flat) out += "\n" + std::string(indent, ' ');
  out += is_map ? '}' : ']';
}

}  // namespace

node to_tree(const configuration& c) {
  printer top;
  top.fixed("apiVersion", "cellroute/v1");
  for (node& member : print_fleet(c).children) {
    if (c.has_routing || member.name != "routing") top.add(std::move(member));
  }
  settings local = c.local;
  describe(top, local);
  return std::move(top).take();
}

std::string write_fleet(const configuration& c) {
  printer top;
  top.fixed("apiVersion", "cellroute/v1");
  for (node& member : print_fleet(c).children) top.add(std::move(member));
  return write_json(std::move(top).take());
}

std::string write_yaml(const node& tree) {
  std::string out;
  append_yaml(out, tree, 0);
  return out;
}

std::string write_json(const node& tree) {
  std::string out;
  append_json(out, tree, 0);
  return out + "\n";
}

}  // namespace cellroute::wire
