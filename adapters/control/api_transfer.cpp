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
constexpr std::string_view before_rows = "{\"routing\":{\"keys\":{\"inline\":\n";
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
      found.push_back({"body", 2, 1, "", "must be a map of keys and the placements they lead to"});
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
  if (found.empty()) {
    out.rows = out.inline_rows.rows;
    out.names = out.inline_rows.names;
  }
  return found;
}

/// Places in the document around the body, as places in the body.
void use_places_of_body(wire::diagnostics& found) {
  constexpr std::string_view outer = "routing.keys.inline.";
  for (wire::diagnostic& each : found) {
    each.line -= std::min<std::size_t>(each.line - 1, 1);
    if (each.path.starts_with(outer)) each.path.erase(0, outer.size());
  }
}

/// Rows of JSON whose keys no table can have.
void add_bad_keys(const imported_rows& rows, wire::diagnostics& found) {
  std::vector<std::size_t> bad;
  for (std::size_t i = 0; i < rows.rows.size() && bad.size() < wire::mistakes_max; ++i) {
    if (rows.rows[i].key.empty() || rows.rows[i].key.size() > key_size_max) bad.push_back(i);
  }
  const std::vector<wire::position> at = wire::places_of(rows.inline_rows, bad);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    found.push_back({"body", at[i].line, at[i].column, wire::row_path(rows.inline_rows, rows.rows[bad[i]].key),
                     fmt::format("a key has 1 to {} bytes", key_size_max)});
  }
}

wire::diagnostics read_rows(const call& c, row_format format, imported_rows& out) {
  wire::diagnostics found;
  if (format == row_format::json) {
    found = read_json_rows(c.asked.body, out);
    if (found.empty()) add_bad_keys(out, found);
    use_places_of_body(found);
    return found;
  }
  out.lines.name = format == row_format::csv ? "body.csv" : "body.jsonl";
  out.lines.text = std::make_unique<const std::string>(c.asked.body);
  found = wire::read_key_file(out.lines, out.names);
  out.rows = out.lines.rows;
  return found;
}

/// Every key that stands there twice, each with both places.
wire::diagnostics repeated_keys(const imported_rows& rows, row_format format) {
  if (format != row_format::json) return wire::duplicates_in(std::span(&rows.lines, 1), {});
  wire::diagnostics found = wire::keys_given_twice(rows.inline_rows, "body").found;
  use_places_of_body(found);
  return found;
}

class row_stream final : public body_source {
 public:
  row_stream(key_table own, row_format format) : own_(std::move(own)), rows_(rows_of(own_)), format_(format) {}
  row_stream(registry& of, row_format format)
      : now_(std::make_unique<reader<active_content>>(of.current())), format_(format) {
    rows_ = rows_of(now_->current().value.content.keys);
  }

  bool next(std::string& piece) override {
    piece.clear();
    if (!has_begun_) {
      has_begun_ = true;
      if (format_ == row_format::csv) piece += "key,placement\n";
      if (format_ == row_format::json) piece += "{";
    }
    for (; at_ < rows_.rows.size() && piece.size() < answer_piece_bytes; ++at_) write(piece, rows_.rows[at_]);
    if (at_ == rows_.rows.size() && !has_ended_) {
      has_ended_ = true;
      if (format_ == row_format::json) piece += "\n}\n";
    }
    return !piece.empty();
  }

 private:
  void write(std::string& out, const key_row& row) const {
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
        out += at_ == 0 ? "\n" : ",\n";
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
  std::size_t at_ = 0;
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
  if (auto bound = check_unbound(c)) return *std::move(bound);
  const auto format = format_of(c);
  if (!format) return bad_request(format_words);
  const std::string* const mode = c.target.find("mode");
  const bool is_merge = mode == nullptr || *mode == "merge";
  if (!is_merge && *mode != "replace") return bad_request("mode must be merge or replace");
  const registry_settings& settings = c.state.of.settings();
  imported_rows rows;
  const wire::diagnostics wrong_rows = read_rows(c, *format, rows);
  std::optional<key_table> table;
  if (wrong_rows.empty()) {
    auto made = key_table::build(rows.rows, settings.seed, rows.names.names(), settings.resource);
    if (!made) {
      wire::diagnostics twice = repeated_keys(rows, *format);
      if (!twice.empty()) return problem_answer(problem_of(std::move(twice)));
      return problem_answer(413, "too_large", to_string(made.error().what));
    }
    table = *std::move(made);
  }
  std::vector<std::string_view> named;  // none: all rows, as those that it takes away
  if (is_merge) std::ranges::transform(rows.rows, std::back_inserter(named), &key_row::key);
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  if (auto wrong = check_preconditions(c, now, {}, now.head.version > 0, named)) return *std::move(wrong);
  if (!table) return problem_answer(problem_of(wrong_rows));
  if (!is_merge) {
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
    made.stream = std::make_unique<row_stream>(c.state.of, *format);
    return made;
  }
  auto reading = lent_reader::take(c.state);
  if (!reading) return problem_answer(reading.error());
  auto rows = (*reading)->rows_at(*version, c.state.of.settings().seed);
  if (!rows) return problem_answer(rows.error());
  made.stream = std::make_unique<row_stream>(*std::move(rows), *format);
  return made;
}

}  // namespace cellroute::control
