#include "adapters/wire/config_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "adapters/wire/key_cache.hpp"
#include "adapters/wire/regex_compiler.hpp"
#include "adapters/wire/table_file.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/table/outcome_list.hpp"

namespace cellroute::wire {
namespace {

/// The hash of several texts: of each, and of their order.
void add_content(std::uint64_t& hash, std::uint64_t content) { hash = mix(hash ^ content); }
void add_content(std::uint64_t& hash, std::string_view text) {
  add_content(hash, content_of_bytes(std::as_bytes(std::span(text.data(), text.size()))));
}

std::unordered_map<std::string_view, std::uint16_t> indices_of(std::span<const placement> placements) {
  std::unordered_map<std::string_view, std::uint16_t> index;
  for (const placement& p : placements) index.emplace(p.id.value, static_cast<std::uint16_t>(index.size()));
  return index;
}

/// Brings a key file of lines; its rows are read when all files are there.
expected<void, file_error> load_text(configuration& c, std::string name, load_error& error) {
  auto text = read_file(name, key_file_bytes_max);
  if (!text) return unexpected(text.error());
  key_file file;
  file.name = std::move(name);
  file.text = std::make_unique<const std::string>(*std::move(text));
  add_content(error.content, *file.text);
  c.keys.push_back(std::move(file));
  return {};
}

/// Whether every name in a table is a placement's.
bool is_bound(const key_table& table, std::span<const placement> placements) {
  const auto index = indices_of(placements);
  return (table.empty() || !table.outcomes().empty()) &&
         std::ranges::all_of(table.outcomes(), [&index](std::string_view name) { return index.contains(name); });
}

/// What the keys are made of: the inline rows by what they say, wherever they stand, and each file with its format.
std::uint64_t content_of_keys(const configuration& c) {
  std::uint64_t content = 0;
  for (const key_row& row : c.inline_keys.rows) {
    add_content(content, row.key);
    add_content(content, c.spec.placements[row.outcome].id.value);
  }
  for (const key_file& file : c.keys) {
    add_content(content, std::string_view(file.name).substr(std::min(file.name.rfind('.'), file.name.size())));
    add_content(content, *file.text);
  }
  for (const compiled_keys& file : c.tables) {
    const key_table::stored_bytes bytes = file.table.bytes();
    add_content(content, content_of_bytes(bytes.head));  // it has the sum of all the others
  }
  return content;
}

/// Takes the table that is kept of these keys, if there is one.
void take_kept_keys(configuration& c, std::pmr::memory_resource* resource) {
  const auto folder = state_folder_of(c);
  if (!folder || c.keys.empty()) return;
  c.kept.content = content_of_keys(c);
  auto found = find_kept_table(*folder, *c.kept.content, resource);
  if (!found) {
    c.kept.refused = std::move(found.error().why);
  } else if (is_bound(*found, c.spec.placements)) {  // else a file leads to no placement, and its lines tell which
    c.kept.table = *std::move(found);
  }
}

/// Opens a key file that is a table.
expected<void, file_error> load_table(configuration& c, std::string name, std::pmr::memory_resource* resource,
                                      load_error& error) {
  auto file = open_table_file(name, resource);
  if (!file) return unexpected(file.error());
  add_content(error.content, file->content);
  const auto mistake = [&error, &name](std::string what) {
    error.mistakes.push_back({name, 1, 1, {}, std::move(what)});
  };
  if (!file->table) {
    mistake(what_is_wrong(file->table.error()));
    return {};
  }
  key_table& table = *file->table;
  const auto index = indices_of(c.spec.placements);
  for (const std::string_view placement : table.outcomes()) {
    if (index.contains(placement)) continue;
    mistake(fmt::format("leads keys to the placement {}, which there is not; add it, or compile the file again",
                        quote(placement)));
  }
  if (table.outcomes().empty() && !table.empty()) mistake("names no placements; compile it again");
  c.tables.push_back({std::move(name), std::move(table)});
  return {};
}

/// Reads the key files; a mistake in one hides none in another.
void load_keys(configuration& c, std::pmr::memory_resource* resource, load_error& error) {
  for (std::size_t i = 0; i < c.key_files.size(); ++i) {
    const std::string name = path_from_file(c, c.key_files[i]);
    const bool is_table = name.ends_with(".ctab") || is_table_file(name);
    const auto done = is_table ? load_table(c, name, resource, error) : load_text(c, name, error);
    if (done) continue;
    error.mistakes.push_back(
        locate(c, fmt::format("routing.keys.files[{}]", i), fmt::format("{}: {}", name, to_string(done.error()))));
    add_content(error.content, name);
  }
  if (error.mistakes.empty()) take_kept_keys(c, resource);
  if (c.kept.table) return;
  for (key_file& file : c.keys) {
    std::ranges::move(read_key_file(file, c.spec.placements, quarantine_of(c)), std::back_inserter(error.mistakes));
  }
  if (c.quarantined.empty()) return;
  c.kept.content.reset();  // what is kept has no bad rows, and nobody would be told of them
  const bool has_rows = !c.inline_keys.rows.empty() || !c.tables.empty() ||
                        std::ranges::any_of(c.keys, [](const key_file& file) { return !file.rows.empty(); });
  if (has_rows) return;
  for (const quarantined_row& row : c.quarantined.rows().first(std::min(c.quarantined.rows().size(), mistakes_max))) {
    error.mistakes.push_back(row.told);
  }
  error.mistakes.push_back(locate(c, "routing.on_invalid_row", "leaves no row: every one is bad"));
}

/// Takes out the rows whose keys stand somewhere before: in the configuration, in a file, or in a compiled table, which
/// comes before all rows.
void quarantine_repeated(configuration& c) {
  for (const compiled_keys& compiled : c.tables) {
    for (key_file& file : c.keys) {
      std::vector<std::size_t> repeated;
      for (std::size_t i = 0; i < file.rows.size(); ++i) {
        const std::string_view key = file.rows[i].key;
        if (!compiled.table.find(key)) continue;
        c.quarantined.add({file.name, file.lines[i], 1, {}, stands_twice(key, compiled.name)}, key);
        repeated.push_back(i);
      }
      remove_rows(file, repeated);
    }
  }
  quarantine_keys_given_twice(c.inline_keys, c.file, c.quarantined);
  quarantine_duplicates(c.keys, c.inline_keys.rows, c.quarantined);
}

/// Every key that stands in a compiled table and somewhere else, too.
void add_duplicates_of_tables(const configuration& c, diagnostics& found) {
  const auto add = [&found](diagnostic place, std::string_view key, const std::string& other) {
    if (found.size() >= mistakes_max) return;
    place.what = stands_twice(key, other);
    found.push_back(std::move(place));
  };
  for (std::size_t t = 0; t < c.tables.size(); ++t) {
    const key_table& table = c.tables[t].table;
    const std::string& name = c.tables[t].name;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < c.inline_keys.rows.size() && rows.size() < mistakes_max; ++i) {
      if (table.find(c.inline_keys.rows[i].key)) rows.push_back(i);
    }
    const std::vector<position> at = places_of(c.inline_keys, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string_view key = c.inline_keys.rows[rows[i]].key;
      add({c.file, at[i].line, at[i].column, row_path(c.inline_keys, key), {}}, key, name);
    }
    for (const key_file& file : c.keys) {
      for (std::size_t i = 0; i < file.rows.size(); ++i) {
        if (table.find(file.rows[i].key)) add({file.name, file.lines[i], 1, {}, {}}, file.rows[i].key, name);
      }
    }
    for (std::size_t other = t + 1; other < c.tables.size(); ++other) {
      c.tables[other].table.for_each([&](std::string_view key, std::uint16_t) {
        if (table.find(key)) add({c.tables[other].name, 1, 1, {}, {}}, key, name);
      });
    }
  }
}

/// The largest of the tables, with the rows of all others.
expected<key_table, build_error> join_tables(configuration& c) {
  const auto base = std::ranges::max_element(c.tables, {}, [](const compiled_keys& t) { return t.table.size(); });
  outcome_list names(base->table.outcomes());
  std::vector<key_change> changes;
  std::optional<build_error> wrong;
  const auto change = [&](std::string_view key, std::string_view placement) {
    const auto number = names.add(placement);
    if (!number) wrong = build_error{key_table_error::bad_outcome_text, key_format::outcomes_max, 0};
    if (base->table.find(key)) wrong = build_error{key_table_error::duplicate_key, 0, 0};
    changes.push_back({key, number});
  };
  const auto add_rows = [&](std::span<const key_row> rows) {
    for (const key_row& row : rows) change(row.key, c.spec.placements[row.outcome].id.value);
  };
  add_rows(c.inline_keys.rows);
  for (const key_file& file : c.keys) add_rows(file.rows);
  for (auto other = c.tables.begin(); other != c.tables.end(); ++other) {
    if (other == base) continue;
    const std::span<const std::string_view> outcomes = other->table.outcomes();
    other->table.for_each([&](std::string_view key, std::uint16_t outcome) { change(key, outcomes[outcome]); });
  }
  if (wrong) return unexpected(*wrong);
  if (changes.empty()) return std::move(base->table);
  return base->table.merged(changes, names.texts());
}

expected<routing_table, violations> compile_all(configuration& c, generation_number generation, std::uint64_t seed,
                                                std::pmr::memory_resource* resource) {
  if (c.kept.table) return routing_table::compile(c.spec, generation, seed, *std::exchange(c.kept.table, {}), by_re2);
  if (!c.tables.empty()) {
    auto keys = join_tables(c);
    if (keys) return routing_table::compile(c.spec, generation, seed, *std::move(keys), by_re2);
    return unexpected(violations{{"routing.keys", fmt::format("cannot be built: {}", to_string(keys.error().what))}});
  }
  std::vector<std::span<const key_row>> parts{c.inline_keys.rows};
  for (const key_file& file : c.keys) parts.emplace_back(file.rows);
  return routing_table::compile(c.spec, generation, seed, resource, parts, by_re2);
}

}  // namespace

