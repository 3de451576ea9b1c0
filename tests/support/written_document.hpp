#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cellroute::support {

/// A value of a document that is to be written down.
struct piece {
  enum class kind { plain, text, list, map };
  kind is = kind::map;
  std::string value{};                                 ///< of a scalar
  std::vector<std::pair<std::string, piece>> parts{};  ///< members; items have no name

  [[nodiscard]] static piece plain(std::string_view value) { return {kind::plain, std::string(value), {}}; }
  [[nodiscard]] static piece text(std::string_view value) { return {kind::text, std::string(value), {}}; }
  [[nodiscard]] static piece list(std::vector<piece> items = {}) {
    piece made{kind::list, {}, {}};
    for (piece& item : items) made.parts.emplace_back("", std::move(item));
    return made;
  }
  [[nodiscard]] static piece map(std::vector<std::pair<std::string, piece>> members = {}) {
    return {kind::map, {}, std::move(members)};
  }

  /// What a path of names and indices leads to, `placements.a.endpoints[0]`; made where it is not there.
  [[nodiscard]] piece& at(std::string_view path) {
    if (path.empty()) return *this;
    if (path.front() == '[') {
      const std::size_t close = path.find(']');
      const std::size_t index = std::stoul(std::string(path.substr(1, close - 1)));
      is = kind::list;
      while (parts.size() <= index) parts.emplace_back("", map());
      path.remove_prefix(close + 1);
      return parts[index].second.at(path.starts_with('.') ? path.substr(1) : path);
    }
    const std::string name(path.substr(0, path.find_first_of(".[")));
    path.remove_prefix(name.size());
    if (path.starts_with('.')) path.remove_prefix(1);
    for (auto& [member, inner] : parts) {
      if (member == name) return inner.at(path);
    }
    return parts.emplace_back(name, map()).second.at(path);
  }
  void remove(std::string_view name) {
    std::erase_if(parts, [name](const auto& part) { return part.first == name; });
  }
};

struct text_place {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// JSON, or YAML in block style.
enum class notation { yaml, json };

/// A text, and where each thing in it stands, by the path that leads there. It knows no reader.
class written_document {
 public:
  written_document(const piece& document, notation how) : how_(how) {
    how == notation::json ? json(document, "", 0) : yaml(document, "", 0);
    if (text_.back() != '\n') text_ += '\n';
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] notation how() const { return how_; }
  /// Where the name of a member stands; of one that stands twice, where it stands for the first and the last time.
  [[nodiscard]] text_place first_name(const std::string& path) const { return names_.at(path).first; }
  [[nodiscard]] text_place name(const std::string& path) const { return names_.at(path).second; }
  /// Where a value begins.
  [[nodiscard]] text_place value(const std::string& path) const { return values_.at(path); }

 private:
  void put(std::string_view bytes) {
    for (const char c : bytes) {
      here_ = c == '\n' ? text_place{here_.line + 1, 1} : text_place{here_.line, here_.column + 1};
    }
    text_ += bytes;
  }
  void put_quoted(std::string_view value) { put("\"" + std::string(value) + "\""); }
  void put_name(const std::string& path, const std::string& name) {
    const auto [at, is_new] = names_.try_emplace(path, here_, here_);
    at->second.second = here_;
    const bool is_bare = !name.empty() && name.find_first_of(" ;\"") == std::string::npos;
    is_bare&& how_ == notation::yaml ? put(name) : put_quoted(name);
    put(":");
  }
  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }
  static bool is_scalar(const piece& p) { return p.is == piece::kind::plain || p.is == piece::kind::text; }

  void scalar(const piece& p) { p.is == piece::kind::text ? put_quoted(p.value) : put(p.value); }

  /// On one line, as both have it.
  void flow(const piece& p, const std::string& path) {
    values_.try_emplace(path, here_);
    if (is_scalar(p)) return scalar(p);
    const bool is_map = p.is == piece::kind::map;
    put(is_map ? "{" : "[");
    for (std::size_t i = 0; i < p.parts.size(); ++i) {
      if (i > 0) put(", ");
      const std::string inner = is_map ? join(path, p.parts[i].first) : path + "[" + std::to_string(i) + "]";
      if (is_map) {
        put_name(inner, p.parts[i].first);
        put(" ");
      }
      flow(p.parts[i].second, inner);
    }
    put(is_map ? "}" : "]");
  }

  static bool is_small(const piece& p) {
    if (p.parts.empty()) return true;
    for (const auto& [name, value] : p.parts) {
      if (!is_scalar(value)) return false;
    }
    return p.is == piece::kind::list;
  }

  void json(const piece& p, const std::string& path, std::size_t indent) {
    if (is_scalar(p) || is_small(p)) return flow(p, path);
    values_.try_emplace(path, here_);
    const bool is_map = p.is == piece::kind::map;
    put(is_map ? "{" : "[");
    for (std::size_t i = 0; i < p.parts.size(); ++i) {
      put(i > 0 ? ",\n" : "\n");
      put(std::string(indent + 2, ' '));
      const std::string inner = is_map ? join(path, p.parts[i].first) : path + "[" + std::to_string(i) + "]";
      if (is_map) {
        put_name(inner, p.parts[i].first);
        put(" ");
      }
      json(p.parts[i].second, inner, indent + 2);
    }
    put("\n");
    put(std::string(indent, ' '));
    put(is_map ? "}" : "]");
  }

  /// `here_` is where the first member or item is to stand.
  void yaml(const piece& p, const std::string& path, std::size_t indent) {
    if (is_scalar(p) || is_small(p)) {
      flow(p, path);
      return put("\n");
    }
    values_.try_emplace(path, here_);
    for (std::size_t i = 0; i < p.parts.size(); ++i) {
      const auto& [name, value] = p.parts[i];
      if (i > 0) put(std::string(indent, ' '));
      if (p.is == piece::kind::list) {
        put("- ");
        yaml(value, path + "[" + std::to_string(i) + "]", indent + 2);
        continue;
      }
      const std::string inner = join(path, name);
      put_name(inner, name);
      if (is_scalar(value) || is_small(value)) {
        put(" ");
        yaml(value, inner, indent);
      } else {
        put("\n");
        put(std::string(indent + 2, ' '));
        yaml(value, inner, indent + 2);
      }
    }
  }

  notation how_;
  std::string text_;
  text_place here_;
  std::map<std::string, std::pair<text_place, text_place>> names_;
  std::map<std::string, text_place> values_;
};

}  // namespace cellroute::support
