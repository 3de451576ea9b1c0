#include "adapters/tool/ctl_rows.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "adapters/tool/verbs.hpp"
#include "adapters/wire/key_file.hpp"
#include "adapters/wire/node.hpp"
#include "adapters/wire/text_scan.hpp"

namespace cellroute::tool {
namespace {

struct ending {
  std::string_view ends;
  std::string_view format;
  std::string_view type;
};

constexpr ending json_lines{"", "ndjson", "application/x-ndjson"};
constexpr ending endings[] = {
    json_lines,
    {".jsonl", json_lines.format, json_lines.type},
    {".ndjson", json_lines.format, json_lines.type},
    {".csv", "csv", "text/csv"},
    {".json", "json", "application/json"},
};

bool is_utf8(std::string_view text) { return wire::find_bad_text(text, false) == std::string_view::npos; }

expected<sent_rows, outcome> lines_of_tsv(const std::string& file, std::string text) {
  wire::key_file rows;
  rows.name = file;
  rows.text = std::make_unique<const std::string>(std::move(text));
  wire::name_list names;
  wire::diagnostics found = wire::read_key_file(rows, names);
  sent_rows made{{}, json_lines.format, json_lines.type};
  std::size_t line = 1;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string_view key = rows.rows[i].key;
    const std::string_view placement = names.names()[rows.rows[i].outcome];
    if (!is_utf8(key) || !is_utf8(placement))
      found.push_back({file, rows.lines[i], 1, {}, "is no UTF-8; a control plane takes nothing else"});
    for (; line < rows.lines[i]; ++line) made.body += '\n';
    made.body += fmt::format("{{\"key\":{},\"placement\":{}}}", wire::quote(key), wire::quote(placement));
  }
  made.body += '\n';
  if (found.empty()) return made;
  outcome mistakes{exit_invalid, "", ""};
  for (const wire::diagnostic& each : found) mistakes.errors += wire::to_string(each) + "\n";
  return unexpected(std::move(mistakes));
}

}  // namespace

expected<sent_rows, outcome> rows_to_send(const std::string& file, std::string text) {
  const std::string ends = file == "-" ? "" : std::filesystem::path(file).extension().string();
  if (ends == ".tsv") return lines_of_tsv(file, std::move(text));
  for (const ending& each : endings) {
    if (each.ends == ends) return sent_rows{std::move(text), each.format, each.type};
  }
  return unexpected(outcome{
      exit_usage, "",
      fmt::format("{}: rows are taken from .csv, .tsv, .jsonl, .ndjson and .json, by how the name ends\n", file)});
}

}  // namespace cellroute::tool
