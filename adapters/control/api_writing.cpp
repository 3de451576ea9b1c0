#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/config_guard.hpp"

// What all requests have in common that change the configuration.
namespace cellroute::control {
namespace {

constexpr std::size_t conflicts_told_max = 100;
constexpr std::size_t single_keys_max = 1'000;  // more are not looked up one by one
constexpr std::size_t message_bytes_max = 1'000;

/// The version in a tag of this epoch.
std::optional<std::uint64_t> version_in(std::string_view tag, std::uint64_t epoch) {
  const std::size_t dot = tag.find('.');
  if (dot == std::string_view::npos || read_number(tag.substr(0, dot)) != epoch) return std::nullopt;
  return read_number(tag.substr(dot + 1));
}

/// The rows that were changed or taken away since the version that somebody looked at: of those that he names, or of
/// all.
std::vector<std::string> conflicting_rows(const call& c, const active_content& now, const tag_list& wanted,
                                          std::span<const std::string_view> keys) {
  std::vector<std::string> found;
  const auto since = wanted.tags.empty() ? std::nullopt : version_in(wanted.tags.front(), now.head.epoch);
  if (!since) return found;
  auto reading = lent_reader::take(c.state);
  if (!reading) return found;
  // What a version took away that has all rows stands nowhere: it is what was there before.
  std::optional<key_table> before;
  if (const auto has_whole = (*reading)->has_whole_since(*since); has_whole && *has_whole) {
    if (auto rows = (*reading)->rows_at(*since, c.state.of.settings().seed)) before = *std::move(rows);
  }
  const auto is_lost = [&](std::string_view key) { return before && before->find(key) && !now.content.keys.find(key); };
  if (!keys.empty() && keys.size() <= single_keys_max) {
    for (const std::string_view key : keys) {
      const auto last = (*reading)->last_touch_of(key);
      const bool is_touched = (last && *last > *since) || is_lost(key);
      if (is_touched && found.size() < conflicts_told_max) found.emplace_back(key);
    }
    return found;
  }
  const std::unordered_set<std::string_view> named(keys.begin(), keys.end());
  const auto is_named = [&named](std::string_view key) { return named.empty() || named.contains(key); };
  std::string last;
  for (bool is_over = false; !is_over && found.size() < conflicts_told_max;) {
    const auto some = (*reading)->keys_touched_since(*since, last, single_keys_max);
    if (!some || some->empty()) break;
    is_over = some->size() < single_keys_max;
    last = some->back();
    std::ranges::copy_if(*some, std::back_inserter(found), is_named);
  }
  if (before) {
    std::size_t lost = 0;
    before->for_each([&](std::string_view key, std::uint16_t) {
      if (lost == conflicts_told_max || !is_named(key) || !is_lost(key)) return;
      found.emplace_back(key);
      ++lost;
    });
  }
  std::ranges::sort(found);
  found.erase(std::ranges::unique(found).begin(), found.end());
  if (found.size() > conflicts_told_max) found.resize(conflicts_told_max);
  return found;
}

answer precondition_failed(const call& c, const active_content& now, const tag_list& wanted,
                           std::span<const std::string_view> keys) {
  const std::vector<std::string> rows = conflicting_rows(c, now, wanted, keys);
  std::string more = fmt::format(",\"current\":\"{}\",\"rows\":", tag_of(now.head));
  process::json_writer(more).value(std::span<const std::string>(rows));
  answer made = problem_answer(412, "precondition_failed", "it is no longer what you looked at; read it, and try again",
                               {}, more);
  add_tag(made, tag_of(now.head));
  return made;
}

}  // namespace

std::optional<answer> check_preconditions(const call& c, const active_content& now, std::string_view row_tag,
                                          bool is_there, std::span<const std::string_view> keys) {
  if (auto again = replay(c)) return again;
  if (c.state.settings.is_following_file) {
    return problem_answer(409, "following_file",
                          "the control plane follows a file; change that file, or start it without `watch`");
  }
  const auto match = c.asked.header("If-Match");
  const auto none_match = c.asked.header("If-None-Match");
  const std::string config_tag = tag_of(now.head);
  if (match) {
    const auto wanted = read_tags(*match);
    if (!wanted) return bad_request("If-Match must be * or tags in quotes");
    const bool holds = wanted->is_any ? is_there
                                      : (now.head.version > 0 && wanted->has(config_tag)) ||
                                            (!row_tag.empty() && wanted->has(row_tag));
    if (!holds) return precondition_failed(c, now, *wanted, keys);
  }
  if (none_match) {
    const auto unwanted = read_tags(*none_match);
    if (!unwanted || !unwanted->is_any)
      return bad_request("If-None-Match must be * here: only if it is not there; a version is named by If-Match");
    if (is_there) return precondition_failed(c, now, *unwanted, keys);
  }
  const bool is_needed = c.state.settings.require_preconditions && now.head.version > 0 && !c.is_dry_run();
  if (is_needed && !match && !none_match) {
    answer made = problem_answer(428, "precondition_required",
                                 "say with If-Match which version it is that you change; its tag is the ETag of GET");
    add_tag(made, config_tag);
    return made;
  }
  return std::nullopt;
}

std::optional<answer> check_bounds(const call& c, const key_table& rows, const row_changes& some) {
  if (!c.who.is_bound()) return std::nullopt;
  wire::diagnostics found;
  std::string_view first;
  for (const key_change& each : some.changes) {
    const auto was = rows.find(each.key);
    const std::string_view from = was ? rows.outcomes()[*was] : std::string_view{};
    const std::string_view to = each.outcome ? some.names[*each.outcome] : std::string_view{};
    if (c.who.may_change(each.key, from, to)) continue;
    if (found.empty()) first = each.key;
    found.push_back({"body", 1, 1, wire::join_path("keys", each.key), "is not this token's to change"});
  }
  if (found.empty()) return std::nullopt;
  return problem_answer(403, "out_of_bounds", "some of these rows are not this token's to change", found,
                        found.size() == 1 ? key_member(first) : std::string());
}

namespace {

std::string version_text(const version_record& v) {
  std::string text;
  process::json_writer out(text);
  write_version(out, v);
  return text;
}

/// Which version it is, and nothing of how it came about.
version_record without_story(const version_record& v) {
  version_record bare;
  bare.version = v.version;
  bare.epoch = v.epoch;
  bare.parent = v.parent;
  bare.sum = v.sum;
  bare.keys = v.keys;
  bare.at = v.at;
  bare.label = v.label;
  return bare;
}

}  // namespace

answer version_answer(const version_record& v, std::uint16_t status, std::size_t quarantined) {
  std::string body = version_text(v);
  if (quarantined > 0) body.insert(body.size() - 1, fmt::format(",\"quarantined\":{}", quarantined));
  answer made = json_answer(status, std::move(body));
  add_tag(made, tag_of(v.epoch, v.version));
  return made;
}

std::optional<answer> replay(const call& c, store_reader& from) {
  if (!c.once) return std::nullopt;
  const auto kept = from.find_answer(c.once->principal, c.once->key);
  if (!kept) return problem_answer(kept.error());
  if (!*kept || (*kept)->at + c.state.settings.idempotency_for <= c.now) return std::nullopt;
  const idempotent_answer& found = **kept;
  if (found.asked != c.once->asked)
    return problem_answer(422, "idempotency_mismatch", "this Idempotency-Key was used for another request");
  answer again = json_answer(found.status, found.body);
  if (found.version && found.body.empty()) {  // no text was kept with it
    const auto record = from.version(*found.version);
    if (!record) return problem_answer(record.error());
    again = version_answer(*record, 200);
  } else if (found.version) {
    // Its epoch is that of the store, or there was a restore: then no tag of before is one of now.
    const auto head = from.head();
    if (!head) return problem_answer(head.error());
    add_tag(again, tag_of(head->epoch, *found.version));
  }
  again.headers.emplace_back("Idempotency-Replayed", "true");
  return again;
}

std::optional<answer> replay(const call& c) {
  if (!c.once) return std::nullopt;
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  return replay(c, **reading);
}

stored<void> forget_answers(const call& c, store& of) {
  return of.forget_answers(c.now - c.state.settings.idempotency_for);
}

expected<std::string, answer> lifted_guards(const call& c) {
  std::string named;
  for (const auto& [name, value] : c.target.query) {
    if (name == "override" && !value.empty()) named += (named.empty() ? "" : ",") + value;
  }
  if (named.empty()) return named;
  if (auto guards = wire::read_guards(named)) return *std::move(guards);
  return unexpected(bad_request(
      fmt::format("override must be one of {}, or some with commas between", fmt::join(wire::guard_names, ", "))));
}

namespace {

/// The same request, to be made once more with guards lifted: as it was written, without what these are lifted by.
std::string call_without_override(const call& c) {
  std::string text = fmt::format("{} {}", c.asked.method, c.target.path);
  std::string_view rest =
      std::string_view(c.asked.target).substr(std::min(c.target.path.size() + 1, c.asked.target.size()));
  char separator = '?';
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::string_view name = pair.substr(0, pair.find('='));
    if (pair.empty() || name == "override" || name == "dry_run") continue;
    text += separator;
    text += pair;
    separator = '&';
  }
  return text;
}

/// A rollback is not asked: it leads to what ran before.
void excuse(std::vector<wire::guard_verdict>& guards) {
  for (wire::guard_verdict& each : guards) {
    if (!each.ok) each.detail = "a rollback asks no guards";
    each.ok = true;
  }
}

void write_guards(process::json_writer& out, const std::vector<wire::guard_verdict>& guards) {
  out.name("guards").begin_array();
  for (const wire::guard_verdict& each : guards) {
    out.begin_object().field("name", each.name).field("value", each.value).name("limit");
    each.limit ? out.value(*each.limit) : out.value(nullptr);
    out.field("ok", each.ok);
    if (!each.detail.empty()) out.field("detail", each.detail);
    out.end_object();
  }
  out.end_array();
}

/// The connected routers that would take something: all but those that run just that.
void write_routers(process::json_writer& out, const call& c, const active_content& now, const next_content& next) {
  const auto running = running_now(c);
  if (!running) return;
  std::size_t unaffected = 0;
  for (const running_version& each : running->versions) {
    // The base protocol has no digests: who runs what is published goes on with it.
    const bool is_base = each.content.epoch == 0;
    const bool is_same = is_base ? next.content.sum == now.head.sum && each.content.version == now.head.version
                                 : each.content.sum == next.content.sum;
    unaffected += is_same ? each.routers : 0;
  }
  out.name("routers").begin_object().field("affected", running->connected - unaffected);
  out.field("total", running->connected).end_object();
}

}  // namespace