std::vector<std::string> lines_of(const load_error& error) {
  std::vector<std::string> lines;
  for (const diagnostic& d : error.mistakes) lines.push_back(to_string(d));
  if (!error.otherwise.empty()) lines.push_back(error.otherwise);
  return lines;
}

expected<configuration, load_error> load(const config_file& from, std::pmr::memory_resource* resource) {
  load_error error;
  error.files = {from.path};
  auto text = read_file(from.path);
  if (!text) {
    error.otherwise = fmt::format("{}: {}", from.path, to_string(text.error()));
    error.is_missing = text.error() == file_error::missing;
    add_content(error.content, error.otherwise);  // what is not there has no content to be known by
    return unexpected(std::move(error));
  }
  add_content(error.content, *text);
  const bool has_control_plane = from.environment.control_plane && !from.environment.control_plane->empty();
  auto read = read_configuration(std::make_unique<const std::string>(*std::move(text)), from.path, has_control_plane,
                                 from.may_lack_routing);
  if (!read) {
    error.mistakes = std::move(read).error();
    return unexpected(std::move(error));
  }
  auto completed = effective(std::move(read->local), from.flags, from.environment);
  if (!completed) {
    error.otherwise = std::move(completed).error();
    error.is_override = true;
    return unexpected(std::move(error));
  }
  read->local = *std::move(completed);
  error.files = files_of(*read);
  load_keys(*read, resource, error);
  if (!error.mistakes.empty()) return unexpected(std::move(error));
  read->content = error.content;
  return *std::move(read);
}

