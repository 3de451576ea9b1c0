#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "cellroute/match/routing_key.hpp"

// Rows, one by one and a few at a time.
namespace cellroute::control {
namespace {

constexpr std::size_t patch_rows_max = 10'000;
constexpr std::size_t resolve_keys_max = 1'000;
constexpr std::size_t changed_piece_min = 1'000;  // keys that are asked of the store at once

std::string_view placement_of(const key_table& rows, std::string_view key) {
  const auto outcome = rows.find(key);
  return outcome ? rows.outcomes()[*outcome] : std::string_view{};
}

/// Why routers answer 400 to every request with a key; empty where they do not.
std::string_view why_unreachable(std::string_view key) {
  const auto sent = read_named_key(key);
  if (!sent) return sent.error().message;
  return *sent == key ? "" : "white space around the routing key is no part of it";
}

/// Where a key leads and why, as one object; null where it leads nowhere, or where that is not his to know who asks.
std::string explained(const principal& who, const active_content& active, std::string_view key, wall_time now) {
  if (!who.owns(key, placement_of(active.content.keys, key))) return "null";
  if (const std::string_view why = why_unreachable(key); !why.empty()) {
    std::string out;
    process::json_writer(out).begin_object().field("unreachable", why).end_object();
    return out;
  }
  if (!active.table) return "null";
  const auto made = active.table->route(key, {key_source::header, active.doc.key.header}, now);
  if (!made) return "null";
  std::string out;
  if (!who.owns_placement(active.table->fleet().placements()[made->placement].id.value)) {
    process::json_writer(out)
        .begin_object()
        .field("elsewhere", "a rule leads it to a placement that is not this token's")
        .end_object();
    return out;
  }
  write_explanation_json(out, *made, active.table->fleet(), active.label);
  return out;
}

void write_key(std::string& out, std::string_view key, std::string_view placement) {
  process::json_writer row(out);
  row.begin_object().field("key", key).field("placement", placement).end_object();
}

answer key_page(const std::vector<std::pair<std::string, std::string>>& found, bool has_more) {
  std::string body = "{\"keys\":[";
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0) body += ',';
    write_key(body, found[i].first, found[i].second);
  }
  body += ']';
  if (has_more) body += fmt::format(",\"next\":\"{}\"", cursor_of(found.back().first));
  return json_answer(200, body + "}");
}

/// The tag of a row, empty where there is none.
std::string row_tag(const store_head& head, const std::optional<std::uint64_t>& last_change) {
  return last_change ? tag_of(head.epoch, *last_change) : std::string();
}

void put_at(wire::diagnostic& mistake, wire::position at) {
  mistake.line = at.line;
  mistake.column = at.column;
}

std::optional<answer> check_key(std::string_view key) {
  if (key.size() <= key_size_max) return std::nullopt;
  wire::mistake_list mistakes("path");
  mistakes.add({}, "key", fmt::format("has {} bytes; {} is the most", key.size(), key_size_max));
  return mistakes_answer(mistakes, key);
}

/// Of a row that is not his who asks, just what is said of one that is not there.
answer no_row(const call& c, const active_content& active, std::string_view key) {
  if (!c.who.owns(key, {})) {
    return problem_answer(404, "unknown",
                          "this token is bound to some placements or keys, and no row of that key is among them", {},
                          key_member(key));
  }
  std::string more = key_member(key) + ",\"resolved\":" + explained(c.who, active, key, c.now);
  return problem_answer(404, "unknown", "the key has no row; `resolved` tells where it is led without one", {}, more);
}

}  // namespace

