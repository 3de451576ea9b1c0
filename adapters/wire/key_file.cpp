#include "adapters/wire/key_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/wire/name_list.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/text_scan.hpp"
#include "adapters/wire/tree_builder.hpp"

namespace cellroute::wire {
namespace {

bool is_later(std::string_view attribute) {
  return std::ranges::find(later_row_attributes, attribute) != std::end(later_row_attributes);
}

std::string attribute_mistake(std::string_view name) {
  if (is_later(name)) return fmt::format("{} is not supported yet; remove it", quote(name));
  return fmt::format("{} is no attribute of a row; remove it", quote(name));
}

/// Takes rows of one file, and their mistakes.
class row_taker {
 public:
  /// `takes_any`: a name that is not among `names` becomes one of them.
  row_taker(key_file& file, name_list& names, bool takes_any, quarantine* bad_rows)
      : file_(file), names_(names), takes_any_(takes_any), bad_rows_(bad_rows) {}

  void take(std::uint32_t line, std::string_view key, std::string_view placement) {
    if (bad_rows_ != nullptr && line == bad_line_) return;  // it has another mistake
    if (key.empty()) return mistake(line, 1, "has an empty key");
    if (key.size() > key_size_max) {
      return mistake(line, 1, fmt::format("has a key of {} bytes; at most {} are allowed", key.size(), key_size_max));
    }
    const auto outcome = takes_any_ ? names_.add(placement) : names_.find(placement);
    if (!outcome) {
      return mistake(line, key.size() + 2,
                     placement.empty() ? "names no placement"
                                       : fmt::format("names the placement {}, which there is not", quote(placement)),
                     key);
    }
    file_.rows.push_back({key, *outcome});
    file_.lines.push_back(line);
  }

  /// Of a row: of this key, as far as that is known.
  void mistake(std::uint32_t line, std::size_t column, std::string what, std::string_view key = {}) {
    if (bad_rows_ == nullptr) return file_mistake(line, column, std::move(what));
    if (line != bad_line_) bad_rows_->add({file_.name, line, column, {}, std::move(what)}, key);
    bad_line_ = line;
  }
  /// Of the file as a whole.
  void file_mistake(std::uint32_t line, std::size_t column, std::string what) {
    if (found_.size() <= mistakes_max) found_.push_back({file_.name, line, column, {}, std::move(what)});
  }
  /// A text that the file does not hold as it is.
  std::string_view keep(std::string text) {
    return *file_.unescaped.emplace_back(std::make_unique<const std::string>(std::move(text)));
  }
  [[nodiscard]] diagnostics take_mistakes() {
    if (found_.size() > mistakes_max) {
      found_.pop_back();
      found_.push_back({file_.name, found_.back().line, 1, {}, "more mistakes may follow; correct these first"});
    }
    return std::move(found_);
  }

 private:
  key_file& file_;
  name_list& names_;
  bool takes_any_;
  quarantine* bad_rows_;
  std::uint32_t bad_line_ = 0;
  diagnostics found_;
};

/// The next line, without its end.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void read_tsv(std::string_view text, row_taker& rows) {
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const std::string_view row = next_line(text);
    if (row.empty()) continue;
    const std::size_t tab = row.find('\t');
    if (tab == std::string_view::npos) {
      rows.mistake(line, 1, "has no tab; write the key, a tab, the placement");
      continue;
    }
    std::string_view placement = row.substr(tab + 1);
    const std::size_t second = placement.find('\t');
    if (second != std::string_view::npos) {
      std::string_view attributes = placement.substr(second + 1);
      placement = placement.substr(0, second);
      while (!attributes.empty()) {
        const std::size_t end = std::min(attributes.find(' '), attributes.size());
        const std::string_view one = attributes.substr(0, end);
        if (!one.empty()) {
          rows.mistake(line, static_cast<std::size_t>(one.data() - row.data()) + 1,
                       attribute_mistake(one.substr(0, one.find('='))), row.substr(0, tab));
        }
        attributes.remove_prefix(std::min(end + 1, attributes.size()));
      }
    }
    rows.take(line, row.substr(0, tab), placement);
  }
}

/// One record of CSV. Source: RFC 4180; a quoted field may hold commas, quotes written twice, and line ends.
class csv_reader {
 public:
  csv_reader(std::string_view text, row_taker& rows) : rest_(text), rows_(rows) {}