answer finish_change(const call& c, registry::turn& turn, expected<next_content, problem> next, std::string_view action,
                     std::uint16_t status, std::size_t quarantined, std::optional<std::uint64_t> rollback_of) {
  if (!next) return problem_answer(next.error());
  auto lifted = lifted_guards(c);
  if (!lifted) return std::move(lifted).error();
  const std::string* const said = c.target.find("message");
  if (said != nullptr && said->size() > message_bytes_max)
    return bad_request(fmt::format("message must have at most {} bytes", message_bytes_max));
  std::vector<wire::guard_verdict> guards = turn.judge(next->radius, *lifted, call_without_override(c));
  if (rollback_of) excuse(guards);
  if (c.is_dry_run()) {
    std::string body;
    process::json_writer out(body);
    out.begin_object().field("dry_run", true).field("base", turn.base().head.version);
    write_radius(out, next->radius);
    write_guards(out, guards);
    write_routers(out, c, turn.base(), *next);
    if (quarantined > 0) out.field("quarantined", quarantined);
    out.end_object();
    return json_answer(200, std::move(body));
  }
  const std::vector<std::string> broken = wire::lines_of_broken(guards);
  if (!broken.empty()) return problem_answer(409, "guard", fmt::format("{}", fmt::join(broken, "; ")));
  publish_order order;
  order.author = c.who.name;
  order.message = said != nullptr ? *said : c.message;
  order.lifted = *std::move(lifted);
  order.now = c.now;
  order.action = action;
  order.rollback_of = rollback_of;
  order.asked_once = c.once;
  order.answer_of = version_text;
  // What changes nothing makes no version; with a key, its answer is written all the same.
  if (!next->radius.is_nothing() || c.once) {
    if (const auto wait = c.state.pace.take(c.who.name, c.now)) return too_fast_answer(*wait);
  }
  if (c.once) {
    const auto forgotten = forget_answers(c, turn.stored());
    if (!forgotten) return problem_answer(forgotten.error());
  }
  const std::uint64_t before = turn.base().head.version;
  auto record = turn.publish(*std::move(next), order);
  if (!record) return problem_answer(record.error());
  // Nothing changed: the version is one that somebody else may have made, of rows that are not his who asks.
  if (c.who.is_bound() && record->version == before) *record = without_story(*record);
  return version_answer(*record, record->version == before ? std::uint16_t{200} : status, quarantined);
}

}  // namespace cellroute::control