expected<routing_table, diagnostics> compile(configuration& loaded, generation_number generation, std::uint64_t seed,
                                             std::pmr::memory_resource* resource) {
  auto table = loaded.has_routing ? compile_all(loaded, generation, seed, resource)
                                  : expected<routing_table, violations>(routing_table::none(generation));
  if (!table && quarantine_of(loaded) != nullptr) {
    quarantine_repeated(loaded);
    loaded.kept.content.reset();
    table = compile_all(loaded, generation, seed, resource);
  }
  if (!table) {
    diagnostics found = keys_given_twice(loaded.inline_keys, loaded.file).found;
    std::ranges::move(duplicates_in(loaded.keys, loaded.inline_keys.rows), std::back_inserter(found));
    add_duplicates_of_tables(loaded, found);
    if (!found.empty()) return unexpected(std::move(found));
    for (violation& v : table.error()) found.push_back(locate(loaded, std::move(v.path), std::move(v.what)));
    return unexpected(std::move(found));
  }
  loaded.source = node();
  loaded.inline_keys = inline_keys();
  loaded.text.reset();
  loaded.keys = std::vector<key_file>();  // `= {}` would keep the memory
  loaded.tables = std::vector<compiled_keys>();
  return *std::move(table);
}

std::vector<std::string> files_of(const configuration& c) {
  std::vector<std::string> files{c.file};
  for (const std::string& written : c.key_files) files.push_back(path_from_file(c, written));
  return files;
}

std::optional<std::uint64_t> content_of(std::span<const std::string> files) {
  std::uint64_t content = 0;
  for (const std::string& file : files) {
    const auto of_file = content_of_file(file);
    if (!of_file) return std::nullopt;
    add_content(content, *of_file);
  }
  return content;
}

}  // namespace cellroute::wire
