#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/print.hpp"
#include "adapters/wire/scalars.hpp"

// Placements and their endpoints: parts of the document, edited as a tree and checked as a whole.
namespace cellroute::control {
namespace {

using wire::node;
using wire::node_kind;

node* child(node& of, std::string_view name) {
  const auto found = std::ranges::find(of.children, name, &node::name);
  return found == of.children.end() ? nullptr : &*found;
}

node& map_in(node& of, std::string_view name) {
  if (node* const found = child(of, name)) return *found;
  node made;
  made.kind = node_kind::map;
  made.name = name;
  of.children.push_back(std::move(made));
  return of.children.back();
}

/// RFC 7396.
void merge(node& into, const node& patch) {
  if (patch.kind != node_kind::map) {
    std::string name = std::move(into.name);
    into = patch;
    into.name = std::move(name);
    return;
  }
  if (into.kind != node_kind::map) {
    into.kind = node_kind::map;
    into.text.clear();
    into.children.clear();
  }
  for (const node& each : patch.children) {
    if (each.kind == node_kind::null) {
      std::erase_if(into.children, [&](const node& old) { return old.name == each.name; });
    } else if (node* const old = child(into, each.name)) {
      merge(*old, each);
    } else {
      node made;
      made.name = each.name;
      merge(made, each);
      into.children.push_back(std::move(made));
    }
  }
}

node text_node(std::string_view name, std::string_view text) {
  node made;
  made.kind = node_kind::quoted;
  made.name = name;
  made.text = text;
  return made;
}

std::string definition_text(const node& of) {
  std::string text = wire::write_json(of);
  text.pop_back();  // the line end
  return text;
}

/// The rows that lead there, as far as they are his who asks.
std::size_t keys_of(const principal& who, const key_table& rows, std::string_view placement) {
  std::size_t count = 0;
  rows.for_each([&](std::string_view key, std::uint16_t outcome) {
    if (rows.outcomes()[outcome] == placement && who.owns(key, placement)) ++count;
  });
  return count;
}

void write_placement(std::string& out, const node& definition, std::size_t keys) {
  out += "{\"name\":";
  process::append_json_string(out, definition.name);
  out += fmt::format(",\"keys\":{},\"definition\":{}}}", keys, definition_text(definition));
}

answer no_placement(std::string_view name) {
  return problem_answer(404, "unknown", fmt::format("no placement is named {}", wire::quote(name)));
}

/// The name by which an endpoint is known, as the schema has it.
std::string id_of(const node& endpoint) {
  if (const node* const id = endpoint.find("id")) return id->text;
  const node* const url = endpoint.find("url");
  const auto origin = wire::parse_origin(url != nullptr ? url->text : "");
  return origin ? wire::to_string(wire::socket_address{origin->host, origin->port}) : "";
}

node* endpoint_in(node& placement, std::string_view id) {
  node* const endpoints = child(placement, "endpoints");
  if (endpoints == nullptr) return nullptr;
  const auto found = std::ranges::find(endpoints->children, id, id_of);
  return found == endpoints->children.end() ? nullptr : &*found;
}

/// Whether new requests go to some endpoint of a placement, as far as what is written says: what is wrong is said
/// later.
bool takes_requests(const node& placement) {
  const node* const endpoints = placement.find("endpoints");
  return endpoints != nullptr && std::ranges::any_of(endpoints->children, [](const node& each) {
           const node* const weight = each.find("weight");
           const node* const drain = each.find("drain");
           return (weight == nullptr || weight->text != "0") && (drain == nullptr || drain->text != "true");
         });
}

answer last_endpoint() {
  return problem_answer(409, "in_use",
                        "no other endpoint of this placement takes requests; add one, or end another's drain, first");
}

/// An endpoint stays the one that the path names.
std::optional<answer> check_id(const call& c, const node& said) {
  const node* const id = said.find("id");
  if (id == nullptr || (id->kind != node_kind::null && id->text == c.param(1))) return std::nullopt;
  return bad_request("id must be that of the path");
}

answer no_endpoint(std::string_view placement, std::string_view id) {
  return problem_answer(404, "unknown",
                        fmt::format("{} has no endpoint {} of its own", wire::quote(placement), wire::quote(id)));
}

/// A map of JSON as the body; 422 where it is something else.
expected<node, answer> map_body(const call& c) {
  auto body = json_body(c);
  if (!body) return body;
  if (body->kind == node_kind::map) return body;
  wire::mistake_list mistakes("body");
  mistakes.add(body->at, "", "must be a map");
  return unexpected(mistakes_answer(mistakes));
}

/// Whether the placement, or the endpoint, that a path names is there.
bool is_target_there(const call& c, node& placements) {
  node* const placement = child(placements, c.param(0));
  return placement != nullptr && (c.params.size() == 1 || endpoint_in(*placement, c.param(1)) != nullptr);
}

/// A change of the document: `edit` changes the tree, or says why not, and returns the status of success.
template <class Edit>
answer change_tree(call& c, std::string_view action, Edit&& edit) {
  registry::turn turn = c.state.of.begin();
  node tree = turn.base().doc.tree;
  tree.kind = node_kind::map;
  node& placements = map_in(tree, "placements");
  if (auto wrong = check_preconditions(c, turn.base(), {}, is_target_there(c, placements))) return *std::move(wrong);
  row_changes also;
  expected<std::uint16_t, answer> status = edit(placements, turn.base(), also);
  if (!status) return std::move(status).error();
  return finish_change(c, turn, turn.change_document(tree, &also), action, *status);
}

using edited = expected<std::uint16_t, answer>;

}  // namespace

answer list_placements(call& c) {
  auto asked = paging_of(c);
  if (!asked) return std::move(asked).error();
  reader<active_content> now(c.state.of.current());
  const active_content& active = now.current().value;
  std::vector<std::size_t> keys(active.content.keys.outcomes().size());
  active.content.keys.for_each([&](std::string_view key, std::uint16_t outcome) {
    if (key.starts_with(c.who.key_prefix)) ++keys[outcome];
  });
  std::vector<const node*> all;
  if (const node* const placements = active.doc.tree.find("placements")) {
    for (const node& each : placements->children) {
      if (each.name > asked->cursor && c.who.owns_placement(each.name)) all.push_back(&each);
    }
  }
  std::ranges::sort(all, {}, [](const node* each) -> const std::string& { return each->name; });
  std::string body = "{\"placements\":[";
  for (std::size_t i = 0; i < std::min(all.size(), asked->limit); ++i) {
    const auto outcomes = active.content.keys.outcomes();
    const auto at = std::ranges::find(outcomes, all[i]->name);
    if (i > 0) body += ',';
    write_placement(body, *all[i], at == outcomes.end() ? 0 : keys[static_cast<std::size_t>(at - outcomes.begin())]);
  }
  body += ']';
  if (all.size() > asked->limit) body += fmt::format(",\"next\":\"{}\"", cursor_of(all[asked->limit - 1]->name));
  answer made = json_answer(200, body + "}");
  add_tag(made, tag_of(active.head));
  return made;
}

answer get_placement(call& c) {
  reader<active_content> now(c.state.of.current());
  const active_content& active = now.current().value;
  const node* const placements = active.doc.tree.find("placements");
  const node* const found = placements != nullptr ? placements->find(c.param(0)) : nullptr;
  if (found == nullptr || !c.who.owns_placement(c.param(0))) return no_placement(c.param(0));
  std::string body;
  write_placement(body, *found, keys_of(c.who, active.content.keys, c.param(0)));
  answer made = json_answer(200, std::move(body));
  add_tag(made, tag_of(active.head));
  return made;
}

answer put_placement(call& c) {
  auto body = map_body(c);
  if (!body) return std::move(body).error();
  return change_tree(c, "placement.put", [&](node& placements, const active_content&, row_changes&) -> edited {
    node made = *std::move(body);
    made.name = c.param(0);
    if (node* const old = child(placements, made.name)) {
      *old = std::move(made);
      return std::uint16_t{200};
    }
    placements.children.push_back(std::move(made));
    return std::uint16_t{201};
  });
}

answer patch_placement(call& c) {
  auto body = map_body(c);
  if (!body) return std::move(body).error();
  return change_tree(c, "placement.patch", [&](node& placements, const active_content&, row_changes&) -> edited {
    node* const old = child(placements, c.param(0));
    if (old == nullptr) return unexpected(no_placement(c.param(0)));
    merge(*old, *body);
    return std::uint16_t{200};
  });
}

answer delete_placement(call& c) {
  return change_tree(c, "placement.delete",
                     [&](node& placements, const active_content& now, row_changes& also) -> edited {
                       if (child(placements, c.param(0)) == nullptr) return unexpected(no_placement(c.param(0)));
                       std::erase_if(placements.children, [&](const node& each) { return each.name == c.param(0); });
                       const std::string* const move_to = c.target.find("move_to");
                       if (move_to == nullptr) return std::uint16_t{200};
                       if (child(placements, *move_to) == nullptr)
                         return unexpected(bad_request("move_to must be another placement"));
                       const key_table& rows = now.content.keys;
                       std::vector<key_change> moved;
                       rows.for_each([&](std::string_view key, std::uint16_t outcome) {
                         if (rows.outcomes()[outcome] == c.param(0)) moved.push_back({key, std::uint16_t{0}});
                       });
                       also = changes_of({std::string_view(*move_to)}, std::move(moved));
                       return std::uint16_t{200};
                     });
}

answer get_endpoint(call& c) {
  reader<active_content> now(c.state.of.current());
  const active_content& active = now.current().value;
  node tree = active.doc.tree;
  node* const placement = child(map_in(tree, "placements"), c.param(0));
  if (placement == nullptr || !c.who.owns_placement(c.param(0))) return no_placement(c.param(0));
  const node* const found = endpoint_in(*placement, c.param(1));
  if (found == nullptr) return no_endpoint(c.param(0), c.param(1));
  std::string body = "{\"id\":";
  process::append_json_string(body, c.param(1));
  answer made = json_answer(200, body + ",\"definition\":" + definition_text(*found) + "}");
  add_tag(made, tag_of(active.head));
  return made;
}

answer put_endpoint(call& c) {
  auto body = map_body(c);
  if (!body) return std::move(body).error();
  return change_tree(c, "endpoint.put", [&](node& placements, const active_content&, row_changes&) -> edited {
    node* const placement = child(placements, c.param(0));
    if (placement == nullptr) return unexpected(no_placement(c.param(0)));
    node made = *std::move(body);
    if (auto wrong = check_id(c, made)) return unexpected(*std::move(wrong));
    if (made.find("id") == nullptr) made.children.insert(made.children.begin(), text_node("id", c.param(1)));
    if (node* const old = endpoint_in(*placement, c.param(1))) {
      *old = std::move(made);
      return std::uint16_t{200};
    }
    if (child(*placement, "cell") != nullptr || child(*placement, "cells") != nullptr) {
      return unexpected(problem_answer(409, "in_use", "the endpoints of this placement are those of its cells"));
    }
    node& endpoints = map_in(*placement, "endpoints");
    endpoints.kind = node_kind::list;
    endpoints.children.push_back(std::move(made));
    return std::uint16_t{201};
  });
}

answer patch_endpoint(call& c) {
  auto body = map_body(c);
  if (!body) return std::move(body).error();
  return change_tree(c, "endpoint.patch", [&](node& placements, const active_content&, row_changes&) -> edited {
    node* const placement = child(placements, c.param(0));
    if (placement == nullptr) return unexpected(no_placement(c.param(0)));
    node* const old = endpoint_in(*placement, c.param(1));
    if (old == nullptr) return unexpected(no_endpoint(c.param(0), c.param(1)));
    if (auto wrong = check_id(c, *body)) return unexpected(*std::move(wrong));
    merge(*old, *body);
    // What is over leaves nothing behind: the same content as before.
    std::erase_if(old->children, [](const node& each) { return each.name == "drain" && each.text == "false"; });
    if (!takes_requests(*placement)) return unexpected(last_endpoint());
    // Without an id its address is its name, which it keeps where that becomes another.
    if (id_of(*old) != c.param(1)) old->children.insert(old->children.begin(), text_node("id", c.param(1)));
    return std::uint16_t{200};
  });
}

answer delete_endpoint(call& c) {
  return change_tree(c, "endpoint.delete", [&](node& placements, const active_content&, row_changes&) -> edited {
    node* const placement = child(placements, c.param(0));
    if (placement == nullptr) return unexpected(no_placement(c.param(0)));
    if (endpoint_in(*placement, c.param(1)) == nullptr) return unexpected(no_endpoint(c.param(0), c.param(1)));
    node& endpoints = *child(*placement, "endpoints");
    if (endpoints.children.size() == 1)
      return unexpected(problem_answer(409, "in_use", "it is the last endpoint; remove the placement instead"));
    std::erase_if(endpoints.children, [&](const node& each) { return id_of(each) == c.param(1); });
    if (!takes_requests(*placement)) return unexpected(last_endpoint());
    return std::uint16_t{200};
  });
}

}  // namespace cellroute::control
