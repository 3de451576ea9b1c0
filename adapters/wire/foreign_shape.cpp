// Chosen over an import alone: whoever tries the router starts it on the file that they have, and goes on editing that.
#include "adapters/wire/foreign_shape.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "adapters/wire/scalars.hpp"

namespace cellroute::wire {
namespace {

// In the order of the milestones that wrote them.
constexpr foreign_shape cell_endpoints{.inside = "",
                                       .table = "routingTable",
                                       .default_placement = "defaultPlacement",
                                       .placements = "cellEndpoints",
                                       .url = "",
                                       .envelope_type = "",
                                       .checks_health_unasked = true};
constexpr foreign_shape placement_maps{.inside = "",
                                       .table = "routingTable",
                                       .default_placement = "defaultPlacement",
                                       .placements = "placements",
                                       .url = "url",
                                       .envelope_type = "",
                                       .has_attributes = true};
constexpr foreign_shape draft{.inside = "",
                              .table = "customer_to_placement",
                              .default_placement = "default_placement",
                              .placements = "placement_to_endpoint",
                              .url = "",
                              .envelope_type = ""};
constexpr foreign_shape draft_maps{.inside = "",
                                   .table = "customer_to_placement",
                                   .default_placement = "default_placement",
                                   .placements = "placements",
                                   .url = "primary",
                                   .envelope_type = ""};

constexpr foreign_shape in_envelope(foreign_shape shape) {
  shape.inside = "config";
  shape.envelope_type = "config_update";
  return shape;
}
constexpr foreign_shape pushed_cell_endpoints = [] {
  foreign_shape shape = cell_endpoints;
  shape.envelope_type = "config_snapshot";  // beside the rest, not around it
  return shape;
}();
constexpr foreign_shape pushed_draft = in_envelope(draft);
constexpr foreign_shape pushed_draft_maps = in_envelope(draft_maps);

// What an origin does where its file says nothing, and we otherwise.
constexpr duration attributes_response_header = 10s;
constexpr std::uint64_t attributes_body_max = std::uint64_t{10} << 20;
constexpr range body_allowed{1, std::uint64_t{1} << 40};

constexpr named<placement_kind> told_kinds[] = {{"shared", placement_kind::shared},
                                                {"dedicated", placement_kind::dedicated}};

constexpr std::array shared_names{"tier1", "tier2", "tier3"};

bool has_any(const node& map, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(names, [&map](std::string_view name) { return map.find(name) != nullptr; });
}

placement placement_named(const foreign_shape& shape, const std::string& name) {
  return {placement_id{name}, kind_of_name(name), cell_id{name}, policy_of(shape)};
}

void add(table_spec& spec, placement made, const origin& url) {
  cell own{made.cell, {}};
  if (!url.host.empty()) own.endpoints.push_back({to_string(socket_address{url.host, url.port}), url.host, url.port});
  spec.cells.push_back(std::move(own));
  spec.placements.push_back(std::move(made));
}

void read_placement_map(const foreign_shape& shape, section& in, const std::string& name, table_spec& spec) {
  placement made = placement_named(shape, name);
  origin url;
  in.parse(shape.url, url, parse_origin);
  in.require(shape.url, std::string(shape.url) + ": \"http://127.0.0.1:9001\"");
  if (shape.has_attributes) {
    std::uint64_t body_max = *made.policy.request_body_max;
    in.count("max_request_body_bytes", body_max, body_allowed);
    made.policy.request_body_max = body_max;
    in.later({"fallback", "health_check", "circuit_breaker", "concurrency_limit"});
  } else {
    in.later({"fallback"});
  }
  add(spec, std::move(made), url);
}

void read_placements(const foreign_shape& shape, section& in, table_spec& spec) {
  const node* members = in.map_at(shape.placements);
  if (members == nullptr) return;
  if (shape.url.empty()) {
    for (const node& member : members->children) {
      const std::string path = join_path(in.path(shape.placements), member.name);
      parsed<origin> url = origin{"", 0};
      if (const auto value = in.scalar_of(member, path)) {
        url = parse_origin(*value);
        if (!url) in.refuse_at(member.at, path, *value, url.error());
      }
      add(spec, placement_named(shape, member.name), url ? *url : origin{"", 0});
    }
    return;
  }
  for (const node& member : members->children) {
    section inner(member, join_path(in.path(shape.placements), member.name), in.mistakes());
    read_placement_map(shape, inner, member.name, spec);
  }
}

void read_table(const foreign_shape& shape, section& in, inline_keys& keys) {
  keys.path = in.path(shape.table);
  const node* rows = in.map_at(shape.table);
  if (rows == nullptr) return;
  for (const node& row : rows->children) {
    if ((row.kind == node_kind::plain || row.kind == node_kind::quoted) && !row.text.empty()) {
      add_row(keys, row.name, row.text, row.name_at);
    } else {
      in.mistakes().add(row.at, join_path(keys.path, row.name), "must be the name of a placement");
    }
  }
}

void read_parts(const foreign_shape& shape, section& in, table_spec& spec, inline_keys& keys) {
  in.text("version", spec.version);
  in.text(shape.default_placement, spec.default_placement.value);
  read_table(shape, in, keys);
  in.require(shape.placements,
             shape.url.empty() ? std::string(shape.placements) + ": {tier1: \"http://127.0.0.1:9001\"}"
                               : "placements: {tier1: {" + std::string(shape.url) + ": \"http://127.0.0.1:9001\"}}");
  read_placements(shape, in, spec);
}

void read_kinds(section& envelope, table_spec& spec) {
  const node* const kinds = envelope.map_at(kinds_member);
  if (kinds == nullptr) return;
  section in(*kinds, envelope.path(kinds_member), envelope.mistakes());
  for (placement& p : spec.placements) in.choice(p.id.value, p.kind, told_kinds);
}

}  // namespace

const foreign_shape* shape_of(const node& document) {
  if (document.kind != node_kind::map || document.find("routing") != nullptr) return nullptr;
  if (has_any(document, {"routingTable", "defaultPlacement", "cellEndpoints"})) {
    const bool has_maps = document.find("placements") != nullptr && document.find("cellEndpoints") == nullptr;
    if (has_maps) return &placement_maps;
    return document.find("type") != nullptr ? &pushed_cell_endpoints : &cell_endpoints;
  }
  const auto has_draft = [](const node& map) {
    return has_any(map, {"customer_to_placement", "default_placement", "placement_to_endpoint"});
  };
  if (has_draft(document)) return document.find("placements") != nullptr ? &draft_maps : &draft;
  const node* const config = document.find("config");
  if (config == nullptr || !has_draft(*config)) return nullptr;
  return config->find("placements") != nullptr ? &pushed_draft_maps : &pushed_draft;
}

void read_foreign(const foreign_shape& shape, const node& document, table_spec& spec, inline_keys& keys,
                  mistake_list& mistakes) {
  section top(document, "", mistakes);
  if (!shape.envelope_type.empty()) top.fixed("type", shape.envelope_type);
  if (shape.inside.empty()) {
    read_parts(shape, top, spec, keys);
  } else {
    top.text("version", spec.version);
    if (const node* const inside = top.map_at(shape.inside)) {
      section in(*inside, top.path(shape.inside), mistakes);
      read_parts(shape, in, spec, keys);
    }
  }
  if (!shape.envelope_type.empty()) read_kinds(top, spec);
}

std::vector<std::string> take_unknown_members(const foreign_shape& shape, node& message) {
  if (shape.envelope_type.empty()) return {};
  // `placements` says where keys lead, in another shape: nothing that may be missed.
  std::vector<std::string_view> known{"type", "version", kinds_member, "placements"};
  if (shape.inside.empty()) {
    known.insert(known.end(), {shape.table, shape.default_placement, shape.placements});
  } else {
    known.push_back(shape.inside);
  }
  std::vector<std::string> taken;
  std::erase_if(message.children, [&](const node& member) {
    if (std::ranges::find(known, member.name) != known.end()) return false;
    taken.push_back(member.name);
    return true;
  });
  return taken;
}

upstream_policy policy_of(const foreign_shape& shape) {
  upstream_policy made;
  made.host = host_policy::upstream;
  if (!shape.has_attributes) return made;
  made.timeouts.response_header = attributes_response_header;
  made.request_body_max = attributes_body_max;
  return made;
}

placement_kind kind_of_name(std::string_view name) {
  const bool is_shared = std::ranges::find(shared_names, name) != shared_names.end();
  return is_shared ? placement_kind::shared : placement_kind::dedicated;
}

std::string path_in(const foreign_shape& shape, std::string path) {
  constexpr std::string_view keys = "routing.keys.inline";
  constexpr std::string_view placements = "placements";
  std::string at = shape.inside.empty() ? "" : std::string(shape.inside) + ".";
  if (path == "routing.default_placement") return at.append(shape.default_placement);
  if (path.starts_with(keys)) return at.append(shape.table).append(path.substr(keys.size()));
  if (!path.starts_with(placements)) return path;
  path.erase(0, placements.size());
  if (const std::size_t endpoints = path.rfind(".endpoints"); endpoints != std::string::npos) {
    path.erase(endpoints);
    if (!shape.url.empty()) path.append(".").append(shape.url);
  }
  return at.append(shape.placements).append(path);
}

}  // namespace cellroute::wire