answer list_keys(call& c) {
  auto asked = paging_of(c);
  if (!asked) return std::move(asked).error();
  const auto since = number_in(c, "changed_since", 0, 0, std::uint64_t{1} << 53);
  if (!since) return bad_request("changed_since must be the number of a version");
  const std::string* const prefix = c.target.find("prefix");
  const std::string* const placement = c.target.find("placement");
  reader<active_content> now(c.state.of.current());
  const key_table& rows = now.current().value.content.keys;
  const auto is_wanted = [&](std::string_view key, std::string_view leads_to) {
    return (prefix == nullptr || key.starts_with(*prefix)) && (placement == nullptr || leads_to == *placement) &&
           c.who.owns(key, leads_to);
  };
  std::vector<std::pair<std::string, std::string>> found;
  if (c.target.find("changed_since") != nullptr) {
    auto reading = lent_reader::take(c.state);
    if (!reading) return problem_answer(reading.error());
    std::string last = asked->cursor;
    // A short page is no reason to ask for each of many keys that are not wanted.
    const std::size_t piece = std::max(asked->limit + 1, changed_piece_min);
    for (bool is_over = false; !is_over && found.size() <= asked->limit;) {
      const auto some = (*reading)->keys_changed_since(*since, last, piece);
      if (!some) return problem_answer(some.error());
      is_over = some->size() < piece;
      for (const std::string& key : *some) {
        const std::string_view leads_to = placement_of(rows, key);
        if (!leads_to.empty() && is_wanted(key, leads_to)) found.emplace_back(key, leads_to);
      }
      if (!some->empty()) last = some->back();
    }
  } else {
    // The first ones of all: a heap of those found so far, the last on top.
    std::vector<std::pair<std::string_view, std::string_view>> first;
    rows.for_each([&](std::string_view key, std::uint16_t outcome) {
      if (key <= asked->cursor || !is_wanted(key, rows.outcomes()[outcome])) return;
      if (first.size() > asked->limit && key > first.front().first) return;
      first.emplace_back(key, rows.outcomes()[outcome]);
      std::ranges::push_heap(first);
      if (first.size() <= asked->limit + 1) return;
      std::ranges::pop_heap(first);
      first.pop_back();
    });
    std::ranges::sort(first);
    found.assign(first.begin(), first.end());
  }
  const bool has_more = found.size() > asked->limit;
  if (has_more) found.resize(asked->limit);
  return key_page(found, has_more);
}

namespace {

stored<std::optional<std::uint64_t>> last_change(api_state& state, std::string_view key) {
  auto reading = lent_reader::take(state);
  if (!reading) return unexpected(reading.error());
  return (*reading)->last_change_of(key);
}

}  // namespace

answer get_key(call& c) {
  reader<active_content> now(c.state.of.current());
  const active_content& active = now.current().value;
  const std::string& key = c.param(0);
  const std::string_view placement = placement_of(active.content.keys, key);
  if (placement.empty() || !c.who.owns(key, placement)) return no_row(c, active, key);
  // Where it leads is asked for when things go wrong: a store that cannot be read does not keep it back.
  const auto last = last_change(c.state, key);
  const std::uint64_t version = last ? last->value_or(0) : 0;  // 0: nobody tells
  std::string body;
  process::json_writer out(body);
  out.begin_object().field("key", key).field("placement", placement);
  if (version > 0) out.field("changed", version);
  body += ",\"resolved\":" + explained(c.who, active, key, c.now) + "}";
  answer made = json_answer(200, std::move(body));
  if (version > 0) add_tag(made, tag_of(active.head.epoch, version));
  return made;
}

namespace {

/// One row becomes another, or goes. `said_at` is where a body names the placement.
answer change_key(call& c, std::string_view placement, std::string_view action, wire::position said_at = {}) {
  const std::string& key = c.param(0);
  if (auto wrong = check_key(key)) return *std::move(wrong);
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  const bool is_removal = placement.empty();
  const row_changes some =
      is_removal ? changes_of({}, {{key, std::nullopt}}) : changes_of({placement}, {{key, std::uint16_t{0}}});
  if (auto bound = check_bounds(c, now.content.keys, some)) return *std::move(bound);
  const auto last = turn.stored().reading().last_change_of(key);
  if (!last) return problem_answer(last.error());
  const bool is_there = last->has_value();
  const std::string tag = row_tag(now.head, *last);
  const std::string_view named = key;
  if (auto wrong = check_preconditions(c, now, tag, is_there, std::span(&named, 1))) return *std::move(wrong);
  if (is_removal && !is_there) return no_row(c, now, key);
  auto next = turn.change_rows(some);
  if (!next) {
    for (wire::diagnostic& each : next.error().mistakes) put_at(each, said_at);
  }
  return finish_change(c, turn, std::move(next), action, is_there ? 200 : 201);
}

}  // namespace

answer put_key(call& c) {
  auto body = json_body(c);
  if (!body) return std::move(body).error();
  wire::mistake_list mistakes("body");
  std::string placement;
  {
    wire::section row(*body, "", mistakes);
    row.text("placement", placement);
    row.require("placement", "\"placement\": \"tier1\"");
    row.later(wire::later_row_attributes);
  }
  if (const wire::node* const said = body->find("placement");
      !placement.empty() && said->kind == wire::node_kind::plain)
    mistakes.add(said->at, "placement", "must be the name of a placement, in quotes");
  if (auto wrong = check_key(c.param(0))) return *std::move(wrong);
  const bool is_of_body = !mistakes.found().empty();
  if (auto what = key_mistake(c.param(0))) mistakes.add({}, "key", *std::move(what));
  if (!mistakes.found().empty()) return mistakes_answer(mistakes, is_of_body ? "" : c.param(0));
  return change_key(c, placement, "key.put", body->find("placement")->at);
}

