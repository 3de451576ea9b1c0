#include "adapters/control/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "adapters/wire/regex_compiler.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t examples_max = 10;

/// What changes for keys, as `diff` tells it of two tables.
table_diff diff_of(const key_table& before, const row_changes& changes) {
  table_diff found;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> pairs;
  for (const key_change& each : changes.changes) {
    const auto was = before.find(each.key);
    const std::string_view from = was ? before.outcomes()[*was] : std::string_view{};
    const std::string_view to = each.outcome ? changes.names[*each.outcome] : std::string_view{};
    if (from == to) continue;
    ++(from.empty() ? found.added : to.empty() ? found.removed : found.moved);
    ++pairs[{from, to}];
    if (found.examples.size() < examples_max)
      found.examples.push_back({std::string(each.key), std::string(from), std::string(to)});
  }
  for (const auto& [names, count] : pairs)
    found.changes.push_back({std::string(names.first), std::string(names.second), count});
  return found;
}

const cell* cell_of(const table_spec& spec, const cell_id& id) {
  const auto found = std::ranges::find(spec.cells, id, &cell::id);
  return found == spec.cells.end() ? nullptr : &*found;
}

bool is_same_cell(const table_spec& a, const table_spec& b, const cell_id& id) {
  const cell* const one = cell_of(a, id);
  const cell* const other = cell_of(b, id);
  return one == nullptr || other == nullptr ? one == other : *one == *other;
}

bool is_same_placement(const table_spec& a, const table_spec& b, const placement& one, const placement& other) {
  return one == other && is_same_cell(a, b, one.cell) &&
         std::ranges::all_of(one.cells, [&](const cell_id& id) { return is_same_cell(a, b, id); });
}

void compare_placements(const table_spec& from, const table_spec& to, blast_radius& radius) {
  std::map<std::string_view, const placement*> before;
  for (const placement& p : from.placements) before.emplace(p.id.value, &p);
  for (const placement& p : to.placements) {
    const auto was = before.find(p.id.value);
    if (was == before.end()) {
      radius.placements_added.push_back(p.id.value);
    } else {
      if (!is_same_placement(from, to, *was->second, p)) radius.placements_changed.push_back(p.id.value);
      before.erase(was);
    }
  }
  for (const auto& [name, gone] : before) radius.placements_removed.emplace_back(name);
}

void compare_endpoints(const table_spec& from, const table_spec& to, blast_radius& radius) {
  std::map<std::pair<std::string_view, std::string_view>, const endpoint*> before;
  for (const cell& c : from.cells) {
    for (const endpoint& e : c.endpoints)
      before.emplace(std::pair(std::string_view(c.id.value), std::string_view(e.id)), &e);
  }
  for (const cell& c : to.cells) {
    for (const endpoint& e : c.endpoints) {
      const auto was = before.find({c.id.value, e.id});
      if (was == before.end()) {
        radius.endpoints_added.push_back(c.id.value + '/' + e.id);
      } else {
        if (*was->second != e) radius.endpoints_changed.push_back(c.id.value + '/' + e.id);
        before.erase(was);
      }
    }
  }
  for (const auto& [names, gone] : before)
    radius.endpoints_removed.push_back(fmt::format("{}/{}", names.first, names.second));
}

/// The changes that change something, with texts of their own: who asked for them may be gone when they are stored.
row_changes real_changes(const key_table& table, const row_changes& some) {
  text_memory memory;
  std::vector<std::string_view> names;
  for (const std::string_view name : some.names) names.push_back(memory.keep(name));
  std::vector<key_change> kept;
  for (const key_change& each : some.changes) {
    const auto was = table.find(each.key);
    const bool is_same =
        was && each.outcome ? table.outcomes()[*was] == some.names[*each.outcome] : !was && !each.outcome;
    if (!is_same) kept.push_back({memory.keep(each.key), each.outcome});
  }
  row_changes made = changes_of(std::move(names), std::move(kept));
  made.memory = std::move(memory);
  return made;
}

problem too_large(const build_error& why) {
  return {problem_kind::too_large, fmt::format("the rows make no table: {}", to_string(why.what)), {}};
}

/// Names that no placement has.
std::vector<std::string_view> unknown_names(std::span<const std::string_view> names, const table_spec& spec) {
  std::vector<std::string_view> found;
  std::ranges::copy_if(names, std::back_inserter(found), [&spec](std::string_view name) {
    return std::ranges::none_of(spec.placements, [name](const placement& p) { return p.id.value == name; });
  });
  return found;
}

/// Rows that lead nowhere, each by its key.
problem lost_rows(const row_changes& some, std::span<const std::string_view> unknown) {
  wire::diagnostics found;
  std::size_t more = 0;
  std::string first;
  for (const key_change& row : some.changes) {
    if (!row.outcome || std::ranges::find(unknown, some.names[*row.outcome]) == unknown.end()) continue;
    if (found.size() == wire::mistakes_max) {
      ++more;
      continue;
    }
    if (found.empty()) first = row.key;
    found.push_back(
        {"rows", 1, 1, wire::join_path("", row.key),
         fmt::format("no placement is named {}; add it or name another", wire::quote(some.names[*row.outcome]))});
  }
  if (more > 0) found.push_back({"rows", 1, 1, "", fmt::format("{} more mistakes follow; correct these first", more)});
  problem made = problem_of(std::move(found));
  if (made.mistakes.size() == 1) made.key = std::move(first);
  return made;
}

