#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cellroute/match/key_pattern.hpp"

namespace cellroute::support {

/// Patterns for tests of the core: `before(name)after` matches a whole key, and the group is what is in between.
class star_pattern final : public key_pattern {
 public:
  star_pattern(std::string before, std::string name, std::string after)
      : before_(std::move(before)), names_{std::move(name)}, after_(std::move(after)) {}

  [[nodiscard]] std::span<const std::string> groups() const override { return names_; }
  [[nodiscard]] bool match(std::string_view key, std::span<std::string_view> found) const noexcept override {
    if (key.size() < before_.size() + after_.size()) return false;
    if (!key.starts_with(before_) || !key.ends_with(after_)) return false;
    found[0] = key.substr(before_.size(), key.size() - before_.size() - after_.size());
    return true;
  }

 private:
  std::string before_;
  std::vector<std::string> names_;
  std::string after_;
};

class star_patterns final : public pattern_compiler {
 public:
  [[nodiscard]] expected<std::unique_ptr<const key_pattern>, std::string> compile(
      const std::string& regex) const override {
    const std::size_t open = regex.find('(');
    const std::size_t close = regex.find(')');
    if (open == std::string::npos || close == std::string::npos) return unexpected(std::string("has no group"));
    return std::unique_ptr<const key_pattern>(std::make_unique<star_pattern>(
        regex.substr(0, open), regex.substr(open + 1, close - open - 1), regex.substr(close + 1)));
  }
};

}  // namespace cellroute::support
