#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/inline_keys.hpp"
#include "adapters/wire/key_file.hpp"

// Many rows at once, in and out.
namespace cellroute::control {
namespace {

/// ndjson  {"key": "acme", "placement": "tier1"} a line
/// csv     the first line is `key,placement`
/// json    {"acme": "tier1"}
enum class row_format : std::uint8_t { ndjson, csv, json };

std::optional<row_format> format_of(const call& c) {
  const std::string* const name = c.target.find("format");
  if (name == nullptr || *name == "ndjson") return row_format::ndjson;
  if (*name == "csv") return row_format::csv;
  if (*name == "json") return row_format::json;
  return std::nullopt;
}

constexpr std::string_view format_words = "format must be one of ndjson, csv, json";

/// Rows of a body, and what their keys and names are views into.
struct imported_rows {
  wire::name_list names;
  std::span<const key_row> rows;
  wire::key_file lines;
  std::unique_ptr<const std::string> text;
  wire::inline_keys inline_rows;
  wire::node tree;
};

/// The body stands in a document of ours, so that its rows take no node each.
constexpr std::string_view before_rows = "{\"routing\":{\"keys\":{\"inline\":";
constexpr std::string_view behind_rows = "\n}}}";

bool is_only_child(const wire::node& of, std::string_view name) {
  return of.children.size() == 1 && of.children[0].name == name;
}

wire::diagnostics read_json_rows(const std::string& body, imported_rows& out) {
  out.text = std::make_unique<const std::string>(std::string(before_rows) + body + std::string(behind_rows));
  out.inline_rows.text = *out.text;
  wire::inline_row_reader reader(out.inline_rows);
  auto tree = wire::read_json(*out.text, "body", &reader);
  wire::diagnostics found;
  if (!tree) {
    found = std::move(tree).error();
  } else {
    out.tree = *std::move(tree);
    const wire::node* const keys = is_only_child(out.tree, "routing") ? &out.tree.children[0] : nullptr;
    const bool is_whole = keys != nullptr && is_only_child(*keys, "keys") && is_only_child(keys->children[0], "inline");
    const wire::node* const rows = is_whole ? &keys->children[0].children[0] : nullptr;
    if (rows == nullptr || rows->kind != wire::node_kind::map) {
      found.push_back({"body", 1, 1, "", "must be a map of keys and the placements they lead to"});
    } else {
      for (const wire::node& row : rows->children) {
        const wire::node* const placement = row.kind == wire::node_kind::map ? row.find("placement") : &row;
        const bool is_text = placement != nullptr && placement->kind == wire::node_kind::quoted &&
                             !placement->text.empty() && (placement == &row || row.children.size() == 1);
        if (is_text) {
          add_row(out.inline_rows, row.name, placement->text, row.name_at);
        } else {
          found.push_back(
              {"body", row.at.line, row.at.column, wire::join_path("", row.name), "must be the name of a placement"});
        }
      }
    }
  }
  out.rows = out.inline_rows.rows;
  out.names = out.inline_rows.names;
  return found;
}

/// Places in the document around the body, as places in the body.
void use_places_of_body(wire::diagnostics& found) {
  constexpr std::string_view outer = "routing.keys.inline.";
  for (wire::diagnostic& each : found) {
    if (each.line == 1) each.column -= std::min(each.column - 1, before_rows.size());
    if (each.path.starts_with(outer)) each.path.erase(0, outer.size());
  }
}

/// What is wrong with rows that could be read, until their places are known.
class row_faults {
 public:
  row_faults(const imported_rows& of, one_key& at_fault) : of_(of), at_fault_(at_fault) {}

  void add(std::size_t row, std::string what) {
    at_fault_.add(of_.rows[row].key);
    if (rows_.size() == wire::mistakes_max) return;
    rows_.push_back(row);
    what_.push_back(std::move(what));
  }
  void tell(wire::diagnostics& to) && {
    const bool is_json = of_.lines.text == nullptr;
    wire::diagnostics found;
    const auto at = is_json ? wire::places_of(of_.inline_rows, rows_) : std::vector<wire::position>{};
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string_view key = of_.rows[rows_[i]].key;
      if (is_json) {
        found.push_back({"body", at[i].line, at[i].column, wire::row_path(of_.inline_rows, key), std::move(what_[i])});
      } else {
        found.push_back({of_.lines.name, of_.lines.lines[rows_[i]], 1, wire::join_path("", key), std::move(what_[i])});
      }
    }
    if (is_json) use_places_of_body(found);
    std::ranges::move(found, std::back_inserter(to));
  }