active_content nothing(const store_head& head, std::uint64_t salt) {
  return {head, sync::make_content({}, key_table(), salt), {}, {}, {}};
}

expected<routing_table, problem> table_around(const document& doc, std::uint64_t version, std::uint64_t seed,
                                              const key_table& keys) {
  auto made = routing_table::compile(doc.spec, generation_number{version}, seed, keys.shared(), wire::by_re2);
  if (made) return *std::move(made);
  wire::diagnostics found;
  for (violation& each : made.error()) found.push_back({"document", 1, 1, std::move(each.path), std::move(each.what)});
  return unexpected(problem_of(std::move(found)));
}

expected<active_content, problem> content_in(store_reader& from, const store_head& head, std::uint64_t salt,
                                             const registry_settings& settings) {
  if (head.version == 0) return nothing(head, salt);
  auto keys = from.rows_at(head.version, settings.seed);
  if (!keys) return unexpected(problem_of(keys.error()));
  auto text = from.document_at(head.version);
  if (!text) return unexpected(problem_of(text.error()));
  auto doc = read_document(*text);
  if (!doc) return unexpected(doc.error());
  auto table = table_around(*doc, head.version, settings.seed, *keys);
  if (!table) return unexpected(table.error());
  sync::content content = sync::make_content(*std::move(text), *std::move(keys), salt);
  if (content.sum != head.sum) {
    return unexpected(problem{problem_kind::damaged,
                              fmt::format("version {} has not the digest that it was published with", head.version),
                              {}});
  }
  std::string label = doc->spec.version;
  return active_content{head, std::move(content), std::move(label), *std::move(doc), *std::move(table)};
}

/// Not of who asked: of the disk, or the file.
bool is_trouble(store_error error) {
  return error == store_error::full || error == store_error::unavailable || error == store_error::corrupt ||
         error == store_error::refused;
}

}  // namespace

expected<active_content, problem> read_version(store_reader& from, std::uint64_t version,
                                               const registry_settings& settings) {
  const auto record = from.version(version);
  if (!record) return unexpected(problem_of(record.error()));
  const auto salt = from.salt();
  if (!salt) return unexpected(problem_of(salt.error()));
  return content_in(from, {record->epoch, version, record->sum, record->keys}, *salt, settings);
}

blast_radius radius_of(const key_table& before, const row_changes& changes, const document& from, const document& to) {
  blast_radius radius;
  radius.keys = diff_of(before, changes);
  radius.keys_before = before.size();
  radius.keys_after = before.size() + radius.keys.added - radius.keys.removed;
  radius.is_document_new = from.text != to.text;
  compare_placements(from.spec, to.spec, radius);
  compare_endpoints(from.spec, to.spec, radius);
  return radius;
}

stored<void> registry::check_writing() {
  const std::unique_lock lock(writing_, std::try_to_lock);
  return lock ? store_.check_writing() : stored<void>();
}

expected<std::unique_ptr<registry>, problem> registry::open(store from, const registry_settings& settings,
                                                            publication_listener* listener) {
  const auto salt = from.reading().salt();
  if (!salt) return unexpected(problem_of(salt.error()));
  const auto head = from.reading().head();
  if (!head) return unexpected(problem_of(head.error()));
  auto first = content_in(from.reading(), *head, *salt, settings);
  if (!first) return unexpected(std::move(first).error());
  // Nothing but `open` makes one, so no `make_unique`.
  return std::unique_ptr<registry>(
      new registry(std::move(from), settings, listener, *salt, *std::move(first)));  // allow: new: private constructor
}

registry::registry(store from, const registry_settings& settings, publication_listener* listener, std::uint64_t salt,
                   active_content first)
    : store_(std::move(from)),
      path_(store_.path()),
      settings_(settings),
      listener_(listener),
      salt_(salt),
      current_({first.head.version, std::move(first)}) {}

registry::turn registry::begin() { return turn(*this); }

stored<std::uint64_t> registry::tell_audit_to(audit_listener* listener) {
  const std::lock_guard lock(writing_);
  audit_listener_ = nullptr;  // whatever the store says
  const auto last = store_.reading().last_audit();
  if (!last) return unexpected(last.error());
  audit_listener_ = listener;
  (void)store_.take_audited();
  return *last;
}

void registry::tell_audit() {
  for (const audit_record& each : store_.take_audited()) {
    if (audit_listener_ != nullptr) audit_listener_->on_audited(each);
  }
}

expected<next_content, problem> registry::turn::complete(document doc, sync::content content, row_changes changes) {
  const active_content& now = base();
  auto table = table_around(doc, now.head.version + 1, owner_.settings_.seed, content.keys);
  if (!table) return unexpected(std::move(table).error());
  blast_radius radius = radius_of(now.content.keys, changes, now.doc, doc);
  return next_content{std::move(content), std::move(changes), std::move(doc), *std::move(table), std::move(radius)};
}

