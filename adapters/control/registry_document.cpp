#include "adapters/control/registry_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "adapters/wire/config_file.hpp"
#include "adapters/wire/fleet.hpp"
#include "adapters/wire/print.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::control {
namespace {

/// Whether a text is a number of JSON. Source: RFC 8259 section 6.
bool is_json_number(std::string_view text) {
  const auto digits = [&text] {
    std::size_t count = 0;
    while (!text.empty() && is_digit(text.front())) {
      text.remove_prefix(1);
      ++count;
    }
    return count > 0;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (!digits()) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!digits()) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (!digits()) return false;
  }
  return text.empty();
}

/// A text of YAML without quotes is one of JSON with quotes; numbers and booleans stay what they are.
void make_json(wire::node& at) {
  if (at.kind == wire::node_kind::null) at.text = "null";
  const bool is_literal = at.text == "true" || at.text == "false" || is_json_number(at.text);
  if (at.kind == wire::node_kind::plain && !is_literal) at.kind = wire::node_kind::quoted;
  for (wire::node& child : at.children) make_json(child);
}

wire::node* member(wire::node* of, std::string_view name) {
  if (of == nullptr) return nullptr;
  const auto found = std::ranges::find(of->children, name, &wire::node::name);
  return found == of->children.end() ? nullptr : &*found;
}

void take_out(wire::node& of, std::string_view name) {
  std::erase_if(of.children, [name](const wire::node& child) { return child.name == name; });
}

void take_out_rows(wire::node& tree) {
  wire::node* const routing = member(&tree, "routing");
  wire::node* const keys = member(routing, "keys");
  if (keys == nullptr) return;
  take_out(*keys, "inline");
  take_out(*keys, "files");
  if (keys->children.empty()) take_out(*routing, "keys");
}

/// What may stand in a file of a router and not in what all routers get.
wire::diagnostics misplaced(const wire::configuration& c) {
  wire::diagnostics found;
  const auto add = [&](const wire::node& at, std::string path, std::string what) {
    found.push_back({c.file, at.name_at.line, at.name_at.column, std::move(path), std::move(what)});
  };
  for (const std::string_view name : local_sections) {
    if (const wire::node* at = c.source.find(name); at != nullptr && c.shape == nullptr)
      add(*at, std::string(name), "belongs to one router; keep it in that router's own file");
  }
  if (!c.key_files.empty()) {
    const wire::node* files = c.source.find("routing")->find("keys")->find("files");
    add(*files, "routing.keys.files", "no file is read here; import the rows, or write them inline");
  }
  return found;
}

document document_of(const wire::configuration& c) {
  document made;
  made.tree = c.source;
  if (c.shape != nullptr) {
    wire::configuration without_rows;
    without_rows.spec = c.spec;
    without_rows.key = c.key;
    made.tree = wire::print_fleet(without_rows);
  }
  take_out_rows(made.tree);
  for (const std::string_view name : local_sections) take_out(made.tree, name);
  make_json(made.tree);
  made.text = wire::write_json(made.tree);
  made.spec = c.spec;
  made.key = c.key;
  return made;
}

}  // namespace

std::string_view to_string(problem_kind kind) {
  switch (kind) {
    case problem_kind::invalid:
      return "invalid";
    case problem_kind::conflict:
      return "conflict";
    case problem_kind::guard:
      return "guard";
    case problem_kind::in_use:
      return "in_use";
    case problem_kind::unknown:
      return "unknown";
    case problem_kind::gone:
      return "gone";
    case problem_kind::too_large:
      return "too_large";
    case problem_kind::full:
      return "full";
    case problem_kind::unavailable:
      return "unavailable";
    case problem_kind::damaged:
      return "damaged";
  }
  return {};
}

problem problem_of(const store_failure& failure) {
  const auto kind = [&failure] {
    switch (failure.what) {
      case store_error::conflict:
        return problem_kind::conflict;
      case store_error::not_found:
        return problem_kind::unknown;
      case store_error::purged:
        return problem_kind::gone;
      case store_error::full:
        return problem_kind::full;
      case store_error::unavailable:
        return problem_kind::unavailable;
      case store_error::corrupt:
      case store_error::refused:
        return problem_kind::damaged;
    }
    return problem_kind::damaged;
  };
  return {kind(), failure.detail, {}};
}

problem problem_of(wire::diagnostics mistakes) {
  std::string detail = fmt::format("{} mistake{}", mistakes.size(), mistakes.size() == 1 ? "" : "s");
  return {problem_kind::invalid, std::move(detail), std::move(mistakes)};
}

expected<whole_configuration, problem> read_whole(std::string text, std::string_view name, std::uint64_t seed,
                                                  std::pmr::memory_resource* resource) {
  auto c = wire::read_configuration(std::make_unique<const std::string>(std::move(text)), name);
  if (!c) return unexpected(problem_of(std::move(c).error()));
  if (wire::diagnostics found = misplaced(*c); !found.empty()) {
    wire::sort_by_place(found);
    return unexpected(problem_of(std::move(found)));
  }
  return whole_of(*c, seed, resource);
}

expected<whole_configuration, problem> whole_of(wire::configuration& loaded, std::uint64_t seed,
                                                std::pmr::memory_resource* resource) {
  whole_configuration made;
  made.doc = document_of(loaded);  // compiling frees the tree
  const auto table = wire::compile(loaded, generation_number{1}, seed, resource);
  if (!table) return unexpected(problem_of(table.error()));
  made.quarantined = loaded.quarantined.size();
  auto leaner = without_idle_outcomes(table->keys());
  made.keys = leaner ? *std::move(leaner) : table->keys().shared();
  return made;
}

expected<document, problem> read_document(const wire::node& tree) {
  wire::node plain = tree;
  take_out_rows(plain);
  make_json(plain);
  return read_document(wire::write_json(plain));
}

expected<document, problem> read_document(std::string_view text) {
  const auto c = wire::read_configuration(text, "document");
  if (!c) return unexpected(problem_of(c.error()));
  if (wire::diagnostics found = misplaced(*c); !found.empty()) return unexpected(problem_of(std::move(found)));
  document made = document_of(*c);
  made.text = text;  // as it was stored: its digest is known
  return made;
}

}  // namespace cellroute::control