  /// False at the end, or where the text breaks the form: then the mistake is told.
  bool next(std::vector<std::string_view>& fields) {
    fields.clear();
    if (rest_.empty()) return false;
    line_ = next_line_;
    for (;;) {
      const auto field = rest_.starts_with('"') ? quoted() : plain();
      if (!field) return false;
      fields.push_back(*field);
      if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        continue;
      }
      rest_.remove_prefix(line_end_bytes());
      ++next_line_;
      return true;
    }
  }
  [[nodiscard]] std::uint32_t line() const { return line_; }

 private:
  /// How long the end of a line is that `rest_` begins with; 0: it does not. A carriage return alone is a byte like
  /// any.
  [[nodiscard]] std::size_t line_end_bytes() const {
    if (rest_.starts_with('\n')) return 1;
    if (rest_.starts_with("\r\n")) return 2;
    return rest_ == "\r" ? 1 : 0;
  }
  std::optional<std::string_view> plain() {
    const std::size_t end = std::min(rest_.find_first_of(",\n\""), rest_.size());
    std::string_view field = rest_.substr(0, end);
    if (end < rest_.size() && rest_[end] == '"') {
      rows_.file_mistake(next_line_, 1,
                         "has a quote inside of a field; put the field in quotes and write the quote twice");
      return std::nullopt;
    }
    if (field.ends_with('\r') && !rest_.substr(end).starts_with(',')) field.remove_suffix(1);
    rest_.remove_prefix(field.size());
    return field;
  }
  std::optional<std::string_view> quoted() {
    const std::uint32_t begin = next_line_;
    std::string unescaped;
    bool is_escaped = false;
    std::size_t start = 1;
    for (;;) {
      const std::size_t end = rest_.find('"', start);
      if (end == std::string_view::npos) {
        rows_.file_mistake(begin, 1, "has a quote that is not closed");
        return std::nullopt;
      }
      const std::string_view part = rest_.substr(start, end - start);
      next_line_ += static_cast<std::uint32_t>(std::ranges::count(part, '\n'));
      const bool goes_on = end + 1 < rest_.size() && rest_[end + 1] == '"';
      if (goes_on || is_escaped) unescaped += part;
      if (goes_on) {
        unescaped += '"';
        is_escaped = true;
        start = end + 2;
        continue;
      }
      rest_.remove_prefix(end + 1);
      if (!rest_.empty() && rest_.front() != ',' && line_end_bytes() == 0) {
        rows_.file_mistake(next_line_, 1, "has something behind a closed quote");
        return std::nullopt;
      }
      return is_escaped ? rows_.keep(std::move(unescaped)) : part;
    }
  }

  std::string_view rest_;
  row_taker& rows_;
  std::uint32_t line_ = 1;
  std::uint32_t next_line_ = 1;
};

void read_csv(std::string_view text, row_taker& rows) {
  csv_reader reader(text, rows);
  std::vector<std::string_view> fields;
  if (!reader.next(fields)) return;
  const std::vector<std::string_view> columns = fields;
  const auto column = [&columns](std::string_view name) { return std::ranges::find(columns, name) - columns.begin(); };
  const auto key = static_cast<std::size_t>(column("key"));
  const auto placement = static_cast<std::size_t>(column("placement"));
  if (key == columns.size() || placement == columns.size()) {
    return rows.file_mistake(1, 1, "must name the columns: key,placement");
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i != key && i != placement && !is_later(columns[i])) rows.file_mistake(1, 1, attribute_mistake(columns[i]));
  }
  while (reader.next(fields)) {
    if (fields.size() == 1 && fields.front().empty()) continue;
    if (fields.size() != columns.size()) {
      rows.mistake(reader.line(), 1,
                   fmt::format("has {} fields, not {} as the first line", fields.size(), columns.size()));
      continue;
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i != key && i != placement && !fields[i].empty()) {
        rows.mistake(reader.line(), 1, attribute_mistake(columns[i]), fields[key]);
      }
    }
    rows.take(reader.line(), fields[key], fields[placement]);
  }
}

/// A line in the form that almost all have: the two members, each a text without escapes.
struct plain_line {
  std::string_view key;
  std::string_view placement;
};

/// What reads any JSON tells what is wrong with all else.
std::optional<plain_line> read_plain_line(std::string_view text) {
  std::size_t at = 0;
  const auto take = [&text, &at](char wanted) {
    at = skip_json_space(text, at);
    if (at == text.size() || text[at] != wanted) return false;
    at = skip_json_space(text, at + 1);
    return true;
  };
  const auto member = [&text, &at, &take](std::string_view& name) {
    const auto found = take_plain_text(text, at);
    if (!found || !take(':')) return std::optional<std::string_view>();
    name = *found;
    return take_plain_text(text, at);
  };
  std::string_view first_name;
  std::string_view second_name;
  if (!take('{')) return std::nullopt;
  const auto first = member(first_name);
  if (!first || !take(',')) return std::nullopt;
  const auto second = member(second_name);
  if (!second || !take('}') || at != text.size()) return std::nullopt;
  if (first_name == "key" && second_name == "placement") return plain_line{*first, *second};
  if (first_name == "placement" && second_name == "key") return plain_line{*second, *first};
  return std::nullopt;
}

