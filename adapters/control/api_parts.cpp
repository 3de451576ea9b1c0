#include "adapters/control/api_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/control/request_trace.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "adapters/wire/text_scan.hpp"
#include "cellroute/base/unescape.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t endpoints_told_max = 100;  // of each kind

struct problem_row {
  problem_kind kind;
  std::uint16_t status;
};

constexpr problem_row problem_rows[] = {
    {problem_kind::invalid, 422},   {problem_kind::conflict, 409}, {problem_kind::guard, 409},
    {problem_kind::in_use, 409},    {problem_kind::unknown, 404},  {problem_kind::gone, 410},
    {problem_kind::too_large, 413}, {problem_kind::full, 507},     {problem_kind::unavailable, 503},
    {problem_kind::damaged, 503},
};

std::string_view title_of(std::uint16_t status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Error";
  }
}

void write_names(process::json_writer& out, std::string_view name, const std::vector<std::string>& names) {
  out.name(name).value(std::span<const std::string>(names));
}

double percent_of(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

stored<lent_reader> lent_reader::take(api_state& from) {
  {
    const std::lock_guard lock(from.readers_lock);
    if (!from.readers.empty()) {
      auto open = std::move(from.readers.back());
      from.readers.pop_back();
      return lent_reader(from, std::move(open));
    }
  }
  auto open = store_reader::open(from.of.store_path());
  if (!open) return unexpected(open.error());
  return lent_reader(from, std::make_unique<store_reader>(*std::move(open)));
}

lent_reader::~lent_reader() {
  if (open_ == nullptr) return;
  const std::lock_guard lock(from_.readers_lock);
  if (from_.readers.size() < idle_readers_max) from_.readers.push_back(std::move(open_));
}

bool call::is_dry_run() const {
  const std::string* const asked_for = target.find("dry_run");
  return asked_for != nullptr && *asked_for != "0" && *asked_for != "false";
}

answer json_answer(std::uint16_t status, std::string body) {
  answer made;
  made.status = status;
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = std::move(body);
  made.body += '\n';
  return made;
}

answer problem_answer(std::uint16_t status, std::string_view code, std::string_view detail,
                      const wire::diagnostics& mistakes, std::string_view more) {
  answer made;
  made.status = status;
  made.headers.emplace_back("Content-Type", "application/problem+json");
  process::json_writer out(made.body);
  out.begin_object().field("type", "about:blank").field("title", title_of(status)).field("status", status);
  out.field("code", code).field("detail", detail);
  if (!mistakes.empty()) {
    const std::size_t told = std::min(mistakes.size(), mistakes_told_max);
    out.field("mistakes", mistakes.size()).name("errors").begin_array();
    for (const wire::diagnostic& each : std::span(mistakes).first(told)) {
      out.begin_object().field("path", each.path).field("detail", each.what);
      out.field("line", each.line).field("column", each.column).end_object();
    }
    out.end_array();
  }
  made.body += more;
  out.end_object();
  made.body += '\n';
  return made;
}

answer problem_answer(const problem& why) {
  const auto* const row = std::ranges::find(problem_rows, why.what, &problem_row::kind);
  return problem_answer(row->status, to_string(why.what), why.detail, why.mistakes,
                        why.key.empty() ? std::string() : key_member(why.key));
}

std::string key_member(std::string_view key) {
  std::string member = ",\"key\":";
  process::append_json_string(member, key);
  return member;
}

answer traced(answer made, std::string_view trace) {
  if (trace.empty()) return made;
  made.headers.emplace_back(trace_field, trace);
  if (made.status >= 400) add_trace(made.body, trace);
  return made;
}

answer too_large_answer(std::size_t body_max) {
  return problem_answer(413, "too_large", fmt::format("a body has at most {} bytes here", body_max));
}

answer too_fast_answer(duration wait) {
  answer made = problem_answer(429, "too_fast", "you make versions faster than anybody needs them; come again later");
  const auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1));
  made.headers.emplace_back("Retry-After", fmt::format("{}", seconds.count()));
  return made;
}

answer problem_answer(const store_failure& why) { return problem_answer(problem_of(why)); }

std::string tag_of(std::uint64_t epoch, std::uint64_t version) { return fmt::format("{}.{}", epoch, version); }
std::string tag_of(const store_head& head) { return tag_of(head.epoch, head.version); }

void add_tag(answer& to, std::string_view tag) { to.headers.emplace_back("ETag", fmt::format("\"{}\"", tag)); }

std::optional<running_fleet> running_now(const call& c, std::size_t ids_max) {
  return c.state.around.routers != nullptr ? c.state.around.routers->running(ids_max) : std::nullopt;
}

