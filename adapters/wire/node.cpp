#include "adapters/wire/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "adapters/wire/text_scan.hpp"
#include "adapters/wire/tree_builder.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/base/escape.hpp"

namespace cellroute::wire {
namespace {

/// Takes the members of one map whose names were given before, in the order of their names.
std::vector<std::pair<node, position>> take_repeated(node& map) {
  std::vector<const node*> sorted;
  sorted.reserve(map.children.size());
  for (const node& member : map.children) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, [](const node* member) { return std::tie(member->name, member->name_at); });
  std::vector<bool> is_repeated(map.children.size());
  std::vector<std::pair<node, position>> taken;
  const node* first = nullptr;
  for (const node* member : sorted) {
    if (first == nullptr || first->name != member->name) {
      first = member;
      continue;
    }
    is_repeated[static_cast<std::size_t>(member - map.children.data())] = true;
    taken.emplace_back(*member, first->name_at);
  }
  if (taken.empty()) return taken;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < map.children.size(); ++i) {
    if (is_repeated[i]) continue;
    if (kept != i) map.children[kept] = std::move(map.children[i]);
    ++kept;
  }
  map.children.resize(kept);
  return taken;
}

void take_duplicates(node& parent, const std::string& path, std::string_view file, diagnostics& mistakes) {
  if (parent.kind == node_kind::map) {
    for (const auto& [again, first_at] : take_repeated(parent)) {
      mistakes.push_back({std::string(file), again.name_at.line, again.name_at.column, join_path(path, again.name),
                          fmt::format("already given in line {}; remove one of them", first_at.line)});
    }
  }
  for (std::size_t i = 0; i < parent.children.size(); ++i) {
    node& child = parent.children[i];
    if (child.children.empty()) continue;
    const bool is_member = parent.kind == node_kind::map;
    take_duplicates(child, is_member ? join_path(path, child.name) : fmt::format("{}[{}]", path, i), file, mistakes);
  }
}

}  // namespace

std::string to_string(const diagnostic& d) {
  std::string line = fmt::format("{}:{}:{}: ", d.file, d.line, d.column);
  if (!d.path.empty()) line += d.path + ": ";
  return line + d.what;
}

void sort_by_place(diagnostics& found) {
  std::ranges::sort(found, {}, [](const diagnostic& d) { return std::tie(d.line, d.column, d.path, d.what); });
}

diagnostics take_duplicates(node& root, std::string_view file_name) {
  diagnostics mistakes;
  take_duplicates(root, "", file_name, mistakes);
  return mistakes;
}

const node* node::find(std::string_view key) const {
  const auto member = std::ranges::find(children, key, &node::name);
  return kind == node_kind::map && member != children.end() ? &*member : nullptr;
}

std::string quote(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  return quoted;
}

position place_finder::at(std::size_t offset) {
  offset = std::min(offset, text_.size());
  if (offset < offset_) {
    const std::size_t line_start = offset == 0 ? 0 : text_.rfind('\n', offset - 1) + 1;
    const auto skipped = text_.substr(line_start, offset_ - line_start);
    here_ = {here_.line - static_cast<std::size_t>(std::ranges::count(skipped, '\n')), 1};
    offset_ = line_start;
  }
  const std::string_view passed = text_.substr(offset_, offset - offset_);
  if (const std::size_t last = passed.rfind('\n'); last != std::string_view::npos) {
    here_ = {here_.line + count_line_ends(passed), 1};
    offset_ += last + 1;
  }
  for (; offset_ < offset; ++offset_) {
    // A character counts once, at its first byte.
    if ((static_cast<unsigned char>(text_[offset_]) & 0xc0) != 0x80) ++here_.column;
  }
  return here_;
}

node* tree_builder::place(std::size_t offset) {
  if (failed_) return nullptr;
  const position at = places_.at(offset);
  node* placed = nullptr;
  if (open_.empty()) {
    placed = &root_;
    has_root_ = true;
  } else if (open_.back()->kind == node_kind::list) {
    placed = &open_.back()->children.emplace_back();
  } else {
    placed = &open_.back()->children.back();
    expects_value_ = false;
  }
  placed->at = at;
  return placed;
}