void read_json_lines(std::string_view text, const std::string& name, row_taker& rows) {
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const std::string_view row = next_line(text);
    if (row.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (const auto plain = read_plain_line(row)) {
      rows.take(line, plain->key, plain->placement);
      continue;
    }
    const auto tree = read_json_of_bytes(row, name);  // a key may be of any bytes
    if (!tree) {
      for (const diagnostic& d : tree.error()) rows.mistake(line, d.column, d.what);
      continue;
    }
    const node* const key = tree->find("key");
    const node* const placement = tree->find("placement");
    const auto is_text = [](const node* value) { return value != nullptr && value->kind == node_kind::quoted; };
    if (!is_text(key) || !is_text(placement)) {
      rows.mistake(line, 1, R"(must be {"key": "NAME", "placement": "NAME"})");
      continue;
    }
    for (const node& member : tree->children) {
      const bool is_first = tree->find(member.name) == &member;
      if (!is_first) {
        rows.mistake(line, member.name_at.column, quote(member.name) + " stands twice", key->text);
      } else if (member.name != "key" && member.name != "placement") {
        rows.mistake(line, member.name_at.column, attribute_mistake(member.name), key->text);
      }
    }
    const std::size_t at = row.find(key->text);  // most keys stand there as they are
    const bool is_there = !key->text.empty() && at != std::string_view::npos;
    rows.take(line, is_there ? row.substr(at, key->text.size()) : rows.keep(key->text), rows.keep(placement->text));
  }
}

diagnostics read_rows(const key_file& file, row_taker rows) {
  const std::string_view name = file.name;
  std::string_view text = *file.text;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  if (name.ends_with(".tsv")) {
    read_tsv(text, rows);
  } else if (name.ends_with(".csv")) {
    read_csv(text, rows);
  } else if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) {
    read_json_lines(text, file.name, rows);
  } else {
    rows.file_mistake(1, 1, "has a name that tells no format; let it end with .tsv, .csv, .jsonl or .ctab");
  }
  return rows.take_mistakes();
}

/// Calls `f(number of the file, number of the row, where)` for each row whose key stands somewhere before: in the
/// configuration, in the file, or in one in front of it. False: no more of them.
template <class F>
void for_each_repeated(std::span<const key_file> files, std::span<const key_row> inline_rows, F f) {
  struct place {
    const key_file* file;  // null: the configuration
    std::uint32_t line;
  };
  std::unordered_map<std::string_view, place> first;
  for (const key_row& row : inline_rows) first.emplace(row.key, place{nullptr, 0});
  for (std::size_t n = 0; n < files.size(); ++n) {
    for (std::size_t i = 0; i < files[n].rows.size(); ++i) {
      const auto [at, is_new] = first.try_emplace(files[n].rows[i].key, place{&files[n], files[n].lines[i]});
      if (is_new) continue;
      const place& before = at->second;
      const std::string where = before.file == nullptr ? std::string("routing.keys.inline")
                                                       : fmt::format("{}:{}", before.file->name, before.line);
      if (!f(n, i, where)) return;
    }
  }
}

}  // namespace

diagnostics read_key_file(key_file& file, std::span<const placement> placements, quarantine* bad_rows) {
  name_list names;  // a number is an index: no name is there twice
  for (const placement& p : placements) (void)names.add(p.id.value);
  return read_rows(file, row_taker(file, names, false, bad_rows));
}

diagnostics read_key_file(key_file& file, name_list& names) {
  return read_rows(file, row_taker(file, names, true, nullptr));
}

std::string stands_twice(std::string_view key, std::string_view where) {
  return fmt::format("the key {} stands in {}, too; keep one of them", quote(key), where);
}

void remove_rows(key_file& file, std::span<const std::size_t> rows) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    if (!rows.empty() && rows.front() == i) {
      rows = rows.subspan(1);
      continue;
    }
    file.rows[kept] = file.rows[i];
    file.lines[kept++] = file.lines[i];
  }
  file.rows.resize(kept);
  file.lines.resize(kept);
}

void quarantine_duplicates(std::span<key_file> files, std::span<const key_row> inline_rows, quarantine& bad_rows) {
  std::vector<std::vector<std::size_t>> repeated(files.size());
  for_each_repeated(files, inline_rows, [&](std::size_t n, std::size_t i, const std::string& where) {
    const key_file& file = files[n];
    bad_rows.add({file.name, file.lines[i], 1, {}, stands_twice(file.rows[i].key, where)}, file.rows[i].key);
    repeated[n].push_back(i);
    return true;
  });
  for (std::size_t n = 0; n < files.size(); ++n) remove_rows(files[n], repeated[n]);
}

diagnostics duplicates_in(std::span<const key_file> files, std::span<const key_row> inline_rows) {
  diagnostics found;
  for_each_repeated(files, inline_rows, [&](std::size_t n, std::size_t i, const std::string& where) {
    const key_file& file = files[n];
    found.push_back({file.name, file.lines[i], 1, {}, stands_twice(file.rows[i].key, where)});
    return found.size() < mistakes_max;
  });
  return found;
}

}  // namespace cellroute::wire
