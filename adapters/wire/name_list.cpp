#include "adapters/wire/name_list.hpp"

#include "cellroute/base/simd.hpp"

namespace cellroute::wire {
namespace {

constexpr std::size_t names_max = 65'535;

bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_bytes(a.data(), b.data(), b.size());
}

}  // namespace

name_list::recent& name_list::recent_of(std::string_view name) {
  const auto byte = [name](std::size_t i) { return std::size_t{static_cast<unsigned char>(name[i])}; };
  return recent_[(name.size() + byte(0) + 7 * byte(name.size() - 1)) % recent_.size()];
}

std::optional<std::uint16_t> name_list::find(std::string_view name) {
  if (name.empty()) return std::nullopt;
  recent& last = recent_of(name);
  if (is_same(last.name, name)) return last.number;
  const auto found = numbers_.find(name);
  if (found == numbers_.end()) return std::nullopt;
  last = {found->first, found->second};
  return found->second;
}

std::optional<std::uint16_t> name_list::add(std::string_view name) {
  if (const auto known = find(name)) return known;
  if (name.empty() || names_.size() == names_max) return std::nullopt;
  const auto number = static_cast<std::uint16_t>(names_.size());
  numbers_.emplace(name, number);
  names_.push_back(name);
  return number;
}

}  // namespace cellroute::wire
