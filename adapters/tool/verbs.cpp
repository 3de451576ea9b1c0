#include "adapters/tool/verbs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "adapters/wire/config_file.hpp"
#include "adapters/wire/print.hpp"
#include "adapters/wire/printer.hpp"
#include "adapters/wire/table_file.hpp"
#include "cellroute/base/hash.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::tool {
namespace {

void add_list(wire::printer& out, std::string_view name, const wire::diagnostics& found) {
  std::vector<wire::node> items;
  for (const wire::diagnostic& d : found) {
    wire::printer item;
    item.text("file", d.file);
    item.count("line", d.line);
    item.count("column", d.column);
    item.text("path", d.path);
    item.text("what", d.what);
    items.push_back(std::move(item).take());
  }
  out.add_list(name, std::move(items));
}

std::string to_json(wire::printer members) { return wire::write_json(std::move(members).take()); }

void append_lines(std::string& out, std::string_view before, const wire::diagnostics& found) {
  for (const wire::diagnostic& d : found) out += fmt::format("{}{}\n", before, wire::to_string(d));
}

outcome invalid(const request& asked, const wire::diagnostics& mistakes) {
  outcome result;
  result.exit_code = exit_invalid;
  append_lines(result.errors, "", mistakes);
  if (asked.as_json) {
    wire::printer out;
    out.flag("valid", false);
    add_list(out, "mistakes", mistakes);
    result.output = to_json(std::move(out));
  }
  return result;
}

std::size_t count_endpoints(const table_spec& spec) {
  std::size_t count = 0;
  for (const cell& c : spec.cells) count += c.endpoints.size();
  return count;
}

/// What a client sees whose request is not routed; the words are those of the router.
outcome explain_refusal(const request& asked, const key_refusal& refused) {
  outcome result;
  if (asked.as_json) {
    wire::printer error;
    error.text("code", std::string(refused.code));
    error.text("message", std::string(refused.message));
    wire::printer out;
    out.text("key", asked.key);
    out.count("status", refused.status);
    out.add("error", std::move(error).take());
    result.output = to_json(std::move(out));
  } else {
    result.output = fmt::format("not routed: {}\nanswered    {}\n", refused.message, refused.status);
  }
  return result;
}

}  // namespace

std::optional<wire::configuration> load(const request& asked, const surroundings& around, outcome& result) {
  const std::optional<std::string>& named = asked.file ? asked.file : around.config_path;
  if (!named || named->empty()) {
    result = {
        exit_usage, "",
        named ? "the file's name is empty; name a file\n" : "no configuration; name a file, or set CONFIG_PATH\n"};
    return std::nullopt;
  }
  auto read = wire::load({*named, {}, {}});
  if (read) return *std::move(read);
  if (!read.error().otherwise.empty()) {
    const std::string& told = read.error().otherwise;
    const std::string before = *named + ": ";
    result = invalid(asked, {{*named, 1, 1, {}, told.starts_with(before) ? told.substr(before.size()) : told}});
    result.errors = told + "\n";
    if (read.error().is_missing) {
      result.exit_code = exit_usage;
      result.errors = told + "; name one with --config or CONFIG_PATH\n";
    }
    return std::nullopt;
  }
  result = invalid(asked, read.error().mistakes);
  return std::nullopt;
}

outcome check(const request& asked, const surroundings& around) {
  outcome result;
  auto read = load(asked, around, result);
  if (!read) return result;
  const wire::diagnostics warnings = wire::find_warnings(*read, around.now);
  const table_spec& spec = read->spec;
  const wire::node tree = asked.print ? wire::to_tree(*read) : wire::node{};
  // Whether a key stands in two files is seen when they become one table.
  const auto table = wire::compile(*read, generation_number{1}, 0);
  if (!table) return invalid(asked, table.error());
  const std::size_t key_count = table->keys().size();
  append_lines(result.errors, "warning: ", warnings);
  for (const wire::quarantined_row& row : read->quarantined.rows()) {
    result.errors += "quarantined: " + to_string(row.told) + "\n";
  }
  const std::size_t more = read->quarantined.size() - read->quarantined.rows().size();
  if (more > 0) result.errors += fmt::format("quarantined: {} more rows\n", more);
  if (asked.print) {
    result.output = asked.as_json ? wire::write_json(tree) : wire::write_yaml(tree);
  } else if (asked.as_json) {
    wire::printer out;
    out.flag("valid", true);
    out.text("version", spec.version);
    out.count("keys", key_count);
    out.count("placements", spec.placements.size());
    out.count("cells", spec.cells.size());
    out.count("endpoints", count_endpoints(spec));
    add_list(out, "warnings", warnings);
    result.output = to_json(std::move(out));
  } else {
    const auto counted = [](std::size_t count, std::string_view noun) {
      return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
    };
    result.output = fmt::format("{}: valid; {}, {}, {}, {}\n", read->file, counted(key_count, "key"),
                                counted(spec.placements.size(), "placement"), counted(spec.cells.size(), "cell"),
                                counted(count_endpoints(spec), "endpoint"));
  }
  return result;
}

