#include <fmt/format.h>

#include <algorithm>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/config_guard.hpp"

// What all requests have in common that change the configuration.
namespace cellroute::control {
namespace {

constexpr std::size_t conflicts_told_max = 100;
constexpr std::size_t message_bytes_max = 1'000;

/// The version in a tag of this epoch.
std::optional<std::uint64_t> version_in(std::string_view tag, std::uint64_t epoch) {
  const std::size_t dot = tag.find('.');
  if (dot == std::string_view::npos || read_number(tag.substr(0, dot)) != epoch) return std::nullopt;
  return read_number(tag.substr(dot + 1));
}

/// The rows that were changed since the version that somebody looked at: of those that he names, or of all.
std::vector<std::string> conflicting_rows(const call& c, const active_content& now, const tag_list& wanted,
                                          std::span<const std::string> keys) {
  std::vector<std::string> found;
  const auto since = wanted.tags.empty() ? std::nullopt : version_in(wanted.tags.front(), now.head.epoch);
  if (!since) return found;
  auto reading = lent_reader::take(c.state);
  if (!reading) return found;
  if (keys.empty()) {
    auto all = (*reading)->keys_changed_since(*since, {}, conflicts_told_max);
    return all ? *std::move(all) : found;
  }
  for (const std::string& key : keys) {
    const auto last = (*reading)->last_change_of(key);
    if (last && *last && **last > *since && found.size() < conflicts_told_max) found.push_back(key);
  }
  return found;
}

answer precondition_failed(const call& c, const active_content& now, const tag_list& wanted,
                           std::span<const std::string> keys) {
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
                                          bool is_there, std::span<const std::string> keys) {
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
    if (!unwanted) return bad_request("If-None-Match must be * or tags in quotes");
    const bool holds = unwanted->is_any ? !is_there : !unwanted->has(row_tag.empty() ? config_tag : row_tag);
    if (!holds) return precondition_failed(c, now, *unwanted, keys);
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

std::optional<answer> check_unbound(const call& c) {
  if (!c.who.is_bound()) return std::nullopt;
  return problem_answer(403, "out_of_bounds", "this token may change some keys only; change these one by one");
}

std::optional<answer> check_bounds(const call& c, const key_table& rows, const row_changes& some) {
  if (!c.who.is_bound()) return std::nullopt;
  wire::diagnostics found;
  for (const key_change& each : some.changes) {
    const auto was = rows.find(each.key);
    const std::string_view from = was ? rows.outcomes()[*was] : std::string_view{};
    const std::string_view to = each.outcome ? some.names[*each.outcome] : std::string_view{};
    if (!c.who.may_change(each.key, from, to))
      found.push_back({"body", 1, 1, wire::join_path("keys", each.key), "is not this token's to change"});
  }
  if (found.empty()) return std::nullopt;
  return problem_answer(403, "out_of_bounds", "some of these rows are not this token's to change", found);
}

answer version_answer(const version_record& v, std::uint16_t status, std::size_t quarantined) {
  std::string body;
  process::json_writer out(body);
  write_version(out, v);
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
  answer again;
  if (found.version) {
    const auto record = from.version(*found.version);
    if (!record) return problem_answer(record.error());
    again = version_answer(*record, 200);
  } else {
    again = json_answer(found.status, found.body);
  }
  again.headers.emplace_back("Idempotency-Replayed", "true");
  return again;
}

expected<std::string, answer> lifted_guard(const call& c) {
  const std::string* const named = c.target.find("override");
  if (named == nullptr || named->empty()) return std::string();
  if (std::ranges::find(wire::guard_names, *named) != std::end(wire::guard_names)) return *named;
  return unexpected(bad_request(fmt::format("override must be one of {}", fmt::join(wire::guard_names, ", "))));
}

answer finish_change(const call& c, registry::turn& turn, expected<next_content, problem> next, std::string_view action,
                     std::uint16_t status, std::size_t quarantined, std::optional<std::uint64_t> rollback_of) {
  if (auto again = replay(c, turn.stored().reading())) return *std::move(again);
  if (!next) return problem_answer(next.error());
  auto named = lifted_guard(c);
  if (!named) return std::move(named).error();
  const std::string& lifted = *named;
  const std::string* const said = c.target.find("message");
  if (said != nullptr && said->size() > message_bytes_max)
    return bad_request(fmt::format("message must have at most {} bytes", message_bytes_max));
  const std::string path(c.target.path);
  const std::vector<std::string> broken =
      rollback_of ? std::vector<std::string>{}
                  : turn.broken_guards(next->radius, lifted, fmt::format("{} {}", c.asked.method, path));
  if (c.is_dry_run()) {
    std::string body;
    process::json_writer out(body);
    out.begin_object().field("dry_run", true).field("base", turn.base().head.version);
    write_radius(out, next->radius);
    out.name("guards").value(std::span<const std::string>(broken));
    if (quarantined > 0) out.field("quarantined", quarantined);
    out.end_object();
    return json_answer(200, std::move(body));
  }
  if (!broken.empty()) return problem_answer(409, "guard", fmt::format("{}", fmt::join(broken, "; ")));
  publish_order order;
  order.author = c.who.name;
  order.message = said != nullptr ? *said : c.message;
  order.lifted = lifted;
  order.now = c.now;
  order.action = action;
  order.rollback_of = rollback_of;
  order.asked_once = c.once;
  // What changes nothing makes no version, and whoever repeats himself has had his answer.
  if (!next->radius.is_nothing()) {
    if (const auto wait = c.state.pace.take(c.who.name, c.now)) return too_fast_answer(*wait);
  }
  if (c.once) {
    const auto forgotten = turn.stored().forget_answers(c.now - c.state.settings.idempotency_for);
    if (!forgotten) return problem_answer(forgotten.error());
  }
  const std::uint64_t before = turn.base().head.version;
  const auto record = turn.publish(*std::move(next), order);
  if (!record) return problem_answer(record.error());
  return version_answer(*record, record->version == before ? std::uint16_t{200} : status, quarantined);
}

}  // namespace cellroute::control
