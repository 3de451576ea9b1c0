#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cellroute::wire {

/// Names that rows say again and again, numbered in the order in which they first come.
///
/// The names are views; whatever they lead into outlives the list.
class name_list {
 public:
  /// The number of a name, a new one where it is new; nothing for an empty one, or where there are 65,535 others.
  /// Cost: a few ns for a name that came lately.
  [[nodiscard]] std::optional<std::uint16_t> add(std::string_view name);

  /// The number of a name that is there. Cost: as above.
  [[nodiscard]] std::optional<std::uint16_t> find(std::string_view name);

  [[nodiscard]] std::span<const std::string_view> names() const { return names_; }

 private:
  struct recent {
    std::string_view name;
    std::uint16_t number = 0;
  };
  [[nodiscard]] recent& recent_of(std::string_view name);

  std::vector<std::string_view> names_;
  std::unordered_map<std::string_view, std::uint16_t> numbers_;
  std::array<recent, 64> recent_;
};

}  // namespace cellroute::wire
