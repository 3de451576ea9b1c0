#include "adapters/tool/ctl_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace cellroute::tool {

std::string plain(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool has_next = i + 1 < text.size();
    // U+0080 to U+009F are control characters, too: 0xc2 and the byte itself.
    const bool is_wide = c == 0xc2 && has_next && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_wide) ++i;
    out += is_wide || c < ' ' || c == 127 ? '?' : text[i];
  }
  return out;
}

std::string plain_advice(std::string_view text) {
  constexpr std::string_view before = "?override=";
  constexpr std::string_view retry = "POST /v1/watch:retry";
  std::string told = plain(text);
  for (std::size_t at = 0; (at = told.find(before, at)) != std::string::npos; ++at) {
    const std::size_t path = told.rfind(' ', at);
    if (path == std::string::npos || path == 0) continue;
    const std::size_t method = told.rfind(' ', path - 1) + 1;  // 0 where nothing is before it
    const std::size_t size = at - method;
    const bool is_retry = std::string_view(told).substr(method, size) == retry;
    const std::string_view option = is_retry ? "ctl retry --override " : "--override ";
    told.replace(method, size + before.size(), option);
    at = method;
  }
  return told;
}

namespace {

/// What of a text has room, cut between characters.
std::string cut(const std::string& text, std::size_t room) {
  constexpr std::string_view more = "...";
  if (text.size() <= room) return text;
  std::size_t size = std::max(room, more.size()) - more.size();
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size).append(more);
}

/// A figure as a person reads it: at most two decimals.
std::string figure_at(const wire::node& of, std::initializer_list<std::string_view> path) {
  const std::string written = text_at(of, path);
  char* end = nullptr;
  const double share = std::strtod(written.c_str(), &end);
  if (end == written.c_str()) return written;
  std::string text = fmt::format("{:.2f}", share);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

std::string table_of(const rows& rough, std::size_t columns_max) {
  constexpr std::size_t last_min = 20;  // however wide the others are
  rows all = rough;
  for (auto& row : all) {
    for (std::string& cell : row) cell = plain(cell);
  }
  std::vector<std::size_t> width;
  for (const auto& row : all) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  if (columns_max != 0 && !width.empty()) {
    std::size_t others = 2 * (width.size() - 1);
    for (std::size_t i = 0; i + 1 < width.size(); ++i) others += width[i];
    width.back() = std::min(width.back(), std::max(columns_max - std::min(columns_max, others), last_min));
    for (auto& row : all) {
      if (row.size() == width.size()) row.back() = cut(row.back(), width.back());
    }
  }
  std::string out;
  for (const auto& row : all) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], width[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string text_at(const wire::node& of, std::initializer_list<std::string_view> path) {
  const wire::node* at = &of;
  for (const std::string_view name : path) {
    at = at->find(name);
    if (at == nullptr) return {};
  }
  return at->kind == wire::node_kind::null ? std::string() : at->text;
}

const std::vector<wire::node>& items_of(const wire::node& of, std::string_view name) {
  static const std::vector<wire::node> none;
  const wire::node* const found = of.find(name);
  return found != nullptr ? found->children : none;
}

std::string plural(const std::string& count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == "1" ? "" : "s");
}

std::string ages_text(const wire::node& drift) {
  const auto age = [&drift](std::string_view which) { return figure_at(drift, {"confirmed_age_seconds", which}); };
  if (age("max").empty()) return {};
  std::string out = fmt::format("confirmed      {} s ago by half of them, {} s by 99 %, {} s at most", age("p50"),
                                age("p99"), age("max"));
  const std::string never = text_at(drift, {"confirmed_age_seconds", "never"});
  if (never != "0") out += fmt::format("; {} never", never);
  return out + '\n';
}

namespace {

void add_changed(std::string& out, const wire::node& of, std::string_view what) {
  const wire::node* const found = of.find(what);
  if (found == nullptr) return;
  for (const wire::node& kind : found->children) {
    if (kind.children.empty()) continue;
    out += fmt::format("{:<11}", what);
    for (const wire::node& name : kind.children) out += ' ' + plain(name.text);
    out += ' ' + kind.name + '\n';
  }
  const std::string left_out = text_at(*found, "left_out");
  if (!left_out.empty() && left_out != "0") out += fmt::format("{:<11} {} more\n", what, left_out);
}

/// A table of those that are on, and below it what they have to say.
std::string guards_text(const wire::node& of) {
  rows all{{"GUARD", "WOULD BE", "LIMIT", "OK"}};
  std::string details;
  for (const wire::node& each : items_of(of, "guards")) {
    const std::string name = text_at(each, "name");
    const std::string detail = text_at(each, "detail");
    if (!detail.empty()) details += fmt::format("guard       {}: {}\n", plain(name), plain_advice(detail));
    if (text_at(each, "limit").empty()) continue;
    all.push_back(
        {name, figure_at(each, {"value"}), figure_at(each, {"limit"}), text_at(each, "ok") == "true" ? "yes" : "no"});
  }
  return (all.size() > 1 ? table_of(all) : "") + details;
}

}  // namespace

std::string radius_text(const wire::node& of) {
  std::string out = fmt::format(
      "keys        {} -> {}: {} added, {} moved ({} %), {} removed ({} %)\n", text_at(of, {"keys", "total"}),
      text_at(of, {"keys", "total_after"}), text_at(of, {"keys", "added"}), text_at(of, {"keys", "moved"}),
      figure_at(of, {"keys", "moved_pct"}), text_at(of, {"keys", "removed"}), figure_at(of, {"keys", "removed_pct"}));
  add_changed(out, of, "placements");
  add_changed(out, of, "endpoints");
  if (of.find("routers") != nullptr)
    out += fmt::format("routers     {} of {} get something else\n", text_at(of, {"routers", "affected"}),
                       text_at(of, {"routers", "total"}));
  rows matrix{{"FROM", "TO", "KEYS"}};
  const auto named = [](const std::string& name) { return name.empty() ? std::string("-") : name; };
  for (const wire::node& each : items_of(of, "matrix"))
    matrix.push_back({named(text_at(each, "from")), named(text_at(each, "to")), text_at(each, "keys")});
  if (matrix.size() > 1) out += table_of(matrix);
  rows examples{{"KEY", "FROM", "TO"}};
  for (const wire::node& each : items_of(of, "examples"))
    examples.push_back({text_at(each, "key"), named(text_at(each, "from")), named(text_at(each, "to"))});
  if (examples.size() > 1) out += "for example\n" + table_of(examples);
  return out + guards_text(of);
}

}  // namespace cellroute::tool