void write_version(process::json_writer& out, const version_record& v, const whereabouts* runs) {
  out.begin_object().field("version", v.version).field("epoch", v.epoch).field("parent", v.parent);
  out.field("digest", wire::to_hex(v.sum)).field("label", v.label).field("keys", v.keys);
  out.field("added", v.added).field("moved", v.moved).field("removed", v.removed);
  out.field("document_changed", v.is_document_new).field("whole", v.is_whole);
  out.field("author", v.author).field("at", v.at).field("message", v.message);
  if (v.rollback_of) out.field("rollback_of", *v.rollback_of);
  if (!v.lifted.empty()) out.field("override", v.lifted);
  if (runs != nullptr) {
    out.field("routers", runs->routers);
    if (runs->ids) {
      out.name("router_ids").value(std::span<const std::string>(*runs->ids));
      out.field("routers_left_out", runs->routers - runs->ids->size());
    }
  }
  out.end_object();
}

void write_radius(process::json_writer& out, const blast_radius& radius) {
  const table_diff& keys = radius.keys;
  out.name("keys").begin_object().field("total", radius.keys_before).field("total_after", radius.keys_after);
  out.field("added", keys.added).field("removed", keys.removed).field("moved", keys.moved);
  out.field("moved_pct", percent_of(keys.moved, radius.keys_before));
  out.field("removed_pct", percent_of(keys.removed, radius.keys_before)).end_object();
  out.name("matrix").begin_array();
  for (const placement_change& each : keys.changes)
    out.begin_object().field("from", each.from).field("to", each.to).field("keys", each.keys).end_object();
  out.end_array().name("examples").begin_array();
  for (const key_example& each : keys.examples)
    out.begin_object().field("key", each.key).field("from", each.from).field("to", each.to).end_object();
  out.end_array().name("placements").begin_object();
  write_names(out, "added", radius.placements_added);
  write_names(out, "changed", radius.placements_changed);
  write_names(out, "removed", radius.placements_removed);
  out.end_object().name("endpoints").begin_object();
  std::size_t left_out = 0;
  const auto write_some = [&out, &left_out](std::string_view name, const std::vector<std::string>& all) {
    const std::size_t told = std::min(all.size(), endpoints_told_max);
    out.name(name).value(std::span(all).first(told));
    left_out += all.size() - told;
  };
  write_some("added", radius.endpoints_added);
  write_some("changed", radius.endpoints_changed);
  write_some("removed", radius.endpoints_removed);
  out.field("left_out", left_out).end_object().field("document_changed", radius.is_document_new);
}

std::optional<std::uint64_t> number_in(const call& c, std::string_view name, std::uint64_t otherwise, std::uint64_t low,
                                       std::uint64_t high) {
  const std::string* const text = c.target.find(name);
  if (text == nullptr) return otherwise;
  const auto number = read_number(*text);
  if (!number || *number < low || *number > high) return std::nullopt;
  return number;
}

// A cursor is the last item's name in hexadecimal digits, with a mark in front: opaque enough, and of plain letters.
std::string cursor_of(std::string_view last) {
  std::string out = "c";
  for (const char each : last) out += fmt::format("{:02x}", static_cast<unsigned char>(each));
  return out;
}

std::string cursor_of(std::uint64_t last) { return cursor_of(fmt::format("{}", last)); }

expected<paging, answer> paging_of(const call& c) {
  const auto limit = number_in(c, "limit", 100, 1, 10'000);
  if (!limit) return unexpected(bad_request("limit must be a number from 1 to 10000"));
  paging found{*limit, {}};
  const std::string* const cursor = c.target.find("cursor");
  if (cursor == nullptr) return found;
  std::string escaped;
  for (std::size_t i = 1; i + 1 < cursor->size(); i += 2) escaped.append("%").append(*cursor, i, 2);
  auto last = unescape(escaped);
  if (!cursor->starts_with('c') || cursor->size() % 2 == 0 || !last)
    return unexpected(bad_request("cursor must be one that an answer gave as `next`"));
  found.cursor = *std::move(last);
  return found;
}

expected<page, answer> number_page(const call& c) {
  auto asked = paging_of(c);
  if (!asked) return unexpected(std::move(asked).error());
  const auto after = asked->cursor.empty() ? std::optional<std::uint64_t>(0) : read_number(asked->cursor);
  if (!after) return unexpected(bad_request("cursor must be one that an answer gave as `next`"));
  return page{*after, asked->limit};
}

expected<wire::node, answer> json_body(const call& c) {
  auto tree = wire::read_json(c.asked.body, "body");
  if (!tree) return unexpected(problem_answer(400, "syntax", "the body is no JSON", tree.error()));
  const wire::diagnostics twice = wire::take_duplicates(*tree, "body");
  if (!twice.empty()) return unexpected(problem_answer(400, "syntax", "the body names a member twice", twice));
  return *std::move(tree);
}

std::optional<std::string> key_mistake(std::string_view key) {
  if (key.empty() || key.size() > key_size_max) return fmt::format("a key has 1 to {} bytes", key_size_max);
  const std::size_t bad = wire::find_bad_text(key, false);
  if (bad == std::string_view::npos) return std::nullopt;
  return fmt::format("byte 0x{:02x} is not text; write the key as UTF-8", static_cast<unsigned char>(key[bad]));
}

answer mistakes_answer(wire::mistake_list& found, std::string_view key) {
  wire::sort_by_place(found.found());
  problem made = problem_of(found.found());
  made.key = key;
  return problem_answer(made);
}

}  // namespace cellroute::control
