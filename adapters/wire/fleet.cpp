#include "adapters/wire/fleet.hpp"

#include <algorithm>
#include <utility>

#include "adapters/wire/printer.hpp"
#include "adapters/wire/schema.hpp"

namespace cellroute::wire {
namespace {

void read_key(section& key, key_settings& out, unknown_key_policy& on_unknown) {
  key.fixed("on_missing", "400", {"default"});
  key.choice("on_unknown", on_unknown, unknown_key_names);
  key.later({"normalize", "on_conflict", "strip"});
  const node* sources = key.list_at("sources");
  if (sources == nullptr) return;
  if (sources->children.empty()) key.mistakes().add(sources->at, key.path("sources"), "must have at least one item");
  bool has_source = false;
  for (std::size_t i = 0; i < sources->children.size(); ++i) {
    const node& item = sources->children[i];
    const std::string path = key.item_path("sources", i);
    section source(item, path, key.mistakes());
    key_header_view header{out.header};
    source.map("header", header);
    source.later({"jwt", "client_cert", "host", "path", "cookie", "query"});
    if (item.kind == node_kind::map && item.children.empty()) {
      key.mistakes().add(item.at, path, "is empty; name a source, such as header: {name: X-Routing-Key}");
    }
    if (item.find("header") == nullptr) continue;
    if (std::exchange(has_source, true)) {
      key.mistakes().add(item.at, path, "a second source is not supported yet; remove it");
    } else {
      out.header = header.name;
    }
  }
}

/// A row is a placement's name, or a map once it has attributes.
void read_inline_keys(section& keys, inline_keys& out, quarantine* bad_rows) {
  const node* rows = keys.map_at("inline");
  if (rows == nullptr) return;
  for (const node& row : rows->children) {
    const node* placement = nullptr;
    const auto path = [&] { return join_path(keys.path("inline"), row.name); };
    diagnostics& found = keys.mistakes().found();
    const std::size_t before = found.size();
    if (row.kind == node_kind::map) {
      section attributes(row, path(), keys.mistakes());
      std::string name;
      attributes.text("placement", name);
      attributes.require("placement", "placement: tier1");
      attributes.later(later_row_attributes);
      if (!name.empty()) placement = row.find("placement");
    } else if ((row.kind == node_kind::plain || row.kind == node_kind::quoted) && !row.text.empty()) {
      placement = &row;
    } else {
      keys.mistakes().add(row.at, path(), "must be the name of a placement");
    }
    if (bad_rows != nullptr && found.size() > before) {
      bad_rows->add(std::move(found[before]), row.name);
      found.resize(before);
      continue;
    }
    if (placement != nullptr) add_row(out, row.name, placement->text, row.name_at);
  }
}

/// A list of maps that may be empty.
template <class T>
void read_rows(section& in, std::string_view name, std::vector<T>& out) {
  const node* rows = in.list_at(name);
  if (rows != nullptr && !rows->children.empty()) in.maps(name, out);
}

template <class T>
void print_rows(printer& out, std::string_view name, std::vector<T> rows) {
  if (!rows.empty()) out.maps(name, rows);
}

void read_routing(section& routing, configuration& c) {
  routing.text("default_placement", c.spec.default_placement.value);
  routing.choice("on_invalid_row", c.on_invalid_row, invalid_row_names);
  read_rows(routing, "rules", c.spec.rules);
  read_rows(routing, "canary", c.spec.canaries);
  read_rows(routing, "override", c.spec.overrides);
  const node* found = routing.map_at("keys");
  if (found == nullptr) return;
  section keys(*found, routing.path("keys"), routing.mistakes());
  read_inline_keys(keys, c.inline_keys, quarantine_of(c));
  keys.list("files", c.key_files, parse_key_file_name);
}

std::vector<endpoint> read_endpoints(section& parent) {
  std::vector<endpoint_view> views;
  parent.maps("endpoints", views);
  std::vector<endpoint> endpoints;
  endpoints.reserve(views.size());
  for (endpoint_view& e : views) {
    std::string id = e.id.empty() ? to_string(socket_address{e.url.host, e.url.port}) : std::move(e.id);
    endpoints.push_back({std::move(id), std::move(e.url.host), e.url.port, e.drain ? 0 : e.weight});
  }
  return endpoints;
}

/// Calls `read(section, name)` for each member of a map of maps.
template <class Read>
void for_each_named(section& top, std::string_view name, Read read) {
  const node* members = top.map_at(name);
  if (members == nullptr) return;
  for (const node& member : members->children) {
    section inner(member, join_path(top.path(name), member.name), top.mistakes());
    read(inner, member);  // even if it is no map: others may name it, and that is no mistake of theirs
  }
}

void read_cell(section& in, const node& at, table_spec& spec) {
  in.require("endpoints", "endpoints: [{url: \"http://127.0.0.1:9001\"}]");
  spec.cells.push_back({cell_id{at.name}, read_endpoints(in)});
}

/// What `kind: shard` has in place of endpoints or a cell.
void read_shard(section& in, placement& p) {
  std::vector<std::string> names;
  in.list("cells", names, parse_listed_name);
  for (std::string& name : names) p.cells.emplace_back(std::move(name));
  in.map("shard", p.shard);
  in.require("cells", "cells: [c1, c2, c3]");
  in.require("shard", "shard: {size: 2}");
  p.cell = {};
}

void read_placement(section& in, const node& at, const upstream_policy& defaults, table_spec& spec) {
  placement p{placement_id{at.name}, placement_kind::shared, cell_id{at.name}, defaults};
  const std::size_t mistakes_before = in.mistakes().found().size();
  in.choice("kind", p.kind, placement_kind_names);
  const bool kind_is_good = in.mistakes().found().size() == mistakes_before;
  describe(in, p.policy);
  in.later({"stateful", "fallback", "tls", "replay", "hedge", "weights_from", "strip"});
  const node* own_endpoints = in.find("endpoints");
  const bool is_shard = p.kind == placement_kind::shard;
  for (const std::string_view name : {"cells", "shard", "cell", "endpoints"}) {
    const bool is_of_shards = name == "cells" || name == "shard";
    const node* found = in.find(name);
    if (found == nullptr || is_of_shards == is_shard || !kind_is_good) continue;
    in.mistakes().add(
        found->name_at, in.path(name),
        is_shard ? "does not stand in a shard; name its cells in cells: [...]" : "is of kind: shard only");
  }
  if (is_shard) {
    read_shard(in, p);
    spec.placements.push_back(std::move(p));
    return;
  }
  if (own_endpoints != nullptr && in.find("cell") != nullptr) {
    in.mistakes().add(own_endpoints->name_at, in.path("endpoints"), "stands beside cell; keep one of them");
  } else {
    in.text("cell", p.cell.value);
  }
  if (p.cell.value == at.name && (own_endpoints != nullptr || in.find("cell") == nullptr)) {
    if (kind_is_good) in.require("endpoints", "endpoints: [{url: \"http://127.0.0.1:9001\"}], or cell: NAME");
    cell own{p.cell, read_endpoints(in)};
    if (std::ranges::find(spec.cells, own.id, &cell::id) == spec.cells.end()) {
      spec.cells.push_back(std::move(own));
    } else if (own_endpoints != nullptr) {
      in.mistakes().add(own_endpoints->name_at, in.path("endpoints"),
                        "a cell of that name stands under cells; write cell: " + at.name + " or choose another name");
    }
  }
  spec.placements.push_back(std::move(p));
}

node print_endpoints(const std::vector<endpoint>& endpoints) {
  std::vector<endpoint_view> views;
  for (const endpoint& e : endpoints) views.push_back({e.id, {e.host, e.port}, e.weight});
  printer out;
  out.maps("endpoints", views);
  return std::move(out).take().children.front();
}

node print_placement(const placement& p, const table_spec& spec) {
  printer out;
  placement copy = p;
  out.choice("kind", copy.kind, placement_kind_names);
  const auto own = std::ranges::find(spec.cells, p.cell, &cell::id);
  if (p.kind == placement_kind::shard) {
    std::vector<std::string> names;
    for (const cell_id& each : p.cells) names.push_back(each.value);
    out.list("cells", names, parse_listed_name);
    out.map("shard", copy.shard);
  } else if (p.cell.value == p.id.value && own != spec.cells.end()) {
    out.add(print_endpoints(own->endpoints));
  } else {
    out.text("cell", copy.cell.value);
  }
  describe(out, copy.policy);
  return std::move(out).take();
}

/// Whether the cell is written with the placement of its name.
bool is_own_cell(const cell& c, const table_spec& spec) {
  return std::ranges::any_of(spec.placements,
                             [&c](const placement& p) { return p.cell == c.id && p.id.value == c.id.value; });
}

}  // namespace

void read_fleet(section& top, configuration& c) {
  table_spec& spec = c.spec;
  top.text("version", spec.version);
  const auto read = [&top](std::string_view name, auto inner) {
    if (const node* found = top.map_at(name)) {
      section in(*found, top.path(name), top.mistakes());
      inner(in);
    }
  };
  read("key", [&](section& in) { read_key(in, c.key, spec.on_unknown); });
  read("routing", [&](section& in) { read_routing(in, c); });
  read("defaults", [&](section& in) {
    describe(in, c.defaults);
    in.later({"upstream_tls"});
  });
  for_each_named(top, "cells", [&](section& in, const node& at) { read_cell(in, at, spec); });
  for_each_named(top, "placements", [&](section& in, const node& at) { read_placement(in, at, c.defaults, spec); });
  top.later({"routes", "overload"});
}

node print_fleet(const configuration& c) {
  const table_spec& spec = c.spec;
  printer top;
  std::string version = spec.version;
  if (!version.empty()) top.text("version", version);

  printer key_part;
  printer source;
  key_header_view header{c.key.header};
  source.map("header", header);
  unknown_key_policy on_unknown = spec.on_unknown;
  key_part.add_list("sources", {std::move(source).take()});
  key_part.fixed("on_missing", "400");
  key_part.choice("on_unknown", on_unknown, unknown_key_names);
  top.add("key", std::move(key_part).take());

  printer routing;
  std::string default_placement = spec.default_placement.value;
  if (!default_placement.empty()) routing.text("default_placement", default_placement);
  printer rows;
  for (const key_row& row : c.inline_keys.rows) {
    rows.put(row.key, node_kind::quoted, spec.placements[row.outcome].id.value);
  }
  printer keys;
  keys.add("inline", std::move(rows).take());
  if (!c.key_files.empty()) keys.list("files", c.key_files, parse_key_file_name);
  routing.add("keys", std::move(keys).take());
  print_rows(routing, "rules", spec.rules);
  print_rows(routing, "canary", spec.canaries);
  print_rows(routing, "override", spec.overrides);
  routing.choice("on_invalid_row", c.on_invalid_row, invalid_row_names);
  top.add("routing", std::move(routing).take());

  printer cells;
  for (const cell& each : spec.cells) {
    if (is_own_cell(each, spec)) continue;
    printer one;
    one.add(print_endpoints(each.endpoints));
    cells.add(each.id.value, std::move(one).take());
  }
  if (!cells.is_empty()) top.add("cells", std::move(cells).take());

  printer placements;
  for (const placement& p : spec.placements) placements.add(p.id.value, print_placement(p, spec));
  top.add("placements", std::move(placements).take());
  return std::move(top).take();
}

}  // namespace cellroute::wire