 private:
  const imported_rows& of_;
  one_key& at_fault_;
  std::vector<std::size_t> rows_;
  std::vector<std::string> what_;
};

void add_bad_keys(const imported_rows& rows, wire::diagnostics& found, one_key& at_fault) {
  row_faults faults(rows, at_fault);
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    if (auto what = key_mistake(rows.rows[i].key)) faults.add(i, *std::move(what));
  }
  std::move(faults).tell(found);
}

/// Rows that lead nowhere.
void add_unknown_placements(const imported_rows& rows, const table_spec& spec, wire::diagnostics& found,
                            one_key& at_fault) {
  std::vector<bool> is_there;
  for (const std::string_view name : rows.names.names())
    is_there.push_back(std::ranges::any_of(spec.placements, [name](const auto& p) { return p.id.value == name; }));
  if (std::ranges::find(is_there, false) == is_there.end()) return;
  row_faults faults(rows, at_fault);
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const std::uint16_t outcome = rows.rows[i].outcome;
    if (outcome >= is_there.size() || is_there[outcome]) continue;
    faults.add(
        i, fmt::format("no placement is named {}; add it or name another", wire::quote(rows.names.names()[outcome])));
  }
  std::move(faults).tell(found);
}

wire::diagnostics read_rows(const call& c, row_format format, imported_rows& out) {
  wire::diagnostics found;
  if (format == row_format::json) {
    found = read_json_rows(c.asked.body, out);
    use_places_of_body(found);
  } else {
    out.lines.name = format == row_format::csv ? "body.csv" : "body.jsonl";
    out.lines.text = std::make_unique<const std::string>(c.asked.body);
    found = wire::read_key_file(out.lines, out.names);
    out.rows = out.lines.rows;
  }
  return found;
}

/// Every key that stands there twice, each with both places.
void add_repeated_keys(const imported_rows& rows, row_format format, wire::diagnostics& found) {
  const bool is_json = format == row_format::json;
  wire::diagnostics twice = is_json ? wire::keys_given_twice(rows.inline_rows, "body").found
                                    : wire::duplicates_in(std::span(&rows.lines, 1), {});
  if (is_json) use_places_of_body(twice);
  std::ranges::move(twice, std::back_inserter(found));
}

class row_stream final : public body_source {
 public:
  row_stream(key_table own, row_format format, principal who)
      : own_(std::move(own)), rows_(rows_of(own_)), format_(format), who_(std::move(who)) {}
  row_stream(registry& of, row_format format, principal who)
      : now_(std::make_unique<reader<active_content>>(of.current())), format_(format), who_(std::move(who)) {
    rows_ = rows_of(now_->current().value.content.keys);
  }

  bool next(std::string& piece) override {
    piece.clear();
    if (!has_begun_) {
      has_begun_ = true;
      if (format_ == row_format::csv) piece += "key,placement\n";
      if (format_ == row_format::json) piece += "{";
    }
    for (; at_ < rows_.rows.size() && piece.size() < answer_piece_bytes; ++at_) {
      const key_row& row = rows_.rows[at_];
      if (who_.owns(row.key, rows_.names[row.outcome])) write(piece, row);
    }
    if (at_ == rows_.rows.size() && !has_ended_) {
      has_ended_ = true;
      if (format_ == row_format::json) piece += "\n}\n";
    }
    return !piece.empty();
  }

 private:
  void write(std::string& out, const key_row& row) {
    const std::string_view placement = rows_.names[row.outcome];
    switch (format_) {
      case row_format::ndjson:
        process::json_writer(out).begin_object().field("key", row.key).field("placement", placement).end_object();
        out += '\n';
        return;
      case row_format::csv:
        quote_into(out, row.key);
        out += ',';
        quote_into(out, placement);
        out += '\n';
        return;
      case row_format::json:
        out += std::exchange(is_first_, false) ? "\n" : ",\n";
        process::append_json_string(out, row.key);
        out += ": ";
        process::append_json_string(out, placement);
        return;
    }
  }