outcome explain(const request& asked, const surroundings& around) {
  outcome result;
  auto read = load(asked, around, result);
  if (!read) return result;
  const auto key = read_named_key(asked.key);
  if (!key) return explain_refusal(asked, key.error());

  const auto table = wire::compile(*read, generation_number{1}, 0);
  if (!table) return invalid(asked, table.error());
  const auto made = table->route(*key, {key_source::header, read->key.header}, around.now);
  const wire::quarantined_row* const bad_row = read->quarantined.find(*key);
  if (!made && bad_row != nullptr) {
    outcome refused = explain_refusal(asked, key_is_unknown);
    refused.errors = "quarantined " + to_string(bad_row->told) + "\n";
    return refused;
  }
  if (!made) return explain_refusal(asked, key_is_unknown);
  std::string text;
  if (asked.as_json) {
    write_explanation_json(text, *made, table->fleet(), table->version());
    if (bad_row != nullptr) wire::add_quarantined_json(text, *bad_row);
    if (const auto tree = wire::read_json(text, "")) text = wire::write_json(*tree);  // laid out like all else here
  } else {
    write_explanation(text, *made, table->fleet(), table->version());
    if (bad_row != nullptr) wire::add_quarantined(text, *bad_row);
  }
  result.output = std::move(text);
  return result;
}

outcome compile(const request& asked) {
  wire::name_list names;
  wire::diagnostics mistakes;
  std::vector<wire::key_file> files;
  std::uint64_t content = 0;
  for (const std::string& name : asked.key_files) {
    wire::key_file& file = files.emplace_back();
    file.name = name;
    auto text = wire::read_file(name, wire::key_file_bytes_max);
    if (!text) {
      const bool is_missing = text.error() == wire::file_error::missing;
      return {is_missing ? exit_usage : exit_invalid, "", fmt::format("{}: {}\n", name, to_string(text.error()))};
    }
    content = mix(content ^ checksum(std::as_bytes(std::span(*text))));
    file.text = std::make_unique<const std::string>(*std::move(text));
    std::ranges::move(wire::read_key_file(file, names), std::back_inserter(mistakes));
  }
  for (const std::string_view name : names.names()) {
    if (const auto fault = rules::id_fault(name)) {
      mistakes.push_back({files.front().name, 1, 1, {}, fmt::format("the placement {} {}", wire::quote(name), *fault)});
    }
  }
  if (!mistakes.empty()) return invalid(asked, mistakes);
  std::vector<key_row> rows;
  for (const wire::key_file& file : files) rows.insert(rows.end(), file.rows.begin(), file.rows.end());
  // The same files make the same bytes: the seed comes from what they hold. A look-up of a stranger's key costs one
  // bucket whatever the seed is.
  const auto table = key_table::build(rows, content, names.names());
  if (!table) {
    mistakes = wire::duplicates_in(files, {});
    if (mistakes.empty()) mistakes.push_back({asked.output_file, 1, 1, {}, std::string(to_string(table.error().what))});
    return invalid(asked, mistakes);
  }
  if (const auto written = wire::write_table_file(asked.output_file, *table); !written) {
    return {exit_invalid, "", written.error() + "\n"};
  }
  if (asked.as_json) {
    wire::printer out;
    out.text("file", asked.output_file);
    out.count("keys", table->size());
    out.count("placements", names.names().size());
    return {0, to_json(std::move(out)), ""};
  }
  return {0,
          fmt::format("{}: {} key{}, {} placement{}\n", asked.output_file, table->size(), table->size() == 1 ? "" : "s",
                      names.names().size(), names.names().size() == 1 ? "" : "s"),
          ""};
}

outcome print_version(const request& asked, const surroundings& around) {
  if (asked.as_json) {
    wire::printer out;
    out.text("version", around.version);
    out.text("commit", around.commit);
    return {0, to_json(std::move(out)), ""};
  }
  return {0, fmt::format("cellroute {} ({})\n", around.version, around.commit), ""};
}

}  // namespace cellroute::tool
