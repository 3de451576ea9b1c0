#include "adapters/wire/config_file.hpp"

#include <fmt/format.h>

#include <iterator>
#include <memory>
#include <utility>

#include "adapters/wire/regex_compiler.hpp"
#include "cellroute/base/hash.hpp"

namespace cellroute::wire {
namespace {

/// The hash of several texts: of each, and of their order.
void add_content(std::uint64_t& hash, std::span<const char> text) { hash = mix(hash ^ checksum(std::as_bytes(text))); }

/// Reads the key files; a mistake in one hides none in another.
void load_keys(configuration& c, load_error& error) {
  for (std::size_t i = 0; i < c.key_files.size(); ++i) {
    key_file file;
    file.name = path_from_file(c, c.key_files[i]);
    auto text = read_file(file.name, key_file_bytes_max);
    if (!text) {
      error.mistakes.push_back(locate(c, fmt::format("routing.keys.files[{}]", i),
                                      fmt::format("{}: {}", file.name, to_string(text.error()))));
      add_content(error.content, file.name);
      continue;
    }
    file.text = std::make_unique<const std::string>(*std::move(text));
    add_content(error.content, *file.text);
    std::ranges::move(read_key_file(file, c.spec.placements), std::back_inserter(error.mistakes));
    c.keys.push_back(std::move(file));
  }
}

}  // namespace

std::vector<std::string> lines_of(const load_error& error) {
  std::vector<std::string> lines;
  for (const diagnostic& d : error.mistakes) lines.push_back(to_string(d));
  if (!error.otherwise.empty()) lines.push_back(error.otherwise);
  return lines;
}

expected<configuration, load_error> load(const config_file& from) {
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
  auto read = read_configuration(std::make_unique<const std::string>(*std::move(text)), from.path);
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
  load_keys(*read, error);
  if (!error.mistakes.empty()) return unexpected(std::move(error));
  read->content = error.content;
  return *std::move(read);
}

expected<routing_table, diagnostics> compile(configuration& loaded, generation_number generation, std::uint64_t seed,
                                             std::pmr::memory_resource* resource) {
  std::vector<std::span<const key_row>> parts{loaded.inline_keys.rows};
  for (const key_file& file : loaded.keys) parts.emplace_back(file.rows);
  auto table = routing_table::compile(loaded.spec, generation, seed, resource, parts, by_re2);
  if (!table) {
    diagnostics found = keys_given_twice(loaded.inline_keys, loaded.file).found;
    std::ranges::move(duplicates_in(loaded.keys, loaded.inline_keys.rows), std::back_inserter(found));
    if (!found.empty()) return unexpected(std::move(found));
    for (violation& v : table.error()) found.push_back(locate(loaded, std::move(v.path), std::move(v.what)));
    return unexpected(std::move(found));
  }
  loaded.source = node();
  loaded.inline_keys = inline_keys();
  loaded.text.reset();
  loaded.keys = std::vector<key_file>();  // `= {}` would keep the memory
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
    const auto text = read_file(file, key_file_bytes_max);
    if (!text) return std::nullopt;
    add_content(content, *text);
  }
  return content;
}

}  // namespace cellroute::wire