answer delete_key(call& c) { return change_key(c, {}, "key.delete"); }

namespace {

/// Mistakes in rows stand where the body has these.
void put_places(wire::diagnostics& found, const wire::node& body) {
  std::unordered_map<std::string, wire::position> places;
  for (const wire::node& row : body.children) places.emplace(wire::join_path("", row.name), row.at);
  for (wire::diagnostic& each : found) {
    const auto at = places.find(each.path);
    if (at != places.end()) put_at(each, at->second);
  }
  wire::sort_by_place(found);
}

}  // namespace

answer patch_keys(call& c) {
  auto body = json_body(c);
  if (!body) return std::move(body).error();
  wire::mistake_list mistakes("body");
  if (body->kind != wire::node_kind::map) {
    mistakes.add(body->at, "", "must be a map of keys and the placements they lead to, null to remove one");
    return mistakes_answer(mistakes);
  }
  if (body->children.size() > patch_rows_max)
    return problem_answer(413, "too_large", fmt::format("at most {} rows; import more", patch_rows_max));
  wire::name_list names;
  std::vector<key_change> changes;
  std::vector<std::string_view> keys;
  one_key at_fault;
  for (const wire::node& row : body->children) {
    const std::string path = wire::join_path("", row.name);
    const std::size_t before = mistakes.found().size();
    if (row.name.empty() || row.name.size() > key_size_max)
      mistakes.add(row.name_at, path, fmt::format("a key has 1 to {} bytes", key_size_max));
    keys.push_back(row.name);
    if (row.kind == wire::node_kind::null) {
      changes.push_back({row.name, std::nullopt});
    } else {
      const auto number = row.kind == wire::node_kind::quoted ? names.add(row.text) : std::nullopt;
      if (!number) mistakes.add(row.at, path, "must be the name of a placement, or null");
      changes.push_back({row.name, number});
    }
    if (mistakes.found().size() > before) at_fault.add(row.name);
  }
  if (!mistakes.found().empty()) return mistakes_answer(mistakes, at_fault.name());
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  const row_changes some = changes_of({names.names().begin(), names.names().end()}, std::move(changes));
  if (auto bound = check_bounds(c, now.content.keys, some)) return *std::move(bound);
  if (auto wrong = check_preconditions(c, now, {}, now.head.version > 0, keys)) return *std::move(wrong);
  auto next = turn.change_rows(some);
  if (!next) put_places(next.error().mistakes, *body);
  return finish_change(c, turn, std::move(next), "keys.patch");
}

namespace {

constexpr std::size_t history_piece_min = 100;

/// 403, with the key that does not begin as it must.
answer other_key(std::string_view key) {
  return problem_answer(403, "out_of_bounds",
                        "this token is bound to keys that begin otherwise; leave that key out, or ask with another "
                        "token",
                        {}, key_member(key));
}

/// What of an event is his to know. A side that is another's placement is left out.
struct shown_event {
  bool is_shown = true;
  bool has_from = true;
  bool has_to = true;
};

shown_event shown_to(const principal& who, std::string_view key, const key_event& event) {
  if (event.is_unknown || (!event.from && !event.to)) return {.is_shown = who.owns(key, {})};
  const auto is_his = [&](const std::optional<std::string>& side) { return side && who.owns(key, *side); };
  // Where there is no row, there is nobody else's.
  const bool has_from = !event.from || is_his(event.from);
  const bool has_to = !event.to || is_his(event.to);
  return {is_his(event.from) || is_his(event.to), has_from, has_to};
}

/// The newest events that are his to know: at most one more than a page has, so that it is seen whether there are more.
stored<std::vector<key_event>> history_for(const principal& who, store_reader& from, std::string_view key,
                                           const page& asked) {
  std::vector<key_event> found;
  page piece{asked.after, std::max(asked.limit + 1, history_piece_min)};
  for (bool is_over = false; !is_over && found.size() <= asked.limit;) {
    auto some = from.history_of(key, piece);
    if (!some) return unexpected(some.error());
    is_over = some->size() < piece.limit;
    if (!some->empty()) piece.after = some->back().version.version;
    for (key_event& each : *some) {
      if (found.size() <= asked.limit && shown_to(who, key, each).is_shown) found.push_back(std::move(each));
    }
  }
  return found;
}

}  // namespace

