#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/base/expected.hpp"

namespace cellroute {

/// The name of a placement with places that the groups of a pattern fill: `tier{n}`.
class placement_template {
 public:
  placement_template() = default;

  /// Errors: what is wrong with the text, to stand behind its path.
  [[nodiscard]] static expected<placement_template, std::string_view> parse(std::string_view text) {
    placement_template made;
    while (!text.empty()) {
      const bool is_place = text.front() == '{';
      const std::size_t end = is_place ? text.find('}') : text.find_first_of("{}");
      if ((is_place && end == std::string_view::npos) ||
          (!is_place && end != std::string_view::npos && text[end] == '}')) {
        return unexpected(std::string_view("has a brace without its other half; write a group as {name}"));
      }
      const std::string_view inside = is_place ? text.substr(1, end - 1) : text.substr(0, end);
      if (is_place && inside.find_first_not_of(name_bytes) != std::string_view::npos) {
        return unexpected(std::string_view("has a place that is no name of a group; write a group as {name}"));
      }
      if (inside.empty()) return unexpected(std::string_view("has a place without a name; write a group as {name}"));
      made.parts_.push_back({std::string(inside), is_place});
      text.remove_prefix(is_place ? end + 1 : inside.size());
    }
    return made;
  }

  struct part {
    std::string text;
    bool is_place = false;  ///< then the text is the name of a group
  };
  [[nodiscard]] std::span<const part> parts() const { return parts_; }

  /// Whether it is one name and no other.
  [[nodiscard]] bool is_plain() const {
    for (const part& p : parts_) {
      if (p.is_place) return false;
    }
    return true;
  }

  /// Whether some filling gives that name. A group that stands twice may differ here.
  [[nodiscard]] bool can_become(std::string_view name) const { return fits(parts_, name); }

 private:
  static constexpr std::string_view name_bytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

  /// The leftmost fit of each fixed text leaves the most room for the rest; the last one must reach the end.
  [[nodiscard]] static bool fits(std::span<const part> parts, std::string_view name) {
    bool may_skip = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string_view text = parts[i].text;
      if (parts[i].is_place) {
        may_skip = true;
        continue;
      }
      if (i + 1 == parts.size()) return may_skip ? name.ends_with(text) : name == text;
      const std::size_t at = may_skip ? name.find(text) : name.starts_with(text) ? 0 : std::string_view::npos;
      if (at == std::string_view::npos) return false;
      name.remove_prefix(at + text.size());
      may_skip = false;
    }
    return may_skip || name.empty();
  }

  std::vector<part> parts_;
};

}  // namespace cellroute
