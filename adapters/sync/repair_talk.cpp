#include "adapters/sync/repair_talk.hpp"

#include <span>

namespace cellroute::sync {

repair_step repair_talk::take(const wire::repair_request& said, const key_digest& whole) {
  const bool is_to_groups = groups_.empty();
  if (is_found_ || said.content != wanted_) return repair_step::ignored;
  if (!said.base) return repair_step::hopeless;
  if (said.groups.empty() && !is_to_groups) return repair_step::ignored;  // the first answer once more
  return is_to_groups ? take_groups(said, whole) : take_buckets(said, whole);
}

repair_step repair_talk::take_groups(const wire::repair_request& said, const key_digest& whole) {
  if (!said.groups.empty() || said.sums.size() != key_digest::group_count) return repair_step::broken;
  need_.base = *said.base;
  const std::span<const wire::digest> sums(said.sums);
  for (const std::size_t group : whole.differing_groups(sums.first<key_digest::group_count>())) {
    groups_.push_back(static_cast<std::uint32_t>(group));
  }
  is_found_ = groups_.empty();
  return is_found_ ? repair_step::found : repair_step::asks;
}

repair_step repair_talk::take_buckets(const wire::repair_request& said, const key_digest& whole) {
  constexpr std::size_t each = key_digest::group_buckets;
  if (said.groups != groups_ || said.sums.size() != each * groups_.size()) return repair_step::broken;
  if (*said.base != need_.base) return repair_step::hopeless;  // it runs another one by now
  std::span<const wire::digest> sums(said.sums);
  for (const std::uint32_t group : groups_) {
    const std::vector<std::uint16_t> some = whole.differing_buckets(group, sums.first<each>());
    need_.buckets.insert(need_.buckets.end(), some.begin(), some.end());
    sums = sums.subspan(each);
  }
  if (need_.buckets.size() >= buckets_end) return repair_step::hopeless;
  is_found_ = true;
  return repair_step::found;
}

}  // namespace cellroute::sync
