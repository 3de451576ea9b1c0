#include "adapters/control/api_target.hpp"

#include <algorithm>
#include <charconv>

#include "cellroute/base/unescape.hpp"

namespace cellroute::control {
namespace {

/// Takes the text up to a mark, and the mark.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

}  // namespace

const std::string* target_parts::find(std::string_view name) const {
  const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
  return found == query.end() ? nullptr : &found->second;
}

std::optional<target_parts> split_target(std::string_view target) {
  if (!target.starts_with('/')) return std::nullopt;
  target_parts parts;
  parts.path = take_until(target, '?');
  while (!target.empty()) {
    std::string_view pair = take_until(target, '&');
    if (pair.empty()) continue;
    const std::string_view name = take_until(pair, '=');
    auto plain_name = unescape_query(name);
    auto value = unescape_query(pair);
    if (!plain_name || !value) return std::nullopt;
    parts.query.emplace_back(*std::move(plain_name), *std::move(value));
  }
  return parts;
}

std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return std::nullopt;
  std::vector<std::string> found;
  while (!pattern.empty() || !path.empty()) {
    std::string_view form = take_until(pattern, '/');
    std::string_view segment = take_until(path, '/');
    if (!form.starts_with('{')) {
      if (form != segment) return std::nullopt;
      continue;
    }
    const std::string_view verb = form.substr(form.find('}') + 1);
    if (!segment.ends_with(verb)) return std::nullopt;
    segment.remove_suffix(verb.size());
    auto value = unescape(segment);
    if (!value || value->empty()) return std::nullopt;
    found.push_back(*std::move(value));
  }
  return found;
}

bool tag_list::has(std::string_view tag) const { return is_any || std::ranges::find(tags, tag) != tags.end(); }

std::optional<tag_list> read_tags(std::string_view text) {
  const auto skip = [&text](std::string_view what) {
    while (!text.empty() && what.find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  };
  tag_list list;
  skip(" \t");
  if (text.starts_with('*')) {
    text.remove_prefix(1);
    skip(" \t");
    list.is_any = true;
    return text.empty() ? std::optional(list) : std::nullopt;
  }
  for (;;) {
    skip(" \t,");
    if (text.empty()) return list;
    const bool is_weak = text.starts_with("W/");
    if (is_weak) text.remove_prefix(2);
    if (!text.starts_with('"')) return std::nullopt;
    text.remove_prefix(1);
    const std::size_t end = text.find('"');
    if (end == std::string_view::npos) return std::nullopt;
    if (!is_weak) list.tags.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
    skip(" \t");
    if (!text.empty() && text.front() != ',') return std::nullopt;
  }
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number >= std::uint64_t{1} << 53) return std::nullopt;
  return number;
}

std::optional<event_mark> read_event_mark(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto audit = read_number(text.substr(0, dot));
  if (!audit) return std::nullopt;
  if (dot == std::string_view::npos) return event_mark{*audit, std::nullopt};
  const auto event = read_number(text.substr(dot + 1));
  return event ? std::optional(event_mark{*audit, event}) : std::nullopt;
}

}  // namespace cellroute::control
