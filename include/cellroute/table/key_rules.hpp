#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cellroute/balance/rendezvous_slots.hpp"
#include "cellroute/match/key_pattern.hpp"
#include "cellroute/model/key_rule.hpp"
#include "cellroute/table/checked_fleet.hpp"
#include "cellroute/table/placement_template.hpp"

namespace cellroute {

/// The rules for keys that are not in the table, compiled.
///
/// Threads: const from birth; any number may ask at once.
class key_rules {
 public:
  key_rules() = default;

  /// Range: the rules keep all of their own rules, with these patterns, too.
  key_rules(std::span<const key_rule> rules, const checked_fleet& fleet, const pattern_compiler& patterns) {
    for (const key_rule& rule : rules) {
      compiled made;
      made.prefix = rule.prefix.value_or("");
      if (rule.regex) {
        if (auto pattern = patterns.compile(*rule.regex)) made.pattern = *std::move(pattern);
      }
      if (rule.hash.empty()) {
        made.target = target_of(rule, made.pattern.get(), fleet);
      } else {
        made.target = shares_of(rule, fleet);
      }
      rules_.push_back(std::move(made));
    }
  }

  struct outcome {
    std::uint16_t placement = 0;
    std::uint16_t rule = 0;  ///< its place in the list
    bool is_by_hash = false;
    friend bool operator==(const outcome&, const outcome&) = default;
  };

  /// What the first rule says that matches and yields a placement.
  ///
  /// Cost: a comparison for each prefix, a match for each pattern until then; nothing allocates here.
  [[nodiscard]] std::optional<outcome> find(std::string_view key) const noexcept {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const compiled& rule = rules_[i];
      if (!key.starts_with(rule.prefix)) continue;
      std::array<std::string_view, pattern_groups_max> groups;
      if (rule.pattern && !rule.pattern->match(key, std::span(groups).first(rule.pattern->groups().size()))) continue;
      const auto number = static_cast<std::uint16_t>(i);
      if (rule.target.slots) {
        return outcome{rule.target.shares[rule.target.slots->pick(key)], number, true};
      }
      if (const auto placement = rule.target.fill(groups)) return outcome{*placement, number, false};
    }
    return std::nullopt;
  }

  [[nodiscard]] bool is_empty() const { return rules_.empty(); }

 private:
  static constexpr std::size_t name_size_max = 128;  // of a placement

  struct candidate {
    std::string name;
    std::uint16_t placement = 0;
  };

  struct target {
    struct piece {
      std::string text;
      std::optional<std::size_t> group;  ///< its place among the pattern's; then the text is that of the key
    };
    std::vector<piece> pieces;
    std::vector<candidate> candidates;  ///< the placements that the template can name, by name
    std::optional<rendezvous_slots> slots;
    std::vector<std::uint16_t> shares;  ///< what the slots choose among

    [[nodiscard]] std::optional<std::uint16_t> fill(std::span<const std::string_view> groups) const noexcept {
      std::array<char, name_size_max> name;
      std::size_t size = 0;
      for (const piece& p : pieces) {
        const std::string_view text = p.group ? groups[*p.group] : std::string_view(p.text);
        if (text.size() > name.size() - size) return std::nullopt;
        std::copy(text.begin(), text.end(), name.begin() + static_cast<std::ptrdiff_t>(size));
        size += text.size();
      }
      const std::string_view wanted(name.data(), size);
      const auto at = std::ranges::lower_bound(candidates, wanted, {}, &candidate::name);
      if (at == candidates.end() || at->name != wanted) return std::nullopt;
      return at->placement;
    }
  };

  struct compiled {
    std::string prefix;
    std::unique_ptr<const key_pattern> pattern;  ///< null: the prefix alone decides
    cellroute::key_rules::target target;
  };

  [[nodiscard]] static target target_of(const key_rule& rule, const key_pattern* pattern, const checked_fleet& fleet) {
    target made;
    const auto parsed = placement_template::parse(rule.placement);
    if (!parsed) return made;
    for (const placement_template::part& part : parsed->parts()) {
      target::piece piece{part.text, std::nullopt};
      if (part.is_place && pattern != nullptr) {
        const auto names = pattern->groups();
        piece.group = static_cast<std::size_t>(std::ranges::find(names, part.text) - names.begin());
      }
      made.pieces.push_back(std::move(piece));
    }
    for (std::size_t i = 0; i < fleet.placements().size(); ++i) {
      const std::string& name = fleet.placements()[i].id.value;
      if (parsed->can_become(name)) made.candidates.push_back({name, static_cast<std::uint16_t>(i)});
    }
    std::ranges::sort(made.candidates, {}, &candidate::name);
    return made;
  }

  [[nodiscard]] static target shares_of(const key_rule& rule, const checked_fleet& fleet) {
    target made;
    std::vector<weighted_name> among;
    for (const placement_share& share : rule.hash) {
      among.push_back({share.placement.value, share.weight});
      made.shares.push_back(fleet.find_placement(share.placement.value).value_or(0));
    }
    made.slots.emplace(among);
    return made;
  }

  std::vector<compiled> rules_;
};

}  // namespace cellroute
