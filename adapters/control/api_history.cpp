#include <fmt/format.h>

#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/control/audit_json.hpp"
#include "adapters/wire/sync_messages.hpp"

// Versions, what differs between them, the way back, and the audit.
namespace cellroute::control {
namespace {

std::optional<std::uint64_t> version_param(const call& c, std::size_t index) {
  const auto number = read_number(c.param(index));
  return number && *number > 0 ? number : std::nullopt;
}

constexpr std::size_t ids_told_max = 100;

/// Where a version runs, out of what runs anywhere. Numbers are one's of the store: a router of the base protocol,
/// which knows no epoch, means the one of that number.
whereabouts where_runs(const version_record& v, const running_fleet& all) {
  whereabouts found;
  for (const running_version& each : all.versions) {
    const bool is_it = each.content.version == v.version &&
                       (each.content.epoch == 0 || (each.content.epoch == v.epoch && each.content.sum == v.sum));
    if (!is_it) continue;
    found.routers += each.routers;
    if (!each.ids.empty()) found.ids = each.ids;
  }
  return found;
}

answer no_version() { return problem_answer(404, "unknown", "a version is a number from 1 on"); }

}  // namespace

answer list_versions(call& c) {
  auto asked = number_page(c);
  if (!asked) return std::move(asked).error();
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  const auto found = (*reading)->versions(*asked);
  if (!found) return problem_answer(found.error());
  std::string body;
  process::json_writer out(body);
  out.begin_object().name("versions").begin_array();
  const auto running = running_now(c, 0);
  for (const version_record& each : *found) {
    const whereabouts runs = running ? where_runs(each, *running) : whereabouts{};
    write_version(out, each, running ? &runs : nullptr);
  }
  out.end_array();
  if (found->size() == asked->limit && found->back().version > 1) out.field("next", cursor_of(found->back().version));
  out.end_object();
  return json_answer(200, std::move(body));
}

answer get_version(call& c) {
  const auto version = version_param(c, 0);
  if (!version) return no_version();
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  const auto record = (*reading)->version(*version);
  if (!record) return problem_answer(record.error());
  const auto running = running_now(c, ids_told_max);
  if (!running) return version_answer(*record, 200);
  whereabouts runs = where_runs(*record, *running);
  if (!runs.ids) runs.ids.emplace();
  std::string body;
  process::json_writer out(body);
  write_version(out, *record, &runs);
  answer made = json_answer(200, std::move(body));
  add_tag(made, tag_of(record->epoch, record->version));
  return made;
}

answer diff_versions(call& c) {
  const auto from = version_param(c, 0);
  const auto to = version_param(c, 1);
  if (!from || !to) return no_version();
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  const auto before = read_version(**reading, *from, c.state.of.settings());
  if (!before) return problem_answer(before.error());
  const auto after = read_version(**reading, *to, c.state.of.settings());
  if (!after) return problem_answer(after.error());
  const row_changes changes = changes_between(before->content.keys, after->content.keys);
  std::string body;
  process::json_writer out(body);
  out.begin_object().field("from", *from).field("to", *to);
  write_radius(out, radius_of(before->content.keys, changes, before->doc, after->doc));
  out.end_object();
  return json_answer(200, std::move(body));
}

answer roll_back(call& c) {
  const auto version = version_param(c, 0);
  if (!version) return no_version();
  if (!c.asked.body.empty()) {
    auto body = json_body(c);
    if (!body) return std::move(body).error();
    wire::mistake_list mistakes("body");
    {
      wire::section said(*body, "", mistakes);
      said.text("reason", c.message);
    }
    if (c.message.size() > 1'000) mistakes.add({}, "reason", "has more than 1000 bytes");
    if (!mistakes.found().empty()) return mistakes_answer(mistakes);
  }
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  if (auto wrong = check_preconditions(c, now, {}, now.head.version > 0)) return *std::move(wrong);
  return finish_change(c, turn, turn.content_of(*version), "rollback", 200, 0, *version);
}

answer list_audit(call& c) {
  auto asked = number_page(c);
  if (!asked) return std::move(asked).error();
  const auto from = number_in(c, "from", 0, 0, std::uint64_t{1} << 53);
  if (!from) return bad_request("from must be the number of a line");
  if (*from > 0 && asked->after == 0) asked->after = *from - 1;
  const std::string* const actor = c.target.find("actor");
  const std::string* const target = c.target.find("target");
  const std::string* const key = c.target.find("key");
  const auto said = [](const std::string* text) {
    return text != nullptr ? std::string_view(*text) : std::string_view();
  };
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  const auto found = (*reading)->audit(*asked, said(actor), said(target), said(key));
  if (!found) return problem_answer(found.error());
  std::string body;
  process::json_writer out(body);
  out.begin_object().name("audit").begin_array();
  for (const audit_record& each : *found) write_audit_line(out, each);
  out.end_array();
  if (found->size() == asked->limit) out.field("next", cursor_of(found->back().sequence));
  out.end_object();
  return json_answer(200, std::move(body));
}

answer verify_audit(call& c) {
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  const auto verdict = (*reading)->verify_audit();
  if (!verdict) return problem_answer(verdict.error());
  std::string body;
  process::json_writer out(body);
  out.begin_object().field("ok", !verdict->first_bad).field("rows", verdict->rows);
  if (verdict->first_bad) out.field("first_bad", *verdict->first_bad).field("why", verdict->why);
  out.field("head", wire::to_hex(verdict->head)).end_object();
  return json_answer(200, std::move(body));
}

}  // namespace cellroute::control
