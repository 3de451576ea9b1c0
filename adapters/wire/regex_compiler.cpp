#include "adapters/wire/regex_compiler.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cellroute::wire {
namespace {

constexpr std::int64_t memory_max = std::int64_t{1} << 20;  // for the program, and what RE2 remembers of its states

RE2::Options options() {
  RE2::Options wanted;
  wanted.set_log_errors(false);
  wanted.set_max_mem(memory_max);
  return wanted;
}

class re2_pattern final : public key_pattern {
 public:
  explicit re2_pattern(const std::string& regex) : regex_(regex, options()) {
    if (!regex_.ok()) return;
    for (const auto& [index, name] : regex_.CapturingGroupNames()) {
      names_.push_back(name);
      indices_.push_back(static_cast<std::size_t>(index));
    }
  }

  [[nodiscard]] const RE2& regex() const { return regex_; }
  [[nodiscard]] std::span<const std::string> groups() const override { return names_; }

  [[nodiscard]] bool match(std::string_view key, std::span<std::string_view> found) const noexcept override {
    const re2::StringPiece text(key.data(), key.size());
    std::array<re2::StringPiece, pattern_groups_max + 1> parts;  // the whole match first
    const std::size_t wanted = indices_.empty() ? 0 : indices_.back() + 1;
    if (!regex_.Match(text, 0, text.size(), RE2::UNANCHORED, parts.data(), static_cast<int>(wanted))) return false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const re2::StringPiece& part = parts[indices_[i]];
      found[i] = part.data() == nullptr ? std::string_view() : std::string_view(part.data(), part.size());
    }
    return true;
  }

 private:
  RE2 regex_;
  std::vector<std::string> names_;
  std::vector<std::size_t> indices_;  // RE2 counts the groups without a name, too
};

}  // namespace

expected<std::unique_ptr<const key_pattern>, std::string> regex_compiler::compile(const std::string& regex) const {
  auto pattern = std::make_unique<re2_pattern>(regex);
  const RE2& compiled = pattern->regex();
  if (!compiled.ok()) return unexpected(fmt::format("is no regular expression of RE2: {}", compiled.error()));
  if (compiled.ProgramSize() > regex_program_max) {
    return unexpected(fmt::format("compiles to {} instructions; {} is the most, so repeat less", compiled.ProgramSize(),
                                  regex_program_max));
  }
  if (static_cast<std::size_t>(compiled.NumberOfCapturingGroups()) > pattern_groups_max) {
    return unexpected(fmt::format("has {} groups; {} is the most, so write (?:...) where no name is meant",
                                  compiled.NumberOfCapturingGroups(), pattern_groups_max));
  }
  const auto names = pattern->groups();
  for (std::size_t i = 1; i < names.size(); ++i) {
    const auto before = names.first(i);
    if (std::ranges::find(before, names[i]) == before.end()) continue;
    return unexpected(fmt::format("has two groups of the name {}; give each its own", names[i]));
  }
  return std::unique_ptr<const key_pattern>(std::move(pattern));
}

}  // namespace cellroute::wire