answer key_history(call& c) {
  if (!c.param(0).starts_with(c.who.key_prefix)) return other_key(c.param(0));
  auto asked = number_page(c);
  if (!asked) return std::move(asked).error();
  const auto at = number_in(c, "at", 0, 1, std::uint64_t{1} << 53);
  if (!at) return bad_request("at must be the number of a version");
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  auto events = history_for(c.who, **reading, c.param(0), *asked);
  if (!events) return problem_answer(events.error());
  const bool has_more = events->size() > asked->limit;
  if (has_more) events->pop_back();
  std::string body;
  process::json_writer out(body);
  out.begin_object().field("key", c.param(0));
  if (*at > 0) {
    const auto rows = (*reading)->rows_at(*at, c.state.of.settings().seed);
    if (!rows) return problem_answer(rows.error());
    const std::string_view placement = placement_of(*rows, c.param(0));
    out.name("at").begin_object().field("version", *at);
    const bool is_told = !placement.empty() && c.who.owns(c.param(0), placement);
    is_told ? out.field("placement", placement) : out.field("placement", nullptr);
    out.end_object();
  }
  out.name("history").begin_array();
  for (const key_event& each : *events) {
    out.begin_object().field("version", each.version.version).field("at", each.version.at);
    out.field("author", each.version.author);
    // Whoever wrote it may have named other rows of that version.
    out.field("message", c.who.is_bound() ? std::string_view() : std::string_view(each.version.message));
    const auto side = [&out](std::string_view name, const std::optional<std::string>& placement) {
      placement ? out.field(name, *placement) : out.field(name, nullptr);
    };
    if (each.is_unknown) {
      out.field("unknown", true);
    } else {
      const shown_event shown = shown_to(c.who, c.param(0), each);
      if (shown.has_from) side("from", each.from);
      if (shown.has_to) side("to", each.to);
    }
    out.end_object();
  }
  out.end_array();
  if (has_more) out.field("next", cursor_of(events->back().version.version));
  out.end_object();
  return json_answer(200, std::move(body));
}

answer resolve_keys(call& c) {
  auto body = json_body(c);
  if (!body) return std::move(body).error();
  wire::mistake_list mistakes("body");
  std::vector<std::string> keys;
  std::uint64_t version = 0;
  std::uint64_t compared = 0;
  {
    wire::section asked(*body, "", mistakes);
    asked.list("keys", keys, wire::parse_routing_key);
    asked.require("keys", "\"keys\": [\"acme\"]");
    asked.count("version", version, {1, std::uint64_t{1} << 53});
    asked.count("compare", compared, {1, std::uint64_t{1} << 53});
  }
  if (keys.size() > resolve_keys_max)
    return problem_answer(413, "too_large", fmt::format("at most {} keys", resolve_keys_max));
  if (!mistakes.found().empty()) return mistakes_answer(mistakes);
  const auto begins_otherwise = [&](const std::string& key) { return !key.starts_with(c.who.key_prefix); };
  if (const auto other = std::ranges::find_if(keys, begins_otherwise); other != keys.end()) return other_key(*other);
  reader<active_content> now(c.state.of.current());
  const active_content& current = now.current().value;
  std::optional<active_content> read[2];
  const active_content* contents[2] = {&current, compared != 0 ? &current : nullptr};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t wanted = i == 0 ? version : compared;
    if (wanted == 0 || wanted == current.head.version) continue;
    auto reading = lent_reader::take(c.state);
    if (!reading) return problem_answer(reading.error());
    auto past = read_version(**reading, wanted, c.state.of.settings());
    if (!past) return problem_answer(past.error());
    read[i] = *std::move(past);
    contents[i] = &*read[i];
  }
  std::string text = "{\"resolved\":[";
  for (std::size_t i = 0; i < keys.size(); ++i) {
    text += i == 0 ? "{\"key\":" : ",{\"key\":";
    process::append_json_string(text, keys[i]);
    text += ",\"to\":" + explained(c.who, *contents[0], keys[i], c.now);
    if (contents[1] != nullptr) text += ",\"compared\":" + explained(c.who, *contents[1], keys[i], c.now);
    text += '}';
  }
  return json_answer(200, text + "]}");
}

}  // namespace cellroute::control
