#include "adapters/wire/section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>

namespace cellroute::wire {
namespace {

/// How many single letters apart two words are; neighbours swapped count once.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last[b.size()];
}

/// The word that was probably meant, or nothing.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
  if (word.size() > 40) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : words) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string joined(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

/// What the operator wrote, short enough for a line, and without a password.
std::string shown(std::string_view value) {
  constexpr std::size_t shown_max = 80;
  std::string text(value);
  const std::size_t scheme = text.find("://");
  const std::size_t at = text.rfind('@');
  if (scheme != std::string::npos && at != std::string::npos && at > scheme) {
    text.replace(scheme + 3, at - scheme - 3, "***");
  }
  if (text.size() <= shown_max) return quote(text);
  std::size_t cut = shown_max;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // between characters
  return quote(text.substr(0, cut)) + "...";
}

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> words) {
  const std::string_view meant = nearest(word, words);
  return meant.empty() ? "" : fmt::format("; did you mean {}?", meant);
}

section::section(const node& at, std::string path, mistake_list& mistakes)
    : at_(at), path_(std::move(path)), mistakes_(mistakes), is_map_(at.kind == node_kind::map) {
  if (is_map_) return;
  mistakes_.add(
      at_.at, path_,
      at.kind == node_kind::null ? "is empty; give it keys or remove it" : "must be a map of keys and values");
}

section::~section() noexcept(false) {
  if (!is_map_ || std::uncaught_exceptions() > 0) return;
  const std::vector<std::string_view> built = known_;
  known_.insert(known_.end(), not_yet_.begin(), not_yet_.end());
  for (const node& member : at_.children) {
    if (std::ranges::find(known_, member.name) != known_.end()) continue;
    if (mistakes_.found().size() > mistakes_max) break;  // nobody reads on, and each suggestion costs a comparison
    std::string hint = suggestion(member.name, known_);
    if (hint.empty()) hint = fmt::format("; known here: {}", joined(built));
    mistakes_.add(member.name_at, path(member.name), "unknown key" + hint);
  }
}

const node* section::find(std::string_view name) {
  note(name, field_kind::value);
  if (std::ranges::find(known_, name) == known_.end()) known_.push_back(name);
  return at_.find(name);
}

const node* section::map_at(std::string_view name) {
  note(name, field_kind::map);
  const node* found = find(name);
  if (found == nullptr || found->kind == node_kind::map) return found;
  mistakes_.add(found->at, path(name), "must be a map of keys and values");
  return nullptr;
}

const node* section::list_at(std::string_view name) {
  note(name, field_kind::list);
  const node* found = find(name);
  if (found == nullptr || found->kind == node_kind::list) return found;
  mistakes_.add(found->at, path(name), "must be a list");
  return nullptr;
}

std::optional<std::string_view> section::scalar(std::string_view name) {
  const node* found = find(name);
  if (found == nullptr) return std::nullopt;
  return scalar_of(*found, path(name));
}

std::optional<std::string_view> section::scalar_of(const node& value, const std::string& where) {
  switch (value.kind) {
    case node_kind::plain:
    case node_kind::quoted:
      return value.text;
    case node_kind::null:
      mistakes_.add(value.at, where, "has no value; write one or remove the key");
      break;
    case node_kind::list:
      mistakes_.add(value.at, where, "must be a single value, not a list");
      break;
    case node_kind::map:
      mistakes_.add(value.at, where, "must be a single value, not a map");
      break;
  }
  return std::nullopt;
}

void section::text(std::string_view name, std::string& out) {
  const auto value = scalar(name);
  if (!value) return;
  if (at_.find(name)->kind == node_kind::plain && (*value == "true" || *value == "false")) {
    return refuse(name, *value, "must be text (in quotes, if it is meant so)");
  }
  if (value->empty()) return mistakes_.add(at_.find(name)->at, path(name), "must not be empty");
  out = *value;
}

void section::fixed_list(std::string_view name, std::string_view value, names not_yet) {
  note(name, field_kind::fixed);
  const node* items = list_at(name);
  if (items == nullptr) return;
  if (items->children.empty()) mistakes_.add(items->at, path(name), "must have at least one item");
  for (std::size_t i = 0; i < items->children.size(); ++i) {
    choose_at(items->children[i], item_path(name, i), {value}, not_yet);
  }
}

void section::require(std::string_view name, std::string_view example) {
  if (!is_map_ || at_.find(name) != nullptr) return;
  mistakes_.add(at_.at, path(name), fmt::format("is missing; add one, such as {}", example));
}

void section::later(std::span<const std::string_view> not_yet) {
  for (const std::string_view name : not_yet) {
    not_yet_.push_back(name);
    if (const node* found = at_.find(name)) mistakes_.add(found->name_at, path(name), "not supported yet; remove it");
  }
}

std::string section::path(std::string_view name) const { return join_path(path_, name); }

std::string section::item_path(std::string_view name, std::size_t index) const {
  return fmt::format("{}[{}]", path(name), index);
}

void section::refuse(std::string_view name, std::string_view value, std::string_view must_be) {
  const node* found = at_.find(name);
  refuse_at(found != nullptr ? found->at : at_.at, path(name), value, must_be);
}

void section::refuse_at(position at, std::string where, std::string_view value, std::string_view must_be) {
  mistakes_.add(at, std::move(where), fmt::format("{}, not {}", must_be, shown(value)));
}

std::optional<std::size_t> section::choose(std::string_view name, const std::vector<std::string_view>& allowed,
                                           names not_yet) {
  const node* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (found->kind == node_kind::map && found->children.size() == 1 &&
      std::ranges::find(not_yet, found->children.front().name) != not_yet.end()) {
    mistakes_.add(found->children.front().name_at, path(name) + "." + found->children.front().name,
                  fmt::format("not supported yet; use {}", joined(allowed)));
    return std::nullopt;
  }
  return choose_at(*found, path(name), allowed, not_yet);
}

std::optional<std::size_t> section::choose_at(const node& found, const std::string& where,
                                              const std::vector<std::string_view>& allowed, names not_yet) {
  const auto value = scalar_of(found, where);
  if (!value) return std::nullopt;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (*value == allowed[i] || (is_off(*value) && is_off(allowed[i]))) return i;
  }
  if (std::ranges::find(not_yet, *value) != not_yet.end()) {
    mistakes_.add(found.at, where, fmt::format("{} is not supported yet; use {}", *value, joined(allowed)));
  } else {
    const std::string what = fmt::format("must be {}{}", allowed.size() > 1 ? "one of " : "", joined(allowed));
    mistakes_.add(
        found.at, where,
        fmt::format("{}, not {}{}", what, shown(*value), allowed.size() > 1 ? suggestion(*value, allowed) : ""));
  }
  return std::nullopt;
}

bool section::take_time(std::string_view name, std::string_view value, duration& out, duration shortest,
                        std::string_view or_else) {
  const auto d = parse_duration(value);
  if (!d) {
    refuse(name, value, std::string(d.error()) + std::string(or_else));
    return false;
  }
  if (*d < shortest) {
    refuse(name, value, fmt::format("must be at least {}", print_duration(shortest)));
    return false;
  }
  out = *d;
  return true;
}

}  // namespace cellroute::wire