  /// RFC 4180.
  static void quote_into(std::string& out, std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.starts_with(' ') && !text.ends_with(' ')) {
      out += text;
      return;
    }
    out += '"';
    for (const char each : text) {
      if (each == '"') out += '"';
      out += each;
    }
    out += '"';
  }

  std::unique_ptr<reader<active_content>> now_;  // or
  key_table own_;                                // the rows are views into one of them
  table_rows rows_;
  row_format format_;
  principal who_;  // rows that are not his are left out
  std::size_t at_ = 0;
  bool is_first_ = true;
  bool has_begun_ = false;
  bool has_ended_ = false;
};

std::string_view content_type(row_format format) {
  switch (format) {
    case row_format::ndjson:
      return "application/x-ndjson";
    case row_format::csv:
      return "text/csv";
    case row_format::json:
      return "application/json";
  }
  return {};
}

}  // namespace

answer import_keys(call& c) {
  const auto format = format_of(c);
  if (!format) return bad_request(format_words);
  const std::string* const mode = c.target.find("mode");
  const bool is_merge = mode == nullptr || *mode == "merge";
  if (!is_merge && *mode != "replace") return bad_request("mode must be merge or replace");
  const registry_settings& settings = c.state.of.settings();
  imported_rows rows;
  wire::diagnostics found = read_rows(c, *format, rows);
  const bool is_readable = found.empty();
  one_key at_fault;
  add_bad_keys(rows, found, at_fault);
  const std::size_t before = found.size();
  std::optional<key_table> table;
  if (found.empty()) {
    auto made = key_table::build(rows.rows, settings.seed, rows.names.names(), settings.resource);
    if (made) {
      table = *std::move(made);
    } else {
      add_repeated_keys(rows, *format, found);
      if (found.empty()) return problem_answer(413, "too_large", to_string(made.error().what));
    }
  } else {
    add_repeated_keys(rows, *format, found);
  }
  const bool is_repeated = found.size() > before;
  std::vector<std::string_view> named;  // none: all rows, as those that it takes away
  if (is_merge) std::ranges::transform(rows.rows, std::back_inserter(named), &key_row::key);
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  if (auto wrong = check_preconditions(c, now, {}, now.head.version > 0, named)) return *std::move(wrong);
  add_unknown_placements(rows, now.doc.spec, found, at_fault);
  if (!found.empty()) {
    wire::sort_by_place(found);
    problem wrong = problem_of(std::move(found));
    if (is_readable && !is_repeated) wrong.key = at_fault.name();
    return problem_answer(wrong);
  }
  if (!is_merge) {
    // Half of what was to come may be nothing.
    if (rows.rows.empty()) {
      return problem_answer(
          422, to_string(problem_kind::invalid),
          "there is no row, and mode=replace would remove all that are there; whoever means that says "
          "DELETE of each key, or PUT /v1/config without keys");
    }
    if (auto leaner = without_idle_outcomes(*table)) table = std::move(leaner);
    return finish_change(c, turn, turn.replace_rows(*std::move(table)), "keys.import");
  }
  const table_rows all = rows_of(*table);
  std::vector<key_change> changes;
  changes.reserve(all.rows.size());
  for (const key_row& row : all.rows) changes.push_back({row.key, row.outcome});
  row_changes some;
  some.names = all.names;
  some.changes = std::move(changes);
  return finish_change(c, turn, turn.change_rows(some), "keys.import");
}

answer export_keys(call& c) {
  const auto format = format_of(c);
  if (!format) return bad_request(format_words);
  const auto version = number_in(c, "version", 0, 1, std::uint64_t{1} << 53);
  if (!version) return bad_request("version must be the number of a version");
  answer made;
  made.headers.emplace_back("Content-Type", content_type(*format));
  if (*version == 0) {
    reader<active_content> now(c.state.of.current());
    add_tag(made, tag_of(now.current().value.head));
    made.stream = std::make_unique<row_stream>(c.state.of, *format, c.who);
    return made;
  }
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  auto rows = (*reading)->rows_at(*version, c.state.of.settings().seed);
  if (!rows) return problem_answer(rows.error());
  made.stream = std::make_unique<row_stream>(*std::move(rows), *format, c.who);
  return made;
}

}  // namespace cellroute::control