expected<next_content, problem> registry::turn::replace_all(whole_configuration all) {
  sync::content content = sync::make_content(all.doc.text, std::move(all.keys), owner_.salt_);
  row_changes changes = changes_between(base().content.keys, content.keys);
  return complete(std::move(all.doc), std::move(content), std::move(changes));
}

expected<next_content, problem> registry::turn::replace_rows(key_table rows) {
  document doc = base().doc;
  sync::content content = sync::make_content(doc.text, std::move(rows), owner_.salt_);
  row_changes changes = changes_between(base().content.keys, content.keys);
  if (const auto unknown = unknown_names(changes.names, doc.spec); !unknown.empty())
    return unexpected(lost_rows(changes, unknown));
  return complete(std::move(doc), std::move(content), std::move(changes));
}

expected<next_content, problem> registry::turn::with_rows(document doc, const row_changes& some) {
  const active_content& now = base();
  row_changes changes = real_changes(now.content.keys, some);
  auto keys = apply(now.content.keys, changes);
  if (!keys) return unexpected(too_large(keys.error()));
  if (auto leaner = without_idle_outcomes(*keys)) keys = *std::move(leaner);
  if (const auto unknown = unknown_names(keys->outcomes(), doc.spec); !unknown.empty()) {
    std::vector<std::string> needed;
    for (const std::string_view name : unknown) needed.push_back(wire::quote(name));
    return unexpected(
        problem{problem_kind::in_use, fmt::format("keys lead to {}; move them first", fmt::join(needed, ", ")), {}});
  }
  key_digest digest = now.content.digest.updated(*keys, changes.changes, sync::sha256);
  sync::content content{doc.text, *std::move(keys), std::move(digest), {}};
  content.sum = content.digest.root(sync::sha256(bytes_of(content.document)), sync::sha256);
  return complete(std::move(doc), std::move(content), std::move(changes));
}

expected<next_content, problem> registry::turn::change_rows(const row_changes& some) {
  const document& doc = base().doc;
  if (const auto unknown = unknown_names(some.names, doc.spec); !unknown.empty())
    return unexpected(lost_rows(some, unknown));
  return with_rows(doc, some);
}

expected<next_content, problem> registry::turn::change_document(const wire::node& tree, const row_changes* also) {
  auto doc = read_document(tree);
  if (!doc) return unexpected(std::move(doc).error());
  const row_changes none;
  return with_rows(*std::move(doc), also != nullptr ? *also : none);
}

expected<next_content, problem> registry::turn::content_of(std::uint64_t version) {
  auto old = read_version(stored().reading(), version, owner_.settings_);
  if (!old) return unexpected(std::move(old).error());
  row_changes changes = changes_between(base().content.keys, old->content.keys);
  return complete(std::move(old->doc), std::move(old->content), std::move(changes));
}

std::vector<wire::guard_verdict> registry::turn::judge(const blast_radius& radius, std::string_view lifted,
                                                       std::string_view call) const {
  return wire::judge_guards(owner_.settings_.guard, radius.keys, radius.keys_before, radius.keys_after, lifted, call);
}

expected<version_record, problem> registry::turn::publish(next_content next, const publish_order& order) {
  const active_content& now = base();
  if (now.head.version > 0 && next.content.sum == now.content.sum) {
    auto same = stored().reading().version(now.head.version);
    if (!same) return unexpected(problem_of(same.error()));
    if (order.asked_once) {
      const std::string text = order.answer_of != nullptr ? order.answer_of(*same) : std::string();
      const auto kept = stored().keep_answer({*order.asked_once, 200, text, same->version}, order.now);
      if (!kept) return unexpected(problem_of(kept.error()));
    }
    return *std::move(same);
  }
  publication what{now.head.version, next.content, next.changes};
  what.author = order.author;
  what.at = order.now;
  what.label = next.doc.spec.version;
  what.message = order.message;
  what.rollback_of = order.rollback_of;
  what.lifted = order.lifted;
  what.action = order.action;
  what.asked_once = order.asked_once;
  what.answer_of = order.answer_of;
  auto record = stored().publish(what);
  if (!record && is_trouble(record.error().what)) owner_.note_store_error();
  if (!record) return unexpected(problem_of(record.error()));
  const store_head head{record->epoch, record->version, record->sum, record->keys};
  std::string label = next.doc.spec.version;
  active_content made{head, std::move(next.content), std::move(label), std::move(next.doc), std::move(next.table)};
  // The only writer, and its number is one more: it is never overtaken.
  (void)owner_.current_.publish({head.version, std::move(made)});
  if (owner_.listener_ != nullptr) {
    reader<active_content> after(owner_.current_);
    owner_.listener_->on_published(after.current().value, now);
  }
  (void)now_.current();  // lets go of the old one
  (void)owner_.current_.collect();
  return *std::move(record);
}

}  // namespace cellroute::control