void tree_builder::scalar(std::size_t offset, node_kind kind, std::string text) {
  if (failed_) return;
  if (!open_.empty() && open_.back()->kind == node_kind::map && !expects_value_) {
    node& member = open_.back()->children.emplace_back();
    member.name = std::move(text);
    member.name_at = places_.at(offset);
    expects_value_ = true;
    return;
  }
  node* placed = place(offset);
  placed->kind = kind;
  // A value that is not there stands, for the library, wherever the next thing begins.
  if (text.empty() && kind == node_kind::null && placed->name_at.column != 0) placed->at = placed->name_at;
  placed->text = std::move(text);
}

void tree_builder::begin(std::size_t offset, node_kind kind) {
  if (failed_) return;
  if (!open_.empty() && open_.back()->kind == node_kind::map && !expects_value_) {
    return fail(offset, "a key must be text; write it in one line before the colon");
  }
  if (open_.size() == depth_max)
    return fail(offset, fmt::format("nested deeper than {} levels; flatten it", depth_max));
  node* placed = place(offset);
  placed->kind = kind;
  open_.push_back(placed);
}

void tree_builder::complain(std::size_t offset, std::string what) {
  if (failed_) return;
  const position at = places_.at(offset);
  mistakes_.push_back({file_, at.line, at.column, "", std::move(what)});
}

void tree_builder::fail(std::size_t offset, std::string what) {
  complain(offset, std::move(what));
  failed_ = true;
}

expected<node, diagnostics> tree_builder::finish() && {
  if (!failed_ && !has_root_) complain(0, "the file is empty; the smallest one has `routing` and `placements`");
  sort_by_place(mistakes_);
  if (!mistakes_.empty()) return unexpected(std::move(mistakes_));
  return std::move(root_);
}

std::optional<diagnostic> bad_text_in(std::string_view text, std::string_view file_name, std::string_view advice) {
  const std::size_t bad = find_bad_text(text, true);
  if (bad == std::string_view::npos) return std::nullopt;
  const position at = place_finder(text).at(bad);
  return diagnostic{std::string(file_name), at.line, at.column, "",
                    fmt::format("byte 0x{:02x} is not text; {}", static_cast<unsigned char>(text[bad]), advice)};
}

path_index::path_index(const node& root) : root_(root.at) { add(root, ""); }

void path_index::add(const node& parent, const std::string& path) {
  for (std::size_t i = 0; i < parent.children.size(); ++i) {
    const node& child = parent.children[i];
    const bool is_member = parent.kind == node_kind::map;
    const std::string inner = is_member ? join_path(path, child.name) : fmt::format("{}[{}]", path, i);
    places_.try_emplace(inner, place{is_member ? child.name_at : child.at, path.size()});
    add(child, inner);
  }
}

position path_index::find(std::string_view path) const {
  for (; !path.empty(); path = outer_path(path)) {
    if (const auto found = places_.find(std::string(path)); found != places_.end()) return found->second.at;
  }
  return root_;
}

std::string_view path_index::outer(std::string_view path) const {
  const auto found = places_.find(std::string(path));
  return found != places_.end() ? path.substr(0, found->second.outer_size) : outer_path(path);
}

std::string_view outer_path(std::string_view path) {
  const std::size_t last = path.find_last_of(".[");
  return path.substr(0, last == std::string_view::npos ? 0 : last);
}

std::string join_path(std::string_view path, std::string_view key) {
  std::string joined(path);
  if (!joined.empty()) joined += '.';
  append_escaped(joined, key);
  return joined;
}

expected<node, diagnostics> read_tree(std::string_view text, std::string_view file_name, row_reader* rows) {
  if (text.size() > configuration_bytes_max) {
    return unexpected(diagnostics{
        {std::string(file_name), 1, 1, "",
         fmt::format("has {} bytes; {} are the most a configuration may have", text.size(), configuration_bytes_max)}});
  }
  if (auto bad = bad_text_in(text, file_name, "save the file as UTF-8"))
    return unexpected(diagnostics{*std::move(bad)});
  text = without_mark(text);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = lowered(file_name).ends_with(".json") || (first != std::string_view::npos && text[first] == '{');
  return is_json ? read_json_of_bytes(text, file_name, rows) : read_yaml(text, file_name);
}

}  // namespace cellroute::wire
